"""Copies of shipments, as Flipkart gave them, into our tables: the one way in, by search or by id.

A page costs a constant number of statements. The first locks the readings of the page's shipments and touches those
whose fingerprint is the same; when that is all of them, nothing else is read or written. What changed goes in with one
JSON parameter a table (measured: five times the speed of a statement a row, twice that of bulk_create).
A seller's pages come in one after another: else two that bring the same new shipment, which has no reading to lock yet,
would write it first and lock its reading last, and wait for each other (seen: deadlock detected).
Django's connections never prepare statements: keep it so. A plan made for empty tables and kept is slower by half.
Rows are looked up one by one (`lateral … offset 0`), by an index that the fence's own condition finds: of a seller that
is new since the last ANALYZE, PostgreSQL believes that it has no rows, and read all of them for each that was wanted
(seen: 15 s a page). `seller_id + 0` says the seller without telling the planner.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from decimal import Decimal
from enum import Enum
from hashlib import blake2b
from operator import attrgetter
from typing import Any, get_type_hints

from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from orders import rules
from orders.changes import (
    LONGEST_TITLE,
    Known,
    KnownItem,
    Line,
    address_fields,
    attention_after,
    dispatch_seen,
    is_older,
    lines,
    live_items,
    parcels_of,
    rupees,
    shipment_type,
)
from orders.models import Reading
from orders.states import is_packed_or_later
from sellers.facilities import AccountTaken, facilities_taken
from shipcrowd.flipkart.types import (
    Address,
    Form,
    Shipment,
    ShipmentItem,
    State,
    SubShipment,
    Unreadable,
)
from shipcrowd.tenancy import require_scope

# Part of every fingerprint: raise it when the wires read more or differently, and every next read writes again.
READER_VERSION = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """What became of the copies; `older` were not written, for a newer one is here; `unreadable` are kept."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    older: int = 0
    unreadable: int = 0


def ingest(
    *, seller_id: int, shipments: Sequence[Shipment], unreadable: Sequence[Unreadable] = (), read_began_at: datetime
) -> Ingested:
    """Store what is new in these copies, and which rows could not be read. In the seller's scope; calls nobody.

    `read_began_at` is the database's clock from before the call: an older copy never overwrites a newer one, in
    whatever order they arrive. Of two copies of one shipment the last counts. Raises NoScope; and AccountTaken where a
    copy ships from another seller's place, for the scope to write nothing and the caller to tell gateway.heard.
    """
    require_scope(seller_id)
    copies = {copy.flipkart_shipment_id: copy for copy in shipments}
    prints = {shipment_id: fingerprint(copy) for shipment_id, copy in copies.items()}
    unchanged = _touch_unchanged(seller_id, copies, prints, read_began_at) if copies else set()
    changed = {shipment_id: copy for shipment_id, copy in copies.items() if shipment_id not in unchanged}
    unfit = [hole for copy in changed.values() if (hole := _why_unfit(copy))]
    for hole in unfit:
        del changed[hole.flipkart_shipment_id]
    holes = [*unreadable, *unfit]
    done = _write(seller_id, changed, prints, read_began_at) if changed else Ingested()
    if holes:
        _keep_unreadable(seller_id, holes, read_began_at)
    return Ingested(
        new=done.new, changed=done.changed, older=done.older, unchanged=len(unchanged), unreadable=len(holes)
    )


def forget_fingerprints(shipment_ids: Collection[int]) -> None:
    """The next read of these shipments (our keys) writes all of them again.

    For whoever changes a column that comes from Flipkart: else the read that says the opposite would look unchanged.
    To be called before that change: ingest locks readings first, then shipments. In the caller's scope.
    """
    Reading.objects.filter(pk__in=lock_readings(shipment_ids)).update(fingerprint=None)


def lock_readings(shipment_ids: Collection[int]) -> list[int]:
    """Keys of these shipments' readings, locked in the order in which ingest locks them. In the caller's scope."""
    readings = Reading.objects.filter(shipment_id__in=shipment_ids).order_by("flipkart_shipment_id", "pk")
    return list(readings.select_for_update(no_key=True).values_list("pk", flat=True))


