"""What a test logs is overheard, and must hold no secret, token or person of the simulator that it talks to.

So is what worker processes log that a test starts: whoever starts them hands their log over.
"""

import logging
from collections.abc import Iterable

from django.conf import settings


class Overheard(logging.Handler):
    """Keeps each line as it would be written, tracebacks included."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.planted: set[str] = set()
        self.setFormatter(logging.Formatter("%(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def begin(self) -> None:
        self.lines.clear()
        self.planted = {settings.FLIPKART_CLIENT_SECRET, settings.SECRET_KEY, *settings.ENCRYPTION_KEYS}

    def hear(self, log: str) -> None:
        """What another process has logged."""
        self.lines.extend(log.splitlines())

    def plant_words(self, words: Iterable[str]) -> None:
        self.planted.update(words)

    def plant(self, simulator) -> None:
        """Remembers what this simulator knows and nobody may log."""
        for tickets in simulator.oauth._tickets().values():
            self.planted.update(tickets)
        for account in simulator.world.accounts.values():
            self.planted.add(account.client_secret)
            for shipment in list(account.shipments.values())[:200]:
                self.planted.update({shipment.buyer_name, shipment.phone})

    def spoken(self) -> set[str]:
        """What was logged and should not have been."""
        everything = "\n".join(self.lines)
        return {word for word in self.planted if word and word in everything}


OVERHEARD = Overheard()
