"""The part of a quota that people's clicks leave to polling."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("sellers", "0001_initial")]

    operations = [
        migrations.AddField(model_name="quota", name="kept_for_polling", field=models.FloatField(db_default=0.0)),
    ]
