"""Who did what to whose rows, and why: append-only, written in the same transaction as the act."""

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.db.models import Model

    from sellers.models import Seller, User

LOOKED_AT_EVERYONE = "entered everyone's scope"
MOST_IDS = 200  # of a bulk act's rows; the count says how many there were


def record(
    by: "User | None",
    did: str,
    *,
    seller: "Seller | None" = None,
    rows: "Collection[Model | int | str]" = (),
    why: str = "",
) -> None:
    """One line of the audit; `rows` are kept as ids only, never as values. `by` None is the machine."""
    from shipcrowd.audit.models import AuditEntry  # noqa: PLC0415 - app loading: tenancy stands below the models

    ids = [str(getattr(row, "pk", row)) for row in rows]
    AuditEntry.objects.bulk_create(
        [AuditEntry(by=by, did=did, about=seller, why=why, rows=ids[:MOST_IDS], row_count=len(ids))]
    )
