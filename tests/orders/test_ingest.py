"""Copies of shipments go in once, newest wins, and what did not change costs nothing."""

import threading
import time
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orders.ingest import Ingested, fingerprint, forget_fingerprints, ingest
from orders.models import Buyer, Order, Reading, Shipment, ShipmentItem, TimelineEntry, Unreadable
from sellers.models import Facility
from shipcrowd.flipkart import types
from shipcrowd.flipkart.types import PaymentType, ShipmentType, State
from shipcrowd.tenancy import NoScope, seller_scope
from shipcrowd.work import Attention
from tests import factories
from tests.factories import as_ops
from tests.orders.copies import ADDRESS, BEGAN, MINUTE, ORDERED_AT, copy, item, page

TABLES = (Order, Shipment, ShipmentItem, Buyer, Reading, Unreadable, TimelineEntry)


def take_in(seller, *copies, began=BEGAN, unreadable=()) -> Ingested:
    with seller_scope(seller):
        return ingest(seller_id=seller.pk, shipments=copies, unreadable=unreadable, read_began_at=began)


def only(model, **filters):
    (row,) = as_ops(model, **filters)
    return row


def says(seller) -> list[str]:
    return [entry.says for entry in as_ops(TimelineEntry, seller=seller)]


def versions(*models, mark: str = "ctid::text, xmin::text, xmax::text") -> list:
    """Where each row stands, who wrote it and who locked it: the same after, so nothing was written."""
    with factories.ops(), connection.cursor() as cursor:
        stand = []
        for model in models:
            cursor.execute(f'select {mark} from "{model._meta.db_table}" order by id')
            stand.append(cursor.fetchall())
        return stand


# --- First time ---


def test_a_new_shipment_is_stored_whole(seller):
    cod = copy(payment_type=PaymentType.COD, cod_amount=Decimal(1798), items=(item(1, quantity=2), item(2, sku="MUG")))

    done = take_in(seller, cod)

    shipment, buyer, reading = only(Shipment), only(Buyer), only(Reading)
    assert done == Ingested(new=1)
    assert (shipment.flipkart_order_id, only(Order).flipkart_order_id) == ("OD000000000000001", "OD000000000000001")
    assert (shipment.sku, shipment.sku_count, shipment.quantity) == ("TS-BLK-M", 2, 3)
    assert (shipment.payment_type, shipment.cod_amount, shipment.total_price) == ("COD", Decimal(1798), Decimal(1798))
    assert (shipment.state, shipment.is_open, shipment.attention) == ("APPROVED", True, "")
    assert (shipment.dispatch_by_at, shipment.ordered_at) == (cod.dispatch_by_at, ORDERED_AT)
    assert shipment.facility_id == only(Facility).pk
    assert only(Facility).name == "Mumbai Warehouse"
    assert [(row.flipkart_order_item_id, row.sku, row.quantity) for row in as_ops(ShipmentItem)] == [
        ("001", "TS-BLK-M", 2),
        ("002", "MUG", 1),
    ]
    assert (buyer.name, buyer.shipping_address["line1"], buyer.details_read_at) == ("Rajesh Kumar", "123 MG Road", None)
    assert (reading.read_at, reading.follow_at) == (BEGAN, BEGAN + timedelta(minutes=15))
    assert says(seller) == ["first seen, APPROVED"]


def test_what_flipkart_leaves_out_is_left_empty(seller):
    bare = types.Shipment(
        flipkart_shipment_id="S1",
        flipkart_order_id="O1",
        ordered_at=None,
        state=State.APPROVED,
        state_word="APPROVED",
        items=(
            types.ShipmentItem(flipkart_order_item_id="1", sku="A", quantity=1, state=State.APPROVED, state_word="X"),
        ),
    )

    take_in(seller, bare)

    shipment = only(Shipment)
    assert (shipment.ordered_at, shipment.facility_id, shipment.total_price) == (BEGAN, None, None)
    assert only(Buyer).shipping_address is None


def test_shipments_of_one_order_share_it(seller):
    take_in(seller, copy(1, flipkart_order_id="OD7"), copy(2, flipkart_order_id="OD7"))

    assert only(Order).flipkart_order_id == "OD7"
    assert {shipment.order_id for shipment in as_ops(Shipment)} == {only(Order).pk}


def test_the_same_shipment_id_at_two_sellers_is_two_shipments(seller, other_seller):
    """trust.md 41."""
    take_in(seller, copy())
    take_in(other_seller, copy(state=State.SHIPPED))

    assert [(s.seller_id, s.state) for s in as_ops(Shipment)] == [(seller.pk, "APPROVED"), (other_seller.pk, "SHIPPED")]
    with seller_scope(seller):
        assert [s.state for s in Shipment.objects.all()] == ["APPROVED"]


