"""Flipkart's published format: what is asked, what is read, holes, and anything at all (wire.md 2 and 3)."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipcrowd.flipkart.types import (
    Address,
    Dimensions,
    Form,
    Limits,
    Package,
    Parcel,
    ParcelInvoice,
    ParcelItem,
    PaymentType,
    RowOutcome,
    SearchAnswer,
    SearchPart,
    Shipment,
    ShipmentType,
    ShippingDetails,
    Span,
    State,
    SubShipment,
    Unreadable,
    Window,
)
from shipcrowd.flipkart.wire import official, wire_named
from shipcrowd.transport import Answer, Request
from shipcrowd.transport.errors import Refused, RowError, UnexpectedPayload
from tests.flipkart.official_rows import LOCATION, item, page, row
from tests.flipkart.rows import ABSENT, answer, example
from tests.flipkart.scripted import URL, flipkart_saying

FROM, UNTIL = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 7, 23, 59, 59, 999000, tzinfo=UTC)
FIRST, SECOND = "5b0d6f3a-8a53-4c1e-9a53-1f4f7f1b2c01", "5b0d6f3a-8a53-4c1e-9a53-1f4f7f1b2c02"
PAGE_TWO = "/v3/shipments/filter?next_token=ewogICJwYWdlIiA6IDIKfQ"
KEYS = {"client_id": "app_1", "client_secret": "s3"}


def part(name: str = "before dispatch") -> SearchPart:
    return next(found for found in official.searches(State) if found.name == name)


def search(name: str = "before dispatch", *, of: Span = Span.CHANGED, **changes: object) -> Request:
    asked = {"payment_type": None, "skus": (), "marker": None, "part": part(name)} | changes
    return official.encode_search(window=Window(of=of, begins_at=FROM, ends_at=UNTIL), **asked)


def decode_search(said: Answer, name: str = "before dispatch") -> SearchAnswer:
    return official.decode_search(said, part(name))


def decode(*rows: object) -> tuple[tuple[Shipment, ...], tuple[Unreadable, ...]]:
    found = official.decode_shipments(answer({"shipments": list(rows)}))
    return found.shipments, found.unreadable


def only(*rows: object) -> Shipment:
    (shipment,), holes = decode(*rows)
    assert holes == ()
    return shipment


# What the format is


def test_the_published_format_is_a_wire_by_its_name():
    wire = wire_named("official")

    assert wire.NAME == "official"
    limits = {"page": 20, "ids": 100, "details": 25, "labels": 25, "papers": 25, "dispatch": 25}
    limits |= {"cancel": 25, "forms": 100, "acknowledge": 25, "invoices": 100, "label_only": 50}
    assert Limits(**limits) == wire.LIMITS
    assert wire.HOSTS["production"] == "https://api.flipkart.net"


@pytest.mark.parametrize(
    ("claim", "believed"),
    [
        (timedelta(seconds=5183999), timedelta(seconds=5183999) - timedelta(days=1)),
        (timedelta(days=2), timedelta(days=2) - timedelta(hours=4.8)),
        (timedelta(minutes=10), timedelta(minutes=9)),
        (timedelta(0), timedelta(minutes=55)),
    ],
)
def test_a_token_is_believed_until_it_ends_less_a_margin(claim, believed):
    assert official.token_life(claim) == believed


@given(st.integers(min_value=1, max_value=10**9))
def test_no_token_is_believed_beyond_its_end(seconds):
    claim = timedelta(seconds=seconds)

    assert timedelta(0) < official.token_life(claim) < claim


# Tokens


def test_the_three_grants_are_asked_by_get_with_basic():
    callback = "https://portal.test/auth/flipkart/callback"

    own = official.encode_client_credentials(**KEYS, basic=False)
    by_code = official.encode_code(**KEYS, code="c0de", redirect_uri=callback, state="st4te")
    by_refresh = official.encode_refresh(**KEYS, refresh_token="r3")

    for asked in (own, by_code, by_refresh):
        assert (asked.method, asked.path, asked.form) == ("GET", "/oauth-service/oauth/token", None)
        assert asked.basic_auth == ("app_1", "s3")
    assert own.query == {"grant_type": "client_credentials", "scope": "Seller_Api"}
    assert by_code.query == {
        "grant_type": "authorization_code",
        "code": "c0de",
        "state": "st4te",
        "redirect_uri": callback,
    }
    assert by_refresh.query == {"grant_type": "refresh_token", "refresh_token": "r3"}


def test_a_published_token_is_read():
    token = official.decode_token(answer(example("official-token.json")))

    assert token.access_token == "0c2f6a4e-77d1-4a8e-9c0e-invented0001"
    assert token.refresh_token == "9b1e5a3d-66c0-4b7d-8b9d-invented0002"
    assert token.expires_in == timedelta(seconds=5183999)


# Asking for a search


def test_every_state_that_can_be_asked_for_is_covered_by_searches_apart():
    assert [(found.name, found.is_rumour) for found in official.searches(State)] == [
        ("before dispatch", False),
        ("before dispatch, express", False),
        ("before dispatch, held", False),
        ("after dispatch", False),
        ("cancelled by the seller", True),
        ("cancelled by the buyer", True),
        ("cancelled by the marketplace", True),
    ]
    assert official.searches([State.RETURNED, State.UNKNOWN, State.READY_TO_PACK]) == ()


@given(st.sets(st.sampled_from(State)))
def test_searches_ask_for_no_state_that_was_not_wanted_and_leave_none_out(states):
    found = {state for search in official.searches(states) for state in search.states}

    assert found == states & official.ABILITIES.searchable


@pytest.mark.parametrize(
    ("name", "asks"),
    [
        ("before dispatch", {"type": "preDispatch"}),
        ("before dispatch, express", {"type": "preDispatch", "dispatchServiceTiers": ["EXPRESS"]}),
        ("before dispatch, held", {"type": "preDispatch", "hold": True}),
        ("after dispatch", {"type": "postDispatch"}),
        ("cancelled by the seller", {"type": "cancelled", "cancellationType": "sellerCancellation"}),
        ("cancelled by the buyer", {"type": "cancelled", "cancellationType": "buyerCancellation"}),
        ("cancelled by the marketplace", {"type": "cancelled", "cancellationType": "marketplaceCancellation"}),
    ],
)
def test_a_search_is_asked_by_its_filter_type(name, asks):
    asked = search(name, of=Span.ORDERED)

    assert (asked.method, asked.path) == ("POST", "/sellers/v3/shipments/filter")
    assert asked.json["filter"] == {
        "states": [state.value for state in part(name).states],
        "shipmentTypes": ["NORMAL", "EXPRESS", "SELF"],
        "orderDate": {"from": "2026-01-01T00:00:00.000Z", "to": "2026-01-07T23:59:59.999Z"},
        **asks,
    }
    assert asked.json["pagination"] == {"pageSize": 20}


def test_changes_are_asked_by_their_date_and_in_its_order():
    asked = search("after dispatch").json

    assert asked["filter"]["modifiedDate"] == {"from": "2026-01-01T00:00:00.000Z", "to": "2026-01-07T23:59:59.999Z"}
    assert asked["sort"] == {"field": "modifiedDate", "order": "asc"}


def test_what_was_cancelled_is_asked_by_when_it_was_cancelled():
    asked = search("cancelled by the buyer").json

    assert asked["filter"]["cancellationDate"]["from"] == "2026-01-01T00:00:00.000Z"
    assert "modifiedDate" not in asked["filter"]
    assert "sort" not in asked


def test_a_walk_that_an_earlier_version_began_goes_on():
    """Its markers were the bare value of next_token."""
    asked = search(marker="abc+/=")

    assert (asked.method, asked.path, asked.json) == ("GET", "/sellers/v3/shipments/filter", None)
    assert dict(asked.query) == {"next_token": "abc+/="}


@pytest.mark.parametrize(
    "page",
    [
        "/v3/shipments/filter?next_token=ewogICJwYWdlIiA6IDIKfQ",
        "/v3/shipments/filter?next_token=a%2Bb+c/d==&view=order_api.v3.shipment&&empty=&flag&next_token=again",
        "/v3/shipments/filter/?cursor=2",
        "/v3/shipments/search/pages/ewogICJwYWdlIiA6IDIKfQ",
        "/sellers/v3/shipments/filter?next_token=m1",
    ],
)
def test_the_next_page_is_asked_for_as_it_came_below_our_own_address(page):
    first = {"shipments": [], "hasMore": True, "nextPageUrl": page}
    with flipkart_saying(first, {"shipments": [], "hasMore": False}, wire="official") as (client, asked, _):
        list(client.shipment_pages(part=part(), window=Window(of=Span.CHANGED, begins_at=FROM, ends_at=UNTIL)))

    second = asked.asked[1]
    assert (second.method, second.body) == ("GET", None)
    assert second.url == f"{URL}/sellers{page.removeprefix('/sellers')}"


def test_what_cannot_be_meant_is_not_asked():
    with pytest.raises(ValueError, match="payment"):
        search(payment_type=PaymentType.COD)
    with pytest.raises(ValueError, match="nowhere"):
        search(part=SearchPart(name="nowhere", states=(State.APPROVED,)))
    with pytest.raises(ValueError, match="zone"):
        official.encode_search(
            part=part(),
            window=Window(of=Span.CHANGED, begins_at=FROM.replace(tzinfo=None), ends_at=UNTIL),
            payment_type=None,
            skus=(),
            marker=None,
        )


def test_skus_go_into_the_filter():
    assert search(skus=["TS-BLK-M"]).json["filter"]["sku"] == ["TS-BLK-M"]


# Reading a page


def test_a_page_is_read_field_by_field():
    found = decode_search(answer(example("official-filter.json")))

    first, second = found.shipments
    assert (found.unreadable, found.next_marker, found.trouble) == ((), PAGE_TWO, "")
    assert (first.flipkart_shipment_id, first.flipkart_order_id) == (FIRST, "OD431000000000001000")
    assert (first.state, first.state_word, first.is_on_hold) == (State.APPROVED, "APPROVED", False)
    assert first.ordered_at == datetime(2026, 1, 7, 3, 35, 13, 447000, tzinfo=UTC)
    assert first.dispatch_after_at == datetime(2026, 1, 7, 4, tzinfo=UTC)
    assert first.dispatch_by_at == datetime(2026, 1, 8, 10, 30, tzinfo=UTC)
    assert first.updated_at == datetime(2026, 1, 7, 3, 42, 45, tzinfo=UTC)
    assert (first.flipkart_location_id, first.location_name) == (LOCATION, "")
    assert (first.payment_type, first.cod_amount) == (PaymentType.COD, None)
    assert (first.shipment_type, first.is_multi_parcel) == (ShipmentType.NORMAL, False)
    assert (first.packaging_policy, first.forms, first.service_tier) == ("DEFAULT", (), "")
    assert (second.state, second.is_on_hold, second.is_multi_parcel) == (State.FORM_FAILED, True, True)
    assert (second.shipment_type, second.packaging_policy) == (ShipmentType.EXPRESS, "GREEN_PACKAGE")
    assert second.forms == (Form(name="Waybill", link="https://example.com/waybill"),)
    assert [part.flipkart_sub_shipment_id for part in second.sub_shipments] == ["SS-1", "SS-2"]


def test_each_item_keeps_its_own_state_and_facts():
    first, second = decode_search(answer(example("official-filter.json"))).shipments
    shirt, mug = first.items
    (bed,) = second.items

    assert (shirt.flipkart_order_item_id, shirt.sku, shirt.fsn) == ("43100000000000101", "TS-BLK-M", "TSHXXXXXXXXXXXX1")
    assert (shirt.hsn, shirt.title, shirt.quantity) == ("6109", "Black T-Shirt, Medium", 2)
    assert (shirt.selling_price, shirt.total_price, shirt.mrp) == (Decimal("449.50"), Decimal(938), None)
    assert (shirt.flipkart_listing_id, shirt.service_profile) == ("LSTTSHXXXXXXXXXXXX1AAAAAA", "Seller_Fulfilment")
    assert (shirt.cancellation_group_id, shirt.payment_type) == ("grp43100000000000101", PaymentType.COD)
    assert (shirt.state, shirt.is_replacement, shirt.cancellation_reason) == (State.APPROVED, False, "")
    assert (mug.state, mug.cancellation_reason) == (State.CANCELLED, "order_cancelled: changed_mind")
    assert (mug.selling_price, mug.total_price) == (None, None)
    assert (bed.state, bed.is_replacement) == (State.FORM_FAILED, True)


def test_the_size_of_a_listing_is_read_in_centimetres_and_kilograms():
    (parcel,) = decode_search(answer(example("official-filter.json"))).shipments[0].sub_shipments

    size = Dimensions(length=Decimal(25), breadth=Decimal("20.5"), height=Decimal(3), weight=Decimal("0.25"))
    assert parcel == SubShipment(
        flipkart_sub_shipment_id="SS-1",
        packages=(Package(flipkart_package_id="PKGTSHXXXXXXXXXXXX1AAAAAA", sku="TS-BLK-M", dimensions=size),),
    )


def test_the_search_that_asks_for_the_express_tier_tells_it():
    found = decode_search(answer(page(row("A"), row("B"))), "before dispatch, express")

    assert [shipment.service_tier for shipment in found.shipments] == ["EXPRESS", "EXPRESS"]


@pytest.mark.parametrize("name", ["is_replacement", "isReplacement"])
def test_a_replacement_is_told_in_either_spelling(name):
    """wire.md 10."""
    found = only(row("A", item(**{"is_replacement": ABSENT} | {name: True})))

    assert found.items[0].is_replacement


@pytest.mark.parametrize("order", [1, -1])
def test_of_an_item_that_lives_and_was_cancelled_in_part_what_lives_counts(order):
    """wire.md 3.7: the same item id in both."""
    alive, gone = item(quantity=2), item(quantity=1, status="CANCELLED")

    in_one_row = only(row("A", *[alive, gone][::order]))
    in_two_rows = only(*[row("A", alive), row("A", gone, updatedAt="2026-01-07T12:00:00+05:30")][::order])

    for found in (in_one_row, in_two_rows):
        assert (found.state, [(one.state, one.quantity) for one in found.items]) == (
            State.APPROVED,
            [(State.APPROVED, 2)],
        )


def test_rows_of_one_shipment_with_different_items_are_one_shipment():
    found = only(row("A", item("1")), row("A", item("2", status="CANCELLED")))

    assert [(one.flipkart_order_item_id, one.state) for one in found.items] == [
        ("1", State.APPROVED),
        ("2", State.CANCELLED),
    ]
    assert found.state is State.APPROVED


def test_a_shipment_is_as_far_as_its_last_item():
    found = only(row("A", item("1", status="PACKED"), item("2", status="PACKING_IN_PROGRESS")))

    assert found.state is State.PACKING_IN_PROGRESS


def test_different_payment_types_in_one_shipment_are_unknown():
    assert only(row("A", item("1"), item("2", paymentType="PREPAID"))).payment_type is PaymentType.UNKNOWN


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"shipmentId": None}, "shipments[1].shipmentId: missing"),
        ({"shipmentId": "../x"}, "shipments[1].shipmentId: not an id"),
        ({"locationId": None}, "shipments[1].locationId: missing"),
        ({"dispatchByDate": ABSENT}, "shipments[1].dispatchByDate: missing"),
        ({"dispatchAfterDate": "tomorrow"}, "shipments[1].dispatchAfterDate: not a time"),
        ({"hold": "yes"}, "shipments[1].hold: not true or false"),
        ({"orderItems": []}, "shipments[1].orderItems: empty"),
        ({"orderItems": None}, "shipments[1].orderItems: missing"),
        ({"orderItems": [item(status=None)]}, "shipments[1].orderItems[0].status: missing"),
        ({"orderItems": [item(quantity=0)]}, "shipments[1].orderItems[0].quantity: not a whole number"),
        ({"orderItems": [item(quantity=1.5)]}, "shipments[1].orderItems[0].quantity: not a whole number"),
        ({"orderItems": [item(sku="")]}, "shipments[1].orderItems[0].sku: empty"),
        ({"orderItems": [item("1"), item("2", orderId="OD9")]}, "shipments[1].orderItems[1].orderId: another order"),
        ({"subShipments": [{}]}, "shipments[1].subShipments[0].subShipmentId: missing"),
        ({"forms": [{"name": None}]}, "shipments[1].forms[0].name: missing"),
    ],
)
def test_a_hole_makes_its_shipment_unreadable_and_the_others_live(changes, path):
    shipments, (hole,) = decode(row("A"), row("B", **changes), row("C"))

    assert [shipment.flipkart_shipment_id for shipment in shipments] == ["A", "C"]
    assert f"{hole.path}: {hole.says}".startswith(path)


def test_a_shipment_with_a_hole_in_another_row_of_it_is_unreadable_whole():
    shipments, holes = decode(row("A", item("1")), row("A", item("2", quantity=None)))

    assert shipments == ()
    assert [hole.flipkart_shipment_id for hole in holes] == ["A"]


@pytest.mark.parametrize(
    ("later", "path"),
    [(row("A", item("2"), locationId="LOC2"), "locationId"), (row("A", item("2", orderId="OD9")), "orderItems")],
)
def test_rows_that_contradict_each_other_are_unreadable(later, path):
    shipments, (hole,) = decode(row("A", item("1")), later)

    assert shipments == ()
    assert (hole.flipkart_shipment_id, hole.path) == ("A", f"shipments[1].{path}")


def test_what_is_over_may_have_no_dispatch_dates():
    gone = only(row("A", item(status="CANCELLED"), dispatchByDate=ABSENT, dispatchAfterDate=None))

    assert (gone.state, gone.dispatch_by_at, gone.dispatch_after_at) == (State.CANCELLED, None, None)


@pytest.mark.parametrize(
    ("ending", "trouble"),
    [
        ({"hasMore": True, "nextPageUrl": None}, "missing"),
        ({"hasMore": True, "nextPageUrl": "/v3/orders/search?marker=a"}, "no marker, though more is claimed"),
        ({"hasMore": None}, "missing"),
    ],
)
def test_rows_before_a_broken_ending_are_handed_on_with_what_is_wrong(ending, trouble):
    found = decode_search(answer({"shipments": [row()], **ending}))

    assert len(found.shipments) == 1
    assert (found.next_marker, found.trouble) == (None, trouble)


@pytest.mark.parametrize(
    "host",
    [
        "https://attacker.invalid",
        "//attacker.invalid",
        "http://169.254.169.254",
        "https://user:word@attacker.invalid:8443/sellers",
        "https://api.flipkart.net",
    ],
)
def test_a_next_page_on_another_host_is_asked_of_ours(host):
    """trust.md 34."""
    url = f"{host}/v3/shipments/filter?next_token=m1&view=x"
    found = decode_search(answer({"shipments": [], "hasMore": True, "nextPageUrl": url}))
    asked = search(marker=found.next_marker)

    assert (asked.path, asked.query) == ("/sellers/v3/shipments/filter", "next_token=m1&view=x")


@pytest.mark.parametrize(
    "url",
    [
        "//attacker.invalid/?next_token=m1",
        "http://169.254.169.254/?next_token=m1",
        "/v3/shipments/../../oauth-service/oauth/token?grant_type=client_credentials",
        "/v3/shipments/%2e%2e/%2e%2e/oauth-service/oauth/token",
        "/v3/shipments//attacker.invalid/filter",
        "//v3/shipments/filter?next_token=m1",
        "/v3/shipments\\..\\filter?next_token=m1",
        "/v3/shipments/filter?next_token=m1#next_token=m2",
        "/v3/shipments/filter?next_token=m 1",
        "/v3/shipments/filter?next_token=m1\r\nHost: attacker.invalid",
        "/v3/shipments/filter?next_token=m\u0661",
        "/v3/shipments/filter?next_token=" + 8192 * "m",
        "/v3/shipments/",
        "/sellers/sellers/v3/shipments/filter?next_token=m1",
        "/v2/returns?source=courier_return",
        "v3/shipments/filter?next_token=m1",
        "?next_token=m1",
        "http://[/v3/shipments/filter?next_token=m1",
    ],
)
def test_a_next_page_that_leads_elsewhere_is_not_asked_for(url):
    found = decode_search(answer({"shipments": [row()], "hasMore": True, "nextPageUrl": url}))

    assert len(found.shipments) == 1
    assert (found.next_marker, found.trouble) == (None, "no marker, though more is claimed")


@pytest.mark.parametrize(
    "said", [{"errors": [{"code": "INVALID_STATE", "path": "filter"}]}, {"errorCode": "INVALID_STATE"}]
)
def test_an_error_with_a_good_status_is_a_refusal(said):
    with pytest.raises(Refused) as failure:
        decode_search(answer(said))

    assert failure.value.code == "INVALID_STATE"


# By id


def test_shipments_are_asked_by_id_in_the_query():
    asked = official.encode_shipments([FIRST, SECOND, FIRST])

    assert (asked.method, asked.path) == ("GET", "/sellers/v3/shipments")
    assert dict(asked.query) == {"shipmentIds": f"{FIRST},{SECOND}"}


@pytest.mark.parametrize(
    ("encode", "method", "path"),
    [
        (official.encode_shipping_details, "GET", f"/sellers/v3/shipments/{FIRST},{SECOND}"),
        (official.encode_download_labels, "GET", f"/sellers/v3/shipments/{FIRST},{SECOND}/labels"),
    ],
)
def test_ids_go_into_the_path_each_once(encode, method, path):
    asked = encode([FIRST, SECOND, FIRST])

    assert (asked.method, asked.path, asked.json) == (method, path, None)


def test_tracking_sizes_and_addresses_are_read():
    first, second = official.decode_shipping_details(answer(example("official-shipping.json"))).details

    size = Dimensions(length=Decimal(25), breadth=Decimal(20), height=Decimal(3), weight=Decimal("0.25"))
    assert first == ShippingDetails(
        flipkart_shipment_id=FIRST,
        tracking_id="FMPP2600000001",
        courier="E-Kart Logistics",
        sub_shipments=(
            SubShipment(
                flipkart_sub_shipment_id="SS-1",
                tracking_id="FMPP2600000001",
                courier="E-Kart Logistics",
                dimensions=size,
            ),
            SubShipment(
                flipkart_sub_shipment_id="SS-2", tracking_id="900000000001", courier="Ecom Express", dimensions=size
            ),
        ),
        delivery_address=Address(
            name="INVENTED BUYER",
            line1="12 Invented Street",
            line2="Invented Nagar",
            city="Panipat",
            state="Haryana",
            state_code="IN-HR",
            pincode="132103",
        ),
        billing_address=Address(
            name="INVENTED BUYER", line1="12 Invented Street", city="Panipat", state="Haryana", pincode="132103"
        ),
    )
    assert (second.tracking_id, second.courier, second.delivery_address) == ("", "", None)


def test_one_shipping_row_that_cannot_be_read_leaves_the_others():
    rows = [{"shipmentId": "A", "subShipments": [{"subShipmentId": 1.5}]}, {"shipmentId": "B"}]

    found = official.decode_shipping_details(answer({"shipments": rows}))

    assert [one.flipkart_shipment_id for one in found.details] == ["B"]
    assert [(hole.flipkart_shipment_id, hole.path) for hole in found.unreadable] == [
        ("A", "shipments[0].subShipments[0].subShipmentId")
    ]


# Packing


SIZE = Dimensions(length=Decimal(25), breadth=Decimal("20.5"), height=Decimal(3), weight=Decimal("0.25"))


def parcel(shipment_id: str = FIRST, **changes: object) -> Parcel:
    told = {
        "flipkart_location_id": LOCATION,
        "items": (ParcelItem(flipkart_order_item_id="43100000000000101", quantity=2, tax_rate=Decimal(5)),),
        "invoices": (ParcelInvoice(flipkart_order_id="OD431000000000001000", invoice_date=date(2026, 1, 7)),),
        "sub_shipments": (SubShipment(flipkart_sub_shipment_id="SS-1", dimensions=SIZE),),
    }
    return Parcel(flipkart_shipment_id=shipment_id, **(told | changes))


def test_a_parcel_is_packed_with_location_taxes_invoice_and_sizes():
    asked = official.encode_generate_labels([parcel()])

    assert (asked.method, asked.path) == ("POST", "/sellers/v3/shipments/labels")
    assert asked.json == {
        "shipments": [
            {
                "shipmentId": FIRST,
                "locationId": LOCATION,
                "taxItems": [{"orderItemId": "43100000000000101", "quantity": 2, "taxRate": 5}],
                "invoices": [{"orderId": "OD431000000000001000", "invoiceDate": "2026-01-07"}],
                "subShipments": [
                    {
                        "subShipmentId": "SS-1",
                        "dimensions": {"length": 25, "breadth": 20.5, "height": 3, "weight": 0.25},
                    }
                ],
            }
        ]
    }


def test_serial_numbers_an_invoice_number_and_a_purchase_price_go_along_where_there_are_any():
    two_phones = ParcelItem(
        flipkart_order_item_id="1",
        quantity=2,
        purchase_price=Decimal("4999.50"),
        serial_numbers=(("356938035643809", "356938035643817"), ("490154203237518",)),
    )
    invoice = ParcelInvoice(flipkart_order_id="OD1", invoice_date=date(2026, 1, 7), invoice_number="INV/7")

    (body,) = official.encode_generate_labels([parcel(items=(two_phones,), invoices=(invoice,))]).json["shipments"]

    assert body["serialNumbers"] == [
        {"orderItemId": "1", "serialNumbers": [["356938035643809", "356938035643817"], ["490154203237518"]]}
    ]
    assert body["invoices"] == [{"orderId": "OD1", "invoiceDate": "2026-01-07", "invoiceNumber": "INV/7"}]
    assert body["taxItems"] == [{"orderItemId": "1", "quantity": 2, "taxRate": 0, "purchasePrice": 4999.5}]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"flipkart_location_id": ""}, "location"),
        ({"items": ()}, "items"),
        ({"invoices": ()}, "invoices"),
        ({"sub_shipments": ()}, "sizes"),
        ({"sub_shipments": (SubShipment(flipkart_sub_shipment_id="SS-1"),)}, "sizes"),
        ({"flipkart_location_id": "", "items": ()}, "location, items"),
    ],
)
def test_a_parcel_that_lacks_something_is_not_sent(changes, says):
    with pytest.raises(ValueError, match=f"without {says}"):
        official.encode_generate_labels([parcel(**changes)])


def test_a_parcel_named_twice_is_packed_once():
    asked = official.encode_generate_labels([parcel(), parcel(SECOND), parcel()])

    assert [one["shipmentId"] for one in asked.json["shipments"]] == [FIRST, SECOND]


# Dispatch, and rows with an outcome


def test_a_dispatch_is_for_one_location():
    asked = official.encode_dispatch([FIRST, SECOND], LOCATION)

    assert (asked.method, asked.path) == ("POST", "/sellers/v3/shipments/dispatch")
    assert asked.json == {"shipmentIds": [FIRST, SECOND], "locationId": LOCATION}
    with pytest.raises(ValueError, match="location"):
        official.encode_dispatch([FIRST], "")


@pytest.mark.parametrize("decode_rows", [official.decode_generate_labels, official.decode_dispatch])
def test_each_id_gets_its_own_outcome_in_the_order_asked(decode_rows):
    found = decode_rows(answer(example("official-outcomes.json")), [SECOND, "SILENT", FIRST])

    assert found == (
        RowOutcome(id=SECOND, ok=False, code="DEPENDENT_SYSTEM_CALL_FAILED", message="try again later"),
        RowOutcome(id="SILENT", ok=None),
        RowOutcome(id=FIRST, ok=True),
    )


@pytest.mark.parametrize(
    ("rows", "ok"),
    [
        ([{"status": "SUCCESS"}], True),
        ([{"processingStatus": "SUCCESS"}], True),
        ([{"status": "FAILURE"}], False),
        ([{"status": "FAILURE", "processingStatus": "FAILURE"}], False),
        ([{"status": "SUCCESS", "processingStatus": "FAILURE"}], None),
        ([{"status": "SUCCESS", "errorCode": "DEPENDENT_SYSTEM_CALL_FAILED"}], None),
        ([{"status": "SUCCESS", "errorCode": ""}], True),
        ([{"status": "PENDING"}], None),
        ([{"status": 1}], None),
        ([{}], None),
        ([{"status": "SUCCESS"}, {"status": "FAILURE"}], None),
        ([{"status": "SUCCESS"}, {"status": "SUCCESS"}], True),
        ([], None),
    ],
)
def test_a_row_says_what_became_of_it_in_one_of_two_words(rows, ok):
    """wire.md 1: either word is printed; trust.md 5: what disagrees is read back."""
    said = answer({"shipments": [{"shipmentId": "A", **one} for one in rows] + [7, {"shipmentId": "FOREIGN"}]})

    (outcome,) = official.decode_dispatch(said, ["A"])

    assert (outcome.id, outcome.ok) == ("A", ok)


def test_a_bulk_answer_without_rows_is_no_answer():
    with pytest.raises(UnexpectedPayload, match="shipments: missing"):
        official.decode_dispatch(answer({}), ["A"])
    with pytest.raises(Refused, match="INVALID_REQUEST_JSON"):
        official.decode_dispatch(answer({"errors": [{"code": "INVALID_REQUEST_JSON"}]}), ["A"])


# Papers


def test_a_pdf_is_asked_for_as_one():
    assert official.encode_download_labels([FIRST]).accept == "application/pdf"


def test_a_merged_pdf_is_handed_on_whole():
    pdf = b"%PDF-1.4 pages startxref 9 %%EOF"

    found = official.decode_download_labels(answer(pdf), [FIRST])

    assert (found.merged, found.apart) == (pdf, ())


@pytest.mark.parametrize(
    ("body", "error", "says"),
    [
        (b"%PDF-1.4 cut", UnexpectedPayload, "cut off"),
        (b"<html>504 Gateway Time-out</html>", UnexpectedPayload, "neither a PDF nor an error"),
        (b"", UnexpectedPayload, "neither a PDF nor an error"),
        (b'{"errorCode":"DEPENDENT_SYSTEM_CALL_FAILED"}', Refused, "DEPENDENT_SYSTEM_CALL_FAILED"),
        (b'{"errors":[{"code":"INVALID_SHIPMENTS"}]}', Refused, "INVALID_SHIPMENTS"),
        (
            b'{"orderItems":[{"errorCode":"ORDER_ITEM_PACKING_IN_PROGRESS"}]}',
            Refused,
            "ORDER_ITEM_PACKING_IN_PROGRESS",
        ),
    ],
)
def test_what_is_no_whole_pdf_is_read_for_its_error(body, error, says):
    """wire.md 3.5."""
    with pytest.raises(error, match=says):
        official.decode_download_labels(answer(body), [FIRST])


# Limits, ids and errors


@pytest.mark.parametrize("shipment_id", ["", "..", "../admin", "a,b", "a/b", "a?b", "a b", "%2e%2e", "ä", "a\n"])
def test_an_id_that_is_none_is_never_sent(shipment_id):
    for ask in (official.encode_shipments, official.encode_shipping_details, official.encode_download_labels):
        with pytest.raises(ValueError):
            ask([shipment_id])
    with pytest.raises(ValueError):
        official.encode_dispatch([shipment_id], LOCATION)
    with pytest.raises(ValueError):
        official.encode_generate_labels([parcel(shipment_id)])


@pytest.mark.parametrize(
    ("ask", "most"),
    [
        (official.encode_shipments, 100),
        (official.encode_shipping_details, 25),
        (official.encode_download_labels, 25),
        (lambda ids: official.encode_dispatch(ids, LOCATION), 25),
        (lambda ids: official.encode_generate_labels([parcel(one) for one in ids]), 25),
    ],
)
def test_a_batch_is_within_its_limit(ask: Callable[[Sequence[str]], Request], most):
    ask([f"S{number}" for number in range(most)])

    for ids in ([], [f"S{number}" for number in range(most + 1)]):
        with pytest.raises(ValueError, match=f"1 to {most}"):
            ask(ids)


def test_the_codes_of_every_kind_of_refusal_are_read():
    read = official.encode_shipments([FIRST]).read_errors

    assert read(b'{"errors":[{"code":"A_B","path":"x"}]}') == (RowError(code="A_B", path="x"),)
    assert read(b'{"errorCode":"OPERATION_NOT_ALLOWED"}') == (RowError(code="OPERATION_NOT_ALLOWED"),)
    assert read(b'{"error":"invalid_token"}') == (RowError(code="invalid_token"),)
    assert read(b'{"errorCode":"Call 9000000001"}') == ()


# Anything at all


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS_OF_ROWS = (
    *("shipments", "shipmentId", "orderItems", "orderItemId", "orderId", "status", "quantity", "sku", "orderDate"),
    *("locationId", "dispatchByDate", "dispatchAfterDate", "subShipments", "subShipmentId", "packages", "dimensions"),
    *("forms", "priceComponents", "courierDetails", "deliveryDetails", "trackingId", "errorCode", "processingStatus"),
)
flipkartish = st.recursive(
    any_json,
    lambda inner: st.dictionaries(st.sampled_from(KEYS_OF_ROWS), inner, max_size=6) | st.lists(inner, max_size=3),
    max_leaves=20,
)


def nothing_but_call_failures(call: Callable[[], object]) -> None:
    try:
        call()
    except (UnexpectedPayload, Refused):
        return


@given(st.dictionaries(st.sampled_from(KEYS_OF_ROWS), flipkartish, max_size=3) | flipkartish | st.binary())
def test_no_answer_makes_a_decoder_raise_anything_else(value):
    said = answer(value)

    for read in (decode_search, official.decode_shipments, official.decode_shipping_details, official.decode_token):
        nothing_but_call_failures(lambda read=read: read(said))
    for read in (official.decode_generate_labels, official.decode_dispatch, official.decode_download_labels):
        nothing_but_call_failures(lambda read=read: read(said, ["A", "B"]))


@pytest.mark.slow
@given(st.lists(st.dictionaries(st.sampled_from(KEYS_OF_ROWS), flipkartish, max_size=8), max_size=3))
def test_a_row_of_anything_is_a_shipment_or_a_hole(rows):
    shipments, holes = decode(*rows)

    assert len(shipments) + len(holes) <= len(rows)
    assert bool(shipments) or bool(holes) is bool(rows)


@given(
    st.lists(
        st.fixed_dictionaries(
            {"shipmentId": st.sampled_from(["A", "B", "C", "FOREIGN"])},
            optional={"status": st.sampled_from(["SUCCESS", "FAILURE", "?"]) | any_json, "processingStatus": any_json},
        )
        | any_json,
        max_size=6,
    ),
    st.lists(st.sampled_from(["A", "B", "C", "D"]), max_size=5),
)
def test_outcomes_are_one_per_id_and_true_only_where_a_row_says_so(rows, ids):
    found = official.decode_dispatch(answer({"shipments": rows}), ids)

    said = [one for one in rows if isinstance(one, dict)]
    assert [outcome.id for outcome in found] == list(dict.fromkeys(ids))
    for outcome in found:
        words = {
            one.get("status") == "SUCCESS" or one.get("processingStatus") == "SUCCESS"
            for one in said
            if one.get("shipmentId") == outcome.id
        }
        assert outcome.ok is not True or words == {True}
