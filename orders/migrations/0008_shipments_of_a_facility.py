"""A facility's own shipments, newest first and by state: its lists and counts read none of the others'.

With them the facility's own index, which did not begin with the seller, has nothing left to do.
"""

import django.db.models.deletion
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

import shipcrowd.tenancy


class Migration(migrations.Migration):
    atomic = False  # the table is large, and written to meanwhile

    dependencies = [
        ("orders", "0007_shipments_in_parcels"),
        ("sellers", "0003_whose_account"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="shipment",
            index=models.Index(fields=["seller", "facility", "-ordered_at", "-id"], name="shipment_facility_newest"),
        ),
        AddIndexConcurrently(
            model_name="shipment",
            index=models.Index(
                fields=["seller", "facility", "state", "-ordered_at", "-id"], name="shipment_facility_state"
            ),
        ),
        migrations.AlterField(
            model_name="shipment",
            name="facility",
            field=shipcrowd.tenancy.SellersKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="sellers.facility",
            ),
        ),
    ]
