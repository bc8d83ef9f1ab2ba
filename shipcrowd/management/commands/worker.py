"""`manage.py worker`: both clusters and the bell, under the watchdog. The options are the watchdog's own."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import connections

from shipcrowd import checks, queue, watchdog


class Command(BaseCommand):
    help = "Work the queue: polling, labels, dispatches. Ends on SIGTERM or Ctrl-C and leaves no process behind."

    def add_arguments(self, parser: CommandParser) -> None:
        inner = parser.add_argument_group("used by the watchdog itself")
        inner.add_argument("--cluster", choices=queue.CLUSTERS)
        inner.add_argument("--bell", action="store_true")
        inner.add_argument("--parent", type=int)

    def handle(self, *, cluster: str | None, bell: bool, parent: int | None, **_options: Any) -> None:
        if parent is not None:
            watchdog.end_with_parent(parent)
        if cluster:
            queue.run_cluster()
        elif bell:
            queue.run_bell()
        else:
            checks.at_start()
            connections.close_all()
            watchdog.supervise(
                queue.watched(),
                manage=settings.BASE_DIR / "manage.py",
                given_up_after=settings.HEARTBEAT_GIVEN_UP_SECONDS,
                release=queue.release,
                say=self._say,
            )

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
