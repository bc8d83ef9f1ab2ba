"""Django's `flush`, run as the owner: the app may not empty a table at once."""

from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import flush
from django.db import connections

from shipcrowd.db.base import NoOwner


class Command(flush.Command):
    def handle(self, **options: Any) -> None:
        connection: Any = connections[options["database"]]
        try:
            with connection.as_owner():
                super().handle(**options)
        except NoOwner as error:
            raise CommandError(str(error)) from error
