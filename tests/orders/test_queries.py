"""Lists and searches: what is asked for shows, nobody else's does, and a page costs the same in a long list."""

import random
import re
import string
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from orders import queries, stages
from orders.models import Order, PaymentType, Shipment
from orders.queries import Filters
from orders.stages import Stage
from shipcrowd.flipkart.types import State
from shipcrowd.tenancy import NoScope, seller_scope
from tests import factories

NOW = timezone.now()
HOUR = timedelta(hours=1)


def listed(seller, **filters) -> list[Shipment]:
    with seller_scope(seller):
        return list(queries.page(seller, Filters(**filters), NOW).shipments)


def test_only_ones_own_shipments_are_listed_and_found(seller, other_seller):
    mine = factories.shipment(seller, flipkart_order_id="OD431", tracking_id="EK4471")
    theirs = factories.shipment(other_seller, flipkart_order_id="OD431", tracking_id="EK4471")

    assert listed(seller) == listed(seller, search="4471") == listed(seller, search="OD431") == [mine]
    with seller_scope(seller):
        assert queries.find(seller, mine.public_id) == mine
        assert queries.find(seller, theirs.public_id) is None
        assert list(queries.chosen(seller, [mine.pk, theirs.pk])) == [mine]


def test_without_a_scope_nothing_is_listed(seller):
    with pytest.raises(NoScope):
        queries.page(seller, Filters(), NOW)


@pytest.mark.parametrize(
    ("filters", "facts"),
    [
        ({"stage": Stage.ON_HOLD}, {"is_on_hold": True}),
        ({"state": State.PACKED}, {"state": State.PACKED}),
        ({"sku": "MUG"}, {"sku": "MUG"}),
        ({"payment_type": PaymentType.COD}, {"payment_type": PaymentType.COD}),
        ({"search": "ship42"}, {"flipkart_shipment_id": "SHIP42-1"}),
        ({"search": " od9 "}, {"flipkart_order_id": "OD9000"}),
        ({"search": "EK99"}, {"tracking_id": "EK99IN"}),
        ({"search": "99in"}, {"tracking_id": "EK99IN"}),
        ({"search": "2-1"}, {"flipkart_shipment_id": "SHIP42-1"}),
        ({"search": "9000"}, {"flipkart_order_id": "OD9000"}),
        ({"search": "abc"}, {"flipkart_shipment_id": "abcDEF"}),
        ({"search": "faxsc26"}, {"invoice_number": "FAXSC26000000017"}),
        ({"search": "0017"}, {"invoice_number": "FAXSC26000000017"}),
        ({"search": "11223344556677889"}, {"item_id": "11223344556677889"}),
        ({"search": "677889"}, {"item_id": "11223344556677889"}),
    ],
)
def test_a_filter_shows_what_it_says(seller, filters, facts):
    item_id = facts.get("item_id", "")
    wanted = factories.shipment(seller, **{name: fact for name, fact in facts.items() if name != "item_id"})
    factories.shipment(seller)
    if item_id:
        with seller_scope(seller):
            wanted.items.update(flipkart_order_item_id=item_id)

    assert listed(seller, **filters) == [wanted]


IN_PARCELS = {"is_multi_parcel": True, "tracking_id": "EK4471", "tracking_ids": ["EK4471", "EK5582", "ek6693IN"]}


@pytest.mark.parametrize("text", ["EK5582", "ek5582", "5582", "EK55", "93in", "EK6693IN"])
def test_any_parcel_of_a_shipment_finds_it(seller, other_seller, text):
    wanted = factories.shipment(seller, **IN_PARCELS)
    factories.shipment(seller, is_multi_parcel=True, tracking_ids=["EK7704", "EK8815"])
    factories.shipment(other_seller, **IN_PARCELS)

    assert listed(seller, search=text) == [wanted]


@pytest.mark.parametrize("text", ["K558", "558", '","', 'EK4471", "EK5582', "%", "_K5582", "\\"])
def test_what_no_parcels_id_begins_or_ends_with_finds_nothing(seller, text):
    factories.shipment(seller, **IN_PARCELS)

    assert listed(seller, search=text) == []


