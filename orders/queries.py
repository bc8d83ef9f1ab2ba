"""Lists and searches of shipments. Every query says its seller: the fence is for the day somebody forgets."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from django.db.models import Exists, Func, IntegerField, OuterRef, Q, QuerySet, Sum, TextField
from django.db.models.functions import Cast, Coalesce, Greatest, Now

from orders import rules
from orders.models import Buyer, PaymentType, Reading, Shipment, ShipmentItem
from orders.stages import Stage, condition, ready_for_courier
from sellers.models import Facility, Seller
from shipcrowd.flipkart.times import INDIAN_TIME
from shipcrowd.flipkart.types import State
from shipcrowd.tenancy import require_scope

PAGE = 50
# Fewer characters are not an id but a walk through all of them.
SHORTEST_SEARCH = 3
_LONGEST_ID = 64
_MOST_KEY = 2**63
# How old a shipment in several parcels may be that is found by another than its first tracking id.
_OLDEST_IN_PARCELS = timedelta(days=60)
# How long before its dispatch-by a shipment may have been ordered: bounds the search by day in what has left.
_OLDEST_FOR_A_DAY = timedelta(days=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a list shows. `facilities` are our keys; `dispatch_by` a day in India; empty says nothing."""

    stage: Stage | None = None
    state: State | None = None
    facilities: Collection[int] = ()
    sku: str = ""
    dispatch_by: date | None = None
    payment_type: PaymentType | None = None
    search: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Shipments with their facility joined; `after` is where the next page goes on, "" at the end."""

    shipments: Sequence[Shipment]
    after: str = ""


def shipments(seller: Seller, filters: Filters, now: datetime) -> QuerySet[Shipment]:
    """The shipments that `filters` let through, facility joined; in the seller's scope.

    Work of the house comes most urgent first, what has left and everything together newest first.
    """
    require_scope(seller)
    rows = Shipment.objects.filter(_condition(seller, filters, now), seller=seller).select_related("facility")
    return rows.order_by("dispatch_by_at", "pk") if _is_by_urgency(filters) else rows.order_by("-ordered_at", "-pk")


def page(seller: Seller, filters: Filters, now: datetime, *, after: str = "", size: int = PAGE) -> Page:
    """One page of `size`, in one statement, however long the list is; `after` as the page before gave it.

    An `after` that is none starts at the beginning. In the seller's scope.
    """
    rows = shipments(seller, filters, now)
    is_by_urgency = _is_by_urgency(filters)
    if mark := _read_mark(after):
        rows = rows.filter(_behind_by_urgency(*mark) if is_by_urgency else _behind_by_age(*mark))
    found = list(rows[: size + 1])
    more = _mark(found[size - 1], is_by_urgency=is_by_urgency) if len(found) > size else ""
    return Page(shipments=found[:size], after=more)


def one_meant(seller: Seller, page: Page, search: str) -> Shipment | None:
    """The shipment that a search names: the only one found, or else the only one of which it is a whole id."""
    if not search or not page.shipments:
        return None
    if len(page.shipments) == 1 and not page.after:
        return page.shipments[0]
    exact = scanned_ids(seller, search)
    return chosen(seller, exact).first() if len(exact) == 1 else None


def chosen(seller: Seller, shipment_ids: Collection[int]) -> QuerySet[Shipment]:
    """These shipments (our keys) as far as they are the seller's, by key; in the seller's scope."""
    require_scope(seller)
    return Shipment.objects.filter(seller=seller, pk__in=shipment_ids).order_by("pk")


def scanned_id(scanned: str) -> str:
    """The id in what a scanner sent: a label's square code holds more behind it, after a comma."""
    return scanned.replace("\0", "").partition(",")[0].strip()[:_LONGEST_ID]


def scanned_ids(seller: Seller, scanned: str) -> list[int]:
    """Keys of the shipments whose tracking, shipment or order id is exactly what was scanned, in any case; by key.

    Of one in several parcels, the tracking id of each.
    """
    require_scope(seller)
    wanted = scanned_id(scanned)
    if len(wanted) < SHORTEST_SEARCH:
        return []
    forms = {wanted, wanted.upper()}
    holds = Q(tracking_id__in=forms) | Q(flipkart_shipment_id__in=forms) | Q(flipkart_order_id__in=forms)
    holds |= Q(pk__in=_with_parcel(seller, Q(named__icontains=f'"{_in_json(wanted)}"')))
    return list(Shipment.objects.filter(holds, seller=seller).order_by("pk").values_list("pk", flat=True)[: PAGE + 1])


