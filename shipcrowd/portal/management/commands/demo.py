"""`manage.py demo`: everything on this machine, against a simulated Flipkart, in one folder."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from shipcrowd.db.embedded import EmbeddedError
from shipcrowd.portal import demo, demo_environment, headless
from shipcrowd.portal.processes import Ended, Stopped


class Command(BaseCommand):
    help = "Starts database, simulator, workers and web server, and prints where to look. Ctrl-C ends all of it."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        for action in demo_environment.parser()._actions:
            parser._add_action(action)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["headless"]:
                sys.exit(headless.run(say=self._say, keep=options["keep"]))
            demo.run(say=self._say)
        except Stopped:
            self._say("Stopped.")
        except (Ended, EmbeddedError, demo.CannotStart) as error:
            raise CommandError(str(error)) from None

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
