"""The doors through which a page's places are asked about: several at once, and then since when their sellers have them."""

from django.db import migrations

from shipcrowd.tenancy import APP_ROLE

PLACE = "(select nullif(current_setting('shipcrowd.door_location', true), ''))"
PLACES = "any((select string_to_array(current_setting('shipcrowd.door_location', true), chr(10)))::text[])"
SELLERS = "any((select string_to_array(current_setting('shipcrowd.door_account', true), ','))::bigint[])"


def door(name: str, table: str, condition: str) -> str:
    return f"create policy {name} on {table} for select to {APP_ROLE} using ({condition})"


class Migration(migrations.Migration):
    dependencies = [("sellers", "0002_alerts")]

    operations = [
        migrations.RunSQL("drop policy door_location on sellers_facility", migrations.RunSQL.noop),
        migrations.RunSQL(
            door("door_location", "sellers_facility", f"flipkart_location_id = {PLACES}"),
            "drop policy door_location on sellers_facility; "
            + door("door_location", "sellers_facility", f"flipkart_location_id = {PLACE}"),
        ),
        migrations.RunSQL(
            door("door_account", "sellers_connection", f"seller_id = {SELLERS}"),
            "drop policy door_account on sellers_connection",
        ),
    ]