def test_without_a_scope_nothing_is_read_or_written(seller):
    with pytest.raises(NoScope):
        ingest(seller_id=seller.pk, shipments=[copy()], read_began_at=BEGAN)
    assert as_ops(Shipment) == []


def test_within_another_sellers_scope_nothing_is_written(seller, other_seller):
    with seller_scope(other_seller), pytest.raises(NoScope):
        ingest(seller_id=seller.pk, shipments=[copy()], read_began_at=BEGAN)


# --- Again ---


def test_an_unchanged_page_touches_the_readings_only(seller):
    take_in(seller, *page(5))
    before = versions(*set(TABLES) - {Reading})

    done = take_in(seller, *page(5), began=BEGAN + MINUTE)

    assert done == Ingested(unchanged=5)
    assert versions(*set(TABLES) - {Reading}) == before
    assert {reading.read_at for reading in as_ops(Reading)} == {BEGAN + MINUTE}


def test_an_unchanged_read_moves_the_next_one_when_half_of_the_time_is_over(seller):
    """So a row that is read again soon stays on its page, and its indexes cost nothing."""
    follow_at = []
    for minutes in (0, 7, 8):
        take_in(seller, copy(), began=BEGAN + minutes * MINUTE)
        follow_at.append((only(Reading).follow_at - BEGAN) / MINUTE)

    assert follow_at == [15, 15, 23]


def test_an_unchanged_read_brings_back_one_that_was_put_off_for_long(seller):
    take_in(seller, copy())
    with seller_scope(seller):
        Reading.objects.update(follow_at=BEGAN + timedelta(hours=6))

    take_in(seller, copy(), began=BEGAN + MINUTE)

    assert only(Reading).follow_at == BEGAN + 16 * MINUTE


def statements(seller, copies, began) -> int:
    """Statements of one page, its scope included; BEGIN, COMMIT and the test's own savepoints are not counted."""
    with CaptureQueriesContext(
        connection,
    ) as queries:
        take_in(seller, *copies, began=began)
    return sum("SAVEPOINT" not in query["sql"] for query in queries)


@pytest.mark.parametrize("size", [2, 100])
def test_the_statements_of_a_page_do_not_grow_with_it(seller, size):
    first = statements(seller, page(size), BEGAN)
    unchanged = statements(seller, page(size), BEGAN + MINUTE)
    some = [*page(size - 1, state=State.CANCELLED, items=(item(2, sku="MUG"),)), copy(size)]
    changed = statements(seller, some, BEGAN + 2 * MINUTE)

    # Three of the first ask whose places these are.
    assert (first, unchanged, changed) == (11, 3, 8)


def test_with_rows_that_could_not_be_read_it_is_one_statement_more(seller):
    hole = types.Unreadable(flipkart_shipment_id="SHIP9", path="shipments[3].sku", says="missing")

    with CaptureQueriesContext(connection) as queries:
        take_in(seller, *page(10), unreadable=[hole])

    assert sum("SAVEPOINT" not in query["sql"] for query in queries) == 12


def test_only_what_changed_is_written_and_told(seller):
    take_in(seller, *page(3))
    before = versions(Order, Buyer, mark="ctid::text")

    done = take_in(seller, copy(1), copy(2, state=State.READY_TO_PACK), copy(3), began=BEGAN + MINUTE)

    assert done == Ingested(changed=1, unchanged=2)
    assert [s.state for s in as_ops(Shipment)] == ["APPROVED", "READY_TO_PACK", "APPROVED"]
    assert says(seller)[3:] == ["APPROVED → READY_TO_PACK"]
    assert versions(Order, Buyer, mark="ctid::text") == before


def test_of_two_copies_in_one_page_the_last_counts(seller):
    assert take_in(seller, copy(), copy(state=State.READY_TO_PACK)) == Ingested(new=1)
    assert only(Shipment).state == "READY_TO_PACK"


def test_a_vanished_item_goes_and_a_new_one_comes(seller):
    take_in(seller, copy(items=(item(1), item(2, sku="MUG"))), copy(2))

    take_in(seller, copy(items=(item(2, sku="MUG", quantity=3), item(3, sku="CAP"))), began=BEGAN + MINUTE)

    of_first = as_ops(ShipmentItem, shipment__flipkart_shipment_id="SHIP0000000001")
    assert [(row.sku, row.quantity) for row in of_first] == [("MUG", 3), ("CAP", 1)]
    assert len(as_ops(ShipmentItem)) == 3
    assert says(seller)[2:] == ["MUG: quantity 1 → 3", "CAP: added, 1 of it", "TS-BLK-M: taken out, 1 of it"]