def not_collected(seller: Seller, now: datetime) -> Q:
    """What is ready to dispatch since before its facility's last pickup, and still here; one statement for places.

    In the seller's scope.
    """
    holds = Q(pk__in=[])
    for place in Facility.objects.filter(seller=seller).order_by("pk"):
        if last := rules.last_pickup(place.pickup_times, place.holidays, now):
            holds |= Q(facility_id=place.pk, state_changed_at__lt=last)
    return ready_for_courier(now) & holds


def parcels(holds: Q) -> Coalesce:
    """In how many parcels the shipments of which this holds travel; an aggregate, one each before they are packed."""
    return Coalesce(Sum(Greatest(_length("tracking_ids"), 1), filter=holds), 0)


def still_to_pull(holds: Q | None = None) -> Coalesce:
    """How many parcels of shipments that must be pulled lie in a stack; an aggregate."""
    return Coalesce(Sum(Greatest(_length("tracking_ids") - _length("pulled_ids"), 1), filter=holds), 0)


def _length(column: str) -> Func:
    return Func(column, function="jsonb_array_length", output_field=IntegerField())


def ids_of(seller: Seller, public_ids: Collection[UUID]) -> list[int]:
    """Our keys for the ids that pages and the API use, by key."""
    return list(
        Shipment.objects.filter(seller=seller, public_id__in=public_ids).order_by("pk").values_list("pk", flat=True)
    )


def matching(seller: Seller, filters: Filters, now: datetime) -> QuerySet[Shipment]:
    """What "all that match" means to a bulk action: where no stage is said, of what is still work of the house."""
    rows = shipments(seller, filters, now)
    return rows if filters.stage else rows.filter(is_open=True)


def matching_ids(seller: Seller, filters: Filters, now: datetime, *, most: int, up_to: int | None = None) -> list[int]:
    """Keys of all that match, `most` of them, in the list's order; of those that came after the key `up_to`, none."""
    rows = matching(seller, filters, now)
    return list((rows.filter(pk__lte=up_to) if up_to else rows).values_list("pk", flat=True)[:most])


def find(seller: Seller, public_id: UUID) -> Shipment | None:
    """One shipment by the id in its address, facility and order joined; None when it is not the seller's."""
    require_scope(seller)
    return Shipment.objects.filter(seller=seller, public_id=public_id).select_related("facility", "order").first()


def items(seller: Seller, shipment_ids: Collection[int]) -> QuerySet[ShipmentItem]:
    return ShipmentItem.objects.filter(seller=seller, shipment_id__in=shipment_ids).order_by("shipment_id", "pk")


def buyer(seller: Seller, shipment_id: int) -> Buyer | None:
    return Buyer.objects.filter(seller=seller, shipment_id=shipment_id).first()


def reading(seller: Seller, shipment_id: int) -> Reading | None:
    return Reading.objects.filter(seller=seller, shipment_id=shipment_id).first()


# --- Conditions ------------------------------------------------------------------------------------------------------


def _condition(seller: Seller, filters: Filters, now: datetime) -> Q:
    holds = Q()
    if filters.stage:
        holds &= condition(filters.stage, now)
    if filters.state:
        holds &= Q(state=filters.state)
    if filters.facilities:
        holds &= Q(facility_id__in=filters.facilities)
    if filters.payment_type:
        holds &= Q(payment_type=filters.payment_type)
    if filters.sku:
        holds &= Q(Exists(ShipmentItem.objects.filter(seller=seller, shipment_id=OuterRef("pk"), sku=filters.sku)))
    if filters.dispatch_by:
        holds &= _due_on(filters.dispatch_by)
    if filters.search.strip():
        holds &= by_any_id(seller, filters.search)
    return holds


def _due_on(day: date) -> Q:
    begins = datetime.combine(day, time(), INDIAN_TIME)
    ends = begins + timedelta(days=1)
    # The order date is said too: the index of what has left goes by it, and none goes by dispatch-by.
    return Q(dispatch_by_at__gte=begins, dispatch_by_at__lt=ends) & Q(
        ordered_at__gte=begins - _OLDEST_FOR_A_DAY, ordered_at__lt=ends
    )