@pytest.mark.parametrize(
    ("scanned", "is_found"),
    [("EK5582", True), ("ek5582", True), ("EK6693IN", True), ("EK5582,OD9", True), ("EK55", False), ("5582", False)],
)
def test_a_scan_of_any_parcel_is_its_shipment(seller, scanned, is_found):
    wanted = factories.shipment(seller, **IN_PARCELS, state=State.SHIPPED)

    with seller_scope(seller):
        assert queries.scanned_ids(seller, scanned) == ([wanted.pk] if is_found else [])


@pytest.mark.parametrize("text", ["4_71", "%", "44", "\0\0\0", "", "SHIP42-1 or", "🚚🚚🚚"])
def test_a_search_takes_its_text_as_it_is(seller, text):
    factories.shipment(seller, tracking_id="EK4471")

    assert listed(seller, search=text or "  x") == []


def test_a_facility_and_a_day_filter_the_list(seller):
    day = datetime.fromisoformat("2026-11-24T23:59:59+05:30")
    place = factories.facility(seller)
    here = factories.shipment(seller, facility=place, dispatch_by_at=day, ordered_at=day - HOUR)
    next_day = factories.shipment(seller, dispatch_by_at=day + HOUR, ordered_at=day - HOUR)

    assert listed(seller, facilities=[place.pk]) == [here]
    assert listed(seller, dispatch_by=day.date()) == [here]
    assert listed(seller, dispatch_by=day.date() + timedelta(days=1)) == [next_day]


def pages(seller, filters: Filters) -> list[list[Shipment]]:
    """All pages, one after the other."""
    walked, after = [], ""
    with seller_scope(seller):
        while True:
            page = queries.page(seller, filters, NOW, after=after)
            walked.append(list(page.shipments))
            after = page.after
            if not after:
                return walked


def many(seller, count: int, **values) -> None:
    """Shipments with order and dispatch-by dates of which some meet, and a few without a dispatch-by."""
    draw = random.Random(1)
    order = Order.objects.create(seller=seller, flipkart_order_id="OD1")
    Shipment.objects.bulk_create(
        Shipment(
            **{
                "seller": seller,
                "order": order,
                "flipkart_shipment_id": "".join(draw.choices(string.ascii_uppercase, k=12)) + str(number),
                "flipkart_order_id": f"OD{draw.randrange(10**15):015}",
                "tracking_id": f"EK{draw.randrange(10**10):010}IN",
                "ordered_at": NOW - draw.randrange(40) * HOUR,
                "dispatch_by_at": NOW + draw.randrange(40) * HOUR if draw.random() < 0.9 else None,
                "read_began_at": NOW,
                "state": State.APPROVED,
                "state_word": "APPROVED",
            }
            | values
        )
        for number in range(count)
    )


@pytest.mark.parametrize("filters", [Filters(), Filters(stage=Stage.TO_LABEL), Filters(state=State.APPROVED)])
def test_pages_show_every_shipment_once_in_order(seller, filters):
    with seller_scope(seller):
        many(seller, 230)
        whole = list(queries.shipments(seller, filters, NOW))

    walked = pages(seller, filters)

    assert [len(page) for page in walked] == [50, 50, 50, 50, 30]
    assert [row for page in walked for row in page] == whole
    assert len({row.pk for row in whole}) == 230


def test_what_must_leave_first_stands_first(seller):
    later = factories.shipment(seller, dispatch_by_at=NOW + 2 * HOUR)
    sometime = factories.shipment(seller, dispatch_by_at=None)
    soon = factories.shipment(seller, dispatch_by_at=NOW + HOUR)

    assert listed(seller, stage=Stage.TO_LABEL) == [soon, later, sometime]


@pytest.mark.parametrize("after", ["x", "~", "~0", "~99999999999999999999", "2026~1", "20261124T000000.000000Z~x"])
def test_a_mark_that_is_none_starts_at_the_beginning(seller, after):
    row = factories.shipment(seller)

    with seller_scope(seller):
        assert queries.page(seller, Filters(), NOW, after=after).shipments == [row]


