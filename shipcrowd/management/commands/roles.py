"""`manage.py roles`: the SQL of the three roles and the database, to pipe into psql as a superuser."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from shipcrowd.db.embedded import NAME
from shipcrowd.db.roles import psql_script


class Command(BaseCommand):
    help = "Print the SQL that makes Shipcrowd's three roles and its database, for an administrator's psql."
    requires_system_checks = ()

    def handle(self, **_options: Any) -> None:
        self.stdout.write(psql_script(settings.DATABASES["default"].get("NAME") or NAME))
