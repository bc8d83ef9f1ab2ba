"""What a test logs is overheard, and must hold no secret, token or person of the simulator that it talks to.

A secret that is spent counts too: a log is read by others and later, and a line that holds the code of yesterday holds
the next one tomorrow. So is what worker processes log that a test starts: whoever starts them hands their log over.
"""

import logging
from collections.abc import Callable, Iterable

from django.conf import settings

from shipcrowd.log_lines import OF_REQUESTS, Lines

LINES = Lines("{name}: {message}", style="{")


class Overheard(logging.Handler):
    """Keeps each line, with the words of exceptions and whole tracebacks, which our own log does not write."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.planted: set[str] = set()
        self.setFormatter(logging.Formatter("%(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith(OF_REQUESTS):
            self.lines.append(self.format(record))
            return
        self.lines.append(LINES.format(record))  # the one record that Django makes of an address, as our log has it
        if record.exc_info:
            self.lines.append(logging.Formatter().formatException(record.exc_info))

    def begin(self) -> None:
        self.lines.clear()
        self.planted = {settings.FLIPKART_CLIENT_SECRET, settings.SECRET_KEY, *settings.ENCRYPTION_KEYS}

    def hear(self, log: str) -> None:
        """What another process has logged."""
        self.lines.extend(log.splitlines())

    def plant_each(self, draw: Callable[..., str]) -> Callable[..., str]:
        """`draw`, and whatever it draws is planted."""

        def drawn(*args: int) -> str:
            word = draw(*args)
            self.planted.add(word)
            return word

        return drawn

    def plant_words(self, words: Iterable[str]) -> None:
        self.planted.update(words)

    def plant(self, simulator) -> None:
        """Remembers what this simulator knows and nobody may log."""
        self.planted.update(simulator.oauth.given)
        for account in simulator.world.accounts.values():
            self.planted.add(account.client_secret)
            for shipment in list(account.shipments.values())[:200]:
                self.planted.update({shipment.buyer_name, shipment.phone})

    def spoken(self) -> set[str]:
        """What was logged and should not have been."""
        everything = "\n".join(self.lines)
        return {word for word in tuple(self.planted) if word and word in everything}


OVERHEARD = Overheard()
