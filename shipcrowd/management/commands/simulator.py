"""`manage.py simulator`: a stateful Flipkart to run against, with a console page and faults on a switch."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from shipcrowd.simulator.__main__ import main


class Command(BaseCommand):
    help = "Runs the Flipkart simulator; its own options: --port, --state FILE, --seller NAME, --day COUNT, --help."
    requires_system_checks = []

    def run_from_argv(self, argv: list[str]) -> None:
        """Its options are the simulator's own, which knows no Django."""
        sys.exit(main(argv[2:]))

    def handle(self, *args: Any, **options: Any) -> None:
        sys.exit(main(args))
