"""Serial numbers of the pieces of a shipment's items."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import shipcrowd.tenancy


class Migration(migrations.Migration):
    dependencies = [
        ("fulfillment", "0005_cancellations_and_forms"),
        ("orders", "0004_packed_sizes"),
        ("sellers", "0002_alerts"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="SerialNumbers",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("flipkart_order_item_id", models.CharField(max_length=64)),
                ("numbers", models.JSONField()),
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
                (
                    "shipment",
                    shipcrowd.tenancy.SellersKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="serial_numbers",
                        to="orders.shipment",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("seller", "shipment", "flipkart_order_item_id"), name="serials_once_an_item"
                    )
                ],
            },
        ),
        shipcrowd.tenancy.Fence("SerialNumbers"),
    ]