def lock_ingest(seller_id: int) -> None:
    """From here to the end of the transaction nobody else writes what Flipkart tells of this seller's shipments.

    To be called before readings, shipments or buyers are locked.
    """
    _run(_LOCK, seller=seller_id, rows=())


def fingerprint(copy: Shipment) -> bytes:
    """16 bytes that differ when anything in `copy` does. Takes microseconds: most of an unchanged page."""
    canonical = (
        READER_VERSION,
        _SHIPMENT(copy),
        [at and at.timestamp() for at in _TIMES(copy)],
        [_ITEM(item) for item in copy.items],
        [_SUB_SHIPMENT(part) for part in copy.sub_shipments],
        [_FORM(form) for form in copy.forms],
        copy.shipping_address and _ADDRESS(copy.shipping_address),
    )
    return blake2b(repr(canonical).encode(), digest_size=16).digest()


def _everything_of(kind: type[Any], *apart: str) -> Callable[[Any], Any]:
    """Reads all fields, also those of persons that the types leave out of their repr; an enum's by its plain value."""
    hints = get_type_hints(kind)
    enums = {name for name, hint in hints.items() if isinstance(hint, type) and issubclass(hint, Enum)}
    names = [field.name for field in fields(kind) if field.name not in apart]
    return attrgetter(*(f"{name}._value_" if name in enums else name for name in names))


# Apart: a time's number is made four times as fast as its repr.
_TIME_NAMES = ("ordered_at", "dispatch_after_at", "dispatch_by_at", "deliver_by_at", "updated_at")
_TIMES = attrgetter(*_TIME_NAMES)
_SHIPMENT = _everything_of(Shipment, "items", "sub_shipments", "forms", "shipping_address", *_TIME_NAMES)
_ITEM = _everything_of(ShipmentItem)
_SUB_SHIPMENT = _everything_of(SubShipment)
_FORM = _everything_of(Form)
_ADDRESS = _everything_of(Address)


# --- Nothing changed -------------------------------------------------------------------------------------------------


def _touch_unchanged(
    seller_id: int, copies: Mapping[str, Shipment], prints: Mapping[str, bytes], read_began_at: datetime
) -> set[str]:
    """Locks the readings of all that are known, touches those that are as they were, and names them.

    The same statement asks whether this is our seller's account. Raises AccountTaken.
    Locked in the order of Flipkart's ids: two pages that share shipments would otherwise wait for each other.
    """
    asked = [
        {
            "id": shipment_id,
            "print": prints[shipment_id].hex(),
            "follow_at": follow_at.isoformat() if (follow_at := _follow_at(copy, read_began_at)) else None,
        }
        for shipment_id, copy in sorted(copies.items())
    ]
    places = sorted({copy.flipkart_location_id for copy in copies.values() if copy.flipkart_location_id})
    found = _run(f"{_LOCK};{_TOUCH}", seller=seller_id, began=read_began_at, rows=asked, places=places)
    to_check = [place for _known, place in found if place]
    if to_check and facilities_taken(seller_id, to_check):
        raise AccountTaken
    return {shipment_id for shipment_id, place in found if not place}


_LOCK = "select pg_advisory_xact_lock(hashtextextended('orders.ingest', %(seller)s))"

