"""Everything that the suite logs, and what must never be in it: secrets, tokens and persons of every simulator."""

import logging


class Overheard(logging.Handler):
    """Keeps each line as it would be written, tracebacks included."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


OVERHEARD = Overheard()
PLANTED: set[str] = {"planted-portal-secret-3f9a"}


def plant(simulator) -> None:
    """Remembers what this simulator knows and nobody may log."""
    for tickets in simulator.oauth._tickets().values():
        PLANTED.update(tickets)
    for account in simulator.world.accounts.values():
        PLANTED.add(account.client_secret)
        for shipment in list(account.shipments.values())[:200]:
            PLANTED.update({shipment.buyer_name, shipment.phone})