def test_a_fingerprint_that_was_forgotten_makes_the_next_read_write_again(seller):
    take_in(seller, copy())
    with seller_scope(seller):
        shipment = Shipment.objects.get()
        Shipment.objects.update(state="PACKED", state_word="PACKED")
        forget_fingerprints([shipment.pk])

    assert take_in(seller, copy(), began=BEGAN + MINUTE) == Ingested(changed=1)
    assert only(Shipment).state == "APPROVED"


def test_what_came_by_another_way_is_not_erased_by_its_absence(seller):
    take_in(seller, copy())
    with seller_scope(seller):
        Shipment.objects.update(tracking_id="EK1", courier="EKART")

    take_in(seller, copy(state=State.PACKED, buyer_name="", shipping_address=None), began=BEGAN + MINUTE)

    assert (only(Shipment).tracking_id, only(Shipment).courier, only(Buyer).name) == ("EK1", "EKART", "Rajesh Kumar")
    assert only(Buyer).shipping_address["city"] == "Mumbai"
    assert says(seller)[1:] == ["APPROVED → PACKED"]


# --- What only Flipkart's published format tells ---


SIZE = types.Dimensions(length=Decimal(25), breadth=Decimal("20.5"), height=Decimal(3), weight=Decimal("0.25"))
PARCELS = (
    types.SubShipment(
        flipkart_sub_shipment_id="SS-1", packages=(types.Package(sku="TS-BLK-M", title="Shirt", dimensions=SIZE),)
    ),
    types.SubShipment(flipkart_sub_shipment_id="SS-2", packages=(types.Package(sku="MUG"),)),
)
WAYBILL = types.Form(name="e-Way Bill", link="https://forms.invalid/waybill")


def test_type_tier_packaging_forms_and_parcels_are_stored(seller):
    shirt = item(1, flipkart_listing_id="LST1", cancellation_group_id="grp1", is_replacement=True)
    take_in(
        seller,
        copy(
            items=(shirt,),
            shipment_type=ShipmentType.SELF,
            service_tier="EXPRESS",
            packaging_policy="GREEN_PACKAGE",
            is_multi_parcel=True,
            forms=(WAYBILL,),
            sub_shipments=PARCELS,
        ),
    )

    row, stored = only(Shipment), only(ShipmentItem)
    assert (row.shipment_type, row.service_tier, row.packaging_policy) == ("SELF", "EXPRESS", "GREEN_PACKAGE")
    assert (row.is_multi_parcel, row.tracking_ids) == (True, [])
    assert row.forms == [
        {"name": "e-Way Bill", "link": "https://forms.invalid/waybill", "is_automated": False, "status": ""}
    ]
    size = {"length": "25", "breadth": "20.5", "height": "3", "weight": "0.25"}
    assert row.parcels == [
        {"id": "SS-1", "packages": [{"sku": "TS-BLK-M", "title": "Shirt", "dimensions": size}]},
        {"id": "SS-2", "packages": [{"sku": "MUG", "title": "", "dimensions": None}]},
    ]
    assert (stored.flipkart_listing_id, stored.cancellation_group_id, stored.is_replacement) == ("LST1", "grp1", True)
    assert says(seller) == ["first seen, APPROVED, a replacement"]


def test_a_tier_that_a_later_copy_does_not_tell_stays(seller):
    take_in(seller, copy(service_tier="EXPRESS"))

    take_in(seller, copy(state=State.PACKED), began=BEGAN + MINUTE)

    assert only(Shipment).service_tier == "EXPRESS"


def test_forms_and_parcels_that_change_are_told(seller):
    take_in(seller, copy(sub_shipments=PARCELS[:1]))

    take_in(seller, copy(sub_shipments=PARCELS, forms=(WAYBILL,)), began=BEGAN + MINUTE)

    assert says(seller)[1:] == ["forms wanted: e-Way Bill", "travels in 2 parcels (was 1)"]


CHANGED = {
    "an order id": ({"flipkart_order_id": "OD9"}, ["order id OD9 (was OD000000000000001)"]),
    "when it was ordered": ({"ordered_at": ORDERED_AT + MINUTE}, ["ordered 20 Nov 10:01 (was 20 Nov 10:00)"]),
    "a type": ({"shipment_type": ShipmentType.SELF}, ["shipment type SELF (was NORMAL)"]),
    "a tier": ({"service_tier": "SLOW"}, ["service tier SLOW (was EXPRESS)"]),
    "a packaging": ({"packaging_policy": ""}, ["packaging policy none (was GREEN_PACKAGE)"]),
    "several parcels": ({"is_multi_parcel": True}, ["may travel in several parcels"]),
    "a form's status": ({"forms": (replace(WAYBILL, status="DONE"),)}, ["e-Way Bill: none → DONE"]),
    "a size": (
        {
            "sub_shipments": (
                replace(
                    PARCELS[0], packages=(types.Package(sku="TS-BLK-M", dimensions=replace(SIZE, weight=Decimal(1))),)
                ),
            )
        },
        ["parcel SS-1: 25 × 20.5 × 3 cm, 1 kg (was 25 × 20.5 × 3 cm, 0.25 kg)"],
    ),
    "no size": (
        {"sub_shipments": (replace(PARCELS[0], packages=(types.Package(sku="TS-BLK-M"),)),)},
        ["parcel SS-1: no size (was 25 × 20.5 × 3 cm, 0.25 kg)"],
    ),
    "a size in other digits": (
        {
            "sub_shipments": (
                replace(
                    PARCELS[0], packages=(types.Package(sku="X", dimensions=replace(SIZE, height=Decimal("3.0"))),)
                ),
            )
        },
        [],
    ),
    "an item's own": (
        {"items": (item(flipkart_listing_id="LST2", cancellation_group_id="grp2", is_replacement=True),)},
        [
            "TS-BLK-M: listing id LST1 → LST2",
            "TS-BLK-M: cancellation group grp1 → grp2",
            "TS-BLK-M: is a replacement",
        ],
    ),
}


