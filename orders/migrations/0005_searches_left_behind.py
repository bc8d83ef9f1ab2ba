"""Searches that could not be read hold up no others."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0004_packed_sizes")]

    operations = [migrations.AddField("pollcursor", "behind", models.JSONField(default=dict))]
