"""The numbers of a day: of one seller for its home, of every seller for platform ops."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Case, CharField, Count, Q, QuerySet, Value, When
from django.db.models.functions import Cast
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from fulfillment.models import Dispatch, LabelRequest, PrintJob
from orders.models import PollCursor, Shipment, Unreadable
from orders.stages import WORDS, Stage, condition
from orders.states import READY
from sellers.models import Connection, Seller, Standing, User
from shipcrowd.tenancy import everyone_scope

SELLERS_SHOWN = 500
_WORKED_ON = (Stage.TO_LABEL, Stage.TO_PRINT, Stage.TO_DISPATCH, Stage.AWAITING_PICKUP)


@dataclass(frozen=True, slots=True)
class Tile:
    """The work of a stage: how much of it, and in words how much of that is late or leaves today."""

    title: str
    count: int
    says: str
    is_late: bool
    link: str


@dataclass(frozen=True, slots=True)
class Figures:
    """What is in the house. `leaves_today` counts what is late and what stands ready as well."""

    leaves_today: int
    not_labelled: int
    not_dispatched: int
    late: int
    open: int
    on_hold: int
    tiles: list[Tile]


@dataclass(frozen=True, slots=True)
class SellerRow:
    """A line of the picker."""

    seller: Seller
    standing: str
    tone: str
    late: int
    leaves_today: int
    not_labelled: int
    not_dispatched: int
    attention: int
    last_read_at: datetime | None

    @property
    def risk(self) -> tuple[bool, int, int, int]:
        return (self.tone == "bad", self.late, self.attention, self.not_labelled)


def figures(seller: Seller, now: datetime) -> Figures:
    """In one statement over what is open; in the seller's scope."""
    rows = Shipment.objects.filter(seller=seller, is_open=True).order_by()
    by_stage = {
        name: (count, today, late)
        for name, count, today, late in rows.annotate(stage=_stage(now))
        .values("stage")
        .annotate(n=Count("pk"), today=Count("pk", filter=_today(now)), late=Count("pk", filter=_late(now)))
        .values_list("stage", "n", "today", "late")
    }
    address = reverse("orders:shipments", args=[seller.slug])
    worked_on = [by_stage.get(stage, (0, 0, 0)) for stage in _WORKED_ON]
    return Figures(
        leaves_today=sum(today for _count, today, _late in worked_on),
        not_labelled=worked_on[0][1],
        not_dispatched=sum(today for _count, today, _late in worked_on[:-1]),
        late=sum(late for _count, _today, late in worked_on),
        open=sum(count for count, _today, _late in by_stage.values()),
        on_hold=by_stage.get(Stage.ON_HOLD, (0, 0, 0))[0],
        tiles=[_tile(stage, found, address) for stage, found in zip(_WORKED_ON, worked_on, strict=True)],
    )


def every_seller(*, by: User, named: str, now: datetime) -> list[SellerRow]:
    """All sellers, or those named so, the most endangered first; read across sellers, which the audit notes."""
    with everyone_scope("seller picker", by=by):
        sellers = (
            Seller.objects.filter(Q(name__icontains=named) | Q(slug__icontains=named))
            if named
            else Seller.objects.all()
        )
        found = list(sellers.order_by("name", "pk")[:SELLERS_SHOWN])
        ids = [seller.pk for seller in found]
        counts = {row["seller_id"]: row for row in _counts(ids, now)}
        attention = _attention(ids)
        connections = {row.seller_id: row for row in Connection.objects.filter(seller_id__in=ids)}
        read = dict(PollCursor.objects.filter(seller_id__in=ids).values_list("seller_id", "last_good_at"))
    rows = [
        _seller_row(
            seller,
            counts.get(seller.pk, {}),
            attention.get(seller.pk, 0),
            connections.get(seller.pk),
            read.get(seller.pk),
        )
        for seller in found
    ]
    return sorted(rows, key=lambda row: row.risk, reverse=True)


def _stage(now: datetime) -> Cast:
    whens = [When(condition(stage, now), then=Value(stage.value)) for stage in Stage if stage.is_open]
    return Cast(Case(*whens, default=Value(Stage.ATTENTION.value)), CharField())


def _today(now: datetime) -> Q:
    midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return Q(dispatch_by_at__lt=midnight)


def _late(now: datetime) -> Q:
    return Q(dispatch_by_at__lt=now) & ~Q(state__in=READY)


def _tile(stage: Stage, found: tuple[int, int, int], address: str) -> Tile:
    count, today, late = found
    says = _("%(count)d today") % {"count": today}
    if late:
        says = f"{ngettext('%(count)d late', '%(count)d late', late) % {'count': late}} · {says}"
    return Tile(WORDS[stage], count, says, bool(late), f"{address}?stage={stage.value}")


def _counts(ids: Sequence[int], now: datetime) -> list[Any]:
    open_ones = Shipment.objects.filter(seller_id__in=ids, is_open=True, is_on_hold=False, set_aside_at=None)
    rows = open_ones.order_by().values("seller_id")
    unlabelled = condition(Stage.TO_LABEL, now)
    return list(
        rows.annotate(
            leaves_today=Count("pk", filter=_today(now)),
            late=Count("pk", filter=_late(now)),
            not_labelled=Count("pk", filter=_today(now) & unlabelled),
            not_dispatched=Count("pk", filter=_today(now) & ~Q(state__in=READY)),
        ).values("seller_id", "leaves_today", "late", "not_labelled", "not_dispatched")
    )


def _attention(ids: Sequence[int]) -> dict[int, int]:
    """How many things need a person, by seller, in one statement."""
    parts: list[QuerySet[Any, Any]] = [
        model._default_manager.filter(seller_id__in=ids).exclude(attention="")
        for model in (LabelRequest, Dispatch, PrintJob, Shipment)
    ]
    parts.append(Unreadable.objects.filter(seller_id__in=ids))
    counted = [
        part.order_by().values("seller_id").annotate(n=Count("pk")).values_list("seller_id", "n") for part in parts
    ]
    found: dict[int, int] = {}
    for seller_id, number in counted[0].union(*counted[1:], all=True):
        found[seller_id] = found.get(seller_id, 0) + number
    return found


def _seller_row(
    seller: Seller, counts: dict[str, int], attention: int, connection: Connection | None, last_read_at: datetime | None
) -> SellerRow:
    standing = Standing(connection.standing) if connection else Standing.DISCONNECTED
    tones = {Standing.CONNECTED: "good", Standing.RECONNECT: "bad", Standing.DISCONNECTED: ""}
    return SellerRow(
        seller=seller,
        standing=str(standing.label),
        tone=tones[standing],
        late=counts.get("late", 0),
        leaves_today=counts.get("leaves_today", 0),
        not_labelled=counts.get("not_labelled", 0),
        not_dispatched=counts.get("not_dispatched", 0),
        attention=attention + (standing is Standing.RECONNECT),
        last_read_at=last_read_at,
    )