# The lock in the same message, for that saves a page one of three round trips, but as a statement of its own: what the
# page before has written is seen only by a statement that begins after it.
# Places to check: those not yet this seller's, and all until a walk under the newest consent has come to its end, for
# it may be another account's. That costs the pages of every other walk no statement.
_TOUCH = """
with asked as materialized (
    select * from jsonb_to_recordset(%(rows)s::jsonb) as a (id text, print text, follow_at timestamptz)
),
held as materialized (
    select a.id as flipkart_id, a.follow_at, r.id from asked a
    cross join lateral (
        select r.id, r.fingerprint from orders_reading r
        where r.seller_id + 0 = %(seller)s and r.flipkart_shipment_id = a.id offset 0 for no key update
    ) r
    where r.fingerprint = decode(a.print, 'hex')
),
touched as (
    update orders_reading r
    set read_at = greatest(r.read_at, %(began)s),
        -- Moved when half of the time until then is over: else no index changes, and the row stays on its page.
        follow_at = case
            when r.follow_at between %(began)s + (h.follow_at - %(began)s) / 2 and h.follow_at then r.follow_at
            else h.follow_at
        end
    from held h where r.id = h.id
),
readable_again as (
    delete from orders_unreadable u
    where u.seller_id = %(seller)s and u.flipkart_shipment_id = any(array(select a.id from asked a))
        and u.last_seen_at <= %(began)s
),
to_check as (
    select p.id as place from unnest(%(places)s::text[]) as p (id)
    left join lateral (
        select f.id from sellers_facility f
        where f.seller_id + 0 = %(seller)s and f.flipkart_location_id = p.id offset 0
    ) f on true
    where f.id is null or exists (
        select from sellers_connection c left join orders_pollcursor w on w.seller_id = %(seller)s
        where c.seller_id = %(seller)s and c.consented_at > coalesce(w.last_good_at, '-infinity')
    )
)
select flipkart_id, null from held
union all
select null, place from to_check
"""


def _follow_at(copy: Shipment, read_began_at: datetime) -> datetime | None:
    pace = rules.follow_pace(copy.state, read_began_at - (copy.ordered_at or read_began_at))
    return None if pace is None else read_began_at + pace


# --- Something changed -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """A copy that is to be written, and what that means."""

    copy: Shipment
    known: Known | None
    lines: Sequence[Line]
    attention: tuple[str, str]


def _write(
    seller_id: int, copies: Mapping[str, Shipment], prints: Mapping[str, bytes], read_began_at: datetime
) -> Ingested:
    known = _find_known(seller_id, copies, read_began_at)
    changes = {
        shipment_id: _Change(
            copy=copy,
            known=(before := known.get(shipment_id)),
            lines=lines(before, copy),
            attention=attention_after(before, copy),
        )
        for shipment_id, copy in copies.items()
        if shipment_id not in known or not is_older(known[shipment_id], copy, read_began_at)
    }
    if not changes:
        return Ingested(older=len(copies))
    # Who was known, in the order of their keys, as everybody locks them; then the new ones, in an order of their own.
    ordered = sorted(changes.values(), key=lambda c: (c.known is None, c.known.id if c.known else 0, _id(c)))
    rows = [_shipment_row(number, change, read_began_at) for number, change in enumerate(ordered)]
    written = dict(_run(_SHIPMENTS, seller=seller_id, began=read_began_at, rows=rows))
    ordered = [change for change in ordered if _id(change) in written]
    new = sum(written.values())
    if ordered:
        _run(_ITEMS, seller=seller_id, rows=[row for change in ordered for row in _item_rows(change.copy)])
        readings = [_reading_row(change, prints[_id(change)], read_began_at) for change in ordered]
        _run(_BUYERS_AND_READINGS, seller=seller_id, began=read_began_at, rows=readings)
        entries = [
            {"id": _id(change), "kind": line.kind, "says": line.says[:300]}
            for change in ordered
            for line in change.lines
        ]
        if entries:
            _run(_TIMELINE, seller=seller_id, rows=entries)
    return Ingested(new=new, changed=len(written) - new, older=len(copies) - len(written))


def _id(change: _Change) -> str:
    return change.copy.flipkart_shipment_id


def _find_known(seller_id: int, copies: Mapping[str, Shipment], read_began_at: datetime) -> dict[str, Known]:
    """The shipments of these copies as they stand, locked; their orders and facilities are there afterwards."""
    asked = [
        {
            "id": copy.flipkart_shipment_id,
            "order_id": copy.flipkart_order_id,
            "ordered_at": copy.ordered_at,
            "location_id": copy.flipkart_location_id,
            "location_name": (copy.location_name or copy.flipkart_location_id)[:100],
        }
        for copy in copies.values()
    ]
    return {
        row["flipkart_shipment_id"]: Known(
            **row
            | {
                "state": State(row["state"]),
                "items": _known_items(row["items"]),
                "shipping_address": _json(row),
                "forms": {form["name"]: form.get("status", "") for form in json.loads(row["forms"])},
                "parcels": json.loads(row["parcels"]),
            }
        )
        for row in _run_named(_KNOWN, seller=seller_id, began=read_began_at, rows=asked)
    }


