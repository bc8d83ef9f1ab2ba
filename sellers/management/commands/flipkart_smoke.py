"""`manage.py flipkart_smoke`: asks a live connection everything that changes nothing, and prints what answered."""

import sys
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from sellers import gateway, smoke
from sellers.models import Connection
from shipcrowd.tenancy import everyone_scope
from shipcrowd.transport.errors import CallFailed


class Command(BaseCommand):
    help = "Asks a connection everything that changes nothing: what answered, in what shape, and what cannot be read."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--connection", required=True, help="its id; a wrong one lists those that there are")

    def handle(self, *_args: Any, **options: Any) -> None:
        seller_id = self._seller_of(options["connection"])
        try:
            client = gateway.client_for(seller_id)
        except CallFailed as error:
            raise CommandError(str(error)) from None
        failed = 0
        for heard in smoke.walk(client, timezone.now()):
            failed += heard.answered is False or bool(heard.unknown)
            tone = {True: "answered", False: "FAILED", None: "not asked"}[heard.answered]
            self.stdout.write(f"{heard.operation}: {tone}: {heard.says}")
            for line in heard.unknown:
                self.stdout.write(f"  UNKNOWN {line}")
            if heard.unread:
                self.stdout.write(f"  not read by this version: {', '.join(heard.unread)}")
        self.stdout.write(f"Not asked, for it changes something: {smoke.NOT_ASKED}.")
        if failed:
            sys.exit(1)

    def _seller_of(self, connection_id: str) -> int:
        with everyone_scope("flipkart_smoke looks for a connection"):
            try:
                return Connection.objects.values_list("seller_id", flat=True).get(pk=connection_id)
            except (Connection.DoesNotExist, ValidationError):
                rows = Connection.objects.select_related("seller").order_by("seller__slug")
                there = [f"  {row.pk}  {row.seller.slug} ({row.environment}, {row.wire})" for row in rows]
        raise CommandError("\n".join(["There is no such connection. These are there:", *there]))
