"""Django's `migrate`, run as the owner; app and ops get their rights on new tables before the first one is made."""

from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import connections

from shipcrowd.db.base import NoOwner
from shipcrowd.db.roles import APP, OPS, grants_sql


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        connection: Any = connections[options["database"]]
        try:
            with connection.as_owner():
                with connection.cursor() as cursor:
                    cursor.execute("select count(*) from pg_roles where rolname in (%s, %s)", [APP, OPS])
                    if cursor.fetchone() != (2,):
                        raise CommandError("The roles are missing: pipe `manage.py roles` into psql as a superuser.")
                    for statement in grants_sql():
                        cursor.execute(statement)
                super().handle(*args, **options)
        except NoOwner as error:
            raise CommandError(str(error)) from error