def _known_items(text: str | None) -> dict[str, KnownItem]:
    return {
        item_id: KnownItem(
            sku=sku,
            quantity=quantity,
            total_price=_decimal(total_price),
            state_word=word,
            title=title,
            fsn=fsn,
            hsn=hsn,
            mrp=_decimal(mrp),
            selling_price=_decimal(selling_price),
            listing_id=listing_id,
            group_id=group_id,
            is_replacement=is_replacement,
        )
        for (
            item_id,
            sku,
            quantity,
            total_price,
            word,
            title,
            fsn,
            hsn,
            mrp,
            selling_price,
            listing_id,
            group_id,
            is_replacement,
        ) in json.loads(text or "[]")
    }


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _json(row: Mapping[str, Any]) -> dict[str, str] | None:
    text = row["shipping_address"]
    return None if text is None else json.loads(text)


_KNOWN = """
with asked as materialized (
    select * from jsonb_to_recordset(%(rows)s::jsonb)
        as a (id text, order_id text, ordered_at timestamptz, location_id text, location_name text)
),
orders as (
    insert into orders_order (seller_id, flipkart_order_id, ordered_at)
    select %(seller)s, a.order_id, min(a.ordered_at) from asked a group by a.order_id order by a.order_id
    on conflict do nothing
),
facilities as (
    insert into sellers_facility (
        seller_id, public_id, flipkart_location_id, name, address_line1, address_line2, city, state, pincode, gstin,
        phone, pickup_times, holidays
    )
    select %(seller)s, gen_random_uuid(), a.location_id, min(a.location_name), '', '', '', '', '', '', '', '[]', '[]'
    from asked a where a.location_id <> '' group by a.location_id order by a.location_id
    on conflict do nothing
),
found as materialized (
    select s.id from asked a
    cross join lateral (
        select s.id from orders_shipment s where s.seller_id + 0 = %(seller)s and s.flipkart_shipment_id = a.id offset 0
    ) s
)
select
    s.id, s.flipkart_shipment_id, s.flipkart_order_id, s.ordered_at, s.state, s.state_word, s.is_on_hold,
    s.dispatch_after_at, s.dispatch_by_at, s.deliver_by_at, s.dispatched_at, s.was_dispatched_late,
    coalesce(f.flipkart_location_id, '') as flipkart_location_id, s.payment_type,
    s.cod_amount, s.tracking_id, s.courier, s.invoice_number, s.flipkart_updated_at, s.read_began_at,
    s.label_requested_at, s.label_stored_at, s.labelled_outside, s.packed_at_bench_at, s.attention, s.attention_says,
    s.shipment_type, s.service_tier, s.packaging_policy, s.is_multi_parcel, s.forms::text, s.parcels::text,
    coalesce(r.read_at, s.read_began_at) as read_at, coalesce(b.name, '') as buyer_name,
    coalesce(b.phone, '') as buyer_phone, b.shipping_address::text,
    (
        select jsonb_agg(jsonb_build_array(
            i.flipkart_order_item_id, i.sku, i.quantity, i.total_price::text, i.state_word, i.title, i.fsn, i.hsn,
            i.mrp::text, i.selling_price::text, i.flipkart_listing_id, i.cancellation_group_id, i.is_replacement
        ))::text
        from orders_shipmentitem i where i.seller_id + 0 = %(seller)s and i.shipment_id = s.id
    ) as items
from orders_shipment s
left join lateral (
    select r.read_at from orders_reading r where r.seller_id + 0 = %(seller)s and r.shipment_id = s.id offset 0
) r on true
left join lateral (
    select b.name, b.phone, b.shipping_address from orders_buyer b
    where b.seller_id + 0 = %(seller)s and b.shipment_id = s.id offset 0
) b on true
left join lateral (
    select f.flipkart_location_id from sellers_facility f where f.id = s.facility_id offset 0
) f on true
where s.id = any(array(select found.id from found))
order by s.id
for no key update of s
"""