@pytest.mark.parametrize("count", [1, 100])
def test_a_page_is_one_statement(seller, count):
    with seller_scope(seller):
        many(seller, count, facility=None)
        with CaptureQueriesContext(connection) as asked:
            page = queries.page(seller, Filters(stage=Stage.TO_LABEL), NOW)
            assert all(row.facility is None for row in page.shipments)

    assert len(asked) == 1


# --- Plans: which index is used under row-level security ---


@pytest.fixture
def long_list(transactional_db):
    """19,700 shipments that have left and 300 open ones, beside another seller's; PostgreSQL has counted them."""
    seller, other = factories.seller(), factories.seller()
    with seller_scope(seller):
        many(seller, 300)
        order = Order.objects.get()
        for month in range(4):
            left = {"state": State.DELIVERED, "state_word": "DELIVERED", "order": order}
            many_left(seller, 4_925, NOW - timedelta(days=30 * month + 5), **left)
    with seller_scope(other):
        many(other, 300)
    with connection.as_owner(), connection.cursor() as cursor:
        cursor.execute("analyze orders_shipment")
    return seller


def many_left(seller, count: int, newest: datetime, **values) -> None:
    draw = random.Random(newest.isoformat())
    Shipment.objects.bulk_create(
        Shipment(
            seller=seller,
            flipkart_shipment_id=f"SHIP{draw.randrange(10**12):012}{number}",
            flipkart_order_id=f"OD{draw.randrange(10**15):015}",
            tracking_id=f"EK{draw.randrange(10**10):010}IN",
            read_began_at=NOW,
            ordered_at=newest - number * timedelta(minutes=7),
            dispatch_by_at=newest + 24 * HOUR,
            **values,
        )
        for number in range(count)
    )


def indexes_of(rows) -> set[str]:
    """The indexes of shipments that the plan of `rows` uses, and "sequential" where it reads the whole table."""
    plan = rows.explain()
    names = set(re.findall(r"Index (?:Only )?Scan (?:Backward )?(?:using|on) (shipment_\w+)", plan))
    return names | ({"sequential"} if "Seq Scan on orders_shipment" in plan else set())


ENDS = {"shipment_ends_shipment", "shipment_ends_order", "shipment_ends_tracking", "shipment_ends_invoice"}
BEGINS = {"shipment_by_shipment_id", "shipment_by_order_id", "shipment_by_tracking_id", "shipment_by_invoice"}


@pytest.mark.slow
def test_parcels_are_looked_for_among_the_newest_of_those_that_are_in_several(long_list):
    with seller_scope(long_list):
        newest = Shipment.objects.order_by("-ordered_at").values_list("pk", flat=True)[:200]
        Shipment.objects.filter(pk__in=list(newest)).update(is_multi_parcel=True, tracking_ids=["EK4471", "EK5582"])
    with connection.as_owner(), connection.cursor() as cursor:
        cursor.execute("analyze orders_shipment")

    with seller_scope(long_list), CaptureQueriesContext(connection) as asked:
        found = queries.scanned_ids(long_list, "EK5582")
        looked = next(one["sql"] for one in asked if "jsonb" in one["sql"] or "tracking_ids" in one["sql"])
        with connection.cursor() as cursor:
            cursor.execute(f"explain {looked}")
            plan = "\n".join(line for (line,) in cursor.fetchall())

    assert (len(found), len(asked) - 1) == (queries.PAGE + 1, 2)
    assert "shipment_in_parcels" in plan
    assert re.search(r"Index Cond: .*ordered_at >= ", plan)


