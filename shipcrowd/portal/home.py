"""The numbers of a seller's day, for its home."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import TruncDate
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from fulfillment import labels
from orders import display, rules
from orders.models import Shipment
from orders.stages import WORDS, Stage, name_of_open
from orders.states import READY
from sellers import quota
from sellers.facilities import Places
from sellers.models import Connection, Facility, Seller
from shipcrowd.flipkart.wire import wire_named

DAYS = 14  # of the chart
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
    """What is in the house. `leaves_today` counts what is late and what stands ready as well.

    `labels_ready_at` is when the seller's quota lets today's missing labels be here; None where none is missing.
    """

    leaves_today: int
    not_labelled: int
    not_dispatched: int
    late: int
    open: int
    on_hold: int
    tiles: list[Tile]
    late_link: str
    on_hold_link: str
    pickup: str = ""
    labels_ready_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Budget:
    """Late dispatches of this week among those of which we know: `known` of `dispatched`, `late` of `known`."""

    dispatched: int
    known: int
    late: int
    limit: float  # percent

    @property
    def percent(self) -> float:
        return 100 * self.late / self.known if self.known else 0.0

    @property
    def is_over(self) -> bool:
        return self.percent > self.limit

    @property
    def spent(self) -> int:
        """Percent of the budget that is used up, at most 100: for a bar."""
        return min(100, round(100 * self.percent / self.limit)) if self.limit else 100 * bool(self.late)


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the chart, and how high its bars are in percent of the highest."""

    date: date
    ordered: int
    dispatched: int
    late: int
    ordered_height: int
    dispatched_height: int
    late_height: int


def figures(seller: Seller, now: datetime, places: Places, *, connection: Connection | None) -> Figures:
    """In one statement over what is open, and one for the quota; in the seller's scope."""
    rows = _at(Shipment.objects.filter(seller=seller, is_open=True), places)
    by_stage = work_by_stage(rows, now).get(seller.pk, {})
    address = f"{reverse('orders:shipments', args=[seller.slug])}?facility={places.said}"
    worked_on = [by_stage.get(stage, Work()) for stage in _WORKED_ON]
    today = leaves_today(by_stage)
    return Figures(
        leaves_today=today.all,
        not_labelled=today.not_labelled,
        not_dispatched=today.not_dispatched,
        late=today.late,
        open=sum(work.all for work in by_stage.values()),
        on_hold=by_stage.get(Stage.ON_HOLD, Work()).all,
        tiles=[_tile(stage, found, address) for stage, found in zip(_WORKED_ON, worked_on, strict=True)],
        late_link=next(
            (
                f"{address}&stage={stage.value}"
                for stage, found in zip(_WORKED_ON, worked_on, strict=True)
                if found.late
            ),
            address,
        ),
        on_hold_link=f"{address}&stage={Stage.ON_HOLD.value}",
        pickup=next_pickup(places.shown, now),
        labels_ready_at=_labels_ready_at(seller, today.not_labelled, connection, now),
    )


class Work(NamedTuple):
    """Of one stage: how many, how many of them are due today, and how many are late."""

    all: int = 0
    today: int = 0
    late: int = 0


class Today(NamedTuple):
    """Of what people work on: what leaves today, how much of it is not labelled, not dispatched; what is late."""

    all: int
    not_labelled: int
    not_dispatched: int
    late: int


def work_by_stage(rows: QuerySet[Shipment], now: datetime) -> dict[int, dict[str, Work]]:
    """By seller and stage, of open shipments; in one statement."""
    counted = (
        rows.order_by()
        .annotate(stage=name_of_open(now))
        .values("seller_id", "stage")
        .annotate(n=Count("pk"), today=Count("pk", filter=_is_due_today(now)), late=Count("pk", filter=is_late(now)))
    )
    found: dict[int, dict[str, Work]] = {}
    for seller_id, stage, *numbers in counted.values_list("seller_id", "stage", "n", "today", "late"):
        found.setdefault(seller_id, {})[stage] = Work(*numbers)
    return found


def leaves_today(by_stage: Mapping[str, Work]) -> Today:
    """Held, set aside, not yet due and what needs a person are not among it. Pure."""
    worked_on = [by_stage.get(stage, Work()) for stage in _WORKED_ON]
    return Today(
        all=sum(work.today for work in worked_on),
        not_labelled=worked_on[0].today,
        not_dispatched=sum(work.today for work in worked_on[:-1]),
        late=sum(work.late for work in worked_on),
    )


