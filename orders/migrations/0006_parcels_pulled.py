"""When a shipment was pulled out of its stack, and which of its several parcels were."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0005_searches_left_behind")]

    operations = [
        migrations.AddField("shipment", "pulled_at", models.DateTimeField(null=True)),
        migrations.AddField(
            "shipment", "pulled_ids", models.JSONField(db_default=models.Value([], models.JSONField()))
        ),
    ]