@pytest.mark.slow
def test_every_list_search_and_count_uses_its_index(long_list):
    with seller_scope(long_list):
        used = {
            name: indexes_of(queries.shipments(long_list, filters, NOW)[: queries.PAGE + 1])
            for name, filters in {
                "all": Filters(),
                "a stage of the house": Filters(stage=Stage.TO_LABEL),
                "cash on delivery in a stage": Filters(stage=Stage.TO_LABEL, payment_type=PaymentType.COD),
                "handed over": Filters(stage=Stage.HANDED_OVER),
                "attention": Filters(stage=Stage.ATTENTION),
                "search": Filters(search="EK4471"),
            }.items()
        }
        middle = queries.shipments(long_list, Filters(), NOW).filter(queries._behind_by_age(NOW - 900 * HOUR, 5))[:51]
        plan = middle.explain()

    assert used["all"] == {"shipment_newest"}
    assert used["a stage of the house"] == used["cash on delivery in a stage"] == {"shipment_open"}
    assert used["handed over"] <= {"shipment_newest", "shipment_by_state"}
    assert "shipment_attention" in used["attention"]
    # Where the database sorts by bytes, as here, the unique key serves as well as the index of shipment ids.
    assert {name.replace("once_a_seller", "by_shipment_id") for name in used["search"]} == ENDS | BEGINS
    assert not any("sequential" in indexes for indexes in used.values())
    assert re.search(r"Index Cond: .*ordered_at <= ", plan)

    with seller_scope(long_list), CaptureQueriesContext(connection) as asked:
        found = stages.counts(long_list, NOW)
        with connection.cursor() as cursor:
            cursor.execute(f"explain {asked[0]['sql']}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
    assert (found[Stage.HANDED_OVER], found[Stage.TO_LABEL]) == ("1,000+", 300)
    assert {"shipment_open", "shipment_attention"} <= set(re.findall(r"shipment_\w+", plan))


@pytest.fixture
def closed_place(long_list):
    """A facility of the long list that was given up: its 1,500 parcels are the oldest, three of them cancelled.

    Of the other facility's parcels 4,000 were cancelled.
    """
    place, other = factories.facility(long_list), factories.facility(long_list)
    with seller_scope(long_list):
        rows = Shipment.objects.filter(is_open=False).order_by("ordered_at").values_list("pk", flat=True)
        here, elsewhere = list(rows[:1500]), list(rows[1500:5500])
        Shipment.objects.update(facility=other)
        Shipment.objects.filter(pk__in=here).update(facility=place)
        Shipment.objects.filter(pk__in=[*here[:3], *elsewhere]).update(state=State.CANCELLED)
    with connection.as_owner(), connection.cursor() as cursor:
        cursor.execute("vacuum analyze orders_shipment")
    return place


def rows_read(sql: str) -> int:
    """Rows of shipments that the statement looks at, those that it then leaves out included."""

    def looked_at(node: dict) -> int:
        is_scan = node.get("Relation Name") == "orders_shipment"
        left_out = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
        below = sum(looked_at(each) for each in node.get("Plans", ()))
        return below + (node["Actual Loops"] * (node["Actual Rows"] + left_out) if is_scan else 0)

    with connection.cursor() as cursor:
        cursor.execute(f"explain (analyze, format json) {sql}")
        ((plans,),) = cursor.fetchall()
    return int(looked_at(plans[0]["Plan"]))


@pytest.mark.slow
def test_the_list_of_a_facility_reads_nothing_of_the_others(long_list, closed_place):
    here = [closed_place.pk]
    listed, read = {}, {}

    with seller_scope(long_list):
        for stage in (None, Stage.HANDED_OVER, Stage.CANCELLED):
            with CaptureQueriesContext(connection) as asked:
                listed[stage] = queries.page(long_list, Filters(stage=stage, facilities=here), NOW).shipments
            read[stage] = rows_read(asked[0]["sql"])
        with CaptureQueriesContext(connection) as asked:
            counted = stages.counts(long_list, NOW, here)
        read["counts"] = rows_read(asked[0]["sql"])

    assert {row.facility_id for rows in listed.values() for row in rows} == {closed_place.pk}
    assert (counted[Stage.HANDED_OVER], counted[Stage.CANCELLED]) == ("1,000+", 3)
    a_page = queries.PAGE + 1 + 3  # those of the other state are passed over
    both_capped = 300 + stages.CAPPED_AT + 1 + 3  # and the open ones, all of them
    too_many = {name: rows for name, rows in read.items() if rows > (both_capped if name == "counts" else a_page)}
    assert too_many == {}
