"""`manage.py demo`: everything on this machine, against a simulated Flipkart, in one folder."""

import os
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from shipcrowd.portal import demo, demo_environment, headless
from shipcrowd.portal.demo_environment import CannotStart, cannot_use
from shipcrowd.portal.processes import Ended, Stopped
from shipcrowd.portal.visitor import NotThere


class Command(BaseCommand):
    help = "Starts database, simulator, workers and web server, and prints where to look. Ctrl-C ends all of it."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        for action in demo_environment.parser()._actions:
            parser._add_action(action)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["headless"]:
                sys.exit(headless.run(say=self._say, keep=options["keep"] or options["folder"] is not None))
            demo.run(say=self._say)
        except Stopped:
            self._say("Stopped.")
        except (Ended, NotThere, CannotStart) as error:
            raise CommandError(str(error)) from error
        except OperationalError as error:
            raise CommandError(" ".join(str(error).split())) from error
        except OSError as error:
            raise CommandError(cannot_use(error, os.environ["SHIPCROWD_DEMO_FOLDER"])) from error

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