def _shipment_row(number: int, change: _Change, read_began_at: datetime) -> dict[str, Any]:
    copy, known = change.copy, change.known
    alive = live_items(copy)
    prices = [price for item in alive if (price := rupees(item.total_price)) is not None]
    attention, says = change.attention
    dispatched_at, was_late = dispatch_seen(known, copy, read_began_at)
    is_outside = is_packed_or_later(copy.state) and not (known and known.label_requested_at)
    return {
        "number": number,
        "id": copy.flipkart_shipment_id,
        "order_id": copy.flipkart_order_id,
        "location_id": copy.flipkart_location_id,
        "ordered_at": copy.ordered_at or (known.ordered_at if known else read_began_at),
        "state": copy.state.value,
        "state_word": copy.state_word,
        "is_on_hold": copy.is_on_hold,
        "dispatch_after_at": copy.dispatch_after_at,
        "dispatch_by_at": copy.dispatch_by_at,
        "deliver_by_at": copy.deliver_by_at,
        "payment_type": copy.payment_type.value,
        "cod_amount": rupees(copy.cod_amount),
        "total_price": sum(prices, Decimal(0)) if len(prices) == len(alive) else None,
        "tracking_id": copy.tracking_id,
        "courier": copy.courier[:64],
        "invoice_number": copy.invoice_number,
        "sku": alive[0].sku if alive else "",
        "sku_count": len({item.sku for item in alive}),
        "quantity": sum(item.quantity for item in alive),
        "shipment_type": shipment_type(copy),
        "service_tier": copy.service_tier,
        "packaging_policy": copy.packaging_policy,
        "is_multi_parcel": copy.is_multi_parcel,
        "forms": [asdict(form) for form in copy.forms],
        "parcels": parcels_of(copy),
        "updated_at": copy.updated_at,
        "labelled_outside": is_outside or (known is not None and known.labelled_outside),
        "dispatched_at": dispatched_at,
        "was_dispatched_late": was_late,
        "attention": attention,
        "attention_says": says[:300],
    }


