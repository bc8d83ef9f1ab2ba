"""Every seller at a glance, for platform ops: what leaves today, what is late, how its line to Flipkart stands.

Read across sellers in everyone's scope, which the audit notes; as many statements for one seller as for hundreds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet

from fulfillment.models import RETRIED
from orders.models import PollCursor, Shipment, Unreadable
from sellers import quota
from sellers.models import Connection, Facility, Seller, Standing, User
from shipcrowd.portal.home import leaves_today, next_pickup, work_by_stage
from shipcrowd.tenancy import everyone_scope
from shipcrowd.work import NEEDS_PERSON

SELLERS_SHOWN = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class SellerRow:
    """A line of the overview. `waiting` is work that is on its way, `failures` reads that failed in a row."""

    seller: Seller
    standing: str
    tone: str
    late: int
    leaves_today: int
    not_labelled: int
    not_dispatched: int
    pickup: str
    attention: int
    waiting: int
    failures: int
    last_read_at: datetime | None
    token_at: datetime | None
    quota_left: int | None

    @property
    def risk(self) -> tuple[bool, bool, int, int, int, int]:
        is_stopped = bool(self.seller.sending_stopped or self.seller.reading_stopped)
        return (self.tone == "bad", is_stopped, self.late, self.attention, self.not_labelled, self.failures)


def every_seller(*, by: User, named: str, now: datetime) -> tuple[list[SellerRow], int]:
    """All sellers, or those named so, the most endangered first; and how many there are beyond those."""
    with everyone_scope("seller picker", by=by):
        sellers = (
            Seller.objects.filter(Q(name__icontains=named) | Q(slug__icontains=named))
            if named
            else Seller.objects.all()
        )
        found = list(sellers.order_by("name", "pk"))
        read = _Read([seller.pk for seller in found], now)
    rows = sorted((read.row(seller, now) for seller in found), key=lambda row: row.risk, reverse=True)
    return rows[:SELLERS_SHOWN], max(0, len(rows) - SELLERS_SHOWN)


class _Read:
    """What is known of these sellers, by their keys."""

    def __init__(self, ids: Sequence[int], now: datetime) -> None:
        self.work = work_by_stage(Shipment.objects.filter(seller_id__in=ids, is_open=True), now)
        self.attention = _by_seller([*_needing(ids), Unreadable.objects.filter(seller_id__in=ids)])
        self.waiting = _by_seller([_all(model, ids).filter(wake_at__isnull=False) for model in RETRIED])
        self.connections = {row.seller_id: row for row in Connection.objects.filter(seller_id__in=ids)}
        self.cursors = {row.seller_id: row for row in PollCursor.objects.filter(seller_id__in=ids)}
        self.quota = quota.left(ids)
        self.places: dict[int, list[Facility]] = {}
        for place in Facility.objects.filter(seller_id__in=ids):
            self.places.setdefault(place.seller_id, []).append(place)

    def row(self, seller: Seller, now: datetime) -> SellerRow:
        connection, cursor = self.connections.get(seller.pk), self.cursors.get(seller.pk)
        standing = Standing(connection.standing) if connection else Standing.DISCONNECTED
        tones = {Standing.CONNECTED: "good", Standing.RECONNECT: "bad", Standing.DISCONNECTED: ""}
        today = leaves_today(self.work.get(seller.pk, {}))
        return SellerRow(
            seller=seller,
            standing=str(standing.label),
            tone=tones[standing],
            late=today.late,
            leaves_today=today.all,
            not_labelled=today.not_labelled,
            not_dispatched=today.not_dispatched,
            pickup=next_pickup(self.places.get(seller.pk, []), now),
            attention=self.attention.get(seller.pk, 0) + (standing is Standing.RECONNECT),
            waiting=self.waiting.get(seller.pk, 0),
            failures=cursor.failures_in_a_row if cursor else 0,
            last_read_at=cursor.last_good_at if cursor else None,
            token_at=connection.token_fetched_at if connection else None,
            quota_left=int(self.quota[seller.pk]) if standing is Standing.CONNECTED else None,
        )


def _needing(ids: Sequence[int]) -> list[QuerySet[Any, Any]]:
    return [
        *(_all(model, ids).filter(NEEDS_PERSON) for model in RETRIED),
        _all(Shipment, ids).exclude(attention=""),
    ]


def _all(model: Any, ids: Sequence[int]) -> QuerySet[Any, Any]:
    rows: QuerySet[Any, Any] = model.objects.filter(seller_id__in=ids)
    return rows


def _by_seller(parts: Sequence[QuerySet[Any, Any]]) -> dict[int, int]:
    """How many rows of all these tables each seller has, in one statement."""
    counted = [
        part.order_by().values("seller_id").annotate(n=Count("pk")).values_list("seller_id", "n") for part in parts
    ]
    found: dict[int, int] = {}
    for seller_id, number in counted[0].union(*counted[1:], all=True):
        found[seller_id] = found.get(seller_id, 0) + number
    return found
