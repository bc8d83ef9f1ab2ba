"""Room beside each reading: every unchanged read touches it, and costs its indexes nothing while it stays on its page."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("orders", "0001_initial")]

    operations = [
        migrations.RunSQL(
            "alter table orders_reading set (fillfactor = 50)", "alter table orders_reading reset (fillfactor)"
        )
    ]
