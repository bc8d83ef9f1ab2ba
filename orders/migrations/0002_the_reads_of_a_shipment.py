"""A shipment's fingerprint moves to its reading, whose lock orders the reads; cursors learn to be held and to go on."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0001_initial"),
        ("sellers", "0001_initial"),
    ]

    operations = [
        migrations.RemoveField(
            model_name="shipment",
            name="fingerprint",
        ),
        migrations.AddField(
            model_name="followcursor",
            name="says",
            field=models.CharField(blank=True, max_length=300),
        ),
        migrations.AddField(
            model_name="followcursor",
            name="token",
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name="pollcursor",
            name="last_late_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="pollcursor",
            name="token",
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name="pollcursor",
            name="walk",
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name="reading",
            name="fingerprint",
            field=models.BinaryField(max_length=16, null=True),
        ),
        migrations.AddIndex(
            model_name="buyer",
            index=models.Index(
                condition=models.Q(("details_read_at__isnull", True)),
                fields=["seller", "shipment"],
                name="buyer_without_details",
            ),
        ),
    ]
