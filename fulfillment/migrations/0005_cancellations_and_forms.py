"""Cancellations by the seller, and forms that a person has acknowledged."""

import uuid

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import shipcrowd.tenancy
from shipcrowd.work import DUE_DOOR


class Migration(migrations.Migration):
    dependencies = [
        ("fulfillment", "0004_hand_over"),
        ("orders", "0003_look_ups"),
        ("sellers", "0002_alerts"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="FormAcknowledgement",
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
                ("numbers", models.JSONField(default=dict)),
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
                        on_delete=django.db.models.deletion.CASCADE, related_name="form_acks", to="orders.shipment"
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
                        name="form_ack_due",
                    ),
                    models.Index(
                        condition=models.Q(("attention", ""), _negated=True),
                        fields=["seller", "id"],
                        name="form_ack_attention",
                    ),
                    models.Index(
                        condition=models.Q(("lost_at__isnull", False)),
                        fields=["seller", "lost_at"],
                        name="form_ack_lost",
                    ),
                ],
                "constraints": [models.UniqueConstraint(fields=("seller", "shipment"), name="acknowledged_once")],
            },
        ),
        migrations.CreateModel(
            name="SellerCancellation",
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
                    "reason",
                    models.CharField(
                        choices=[
                            ("cannot_procure_item", "cannot be procured"),
                            ("not_enough_inventory", "not enough in stock"),
                            ("b2b_order", "the order of a business"),
                        ],
                        max_length=30,
                    ),
                ),
                (
                    "group_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=64), blank=True, default=list, size=None
                    ),
                ),
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
                        on_delete=django.db.models.deletion.CASCADE, related_name="cancellations", to="orders.shipment"
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
                        name="cancellation_due",
                    ),
                    models.Index(
                        condition=models.Q(("attention", ""), _negated=True),
                        fields=["seller", "id"],
                        name="cancellation_attention",
                    ),
                    models.Index(
                        condition=models.Q(("lost_at__isnull", False)),
                        fields=["seller", "lost_at"],
                        name="cancellation_lost",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "done"), _negated=True),
                        fields=("seller", "shipment"),
                        name="one_cancellation_at_a_time",
                    )
                ],
            },
        ),
        migrations.AddField(model_name="printjob", name="continues", field=models.UUIDField(null=True)),
        shipcrowd.tenancy.Fence("FormAcknowledgement", doors=DUE_DOOR),
        shipcrowd.tenancy.Fence("SellerCancellation", doors=DUE_DOOR),
    ]