def next_pickup(places: Sequence[Facility], now: datetime) -> str:
    """ "today 14:00", of whichever place comes first; empty where none is known. Pure."""
    coming = [rules.next_pickup(place.pickup_times, place.holidays, now) for place in places]
    first = min((at for at in coming if at), default=None)
    return display.when(first, now) if first else ""


def _labels_ready_at(seller: Seller, count: int, connection: Connection | None, now: datetime) -> datetime | None:
    if not count or connection is None or not connection.is_connected:
        return None
    calls = labels.calls_for(count, wire_named(connection.wire).LIMITS)
    return now + quota.time_for(calls, left=quota.left([seller.pk])[seller.pk]) + labels.FIRST_FETCH


def two_weeks(seller: Seller, now: datetime, places: Places, *, late_now: int) -> tuple[list[Day], Budget]:
    """What was ordered, dispatched and late on each of the last 14 days, and this week's budget of late dispatches.

    In two statements, by indexes of their days. `late_now` are those still here: late today, and known to be.
    """
    today = timezone.localtime(now).date()
    first = today - timedelta(days=DAYS - 1)
    since = _midnight(first)
    rows = _at(Shipment.objects.filter(seller=seller).order_by(), places)
    by_day = rows.filter(ordered_at__gte=since).annotate(day=TruncDate("ordered_at")).values("day")
    ordered = dict(by_day.annotate(n=Count("pk")).values_list("day", "n"))
    dispatched = _dispatched_by_day(rows.filter(dispatched_at__gte=since))
    of_today = dispatched.get(today, Gone())
    dispatched[today] = of_today._replace(late=of_today.late + late_now)
    dates = [first + timedelta(days=number) for number in range(DAYS)]
    week = [dispatched.get(day, Gone()) for day in dates if day >= today - timedelta(days=today.weekday())]
    total = sum(day.all for day in week) + late_now
    budget = Budget(
        dispatched=total,
        known=total - sum(day.unknown for day in week),
        late=sum(day.late for day in week),
        limit=settings.LATE_DISPATCH_LIMIT_PERCENT,
    )
    return _with_heights([(day, ordered.get(day, 0), dispatched.get(day, Gone())) for day in dates]), budget


class Gone(NamedTuple):
    """A day's dispatches: all, the late ones, and those of which nobody can tell."""

    all: int = 0
    late: int = 0
    unknown: int = 0


def _dispatched_by_day(rows: QuerySet[Shipment]) -> dict[date, Gone]:
    late, unknown = Count("pk", filter=Q(was_dispatched_late=True)), Count("pk", filter=Q(was_dispatched_late=None))
    by_day = rows.annotate(day=TruncDate("dispatched_at")).values("day")
    counted = by_day.annotate(all=Count("pk"), late=late, unknown=unknown)
    return {day: Gone(*numbers) for day, *numbers in counted.values_list("day", "all", "late", "unknown")}


def _with_heights(found: Sequence[tuple[date, int, Gone]]) -> list[Day]:
    highest = max((max(ordered, gone.all, gone.late) for _day, ordered, gone in found), default=0) or 1

    def height(number: int) -> int:
        return -(-100 * number // highest)  # one among many is still seen

    return [
        Day(
            date=day,
            ordered=ordered,
            dispatched=gone.all,
            late=gone.late,
            ordered_height=height(ordered),
            dispatched_height=height(gone.all),
            late_height=height(gone.late),
        )
        for day, ordered, gone in found
    ]


def _at(rows: QuerySet[Shipment], places: Places) -> QuerySet[Shipment]:
    return rows.filter(facility_id__in=[place.pk for place in places.shown]) if places.only else rows


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), timezone.get_current_timezone())


def _is_due_today(now: datetime) -> Q:
    return Q(dispatch_by_at__lt=_midnight(timezone.localtime(now).date() + timedelta(days=1)))


def is_late(now: datetime) -> Q:
    return Q(dispatch_by_at__lt=now) & ~Q(state__in=READY)


def _tile(stage: Stage, work: Work, address: str) -> Tile:
    says = _("%(count)d today") % {"count": work.today}
    if work.late:
        says = f"{ngettext('%(count)d late', '%(count)d late', work.late) % {'count': work.late}} · {says}"
    return Tile(str(WORDS[stage]), work.all, says, bool(work.late), f"{address}&stage={stage.value}")
