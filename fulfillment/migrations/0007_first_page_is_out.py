"""Lines of a continued stack of which only the pages behind the label are printed."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("fulfillment", "0006_serial_numbers")]

    operations = [
        migrations.AddField(
            model_name="printjobline",
            name="first_page_is_out",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