@pytest.mark.parametrize("what", CHANGED)
def test_what_only_the_published_format_tells_is_told_when_it_changes(seller, what):
    values, told = CHANGED[what]
    before = {
        "items": (item(flipkart_listing_id="LST1", cancellation_group_id="grp1"),),
        "shipment_type": ShipmentType.NORMAL,
        "service_tier": "EXPRESS",
        "packaging_policy": "GREEN_PACKAGE",
        "forms": (WAYBILL,),
        "sub_shipments": PARCELS[:1],
    }
    take_in(seller, copy(**before))

    take_in(seller, copy(**before | values), began=BEGAN + MINUTE)

    assert says(seller)[1:] == told


def test_of_a_shipment_that_is_cancelled_in_part_what_lives_is_to_be_picked(seller):
    """wire.md 3.7."""
    mug = item(2, sku="MUG", quantity=3, total_price=Decimal(300))
    take_in(seller, copy(items=(item(1), mug)))

    gone = replace(item(1), state=State.CANCELLED, state_word="CANCELLED")
    take_in(seller, copy(items=(gone, mug)), began=BEGAN + MINUTE)

    row = only(Shipment)
    assert (row.state, row.sku, row.sku_count, row.quantity, row.total_price) == ("APPROVED", "MUG", 1, 3, Decimal(300))
    assert [stored.is_cancelled for stored in as_ops(ShipmentItem)] == [True, False]
    assert says(seller)[1:] == ["TS-BLK-M: APPROVED → CANCELLED"]
    assert row.attention == Attention.NONE


def test_an_item_that_is_cancelled_after_the_label_makes_the_parcel_be_pulled(seller):
    items = (item(1), item(2, sku="MUG"))
    take_in(seller, copy(items=items, state=State.PACKED))
    with seller_scope(seller):
        Shipment.objects.update(label_stored_at=BEGAN)
    gone = replace(items[1], state=State.CANCELLED, state_word="CANCELLED")

    take_in(seller, copy(items=(items[0], gone), state=State.PACKED), began=BEGAN + MINUTE)

    assert only(Shipment).attention == Attention.PULL


def test_a_form_that_is_missing_needs_a_person_until_packing_goes_on(seller):
    take_in(seller, copy(state=State.PACKING_IN_PROGRESS))

    automated = types.Form(name="Automated", is_automated=True)
    take_in(seller, copy(state=State.FORM_FAILED, forms=(WAYBILL, automated)), began=BEGAN + MINUTE)
    failed = only(Shipment)
    take_in(seller, copy(state=State.PACKING_IN_PROGRESS, forms=(WAYBILL, automated)), began=BEGAN + 2 * MINUTE)

    assert (failed.attention, failed.attention_says) == (
        Attention.FORM,
        "Flipkart packs it only once e-Way Bill is acknowledged",
    )
    assert only(Shipment).attention == Attention.NONE


EVERY_FIELD = {
    "flipkart_order_id": "OD9",
    "ordered_at": ORDERED_AT + MINUTE,
    "state": State.PACKED,
    "state_word": "PACKED_TWICE",
    "is_on_hold": True,
    "dispatch_after_at": ORDERED_AT,
    "dispatch_by_at": ORDERED_AT,
    "deliver_by_at": None,
    "flipkart_location_id": "F9",
    "location_name": "Other",
    "payment_type": PaymentType.COD,
    "cod_amount": Decimal(1),
    "tracking_id": "EK1",
    "courier": "EKART",
    "invoice_number": "I1",
    "items": (item(quantity=2),),
    "sub_shipments": (types.SubShipment(flipkart_sub_shipment_id="SS-1"),),
    "shipment_type": ShipmentType.EXPRESS,
    "is_multi_parcel": True,
    "packaging_policy": "GREEN_PACKAGE",
    "service_tier": "EXPRESS",
    "forms": (types.Form(name="Waybill"),),
    "buyer_name": "Another",
    "buyer_phone": "+911",
    "shipping_address": None,
    "updated_at": BEGAN,
}


