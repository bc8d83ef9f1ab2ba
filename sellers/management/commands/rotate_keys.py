"""`manage.py rotate_keys`: seals everything anew with the first of ENCRYPTION_KEYS; safe to interrupt and to run again.

Two deployments: the new key first in ENCRYPTION_KEYS and the old one behind it, everywhere; then this command; then,
when it counts nothing under the old key's id, the old key may go.
"""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from shipcrowd import encryption
from shipcrowd.tenancy import everyone_scope

# Rows that somebody held are looked for again; what is still held after so many looks is held for minutes.
MOST_LOOKS = 5


class Command(BaseCommand):
    help = "Seal every secret anew with the first of ENCRYPTION_KEYS, and count what each key seals."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--batch", type=int, default=500, help="rows a transaction (500)")

    def handle(self, *_args: Any, **options: Any) -> None:
        if not settings.ENCRYPTION_KEYS:
            raise CommandError("ENCRYPTION_KEYS is missing: there is no key to seal with.")
        sealed = cannot_open = 0
        for model, field in encryption.sealed_columns():
            done, lost = _rotate(model, field, batch=max(1, options["batch"]))
            sealed, cannot_open = sealed + done, cannot_open + lost
        self.stdout.write(f"{sealed} values sealed anew.")
        old = self._report()
        if cannot_open:
            raise CommandError(f"{cannot_open} values cannot be opened: their key is missing, or they were changed.")
        if old:
            raise CommandError(f"{old} values were held by others: run the command again.")

    def _report(self) -> int:
        """Says how many values each key seals; returns how many are not under the newest."""
        with everyone_scope("rotate_keys: count"):
            used = encryption.keys_in_use()
        known = [encryption.key_id(key) for key in encryption.known_keys()]
        for key_id in [*known, *sorted(set(used) - set(known))]:
            name = "newest" if key_id == known[0] else "old" if key_id in known else "not in ENCRYPTION_KEYS"
            self.stdout.write(f"key {key_id.hex()} ({name}): {used.get(key_id, 0)} values")
        return sum(count for key_id, count in used.items() if key_id != known[0])


def _rotate(model: Any, field: encryption.SealedTextField, *, batch: int) -> tuple[int, int]:
    """(sealed anew, could not be opened) of one column; each batch is a transaction of its own."""
    total = 0
    for _look in range(MOST_LOOKS):
        last, sealed, cannot_open = None, 0, 0
        while True:
            with everyone_scope(f"rotate_keys: {model._meta.label}"):
                found = encryption.seal_anew(model, field, after=last, limit=batch)
            sealed, cannot_open = sealed + found.sealed, cannot_open + found.cannot_open
            if found.last is None:
                break
            last = found.last
        total += sealed
        if not sealed:
            break
    return total, cannot_open