# What Flipkart leaves out again, such as a tracking id that came by shipping details, stays.
_SHIPMENTS = """
insert into orders_shipment as s (
    seller_id, order_id, facility_id, flipkart_shipment_id, flipkart_order_id, ordered_at, state, state_word,
    is_on_hold, dispatch_after_at, dispatch_by_at, deliver_by_at, payment_type, cod_amount, total_price, tracking_id,
    courier, invoice_number, sku, sku_count, quantity, shipment_type, service_tier, packaging_policy, is_multi_parcel,
    forms, parcels, tracking_ids, read_began_at, flipkart_updated_at, labelled_outside, dispatched_at,
    was_dispatched_late, attention, attention_says
)
select
    %(seller)s, o.id, f.id, a.id, a.order_id, a.ordered_at, a.state, a.state_word,
    a.is_on_hold, a.dispatch_after_at, a.dispatch_by_at, a.deliver_by_at, a.payment_type, a.cod_amount, a.total_price,
    a.tracking_id, a.courier, a.invoice_number, a.sku, a.sku_count, a.quantity, a.shipment_type, a.service_tier,
    a.packaging_policy, a.is_multi_parcel, a.forms, a.parcels, '[]', %(began)s, a.updated_at, a.labelled_outside,
    a.dispatched_at, a.was_dispatched_late, a.attention, a.attention_says
from jsonb_to_recordset(%(rows)s::jsonb) as a (
    number int, id text, order_id text, location_id text, ordered_at timestamptz, state text, state_word text,
    is_on_hold bool, dispatch_after_at timestamptz, dispatch_by_at timestamptz, deliver_by_at timestamptz,
    payment_type text, cod_amount numeric, total_price numeric, tracking_id text, courier text, invoice_number text,
    sku text, sku_count int, quantity int, shipment_type text, service_tier text, packaging_policy text,
    is_multi_parcel bool, forms jsonb, parcels jsonb, updated_at timestamptz, labelled_outside bool,
    dispatched_at timestamptz, was_dispatched_late bool, attention text, attention_says text
)
cross join lateral (
    select o.id from orders_order o where o.seller_id + 0 = %(seller)s and o.flipkart_order_id = a.order_id offset 0
) o
left join lateral (
    select f.id from sellers_facility f
    where f.seller_id + 0 = %(seller)s and f.flipkart_location_id = a.location_id offset 0
) f on true
order by a.number
on conflict (seller_id, flipkart_shipment_id) do update set
    order_id = excluded.order_id, facility_id = excluded.facility_id, flipkart_order_id = excluded.flipkart_order_id,
    ordered_at = excluded.ordered_at, state = excluded.state, state_word = excluded.state_word,
    is_on_hold = excluded.is_on_hold, dispatch_after_at = excluded.dispatch_after_at,
    dispatch_by_at = excluded.dispatch_by_at, deliver_by_at = excluded.deliver_by_at,
    payment_type = excluded.payment_type, cod_amount = excluded.cod_amount, total_price = excluded.total_price,
    tracking_id = coalesce(nullif(excluded.tracking_id, ''), s.tracking_id),
    courier = coalesce(nullif(excluded.courier, ''), s.courier),
    invoice_number = coalesce(nullif(excluded.invoice_number, ''), s.invoice_number),
    sku = excluded.sku, sku_count = excluded.sku_count, quantity = excluded.quantity,
    shipment_type = excluded.shipment_type,
    service_tier = coalesce(nullif(excluded.service_tier, ''), s.service_tier),
    packaging_policy = excluded.packaging_policy, is_multi_parcel = excluded.is_multi_parcel, forms = excluded.forms,
    parcels = excluded.parcels,
    read_began_at = excluded.read_began_at, flipkart_updated_at = excluded.flipkart_updated_at,
    labelled_outside = excluded.labelled_outside, dispatched_at = excluded.dispatched_at,
    was_dispatched_late = excluded.was_dispatched_late, attention = excluded.attention,
    attention_says = excluded.attention_says,
    pulled_ids = case when excluded.attention = 'pull' then s.pulled_ids else '[]' end,
    state_changed_at = case when s.state_word = excluded.state_word then s.state_changed_at
        else statement_timestamp() end
where case
    when s.flipkart_updated_at <> excluded.flipkart_updated_at then s.flipkart_updated_at < excluded.flipkart_updated_at
    else s.read_began_at <= excluded.read_began_at
end
returning s.flipkart_shipment_id, s.xmax = 0
"""


def _item_rows(copy: Shipment) -> Iterator[dict[str, Any]]:
    for item in copy.items:
        yield {
            "id": copy.flipkart_shipment_id,
            "item_id": item.flipkart_order_item_id,
            "sku": item.sku,
            "fsn": item.fsn,
            "hsn": item.hsn,
            "title": item.title[:LONGEST_TITLE],
            "quantity": item.quantity,
            "mrp": item.mrp,
            "selling_price": item.selling_price,
            "total_price": item.total_price,
            "state_word": item.state_word,
            "listing_id": item.flipkart_listing_id,
            "group_id": item.cancellation_group_id,
            "is_replacement": item.is_replacement,
        }


