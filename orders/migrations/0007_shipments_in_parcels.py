"""Shipments in several parcels are few: an index of their own finds them by the tracking id of any parcel."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orders", "0006_parcels_pulled")]

    operations = [
        AddIndexConcurrently(
            "shipment",
            models.Index(
                fields=["seller", "ordered_at"],
                name="shipment_in_parcels",
                condition=models.Q(is_multi_parcel=True),
            ),
        ),
    ]
