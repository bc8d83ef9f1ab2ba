"""Where a shipment stands in the house: the tabs of the list. Each stage's condition is said here, once.

The stages shut each other out and leave nothing over. Open ones are counted exactly, what has left is not: counting all
that was ever handed over takes longer each day.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db import connection
from django.db.models import Case, CharField, Count, Q, QuerySet, Value, When
from django.db.models.functions import Cast
from django.utils.translation import gettext_lazy

from orders.models import Shipment
from orders.states import BEFORE_PACK, HANDED_OVER, READY
from sellers.models import Seller
from shipcrowd.flipkart.types import State
from shipcrowd.tenancy import require_scope

CAPPED_AT = 1000


class Stage(StrEnum):
    UPCOMING = "upcoming"
    TO_LABEL = "to_label"
    TO_PRINT = "to_print"
    TO_DISPATCH = "to_dispatch"
    AWAITING_PICKUP = "awaiting_pickup"
    ON_HOLD = "on_hold"
    SET_ASIDE = "set_aside"
    ATTENTION = "attention"
    HANDED_OVER = "handed_over"
    CANCELLED = "cancelled"

    @property
    def is_open(self) -> bool:
        """Whether it is work of the house, all of which the partial index of open shipments holds."""
        return self not in (Stage.HANDED_OVER, Stage.CANCELLED, Stage.ATTENTION)


WORDS = {
    Stage.UPCOMING: gettext_lazy("Upcoming"),
    Stage.TO_LABEL: gettext_lazy("To label"),
    Stage.TO_PRINT: gettext_lazy("To print"),
    Stage.TO_DISPATCH: gettext_lazy("To dispatch"),
    Stage.AWAITING_PICKUP: gettext_lazy("Awaiting pickup"),
    Stage.ON_HOLD: gettext_lazy("On hold"),
    Stage.SET_ASIDE: gettext_lazy("Set aside"),
    Stage.ATTENTION: gettext_lazy("Attention"),
    Stage.HANDED_OVER: gettext_lazy("Handed over"),
    Stage.CANCELLED: gettext_lazy("Cancelled"),
}

_NEEDS_PERSON = ~Q(attention="") | Q(state=State.UNKNOWN, is_open=True)
# What a person keeps back is theirs to put back, also while Flipkart holds it.
_IN_THE_HOUSE = Q(attention="", is_open=True) & ~Q(state=State.UNKNOWN)
_WORKED_ON = _IN_THE_HOUSE & Q(set_aside_at__isnull=True, is_on_hold=False)
# Packed is what has a label, whoever made it; a state that lags behind our own label does not matter.
_LABELLED = Q(label_stored_at__isnull=False) | Q(labelled_outside=True)
_HAS_PAPER_ON = Q(printed_at__isnull=False) | Q(packed_at_bench_at__isnull=False)
# What was ready when it was pulled lies on the table, with a label that is void: it leaves with the new one on it.
_WANTS_NEW_PAPER = Q(state=State.READY_TO_DISPATCH, pulled_at__isnull=False) & ~_HAS_PAPER_ON
_READY = Q(state__in=READY) & ~_WANTS_NEW_PAPER
_LEAVES_NEXT = _WORKED_ON & _LABELLED & ~_READY


def condition(stage: Stage, now: datetime) -> Q:
    """What holds for the shipments of `stage`, and for no others."""
    is_early = Q(state__in=BEFORE_PACK, dispatch_after_at__gt=now)
    without_label = _WORKED_ON & ~_READY & Q(label_stored_at__isnull=True, labelled_outside=False)
    return {
        Stage.ATTENTION: _NEEDS_PERSON,
        Stage.ON_HOLD: _IN_THE_HOUSE & Q(set_aside_at__isnull=True, is_on_hold=True),
        Stage.SET_ASIDE: _IN_THE_HOUSE & Q(set_aside_at__isnull=False),
        Stage.UPCOMING: without_label & is_early,
        # Packing, and packed by our request with the label still to come, waits for its label as much.
        Stage.TO_LABEL: without_label & (Q(dispatch_after_at__isnull=True) | ~is_early),
        Stage.TO_PRINT: _LEAVES_NEXT & ~_HAS_PAPER_ON,
        Stage.TO_DISPATCH: _LEAVES_NEXT & _HAS_PAPER_ON,
        Stage.AWAITING_PICKUP: _WORKED_ON & _READY,
        Stage.HANDED_OVER: Q(attention="", state__in=HANDED_OVER),
        Stage.CANCELLED: Q(attention="", state=State.CANCELLED),
    }[stage]


def in_stage(shipments: QuerySet[Shipment], stage: Stage, now: datetime) -> QuerySet[Shipment]:
    return shipments.filter(condition(stage, now))


def stage_of(shipment: Shipment, now: datetime) -> Stage:
    """The stage of a row that is read already: as `condition` says, without asking the database."""
    state = State(shipment.state)
    if shipment.attention or state is State.UNKNOWN:
        return Stage.ATTENTION
    if state in HANDED_OVER:
        return Stage.HANDED_OVER
    if state is State.CANCELLED:
        return Stage.CANCELLED
    if shipment.set_aside_at:
        return Stage.SET_ASIDE
    if shipment.is_on_hold:
        return Stage.ON_HOLD
    has_paper_on = shipment.printed_at or shipment.packed_at_bench_at
    wants_new_paper = state is State.READY_TO_DISPATCH and shipment.pulled_at and not has_paper_on
    if state in READY and not wants_new_paper:
        return Stage.AWAITING_PICKUP
    if shipment.label_stored_at or shipment.labelled_outside:
        return Stage.TO_DISPATCH if has_paper_on else Stage.TO_PRINT
    is_early = shipment.dispatch_after_at is not None and shipment.dispatch_after_at > now
    return Stage.UPCOMING if is_early and state in BEFORE_PACK else Stage.TO_LABEL


def counts(seller: Seller, now: datetime, facilities: Collection[int] | None = None) -> dict[Stage, int | str]:
    """How many shipments stand where, in one statement; "1,000+" for handed over and cancelled above that.

    `facilities` are our keys; None is all. In the seller's scope.
    """
    require_scope(seller)
    rows = Shipment.objects.filter(seller=seller)
    if facilities is not None:
        rows = rows.filter(facility_id__in=facilities)
    parts: list[QuerySet[Shipment, Any]] = [
        _counted(rows.filter(is_open=True), name_of_open(now)),
        _counted(rows.filter(is_open=False).exclude(attention=""), Cast(Value(Stage.ATTENTION.value), CharField())),
    ]
    capped = {
        left: rows.filter(condition(left, now)).order_by().values("pk")[: CAPPED_AT + 1]
        for left in (Stage.HANDED_OVER, Stage.CANCELLED)
    }
    found: dict[Stage, int] = dict.fromkeys(Stage, 0)
    for name, number in _union(parts, capped):
        found[Stage(name)] += number
    return {
        stage: f"{CAPPED_AT:,}+" if stage in capped and number > CAPPED_AT else number
        for stage, number in found.items()
    }


def name_of_open(now: datetime) -> Cast:
    """The name of the stage of each open shipment, for statements that group by it."""
    whens = [When(condition(stage, now), then=Value(stage.value)) for stage in Stage if stage.is_open]
    return Cast(Case(*whens, default=Value(Stage.ATTENTION.value)), CharField())


def ready_for_courier(now: datetime) -> Q:
    """What stands ready to dispatch; not what the courier has scanned already, nor what is held, wants a person, or was
    pulled and has no new label on it.
    """
    return condition(Stage.AWAITING_PICKUP, now) & Q(state=State.READY_TO_DISPATCH)


def _counted(rows: QuerySet[Shipment], stage: Cast) -> QuerySet[Shipment, Any]:
    named = rows.order_by().annotate(stage=stage).values("stage")
    return named.annotate(n=Count("pk")).values_list("stage", "n")


def _union(
    parts: Collection[QuerySet[Shipment, Any]], capped: Mapping[Stage, QuerySet[Shipment, Any]]
) -> list[tuple[str, int]]:
    """Django cannot count a limited sub-select beside others, so the statements are put together here."""
    sqls: list[str] = []
    parameters: list[Any] = []
    for part in parts:
        sql, values = part.query.sql_with_params()
        sqls.append(f"({sql})")
        parameters += values
    for stage, rows in capped.items():
        sql, values = rows.query.sql_with_params()
        sqls.append(f"(select %s, count(*) from ({sql}) capped)")  # noqa: S608 - Django's own statement
        parameters += [stage.value, *values]
    with connection.cursor() as cursor:
        cursor.execute(" union all ".join(sqls), parameters)
        return list(cursor.fetchall())
