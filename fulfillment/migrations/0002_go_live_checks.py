"""The go-live checklist's results."""

import uuid

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import shipcrowd.tenancy
from shipcrowd.work import DUE_DOOR


class Migration(migrations.Migration):
    dependencies = [
        ("fulfillment", "0001_initial"),
        ("sellers", "0002_alerts"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="GoLiveCheck",
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
                    "name",
                    models.CharField(
                        choices=[
                            ("token", "Token refresh"),
                            ("labels", "Labels"),
                            ("self_ship", "Self-ship"),
                            ("notifications", "Notifications"),
                            ("returns", "Returns"),
                            ("stock", "Stock"),
                            ("payments", "COD and prepaid"),
                            ("invoices", "Invoices"),
                        ],
                        max_length=15,
                    ),
                ),
                ("passed", models.BooleanField(null=True)),
                ("chosen", models.JSONField(blank=True, default=list)),
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
                "indexes": [
                    models.Index(
                        condition=models.Q(("wake_at__isnull", False)), fields=["seller", "wake_at"], name="check_due"
                    )
                ],
                "constraints": [models.UniqueConstraint(fields=("seller", "name"), name="check_once_a_seller")],
            },
        ),
        shipcrowd.tenancy.Fence("GoLiveCheck", doors=DUE_DOOR),
    ]