_ITEMS = """
with asked as materialized (
    select s.id as shipment_id, a.item_id, a.sku, a.fsn, a.hsn, a.title, a.quantity, a.mrp, a.selling_price,
        a.total_price, a.state_word, a.listing_id, a.group_id, a.is_replacement
    from jsonb_to_recordset(%(rows)s::jsonb) as a (
        id text, item_id text, sku text, fsn text, hsn text, title text, quantity int, mrp numeric(12, 2),
        selling_price numeric(12, 2), total_price numeric(12, 2), state_word text, listing_id text, group_id text,
        is_replacement bool
    )
    cross join lateral (
        select s.id from orders_shipment s where s.seller_id + 0 = %(seller)s and s.flipkart_shipment_id = a.id offset 0
    ) s
),
gone as (
    delete from orders_shipmentitem where id = any(array(
        select i.id from (select distinct shipment_id from asked) w
        cross join lateral (
            select i.id, i.flipkart_order_item_id from orders_shipmentitem i
            where i.seller_id + 0 = %(seller)s and i.shipment_id = w.shipment_id offset 0
        ) i
        where not exists (
            select 1 from asked a where a.shipment_id = w.shipment_id and a.item_id = i.flipkart_order_item_id
        )
    ))
)
insert into orders_shipmentitem as i (
    seller_id, shipment_id, flipkart_order_item_id, sku, fsn, hsn, title, quantity, mrp, selling_price, total_price,
    state_word, flipkart_listing_id, cancellation_group_id, is_replacement
)
select %(seller)s, a.* from asked a order by a.shipment_id, a.item_id
on conflict (seller_id, shipment_id, flipkart_order_item_id) do update set
    sku = excluded.sku, fsn = excluded.fsn, hsn = excluded.hsn, title = excluded.title, quantity = excluded.quantity,
    mrp = excluded.mrp, selling_price = excluded.selling_price, total_price = excluded.total_price,
    state_word = excluded.state_word, flipkart_listing_id = excluded.flipkart_listing_id,
    cancellation_group_id = excluded.cancellation_group_id, is_replacement = excluded.is_replacement
where (i.sku, i.fsn, i.hsn, i.title, i.quantity, i.mrp, i.selling_price, i.total_price, i.state_word,
        i.flipkart_listing_id, i.cancellation_group_id, i.is_replacement)
    is distinct from (excluded.sku, excluded.fsn, excluded.hsn, excluded.title, excluded.quantity, excluded.mrp,
        excluded.selling_price, excluded.total_price, excluded.state_word, excluded.flipkart_listing_id,
        excluded.cancellation_group_id, excluded.is_replacement)
"""


def _reading_row(change: _Change, print_: bytes, read_began_at: datetime) -> dict[str, Any]:
    copy = change.copy
    return {
        "id": copy.flipkart_shipment_id,
        "print": print_.hex(),
        "follow_at": _follow_at(copy, read_began_at),
        "name": copy.buyer_name[:200],
        "phone": copy.buyer_phone[:30],
        "address": address_fields(copy.shipping_address) if copy.shipping_address else None,
    }


_BUYERS_AND_READINGS = """
with asked as materialized (
    select s.id as shipment_id, a.id as flipkart_id, a.print, a.follow_at, a.name, a.phone, a.address
    from jsonb_to_recordset(%(rows)s::jsonb)
        as a (id text, print text, follow_at timestamptz, name text, phone text, address jsonb)
    cross join lateral (
        select s.id from orders_shipment s where s.seller_id + 0 = %(seller)s and s.flipkart_shipment_id = a.id offset 0
    ) s
),
buyers as (
    insert into orders_buyer as b (seller_id, shipment_id, name, phone, shipping_address)
    select %(seller)s, a.shipment_id, a.name, a.phone, a.address from asked a order by a.shipment_id
    on conflict (seller_id, shipment_id) do update set
        name = coalesce(nullif(excluded.name, ''), b.name), phone = coalesce(nullif(excluded.phone, ''), b.phone),
        shipping_address = coalesce(excluded.shipping_address, b.shipping_address)
    where (coalesce(nullif(excluded.name, ''), b.name), coalesce(nullif(excluded.phone, ''), b.phone),
        coalesce(excluded.shipping_address, b.shipping_address)) is distinct from (b.name, b.phone, b.shipping_address)
)
insert into orders_reading as r (seller_id, shipment_id, flipkart_shipment_id, read_at, fingerprint, follow_at)
select %(seller)s, a.shipment_id, a.flipkart_id, %(began)s, decode(a.print, 'hex'), a.follow_at
from asked a order by a.shipment_id
on conflict (seller_id, shipment_id) do update set
    flipkart_shipment_id = excluded.flipkart_shipment_id, read_at = greatest(r.read_at, excluded.read_at),
    fingerprint = excluded.fingerprint, follow_at = excluded.follow_at
"""

_TIMELINE = """
insert into orders_timelineentry (seller_id, shipment_id, kind, says)
select %(seller)s, s.id, a.kind, a.says
from rows from (jsonb_to_recordset(%(rows)s::jsonb) as (id text, kind text, says text)) with ordinality
    as a (id, kind, says, number)
cross join lateral (
    select s.id from orders_shipment s where s.seller_id + 0 = %(seller)s and s.flipkart_shipment_id = a.id offset 0
) s
order by a.number
"""


