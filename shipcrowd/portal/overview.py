"""Every seller at a glance, for platform ops: what leaves today, what is late, how its line to Flipkart stands.

Read across sellers in everyone's scope, which the audit notes; as many statements for one seller as for hundreds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet

from fulfillment.models import Dispatch, FormAcknowledgement, LabelRequest, PrintJob, SellerCancellation
from orders.models import PollCursor, Shipment, Unreadable
from orders.stages import Stage, condition
from orders.states import READY
from sellers import quota
from sellers.models import Connection, Facility, Seller, Standing, User
from shipcrowd.portal.home import is_due_today, is_late, next_pickup
from shipcrowd.tenancy import everyone_scope
from shipcrowd.work import OPEN

SELLERS_SHOWN = 500
_WORK = (LabelRequest, Dispatch, PrintJob, SellerCancellation, FormAcknowledgement)


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


def every_seller(*, by: User, named: str, now: datetime) -> list[SellerRow]:
    """All sellers, or those named so, the most endangered first."""
    with everyone_scope("seller picker", by=by):
        sellers = (
            Seller.objects.filter(Q(name__icontains=named) | Q(slug__icontains=named))
            if named
            else Seller.objects.all()
        )
        found = list(sellers.order_by("name", "pk")[:SELLERS_SHOWN])
        read = _Read([seller.pk for seller in found], now)
    return sorted((read.row(seller, now) for seller in found), key=lambda row: row.risk, reverse=True)


class _Read:
    """What is known of these sellers, by their keys."""

    def __init__(self, ids: Sequence[int], now: datetime) -> None:
        self.counts = {row["seller_id"]: row for row in _counts(ids, now)}
        self.attention = _by_seller([*_needing(ids), Unreadable.objects.filter(seller_id__in=ids)])
        self.waiting = _by_seller([_all(model, ids).filter(state__in=OPEN) for model in _WORK])
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
        counts = self.counts.get(seller.pk, {})
        return SellerRow(
            seller=seller,
            standing=str(standing.label),
            tone=tones[standing],
            late=counts.get("late", 0),
            leaves_today=counts.get("leaves_today", 0),
            not_labelled=counts.get("not_labelled", 0),
            not_dispatched=counts.get("not_dispatched", 0),
            pickup=next_pickup(self.places.get(seller.pk, []), now),
            attention=self.attention.get(seller.pk, 0) + (standing is Standing.RECONNECT),
            waiting=self.waiting.get(seller.pk, 0),
            failures=cursor.failures_in_a_row if cursor else 0,
            last_read_at=cursor.last_good_at if cursor else None,
            token_at=connection.token_fetched_at if connection else None,
            quota_left=int(self.quota[seller.pk]) if standing is Standing.CONNECTED else None,
        )


def _counts(ids: Sequence[int], now: datetime) -> list[Any]:
    open_ones = Shipment.objects.filter(seller_id__in=ids, is_open=True, is_on_hold=False, set_aside_at=None)
    rows = open_ones.order_by().values("seller_id")
    today = is_due_today(now)
    return list(
        rows.annotate(
            leaves_today=Count("pk", filter=today),
            late=Count("pk", filter=is_late(now)),
            not_labelled=Count("pk", filter=today & condition(Stage.TO_LABEL, now)),
            not_dispatched=Count("pk", filter=today & ~Q(state__in=READY)),
        ).values("seller_id", "leaves_today", "late", "not_labelled", "not_dispatched")
    )


def _needing(ids: Sequence[int]) -> list[QuerySet[Any, Any]]:
    return [_all(model, ids).exclude(attention="") for model in (*_WORK, Shipment)]


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
