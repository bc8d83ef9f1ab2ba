"""The tables of fulfillment, each fenced from the moment it exists."""

import uuid

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import shipcrowd.tenancy
from shipcrowd.work import DUE_DOOR


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("orders", "0001_initial"),
        ("sellers", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Document",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "paper",
                    models.CharField(
                        choices=[
                            ("label", "Label"),
                            ("invoice", "Invoice"),
                            ("manifest", "Manifest"),
                            ("slip", "Invoice cut for 4x6"),
                            ("unsplit", "Pages that could not be told apart"),
                        ],
                        max_length=10,
                    ),
                ),
                ("version", models.PositiveSmallIntegerField(default=1)),
                ("storage_key", models.CharField(max_length=200)),
                ("original_key", models.CharField(blank=True, max_length=200)),
                ("original_sha256", models.CharField(blank=True, max_length=64)),
                ("original_pages", models.PositiveSmallIntegerField(default=0)),
                ("sha256", models.CharField(max_length=64)),
                ("size", models.PositiveIntegerField()),
                ("pages", models.PositiveSmallIntegerField(default=1)),
                ("cut_by", models.CharField(blank=True, max_length=20)),
                (
                    "tracking_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=64), null=True, size=None
                    ),
                ),
                ("stored_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("voided_at", models.DateTimeField(null=True)),
                (
                    "seller",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="sellers.seller",
                    ),
                ),
                (
                    "shipment",
                    shipcrowd.tenancy.SellersKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="documents", to="orders.shipment"
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="LabelRequest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("wake_at", models.DateTimeField(null=True)),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("due", "waiting for its turn"),
                            ("claimed", "taken by a worker"),
                            ("calling", "being sent"),
                            ("unknown", "answer lost, will be read back"),
                            ("done", "done"),
                            ("refused", "refused"),
                            ("given_up", "given up"),
                            ("withdrawn", "withdrawn"),
                        ],
                        default="due",
                        max_length=10,
                    ),
                ),
                ("in_doubt", models.BooleanField(default=False)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("read_backs", models.PositiveSmallIntegerField(default=0)),
                ("claim_token", models.UUIDField(null=True)),
                ("give_up_at", models.DateTimeField(null=True)),
                (
                    "attention",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "nothing"),
                            ("refused", "Flipkart refused it"),
                            ("late", "it takes too long"),
                            ("given_up", "tried too long"),
                            ("bad_paper", "the paper cannot be used"),
                            ("reconnect", "the connection must be renewed"),
                            ("pull", "pull this parcel"),
                            ("parked", "parked when the connection was cut"),
                            ("unreadable", "Flipkart's answer cannot be read"),
                            ("unknown_state", "a state that this version does not know"),
                            ("odd_move", "its state moved in a way we do not expect"),
                            ("form", "a form must be acknowledged"),
                            ("broken", "our own mistake"),
                        ],
                        default="",
                        max_length=20,
                    ),
                ),
                ("says", models.CharField(blank=True, max_length=300)),
                ("asked_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("called_at", models.DateTimeField(null=True)),
                ("lost_at", models.DateTimeField(null=True)),
                ("settled_at", models.DateTimeField(null=True)),
                (
                    "step",
                    models.CharField(
                        choices=[
                            ("pack", "asking Flipkart to pack and make the label"),
                            ("fetch", "waiting for the label"),
                        ],
                        default="pack",
                        max_length=5,
                    ),
                ),
                ("fetches", models.PositiveSmallIntegerField(default=0)),
                ("packed_at", models.DateTimeField(null=True)),
                (
                    "asked_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "seller",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="sellers.seller",
                    ),
                ),
                (
                    "shipment",
                    shipcrowd.tenancy.SellersKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="label_requests", to="orders.shipment"
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="PrintHabit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "layout",
                    models.CharField(
                        choices=[
                            ("thermal", "4x6 label"),
                            ("with_invoice", "4x6 label, its invoice on the next 4x6 page"),
                            ("four_on_a4", "A4, four labels a sheet"),
                            ("as_made", "A4 as Flipkart made it"),
                            ("invoices", "Invoices only"),
                        ],
                        default="thermal",
                        max_length=12,
                    ),
                ),
                (
                    "sorting",
                    models.CharField(
                        choices=[
                            ("sku", "By SKU, mixed parcels last"),
                            ("dispatch_by", "By dispatch-by"),
                            ("facility", "By facility"),
                        ],
                        default="sku",
                        max_length=12,
                    ),
                ),
                ("is_reversed", models.BooleanField(default=False)),
                ("has_separators", models.BooleanField(default=True)),
                ("stack_size", models.PositiveIntegerField(default=200)),
                (
                    "packers",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=40), blank=True, default=list, size=None
                    ),
                ),
                ("is_split_by_packers", models.BooleanField(default=False)),
                (
                    "member",
                    shipcrowd.tenancy.SellersKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="sellers.member"
                    ),
                ),
                (
                    "seller",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="sellers.seller",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="PrintJob",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("wake_at", models.DateTimeField(null=True)),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("due", "waiting for its turn"),
                            ("claimed", "taken by a worker"),
                            ("calling", "being sent"),
                            ("unknown", "answer lost, will be read back"),
                            ("done", "done"),
                            ("refused", "refused"),
                            ("given_up", "given up"),
                            ("withdrawn", "withdrawn"),
                        ],
                        default="due",
                        max_length=10,
                    ),
                ),
                ("in_doubt", models.BooleanField(default=False)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("read_backs", models.PositiveSmallIntegerField(default=0)),
                ("claim_token", models.UUIDField(null=True)),
                ("give_up_at", models.DateTimeField(null=True)),
                (
                    "attention",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "nothing"),
                            ("refused", "Flipkart refused it"),
                            ("late", "it takes too long"),
                            ("given_up", "tried too long"),
                            ("bad_paper", "the paper cannot be used"),
                            ("reconnect", "the connection must be renewed"),
                            ("pull", "pull this parcel"),
                            ("parked", "parked when the connection was cut"),
                            ("unreadable", "Flipkart's answer cannot be read"),
                            ("unknown_state", "a state that this version does not know"),
                            ("odd_move", "its state moved in a way we do not expect"),
                            ("form", "a form must be acknowledged"),
                            ("broken", "our own mistake"),
                        ],
                        default="",
                        max_length=20,
                    ),
                ),
                ("says", models.CharField(blank=True, max_length=300)),
                ("asked_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("called_at", models.DateTimeField(null=True)),
                ("lost_at", models.DateTimeField(null=True)),
                ("settled_at", models.DateTimeField(null=True)),
                (
                    "layout",
                    models.CharField(
                        choices=[
                            ("thermal", "4x6 label"),
                            ("with_invoice", "4x6 label, its invoice on the next 4x6 page"),
                            ("four_on_a4", "A4, four labels a sheet"),
                            ("as_made", "A4 as Flipkart made it"),
                            ("invoices", "Invoices only"),
                        ],
                        default="thermal",
                        max_length=12,
                    ),
                ),
                (
                    "sorting",
                    models.CharField(
                        choices=[
                            ("sku", "By SKU, mixed parcels last"),
                            ("dispatch_by", "By dispatch-by"),
                            ("facility", "By facility"),
                        ],
                        default="sku",
                        max_length=12,
                    ),
                ),
                ("is_reversed", models.BooleanField(default=False)),
                ("has_separators", models.BooleanField(default=True)),
                ("stack_size", models.PositiveIntegerField(default=200)),
                (
                    "packers",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=40), blank=True, default=list, size=None
                    ),
                ),
                ("is_split_by_packers", models.BooleanField(default=False)),
                ("asked_for", models.PositiveIntegerField(default=0)),
                ("reprint_reason", models.CharField(blank=True, max_length=200)),
                ("keeps_order", models.BooleanField(default=False)),
                ("planned_at", models.DateTimeField(null=True)),
                ("unchecked_since", models.DateTimeField(null=True)),
                (
                    "asked_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "seller",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="sellers.seller",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="PrintStack",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveSmallIntegerField()),
                ("letter", models.CharField(max_length=4)),
                ("packer", models.CharField(blank=True, max_length=40)),
                ("asked_for", models.PositiveIntegerField(default=0)),
                ("progress", models.PositiveIntegerField(default=0)),
                ("printed", models.PositiveIntegerField(default=0)),
                ("pages", models.PositiveIntegerField(default=0)),
                ("storage_key", models.CharField(blank=True, max_length=200)),
                ("sha256", models.CharField(blank=True, max_length=64)),
                ("size", models.PositiveIntegerField(default=0)),
                ("laid_out_at", models.DateTimeField(null=True)),
                ("unchecked_since", models.DateTimeField(null=True)),
                ("opened_at", models.DateTimeField(null=True)),
                (
                    "job",
                    shipcrowd.tenancy.SellersKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="stacks", to="fulfillment.printjob"
                    ),
                ),
                (
                    "opened_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "seller",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="sellers.seller",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="PrintJobLine",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("place", models.PositiveIntegerField(null=True)),
                ("page", models.PositiveIntegerField(null=True)),
                ("left_out", models.CharField(blank=True, max_length=300)),
                ("may_reprint", models.BooleanField(default=False)),
                ("is_claim", models.BooleanField(default=False)),
                (
                    "document",
                    shipcrowd.tenancy.SellersKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="fulfillment.document",
                    ),
                ),
                (
                    "job",
                    shipcrowd.tenancy.SellersKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="lines", to="fulfillment.printjob"
                    ),
                ),
                (
                    "seller",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="sellers.seller",
                    ),
                ),
                (
                    "shipment",
                    shipcrowd.tenancy.SellersKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="print_lines", to="orders.shipment"
                    ),
                ),
                (
                    "stack",
                    shipcrowd.tenancy.SellersKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="lines",
                        to="fulfillment.printstack",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="Dispatch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("wake_at", models.DateTimeField(null=True)),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("due", "waiting for its turn"),
                            ("claimed", "taken by a worker"),
                            ("calling", "being sent"),
                            ("unknown", "answer lost, will be read back"),
                            ("done", "done"),
                            ("refused", "refused"),
                            ("given_up", "given up"),
                            ("withdrawn", "withdrawn"),
                        ],
                        default="due",
                        max_length=10,
                    ),
                ),
                ("in_doubt", models.BooleanField(default=False)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("read_backs", models.PositiveSmallIntegerField(default=0)),
                ("claim_token", models.UUIDField(null=True)),
                ("give_up_at", models.DateTimeField(null=True)),
                (
                    "attention",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "nothing"),
                            ("refused", "Flipkart refused it"),
                            ("late", "it takes too long"),
                            ("given_up", "tried too long"),
                            ("bad_paper", "the paper cannot be used"),
                            ("reconnect", "the connection must be renewed"),
                            ("pull", "pull this parcel"),
                            ("parked", "parked when the connection was cut"),
                            ("unreadable", "Flipkart's answer cannot be read"),
                            ("unknown_state", "a state that this version does not know"),
                            ("odd_move", "its state moved in a way we do not expect"),
                            ("form", "a form must be acknowledged"),
                            ("broken", "our own mistake"),
                        ],
                        default="",
                        max_length=20,
                    ),
                ),
                ("says", models.CharField(blank=True, max_length=300)),
                ("asked_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("called_at", models.DateTimeField(null=True)),
                ("lost_at", models.DateTimeField(null=True)),
                ("settled_at", models.DateTimeField(null=True)),
                (
                    "asked_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "seller",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="sellers.seller",
                    ),
                ),
                (
                    "shipment",
                    shipcrowd.tenancy.SellersKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="dispatches", to="orders.shipment"
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(
                        condition=models.Q(("wake_at__isnull", False)),
                        fields=["seller", "wake_at"],
                        name="dispatch_due",
                    ),
                    models.Index(
                        condition=models.Q(("attention", ""), _negated=True),
                        fields=["seller", "id"],
                        name="dispatch_attention",
                    ),
                    models.Index(
                        condition=models.Q(("lost_at__isnull", False)),
                        fields=["seller", "lost_at"],
                        name="dispatch_lost",
                    ),
                ],
                "constraints": [models.UniqueConstraint(fields=("seller", "shipment"), name="dispatched_once")],
            },
        ),
        migrations.AddConstraint(
            model_name="document",
            constraint=models.UniqueConstraint(
                fields=("seller", "shipment", "paper", "version"), name="version_once_a_paper"
            ),
        ),
        migrations.AddIndex(
            model_name="labelrequest",
            index=models.Index(
                condition=models.Q(("wake_at__isnull", False)), fields=["seller", "wake_at"], name="labelrequest_due"
            ),
        ),
        migrations.AddIndex(
            model_name="labelrequest",
            index=models.Index(
                condition=models.Q(("attention", ""), _negated=True),
                fields=["seller", "id"],
                name="labelrequest_attention",
            ),
        ),
        migrations.AddIndex(
            model_name="labelrequest",
            index=models.Index(
                condition=models.Q(("lost_at__isnull", False)), fields=["seller", "lost_at"], name="labelrequest_lost"
            ),
        ),
        migrations.AddConstraint(
            model_name="labelrequest",
            constraint=models.UniqueConstraint(fields=("seller", "shipment"), name="label_asked_once"),
        ),
        migrations.AddConstraint(
            model_name="printhabit",
            constraint=models.UniqueConstraint(fields=("seller", "member"), name="one_habit_a_member"),
        ),
        migrations.AddIndex(
            model_name="printjob",
            index=models.Index(
                condition=models.Q(("wake_at__isnull", False)), fields=["seller", "wake_at"], name="printjob_due"
            ),
        ),
        migrations.AddConstraint(
            model_name="printstack",
            constraint=models.UniqueConstraint(fields=("seller", "job", "letter"), name="letter_once_a_job"),
        ),
        migrations.AddIndex(
            model_name="printjobline",
            index=models.Index(fields=["seller", "shipment"], name="printjobline_of_shipment"),
        ),
        migrations.AddIndex(
            model_name="printjobline",
            index=models.Index(fields=["seller", "stack", "place"], name="printjobline_of_stack"),
        ),
        migrations.AddConstraint(
            model_name="printjobline",
            constraint=models.UniqueConstraint(fields=("seller", "job", "shipment"), name="shipment_once_a_job"),
        ),
        migrations.AddConstraint(
            model_name="printjobline",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_claim", True)), fields=("seller", "shipment"), name="claimed_once"
            ),
        ),
        migrations.CreateModel(
            name="PackageSize",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("sku", models.CharField(max_length=128)),
                ("length", models.DecimalField(decimal_places=2, max_digits=6)),
                ("breadth", models.DecimalField(decimal_places=2, max_digits=6)),
                ("height", models.DecimalField(decimal_places=2, max_digits=6)),
                ("weight", models.DecimalField(decimal_places=3, max_digits=7)),
                ("entered_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "entered_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "seller",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="sellers.seller",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(fields=("seller", "sku"), name="size_once_a_sku"),
                    models.CheckConstraint(
                        condition=models.Q(("breadth__gt", 0), ("height__gt", 0), ("length__gt", 0), ("weight__gt", 0)),
                        name="size_is_something",
                    ),
                ],
            },
        ),
        shipcrowd.tenancy.Fence("PackageSize"),
        shipcrowd.tenancy.Fence("Document"),
        shipcrowd.tenancy.Fence("LabelRequest", doors=DUE_DOOR),
        shipcrowd.tenancy.Fence("PrintHabit"),
        shipcrowd.tenancy.Fence("PrintJob", doors=DUE_DOOR),
        shipcrowd.tenancy.Fence("PrintStack"),
        shipcrowd.tenancy.Fence("PrintJobLine"),
        shipcrowd.tenancy.Fence("Dispatch", doors=DUE_DOOR),
    ]