# --- What could not be read ------------------------------------------------------------------------------------------


def _why_unfit(copy: Shipment) -> Unreadable | None:
    """A copy that no column can hold, as a row that could not be read: cut ids and amounts would be wrong ones."""
    texts = [
        (gettext_noop("shipment id"), copy.flipkart_shipment_id, 64),
        (gettext_noop("order id"), copy.flipkart_order_id, 64),
        (gettext_noop("location id"), copy.flipkart_location_id, 64),
        (gettext_noop("state"), copy.state_word, 50),
        (gettext_noop("tracking id"), copy.tracking_id, 64),
        (gettext_noop("service tier"), copy.service_tier, 20),
        (gettext_noop("packaging policy"), copy.packaging_policy, 40),
        (gettext_noop("invoice number"), copy.invoice_number, 64),
    ]
    amounts = [(gettext_noop("cash to collect"), copy.cod_amount)]
    for item in copy.items:
        texts += [
            (gettext_noop("order item id"), item.flipkart_order_item_id, 64),
            ("SKU", item.sku, 128),
            ("FSN", item.fsn, 64),
            ("HSN", item.hsn, 16),
            (gettext_noop("item's state"), item.state_word, 50),
            (gettext_noop("listing id"), item.flipkart_listing_id, 64),
            (gettext_noop("cancellation group"), item.cancellation_group_id, 64),
        ]
        amounts += [
            (gettext_noop("MRP"), item.mrp),
            (gettext_noop("selling price"), item.selling_price),
            (gettext_noop("total price"), item.total_price),
        ]
    amounts.append(
        (gettext_noop("total price"), sum((item.total_price or Decimal(0) for item in copy.items), Decimal(0)))
    )
    problems = [_too_long(name, most) for name, text, most in texts if len(text) > most]
    problems += [
        _("%(name)s: too large") % {"name": _(name)}
        for name, amount in amounts
        if (rupees(amount) or 0) >= _TOO_MANY_RUPEES
    ]
    if not problems:
        return None
    return Unreadable(flipkart_shipment_id=copy.flipkart_shipment_id, path="shipment", says="; ".join(problems))


def _too_long(name: str, most: int) -> str:
    says = ngettext("%(name)s: longer than %(count)d character", "%(name)s: longer than %(count)d characters", most)
    return says % {"name": _(name), "count": most}


_TOO_MANY_RUPEES = Decimal(10) ** 10


def _keep_unreadable(seller_id: int, holes: Sequence[Unreadable], read_began_at: datetime) -> None:
    rows = {
        (hole.flipkart_shipment_id[:64], hole.path[:200]): {
            "id": hole.flipkart_shipment_id[:64],
            "path": hole.path[:200],
            "says": hole.says[:300],
        }
        for hole in holes
    }
    _run(_UNREADABLE, seller=seller_id, began=read_began_at, rows=[rows[key] for key in sorted(rows)])


_UNREADABLE = """
insert into orders_unreadable as u (seller_id, flipkart_shipment_id, path, says, last_seen_at)
select %(seller)s, a.id, a.path, a.says, %(began)s
from jsonb_to_recordset(%(rows)s::jsonb) as a (id text, path text, says text)
on conflict (seller_id, flipkart_shipment_id, path) do update set
    says = excluded.says, last_seen_at = greatest(u.last_seen_at, excluded.last_seen_at)
"""


# --- One statement with one JSON parameter ---------------------------------------------------------------------------


def _run(
    sql: str, *, rows: Sequence[Mapping[str, Any]], **parameters: int | datetime | list[str]
) -> list[tuple[Any, ...]]:
    """The answer of the last statement in `sql`."""
    with connection.cursor() as cursor:
        cursor.execute(sql, {"rows": json.dumps(rows, default=_encode), **parameters})
        while cursor.nextset():
            pass
        return cursor.fetchall() if cursor.description else []


def _run_named(sql: str, *, rows: Sequence[Mapping[str, Any]], **parameters: int | datetime) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"rows": json.dumps(rows, default=_encode), **parameters})
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _encode(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