def test_every_field_is_in_the_fingerprint():
    assert EVERY_FIELD.keys() == set(types.Shipment.__slots__) - {"flipkart_shipment_id"}
    prints = {fingerprint(copy(**{name: value})) for name, value in EVERY_FIELD.items()}

    assert len(prints | {fingerprint(copy())}) == len(EVERY_FIELD) + 1
    assert fingerprint(copy()) == fingerprint(copy())


def other(value):
    """Something of the same type that differs."""
    if isinstance(value, State):
        return State.PACKED
    if isinstance(value, PaymentType):
        return PaymentType.COD
    if isinstance(value, str):
        return f"{value}x"
    return 7 if value is None else value + 1


@pytest.mark.parametrize("name", types.ShipmentItem.__slots__)
def test_every_field_of_an_item_is_in_the_fingerprint(name):
    changed = replace(item(), **{name: other(getattr(item(), name))})

    assert fingerprint(copy(items=(changed,))) != fingerprint(copy())


@pytest.mark.parametrize("name", types.Form.__slots__)
def test_every_field_of_a_form_is_in_the_fingerprint(name):
    form = types.Form(name="Waybill")
    changed = replace(form, **{name: other(getattr(form, name))})

    assert fingerprint(copy(forms=(changed,))) != fingerprint(copy(forms=(form,)))


@pytest.mark.parametrize("name", types.SubShipment.__slots__)
def test_every_field_of_a_parcel_is_in_the_fingerprint(name):
    size = types.Dimensions(length=Decimal(1), breadth=Decimal(2), height=Decimal(3), weight=Decimal(4))
    parcel = types.SubShipment(flipkart_sub_shipment_id="SS-1", packages=(types.Package(dimensions=size),))
    heavier = types.Package(dimensions=replace(size, weight=Decimal(5)))
    value = {"dimensions": size, "packages": (heavier,)}.get(name, "other")

    assert fingerprint(copy(sub_shipments=(replace(parcel, **{name: value}),))) != fingerprint(
        copy(sub_shipments=(parcel,))
    )


@pytest.mark.parametrize("name", types.Address.__slots__)
def test_every_field_of_an_address_is_in_the_fingerprint(name):
    changed = replace(ADDRESS, **{name: other(getattr(ADDRESS, name))})

    assert fingerprint(copy(shipping_address=changed)) != fingerprint(copy())


# --- Older and newer (guide-gaps 20) ---


def test_an_older_copy_never_overwrites_a_newer_one(seller):
    take_in(seller, copy(state=State.PACKED), began=BEGAN + 2 * MINUTE)

    assert take_in(seller, copy(), began=BEGAN) == Ingested(older=1)
    assert only(Shipment).state == "PACKED"


def test_a_copy_is_older_than_a_later_read_that_found_nothing_changed(seller):
    take_in(seller, copy(), began=BEGAN)
    take_in(seller, copy(), began=BEGAN + 2 * MINUTE)

    assert take_in(seller, copy(state=State.PACKED), began=BEGAN + MINUTE) == Ingested(older=1)
    assert (only(Shipment).state, only(Reading).read_at) == ("APPROVED", BEGAN + 2 * MINUTE)


def test_where_flipkart_says_when_it_changed_that_decides(seller):
    take_in(seller, copy(state=State.PACKED, updated_at=BEGAN), began=BEGAN)

    stale = copy(updated_at=BEGAN - MINUTE)
    assert take_in(seller, stale, began=BEGAN + MINUTE) == Ingested(older=1)
    late = copy(state=State.SHIPPED, updated_at=BEGAN + MINUTE)
    assert take_in(seller, late, began=BEGAN - MINUTE) == Ingested(changed=1)
    assert only(Shipment).state == "SHIPPED"


