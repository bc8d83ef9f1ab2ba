"""A Flipkart that says 429 again and again, and not until when, is asked ever more rarely."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("sellers", "0004_who_was_mailed")]

    operations = [
        migrations.AddField("quota", "closed_in_a_row", models.PositiveSmallIntegerField(default=0, db_default=0))
    ]
