"""Who was mailed an alert, and whose address is refused: only the others are tried again."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("sellers", "0003_whose_account")]

    operations = [
        migrations.AddField("alert", name, models.JSONField(db_default=models.Value([], models.JSONField())))
        for name in ("mailed_to", "refused_to")
    ]
