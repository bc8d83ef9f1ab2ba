"""As what parcels were packed: what package sizes are suggested from."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0003_look_ups"),
    ]

    operations = [
        migrations.AddField(
            model_name="shipment",
            name="packed_sizes",
            field=models.JSONField(null=True),
        ),
    ]
