"""What the audit says about one seller, for its owners: what their people did, and what the platform did and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.db.models import Q
from django.utils.dateparse import parse_datetime

from sellers.models import Seller
from shipcrowd.audit.models import AuditEntry

PAGE = 100


@dataclass(frozen=True, slots=True)
class Page:
    """Up to 100 lines, newest first; `before` is where the next page goes on, "" at the end."""

    entries: Sequence[AuditEntry]
    before: str


def page(seller: Seller, *, before: str = "") -> Page:
    """In one statement; a `before` that is no place in it starts at the newest. In the seller's scope."""
    rows = AuditEntry.objects.filter(about=seller).select_related("by").order_by("-at", "-id")
    if mark := _read_mark(before):
        at, key = mark
        rows = rows.filter(Q(at__lt=at) | Q(id__lt=key), at__lte=at)
    found = list(rows[: PAGE + 1])
    last = found[PAGE - 1] if len(found) > PAGE else None
    return Page(found[:PAGE], f"{last.at.isoformat()}~{last.pk}" if last else "")


def _read_mark(before: str) -> tuple[datetime, UUID] | None:
    text, _, key = before.partition("~")
    try:
        at = parse_datetime(text.replace(" ", "+"))
        # In UTC, as the database asks it: a time at either end of the calendar may have none.
        return (at.astimezone(UTC), UUID(key)) if at is not None and at.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
