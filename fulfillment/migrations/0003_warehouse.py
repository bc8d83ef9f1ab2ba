"""What a warehouse chooses, and does by the clock: labels ahead of time."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import shipcrowd.tenancy
from shipcrowd.work import DUE_DOOR


class Migration(migrations.Migration):
    dependencies = [
        ("fulfillment", "0002_go_live_checks"),
        ("sellers", "0002_alerts"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Prefetch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("wake_at", models.DateTimeField(null=True)),
                ("last_at", models.DateTimeField(null=True)),
                ("last_asked", models.PositiveIntegerField(default=0)),
                (
                    "facility",
                    shipcrowd.tenancy.SellersKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="sellers.facility"
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
                    models.UniqueConstraint(fields=("seller", "facility"), name="prefetch_once_a_facility")
                ],
            },
        ),
        migrations.CreateModel(
            name="Ways",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("is_full_chain", models.BooleanField(default=False)),
                ("changed_at", models.DateTimeField(null=True)),
                (
                    "changed_by",
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
                "constraints": [models.UniqueConstraint(fields=("seller",), name="ways_once_a_seller")],
            },
        ),
        shipcrowd.tenancy.Fence("Prefetch", doors=DUE_DOOR),
        shipcrowd.tenancy.Fence("Ways"),
    ]