READS = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from(sorted(State)), st.booleans(), st.integers(1, 3)),
    min_size=1,
    max_size=6,
    unique_by=lambda read: read[0],
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(reads=READS.flatmap(lambda reads: st.tuples(st.just(reads), st.permutations(reads))))
def test_reads_in_any_order_end_with_the_newest(seller, reads):
    """trust.md 40: whatever way the states walk, nothing crashes and the last read is what is shown."""
    _, shuffled = reads
    with factories.ops():
        Shipment.objects.all().delete()

    for minute, state, is_on_hold, quantity in shuffled:
        one = copy(state=state, is_on_hold=is_on_hold, items=(item(quantity=quantity),))
        take_in(seller, one, began=BEGAN + minute * MINUTE)

    minute, state, is_on_hold, quantity = max(shuffled)
    row = only(Shipment)
    assert (row.state, row.is_on_hold, row.quantity) == (state, is_on_hold, quantity)
    assert (only(ShipmentItem).quantity, only(Reading).read_at) == (quantity, BEGAN + minute * MINUTE)
    assert row.attention in ((Attention.UNKNOWN_STATE, Attention.PULL) if state is State.UNKNOWN else Attention)


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)
MONEY = st.none() | st.decimals(0, 10**9, places=2)
TIME = st.datetimes(
    timezones=st.just(BEGAN.tzinfo),
    min_value=BEGAN.replace(tzinfo=None) - timedelta(days=60),
    max_value=BEGAN.replace(tzinfo=None) + timedelta(days=60),
)
ITEMS = st.lists(
    st.builds(
        item,
        st.integers(1, 4),
        sku=TEXT.filter(bool),
        title=TEXT,
        quantity=st.integers(1, 10**6),
        mrp=MONEY,
        total_price=MONEY,
        state_word=TEXT.filter(bool),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda one: one.flipkart_order_item_id,
).map(tuple)
COPIES = st.lists(
    st.builds(
        copy,
        st.integers(1, 6),
        state=st.sampled_from(sorted(State)),
        is_on_hold=st.booleans(),
        items=ITEMS,
        ordered_at=st.none() | TIME,
        dispatch_after_at=st.none() | TIME,
        dispatch_by_at=st.none() | TIME,
        flipkart_order_id=st.sampled_from(["OD1", "OD2"]),
        flipkart_location_id=st.sampled_from(["", "F1", "F2"]),
        cod_amount=MONEY,
        tracking_id=TEXT,
        courier=TEXT,
        buyer_name=TEXT,
        updated_at=st.none() | TIME,
        shipping_address=st.none() | st.builds(types.Address, name=TEXT, line1=TEXT, city=TEXT),
    ),
    max_size=6,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(copies=COPIES)
def test_any_page_twice_writes_nothing_the_second_time(seller, copies):
    with factories.ops():
        Shipment.objects.all().delete()
    take_in(seller, *copies)
    before = versions(*set(TABLES) - {Reading})

    done = take_in(seller, *copies, began=BEGAN + MINUTE)

    assert done == Ingested(unchanged=len({one.flipkart_shipment_id for one in copies}))
    assert versions(*set(TABLES) - {Reading}) == before


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("all_are_new", [True, False], ids=["new", "known"])
def test_pages_that_share_shipments_may_come_at_once(all_are_new):
    """The newest wins and nobody waits for ever, whichever order eight threads bring their pages in."""
    failures = []

    def bring(seller, minute: int) -> None:
        state = [State.APPROVED, State.READY_TO_PACK, State.PACKED][minute % 3]
        pages = page(30, state=state, items=(item(quantity=minute + 1),))
        try:
            take_in(seller, *(pages if minute % 2 else reversed(pages)), began=BEGAN + minute * MINUTE)
        except Exception as error:  # noqa: BLE001 - whatever a thread raises is the result
            failures.append(error)
        finally:
            connection.close()

    for _ in range(5):
        seller = factories.seller()
        if not all_are_new:
            take_in(seller, *page(30, state=State.APPROVED, items=(item(),)))
        threads = [threading.Thread(target=bring, args=[seller, minute]) for minute in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert failures == []
        assert {(s.quantity, s.state) for s in as_ops(Shipment, seller=seller)} == {(8, "READY_TO_PACK")}
        assert {row.quantity for row in as_ops(ShipmentItem, seller=seller)} == {8}
        assert {row.read_at for row in as_ops(Reading, seller=seller)} == {BEGAN + 7 * MINUTE}
        assert sum("first seen" in line for line in says(seller)) == 30


@pytest.mark.django_db(transaction=True)
def test_a_read_that_crosses_a_change_is_not_taken_for_unchanged():
    """The later read finds the shipment as it was, while an earlier one that saw it change is not committed yet."""
    seller = factories.seller()
    take_in(seller, copy())
    later = threading.Thread(target=in_thread(lambda: take_in(seller, copy(), began=BEGAN + 2 * MINUTE)))

    with seller_scope(seller):
        changed = copy(state=State.READY_TO_PACK)
        ingest(seller_id=seller.pk, shipments=[changed], read_began_at=BEGAN + MINUTE)
        later.start()
        wait_until_somebody_waits()
    later.join()

    assert (only(Shipment).state, only(Reading).read_at) == ("APPROVED", BEGAN + 2 * MINUTE)
    assert says(seller)[1:] == ["APPROVED → READY_TO_PACK", "READY_TO_PACK → APPROVED, which should not happen"]


def in_thread(run):
    def close_after():
        try:
            run()
        finally:
            connection.close()

    return close_after


def wait_until_somebody_waits() -> None:
    """Until another connection to this database waits for a lock of ours."""
    give_up_at = time.monotonic() + 20
    with connection.cursor() as cursor:
        while time.monotonic() < give_up_at:
            cursor.execute(
                "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
            )
            if cursor.fetchone():
                return
            cursor.execute("select pg_stat_clear_snapshot()")
    raise AssertionError("nobody waits")


# --- Who packed it, and who must look ---


def test_what_was_packed_without_our_asking_is_labelled_outside(seller):
    take_in(seller, copy(1), copy(2), copy(3, state=State.SHIPPED))
    with seller_scope(seller):
        Shipment.objects.filter(flipkart_shipment_id="SHIP0000000002").update(label_requested_at=BEGAN)

    take_in(seller, copy(1, state=State.PACKED), copy(2, state=State.PACKED), began=BEGAN + MINUTE)

    assert [shipment.labelled_outside for shipment in as_ops(Shipment)] == [True, False, True]


def change(seller, before, after, **ours) -> Shipment:
    """A shipment that stood as `before` with `ours` written by fulfillment, once `after` has been read."""
    take_in(seller, before)
    with seller_scope(seller):
        Shipment.objects.update(**ours)
    take_in(seller, after, began=BEGAN + MINUTE)
    return only(Shipment)


def test_a_parcel_that_is_cancelled_after_its_label_must_be_pulled(seller):
    row = change(seller, copy(), copy(state=State.CANCELLED), label_stored_at=BEGAN)

    assert (row.attention, row.attention_says) == (Attention.PULL, "cancelled after its label")
    assert row.is_open is False


def test_one_that_is_cancelled_before_its_label_needs_nobody(seller):
    assert change(seller, copy(), copy(state=State.CANCELLED)).attention == ""


def test_a_pulled_parcel_is_not_asked_for_again(seller):
    change(seller, copy(), copy(state=State.CANCELLED), label_stored_at=BEGAN)
    with seller_scope(seller):
        Shipment.objects.update(attention="", attention_says="")

    take_in(seller, copy(state=State.CANCELLED, deliver_by_at=None), began=BEGAN + 2 * MINUTE)

    assert only(Shipment).attention == ""


def test_a_parcel_whose_items_change_after_its_label_must_be_pulled(seller):
    row = change(seller, copy(), copy(items=(item(quantity=2),)), label_stored_at=BEGAN)

    assert row.attention == Attention.PULL
    assert row.attention_says == "its items changed since its label"
    assert says(seller)[1:] == ["TS-BLK-M: quantity 1 → 2"]


def test_items_that_change_before_the_label_need_nobody(seller):
    assert change(seller, copy(), copy(items=(item(quantity=2),))).attention == ""


def test_an_unknown_state_needs_a_person_until_it_is_known(seller):
    """trust.md 40."""
    row = change(seller, copy(), copy(state=State.UNKNOWN))
    assert (row.state, row.state_word, row.attention) == ("UNKNOWN", "TELEPORTED", Attention.UNKNOWN_STATE)
    assert "“TELEPORTED”" in row.attention_says

    take_in(seller, copy(state=State.PACKED), began=BEGAN + 2 * MINUTE)

    assert (only(Shipment).state, only(Shipment).attention) == ("PACKED", "")


def test_a_state_that_goes_backwards_is_shown_until_it_goes_on(seller):
    row = change(seller, copy(state=State.SHIPPED), copy(state=State.APPROVED))
    assert (row.state, row.attention) == ("APPROVED", Attention.ODD_MOVE)
    assert says(seller)[1:] == ["SHIPPED → APPROVED, which should not happen"]

    take_in(seller, copy(is_on_hold=True), began=BEGAN + 2 * MINUTE)
    assert only(Shipment).attention == Attention.ODD_MOVE
    take_in(seller, copy(state=State.SHIPPED), began=BEGAN + 3 * MINUTE)
    assert only(Shipment).attention == ""


def test_what_fulfillment_asks_a_person_for_is_left_alone(seller):
    row = change(seller, copy(), copy(is_on_hold=True), attention=Attention.REFUSED, attention_says="no stock")

    assert (row.attention, row.attention_says) == (Attention.REFUSED, "no stock")


def test_every_change_leaves_its_line(seller):
    after = copy(
        is_on_hold=True,
        dispatch_by_at=ORDERED_AT + timedelta(days=2),
        flipkart_location_id="F9",
        payment_type=PaymentType.COD,
        cod_amount=Decimal(899),
        tracking_id="EK1",
        courier="EKART",
        invoice_number="FAX1",
        shipping_address=types.Address(name="Rajesh Kumar", line1="Elsewhere"),
        items=(
            item(
                total_price=Decimal("799.5"),
                selling_price=Decimal(799),
                mrp=Decimal(950),
                fsn="TSHG1",
                hsn="6110",
                title="Black T-Shirt",
            ),
        ),
    )

    change(seller, copy(), after)

    assert says(seller)[1:] == [
        "held by Flipkart",
        "dispatch by 22 Nov 10:00 (was 21 Nov 10:00)",
        "TS-BLK-M: price ₹899.00 → ₹799.50",
        "TS-BLK-M: selling price ₹899.00 → ₹799.00",
        "TS-BLK-M: MRP ₹999.00 → ₹950.00",
        "TS-BLK-M: FSN none → TSHG1",
        "TS-BLK-M: HSN none → 6110",
        "TS-BLK-M: its title changed, now “Black T-Shirt”",
        "location F9 (was F123456)",
        "payment COD (was PREPAID)",
        "cash to collect ₹899.00",
        "tracking id EK1",
        "courier EKART",
        "invoice number FAX1",
        "the buyer's name, phone or address changed",
    ]
    assert not any(secret in line for line in says(seller) for secret in ("Rajesh", "Elsewhere", "98765"))


# --- When it was dispatched ---


@pytest.mark.parametrize(
    ("last_read", "seen", "is_late"),
    [
        (-2, -1, False),  # still in time when it was seen: it happened before
        (1, 2, True),  # late when it was still packed
        (-1, 1, None),  # the deadline lies between the two reads
    ],
)
def test_two_reads_tell_whether_a_shipment_was_dispatched_late(seller, last_read, seen, is_late):
    by = ORDERED_AT + timedelta(days=1)
    hour = timedelta(hours=1)
    take_in(seller, copy(state=State.PACKED, dispatch_by_at=by), began=by + last_read * hour)

    take_in(seller, copy(state=State.READY_TO_DISPATCH, dispatch_by_at=by), began=by + seen * hour)
    take_in(seller, copy(state=State.SHIPPED, dispatch_by_at=by), began=by + 9 * hour)

    row = only(Shipment)
    assert (row.dispatched_at, row.was_dispatched_late) == (by + seen * hour, is_late)


def test_a_shipment_met_after_it_had_left_tells_nothing_of_its_dispatch(seller):
    take_in(seller, copy(state=State.SHIPPED))

    assert (only(Shipment).dispatched_at, only(Shipment).was_dispatched_late) == (None, None)


# --- What cannot be read or stored ---


def hole(shipment_id="SHIP0000000001", path="shipments[0].sku") -> types.Unreadable:
    return types.Unreadable(flipkart_shipment_id=shipment_id, path=path, says="missing")


def test_an_unreadable_row_is_kept_until_its_shipment_is_read_well(seller):
    done = take_in(seller, copy(2), unreadable=[hole(), hole()])
    assert (done.new, [(u.path, u.says) for u in as_ops(Unreadable)]) == (1, [("shipments[0].sku", "missing")])

    take_in(seller, copy(2), unreadable=[hole()], began=BEGAN + MINUTE)
    assert only(Unreadable).last_seen_at == BEGAN + MINUTE

    take_in(seller, copy(1), began=BEGAN + 2 * MINUTE)
    assert as_ops(Unreadable) == []


def test_a_shipment_that_is_readable_again_as_it_was_is_no_longer_unreadable(seller):
    take_in(seller, copy())
    take_in(seller, unreadable=[hole()], began=BEGAN + MINUTE)

    take_in(seller, copy(), began=BEGAN + 2 * MINUTE)

    assert as_ops(Unreadable) == []


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"tracking_id": "E" * 65}, "tracking id: longer than 64 characters"),
        ({"items": (item(sku="S" * 129),)}, "SKU: longer than 128 characters"),
        ({"items": (item(total_price=Decimal("9999999999.999")),)}, "total price: too large; total price: too large"),
        ({"items": tuple(item(n, total_price=Decimal(6 * 10**9)) for n in (1, 2))}, "total price: too large"),
    ],
)
def test_a_copy_that_no_column_holds_is_set_apart_and_the_page_goes_in(seller, values, problem):
    done = take_in(seller, copy(1, **values), copy(2))

    assert done == Ingested(new=1, unreadable=1)
    assert [s.flipkart_shipment_id for s in as_ops(Shipment)] == ["SHIP0000000002"]
    assert only(Unreadable).says == problem


def test_long_prose_is_cut(seller):
    take_in(
        seller, copy(items=(item(title="T" * 900),), buyer_name="N" * 900, courier="C" * 90, location_name="L" * 200)
    )

    assert len(only(ShipmentItem).title) == 500
    assert (len(only(Buyer).name), len(only(Shipment).courier), len(only(Facility).name)) == (200, 64, 100)
    assert ADDRESS.line1 == only(Buyer).shipping_address["line1"]