def by_any_id(seller: Seller, text: str) -> Q:
    """Shipment, order, tracking (of each parcel), invoice or item id that begins or ends with `text`, in any case.

    From 3 characters on, items from 6: an order's own items are numbered 001, 002 … in the guide's format. Items are
    looked up first, in a statement of its own: a sub-select among the alternatives would keep all indexes from use.
    """
    wanted = text.replace("\0", "").strip()[:_LONGEST_ID]
    if len(wanted) < SHORTEST_SEARCH:
        return Q(pk__in=[])
    holds = _begins_or_ends(wanted, _IDS)
    if len(wanted) >= _SHORTEST_ITEM_ID:
        items = ShipmentItem.objects.filter(_begins_or_ends(wanted, _ITEM_IDS), seller=seller)
        holds |= Q(pk__in=list(items.values_list("shipment_id", flat=True)[: PAGE + 1]))
    begins, ends = f'"{_in_json(wanted)}', f'{_in_json(wanted)}"'
    return holds | Q(pk__in=_with_parcel(seller, Q(named__icontains=begins) | Q(named__icontains=ends)))


def _with_parcel(seller: Seller, holds: Q) -> list[int]:
    """Keys of the newest shipments in several parcels one of whose tracking ids is named as `holds` says.

    In a statement of its own, as items are. No index finds what stands in a list under row-level security (its operator
    is not leakproof): those of the last two months are few, have an index of their own, and are read through.
    """
    several = Shipment.objects.filter(seller=seller, is_multi_parcel=True, ordered_at__gte=Now() - _OLDEST_IN_PARCELS)
    found = several.alias(named=Cast("tracking_ids", TextField())).filter(holds)
    return list(found.order_by("-ordered_at", "-pk").values_list("pk", flat=True)[: PAGE + 1])


def _in_json(text: str) -> str:
    """As PostgreSQL writes it into a list of texts, without the quotes around it."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _begins_or_ends(wanted: str, columns: Mapping[str, str]) -> Q:
    holds = Q()
    for column, reversed_column in columns.items():
        for beginning in {wanted, wanted.upper()}:
            holds |= Q(**{f"{column}__prefix": beginning})
        holds |= Q(**{f"{reversed_column}__prefix": wanted.upper()[::-1]})
    return holds


_IDS = {
    "flipkart_shipment_id": "shipment_id_reversed",
    "flipkart_order_id": "order_id_reversed",
    "tracking_id": "tracking_id_reversed",
    "invoice_number": "invoice_number_reversed",
}
_ITEM_IDS = {"flipkart_order_item_id": "item_id_reversed"}
_SHORTEST_ITEM_ID = 6


# --- Pages -----------------------------------------------------------------------------------------------------------


def _is_by_urgency(filters: Filters) -> bool:
    return filters.stage is not None and filters.stage not in (Stage.HANDED_OVER, Stage.CANCELLED)


def _behind_by_age(at: datetime | None, key: int) -> Q:
    """In this form PostgreSQL begins in the middle of the index; `a or (b and c)` walks there from its start."""
    if at is None:
        return Q()
    return Q(ordered_at__lte=at) & (Q(ordered_at__lt=at) | Q(pk__lt=key))


def _behind_by_urgency(at: datetime | None, key: int) -> Q:
    """Those without a dispatch-by come last, as PostgreSQL sorts them."""
    if at is None:
        return Q(dispatch_by_at__isnull=True, pk__gt=key)
    return (Q(dispatch_by_at__gte=at) & (Q(dispatch_by_at__gt=at) | Q(pk__gt=key))) | Q(dispatch_by_at__isnull=True)


def _mark(shipment: Shipment, *, is_by_urgency: bool) -> str:
    at = shipment.dispatch_by_at if is_by_urgency else shipment.ordered_at
    return f"{at.astimezone(UTC).strftime(_MARK) if at else ''}~{shipment.pk}"


def _read_mark(after: str) -> tuple[datetime | None, int] | None:
    at, _, key = after.partition("~")
    try:
        when = datetime.strptime(at, _MARK).replace(tzinfo=UTC) if at else None
        return (when, int(key)) if 0 < int(key) < _MOST_KEY else None
    except ValueError:
        return None


_MARK = "%Y%m%dT%H%M%S.%fZ"  # nothing in it that an address would change
