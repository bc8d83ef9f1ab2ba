"""A reading is found by Flipkart's id, without its shipment, and touched without leaving its page."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="reading",
            name="flipkart_shipment_id",
            field=models.CharField(max_length=64, null=True),
        ),
        migrations.AddConstraint(
            model_name="reading",
            constraint=models.UniqueConstraint(
                fields=("seller", "flipkart_shipment_id"), name="reading_by_shipment_id"
            ),
        ),
        migrations.RunSQL(
            "alter table orders_reading set (fillfactor = 50)", "alter table orders_reading reset (fillfactor)"
        ),
    ]
