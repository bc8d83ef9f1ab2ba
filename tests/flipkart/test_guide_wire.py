"""The guide's JSON: its own examples field by field, holes, and anything at all."""

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipcrowd.flipkart.types import (
    Address,
    Limits,
    Papers,
    PaymentType,
    RowOutcome,
    SearchAnswer,
    Shipment,
    ShipmentItem,
    ShippingDetails,
    Span,
    State,
    Unreadable,
    Window,
)
from shipcrowd.flipkart.wire import guide, wire_named
from shipcrowd.flipkart.wire.values import marker_in, read_errors
from shipcrowd.transport import Answer, Request
from shipcrowd.transport.errors import RowError, UnexpectedPayload
from tests.flipkart.rows import ABSENT, answer, example, page, parcels, row

FROM, UNTIL = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 7, 23, 59, 59, 999000, tzinfo=UTC)


def search(
    *, states: Sequence[State] = (State.APPROVED,), begins_at: datetime = FROM, ends_at: datetime = UNTIL, **changes
) -> Request:
    asked = {"payment_type": None, "skus": (), "marker": None} | changes
    (part,) = guide.searches(states)
    return guide.encode_search(part=part, window=Window(of=Span.ORDERED, begins_at=begins_at, ends_at=ends_at), **asked)


def decode_search(said: Answer) -> SearchAnswer:
    (part,) = guide.searches([State.APPROVED])
    return guide.decode_search(said, part)


def search_body(**changes: object) -> dict:
    return search(**changes).json


def decode(*rows: object) -> tuple[tuple[Shipment, ...], tuple[Unreadable, ...]]:
    found = guide.decode_shipments(answer({"shipments": list(rows)}))
    return found.shipments, found.unreadable


# What the format is


def test_the_guide_is_a_wire_by_its_name():
    wire = wire_named("guide")

    assert wire.NAME == "guide"
    assert Limits(page=50, ids=50, details=50, labels=20, papers=20, dispatch=25) == wire.LIMITS
    assert dict(wire.HOSTS) == {
        "production": "https://api.flipkart.net",
        "sandbox": "https://sandbox-api.flipkart.net",
    }
    with pytest.raises(ValueError, match="guide"):
        wire_named("telex")


@pytest.mark.parametrize("claim", [timedelta(seconds=5184000), timedelta(0), timedelta(minutes=5)])
def test_a_token_is_believed_for_55_minutes_whatever_it_claims(claim):
    assert guide.token_life(claim) == timedelta(minutes=55)


# Tokens


def test_the_three_grants_and_basic_are_asked_as_the_guide_prints_them():
    keys = {"client_id": "app_1", "client_secret": "s3"}

    by_form = guide.encode_client_credentials(**keys, basic=False)
    by_basic = guide.encode_client_credentials(**keys, basic=True)
    by_code = guide.encode_code(
        **keys, code="c0de", redirect_uri="https://portal.test/auth/flipkart/callback", state="s1"
    )
    by_refresh = guide.encode_refresh(**keys, refresh_token="r3")

    assert {(asked.method, asked.path) for asked in (by_form, by_basic, by_code, by_refresh)} == {
        ("POST", "/oauth-service/oauth/token")
    }
    assert by_form.form == {"grant_type": "client_credentials", "scope": "Seller_Api", **keys}
    assert by_basic.form == {"grant_type": "client_credentials", "scope": "Seller_Api"}
    assert by_basic.basic_auth == ("app_1", "s3")
    assert by_code.form == {
        "grant_type": "authorization_code",
        "code": "c0de",
        "redirect_uri": "https://portal.test/auth/flipkart/callback",
        **keys,
    }
    assert by_refresh.form == {"grant_type": "refresh_token", "refresh_token": "r3", **keys}


def test_the_token_of_the_guide_is_read():
    token = guide.decode_token(answer(example("guide-1.5-token.json")))

    assert token.access_token == "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.invented.access"
    assert token.refresh_token == "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.invented.refresh"
    assert token.expires_in == timedelta(days=60)


def test_a_token_needs_neither_refresh_nor_kind_nor_claim():
    token = guide.decode_token(answer({"access_token": "t"}))

    assert (token.access_token, token.refresh_token, token.expires_in) == ("t", None, timedelta(0))


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"access_token": None}, "access_token: missing"),
        ({"access_token": 7}, "access_token: not a word"),
        ({"access_token": "a\r\nX-Evil: 1"}, "access_token: not a"),
        ({"access_token": "a b"}, "access_token: not a token"),
        ({"refresh_token": ["a"]}, "refresh_token: not a word"),
        ({"token_type": "mac"}, "token_type: not a bearer token"),
        ({"expires_in": "soon"}, "expires_in: not a number"),
    ],
)
def test_what_is_no_token_is_refused_with_its_path(changes, path):
    with pytest.raises(UnexpectedPayload) as failure:
        guide.decode_token(answer(example("guide-1.5-token.json") | changes))

    assert str(failure.value).startswith(f"token: {path}")


# Asking for a search


def test_a_search_is_asked_as_the_guide_prints_it():
    body = search_body(states=[State.PACKED, State.APPROVED, State.READY_TO_PACK], payment_type=PaymentType.PREPAID)

    assert body == {
        "filter": {
            "states": ["APPROVED", "READY_TO_PACK", "PACKED"],
            "orderDate": {"fromDate": "2026-01-01T00:00:00.000Z", "toDate": "2026-01-07T23:59:59.999Z"},
            "type": "postpaid",
        },
        "pagination": {"pageSize": 50},
    }


def test_skus_cash_on_delivery_and_a_marker_go_where_the_guide_has_them():
    body = search_body(payment_type=PaymentType.COD, skus=["TS-BLK-M"], marker="abc=")

    assert (body["filter"]["type"], body["filter"]["skus"]) == ("cod", ["TS-BLK-M"])
    assert body["pagination"] == {"pageSize": 50, "marker": "abc="}


def test_the_window_never_ends_before_the_microsecond_that_was_asked():
    body = search_body(begins_at=FROM.replace(microsecond=1999), ends_at=UNTIL.replace(second=1, microsecond=1001))

    assert body["filter"]["orderDate"] == {
        "fromDate": "2026-01-01T00:00:00.001Z",
        "toDate": "2026-01-07T23:59:01.002Z",
    }


def test_states_the_guide_cannot_ask_for_are_left_out_and_for_none_there_is_no_search():
    body = search_body(states=[State.PACKING_IN_PROGRESS, State.PACKED])

    assert body["filter"]["states"] == ["PACKED"]
    for states in ([], [State.UNKNOWN], [State.RETURNED]):
        assert guide.searches(states) == ()


def test_what_cannot_be_meant_is_not_asked():
    with pytest.raises(ValueError):
        search_body(begins_at=FROM.replace(tzinfo=None))
    with pytest.raises(ValueError):
        search_body(payment_type=PaymentType.UNKNOWN)
    (part,) = guide.searches([State.APPROVED])
    window = Window(of=Span.CHANGED, begins_at=FROM, ends_at=UNTIL)
    with pytest.raises(ValueError, match="order date"):
        guide.encode_search(part=part, window=window, payment_type=None, skus=(), marker=None)


# Reading a search


def test_the_row_of_the_guide_is_read_field_by_field():
    found = decode_search(answer(example("guide-2.1-search.json")))

    assert found.unreadable == ()
    assert found.next_marker == "eyJzaGlwbWVudElkIjoiU0hJUDEyMzQ1Njc4OTAifQ=="
    assert found.shipments == (
        Shipment(
            flipkart_shipment_id="SHIP1234567890",
            flipkart_order_id="OD123456789012345",
            ordered_at=datetime(2026, 1, 7, 10, tzinfo=UTC),
            state=State.APPROVED,
            state_word="APPROVED",
            is_on_hold=False,
            dispatch_after_at=datetime(2026, 1, 7, 18, 30, tzinfo=UTC),
            dispatch_by_at=datetime(2026, 1, 8, 23, 59, 59, 999000, tzinfo=UTC),
            deliver_by_at=datetime(2026, 1, 10, 23, 59, 59, 999000, tzinfo=UTC),
            flipkart_location_id="F123456",
            location_name="Mumbai Warehouse",
            payment_type=PaymentType.UNKNOWN,
            cod_amount=None,
            tracking_id="",
            courier="EKART",
            invoice_number="",
            items=(
                ShipmentItem(
                    flipkart_order_item_id="001",
                    sku="TS-BLK-M",
                    fsn="TSHGPZE9RTABCDEF",
                    hsn="6109",
                    title="Classic Black T-Shirt - Medium",
                    quantity=1,
                    mrp=Decimal(999),
                    selling_price=Decimal(899),
                    total_price=Decimal(899),
                    state=State.APPROVED,
                    state_word="APPROVED",
                ),
            ),
            sub_shipments=(),
            buyer_name="Asha Example",
            buyer_phone="+910000000001",
            shipping_address=Address(
                name="Asha Example",
                line1="1 Invented Road",
                line2="Near No Mall",
                landmark="Opposite Nothing",
                city="Mumbai",
                state="Maharashtra",
                pincode="400001",
                phone="+910000000001",
            ),
            updated_at=None,
        ),
    )


def test_hold_and_payment_are_read_where_they_are_said():
    """guide-gaps 11 and 13."""
    ((shipment,), _) = decode(row(hold=True, paymentType="COD", codAmount=899.10, quantity=2.0))
    ((other,), _) = decode(row(paymentType="BARTER"))

    assert (shipment.is_on_hold, shipment.payment_type, shipment.cod_amount) == (
        True,
        PaymentType.COD,
        Decimal("899.1"),
    )
    assert shipment.items[0].quantity == 2
    assert other.payment_type is PaymentType.UNKNOWN


def test_an_unknown_state_is_kept_and_not_guessed():
    ((shipment, near, _), unreadable) = decode(
        row(state="TELEPORTED"), row("SHIP2", state="packed"), row("SHIP3", state="UNKNOWN")
    )

    assert unreadable == ()
    assert (shipment.state, shipment.state_word) == (State.UNKNOWN, "TELEPORTED")
    assert (near.state, near.state_word) == (State.UNKNOWN, "packed")


def test_fields_nobody_knows_change_nothing():
    assert decode(row(teleporter={"a": [1]}, buyerDetails=None)) == decode(row(buyerDetails=ABSENT))


@pytest.mark.parametrize(
    ("changes", "path", "says"),
    [
        ({"dispatchByDate": ABSENT}, "shipments[1].dispatchByDate", "missing"),
        ({"dispatchByDate": None}, "shipments[1].dispatchByDate", "missing"),
        ({"dispatchByDate": "tomorrow"}, "shipments[1].dispatchByDate", "not a time"),
        ({"dispatchByDate": "2026-01-08"}, "shipments[1].dispatchByDate", "not a time"),
        ({"dispatchAfterDate": ABSENT}, "shipments[1].dispatchAfterDate", "missing"),
        ({"orderDate": 1767780000}, "shipments[1].orderDate", "not a word"),
        ({"orderId": ABSENT}, "shipments[1].orderId", "missing"),
        ({"orderItemId": ""}, "shipments[1].orderItemId", "empty"),
        ({"quantity": ABSENT}, "shipments[1].quantity", "missing"),
        ({"quantity": 1.5}, "shipments[1].quantity", "not a whole number from 1 on"),
        ({"quantity": "1"}, "shipments[1].quantity", "not a number"),
        ({"sku": ABSENT}, "shipments[1].sku", "missing"),
        ({"state": ABSENT}, "shipments[1].state", "missing"),
        ({"state": 3}, "shipments[1].state", "not a word"),
        ({"facilityId": ABSENT}, "shipments[1].facilityId", "missing"),
        ({"hold": "yes"}, "shipments[1].hold", "not true or false"),
        ({"totalPrice": "899"}, "shipments[1].totalPrice", "not a number"),
        ({"deliveryDate": []}, "shipments[1].deliveryDate", "not a word"),
        ({"buyerDetails": "Asha"}, "shipments[1].buyerDetails", "not an object"),
        ({"shippingAddress": {"city": {}}}, "shipments[1].shippingAddress.city", "not a text"),
        ({"invoice": []}, "shipments[1].invoice", "not an object"),
    ],
)
def test_a_hole_is_named_with_its_path_and_the_other_rows_live(changes, path, says):
    shipments, unreadable = decode(row("SHIP1"), row("SHIP2", **changes), row("SHIP3"))

    assert [shipment.flipkart_shipment_id for shipment in shipments] == ["SHIP1", "SHIP3"]
    assert unreadable == (Unreadable(flipkart_shipment_id="SHIP2", path=path, says=says),)


@pytest.mark.parametrize("shipment_id", [ABSENT, None, "", "..", "a/b", "a,b", "a b", {}, "x" * 101, "SHIP1?x", "é"])
def test_a_row_without_a_usable_id_is_kept_as_nobodys(shipment_id):
    shipments, unreadable = decode(row("SHIP1"), row(shipmentId=shipment_id), 7, None, [])

    assert [shipment.flipkart_shipment_id for shipment in shipments] == ["SHIP1"]
    assert [hole.flipkart_shipment_id for hole in unreadable] == ["", "", "", ""]
    assert [hole.path for hole in unreadable[1:]] == ["shipments[2]", "shipments[3]", "shipments[4]"]


def test_a_row_that_says_a_key_twice_is_unreadable_under_its_own_id_only():
    """trust.md 32."""
    good = json.dumps(row("SHIP1"))
    torn = json.dumps(row("SHIP2"))[:-1] + ', "quantity": 9}'
    nobody = json.dumps(row("SHIP3"))[:-1] + ', "shipmentId": "SHIP1"}'

    found = guide.decode_shipments(answer(f'{{"shipments": [{good}, {torn}, {nobody}]}}'.encode()))

    assert [shipment.flipkart_shipment_id for shipment in found.shipments] == ["SHIP1"]
    assert [hole.flipkart_shipment_id for hole in found.unreadable] == ["SHIP2", ""]


def test_rows_of_one_shipment_with_different_items_are_one_shipment():
    """guide-gaps 22."""
    ((shipment, other), unreadable) = decode(
        row("SHIP1", "001", sku="A", paymentType="COD", codAmount=100),
        row("SHIP2"),
        row("SHIP1", "002", sku="B", paymentType="COD", codAmount=50.5, hold=True, state="PACKED"),
    )

    assert unreadable == ()
    assert [item.sku for item in shipment.items] == ["A", "B"]
    assert other.flipkart_shipment_id == "SHIP2"
    assert shipment.cod_amount == Decimal("150.5")
    assert shipment.is_on_hold
    assert shipment.state is State.APPROVED


def test_the_same_row_twice_is_one_item():
    """guide-gaps 22."""
    ((shipment,), _) = decode(row("SHIP1", "001", codAmount=10), row("SHIP1", "001", codAmount=10, state="PACKED"))

    assert len(shipment.items) == 1
    assert (shipment.state, shipment.cod_amount) == (State.PACKED, Decimal(10))


def test_one_unreadable_item_makes_its_whole_shipment_unreadable():
    shipments, unreadable = decode(row("SHIP1", "001"), row("SHIP1", "002", quantity=None), row("SHIP2"))

    assert [shipment.flipkart_shipment_id for shipment in shipments] == ["SHIP2"]
    assert [(hole.flipkart_shipment_id, hole.path) for hole in unreadable] == [("SHIP1", "shipments[1].quantity")]


@pytest.mark.parametrize("field", ["orderId", "facilityId"])
def test_rows_of_one_shipment_that_contradict_each_other_are_unreadable(field):
    shipments, unreadable = decode(row("SHIP1", "001"), row("SHIP1", "002", **{field: "OTHER"}))

    assert shipments == ()
    assert [(hole.flipkart_shipment_id, hole.path) for hole in unreadable] == [("SHIP1", f"shipments[1].{field}")]


@pytest.mark.parametrize(
    "value", [[], "x", None, 7, {}, {"shipments": None}, {"shipments": {}}, {"shipments": "x", "hasMore": False}]
)
def test_an_answer_without_shipments_is_no_empty_answer(value):
    with pytest.raises(UnexpectedPayload):
        decode_search(answer(value))


@pytest.mark.parametrize(
    ("ending", "path"),
    [
        ({"hasMore": True, "nextPageUrl": None}, "nextPageUrl"),
        ({"hasMore": True, "nextPageUrl": "/v3/orders/search"}, "nextPageUrl"),
        ({"hasMore": True, "nextPageUrl": "/v3/orders/search?marker="}, "nextPageUrl"),
        ({"hasMore": True, "nextPageUrl": 7.5}, "nextPageUrl"),
        ({"nextPageUrl": "/v3/orders/search?marker=a"}, "hasMore"),
        ({"hasMore": "yes", "nextPageUrl": "/v3/orders/search?marker=a"}, "hasMore"),
    ],
)
def test_a_page_that_cannot_be_followed_still_gives_its_rows(ending, path):
    found = decode_search(answer({"shipments": [row()], **ending}))

    assert len(found.shipments) == 1
    assert (found.next_marker, found.trouble_path) == (None, path)
    assert found.trouble != ""


def test_the_last_page_ends_even_when_it_names_another():
    found = decode_search(answer({"shipments": [], "hasMore": False, "nextPageUrl": "/x?marker=a"}))

    assert (found.next_marker, found.trouble) == (None, "")


HOSTILE = [
    "http://169.254.169.254/latest/meta-data/?marker=m1",
    "https://169.254.169.254/?marker=m1",
    "//evil.test/v3/orders/search?marker=m1",
    "\\\\evil.test\\v3?marker=m1",
    "/\\evil.test/?marker=m1",
    "https://api.flipkart.net@evil.test/?marker=m1",
    "https://user:pw@evil.test/?marker=m1",
    "https://api.flipkart.net.evil.test/?marker=m1",
    "https://api.flipkart.net:8443/?marker=m1",
    "ftp://evil.test/?marker=m1",
    "file:///etc/passwd?marker=m1",
    "gopher://evil.test:70/_x?marker=m1",
    "javascript:alert(1)?marker=m1",
    "data:text/html,x?marker=m1",
    "http://[::1]/?marker=m1",
    "http://[::ffff:169.254.169.254]/?marker=m1",
    "http://[not an address/?marker=m1",
    "http://0x7f000001/?marker=m1",
    "http://2130706433/?marker=m1",
    "http://127.1/?marker=m1",
    "http://localhost:5432/?marker=m1",
    "///evil.test?marker=m1",
    "/v3/../../admin?marker=m1",
    "/v3/orders/search?marker=m1#@evil.test",
    "/v3/orders/search?x=//evil.test&marker=m1",
    "?marker=m1",
    "evil.test?marker=m1",
    "https:evil.test?marker=m1",
    "HTTP://EVIL.TEST/?marker=m1",
    "http://evil.test%2f@api.flipkart.net/?marker=m1",
    "http://api.flipkart.net%00.evil.test/?marker=m1",
    "http://evil。test/?marker=m1",
    "http://еvil.test/?marker=m1",
    "/v3/orders/search?redirect=http://evil.test&marker=m1",
    "\thttp://evil.test/?marker=m1",
    "http://evil.test\r\nX-Evil: 1/?marker=m1",
    "/v3/orders/search?marker=m1&marker=m1",
    "/v3/orders/search?a?marker=m0&marker=m1",
    "/v3/orders/search?%6darker=m0&marker=m1",
]


@pytest.mark.parametrize("url", HOSTILE)
def test_of_a_next_page_only_the_marker_is_used(url):
    """trust.md 34."""
    found = decode_search(answer({"shipments": [], "hasMore": True, "nextPageUrl": url}))
    asked = search(marker=found.next_marker)

    assert found.next_marker == "m1"
    assert (asked.method, asked.path, dict(asked.query)) == ("POST", "/v3/orders/search", {})


@pytest.mark.parametrize(
    ("url", "marker"),
    [
        ("/s?marker=YWJj+ZGVm/w==", "YWJj+ZGVm/w=="),
        ("/s?marker=YWJj%2BZGVm%2Fw%3D%3D", "YWJj+ZGVm/w=="),
        ("/s?marker=a&marker=b", None),
        ("/s?marker=%0d%0a", None),
        ("/s?marker=%ff", None),
        ("/s?marker=" + "a" * 9000, None),
        ("/s#?marker=a", None),
        ("/s;marker=a", None),
    ],
)
def test_markers_are_taken_whole_or_not_at_all(url, marker):
    assert marker_in(url, name="marker") == marker


# By id


def encode_generate_labels(shipment_ids: Sequence[str]) -> Request:
    return guide.encode_generate_labels(parcels(shipment_ids))


def encode_dispatch(shipment_ids: Sequence[str]) -> Request:
    return guide.encode_dispatch(shipment_ids, "F123456")


@pytest.mark.parametrize(
    ("encode", "method", "path"),
    [
        (guide.encode_shipments, "GET", "/v3/shipments/SHIP1,SHIP2"),
        (guide.encode_shipping_details, "GET", "/v3/shipments/SHIP1,SHIP2/shippingDetails"),
        (encode_generate_labels, "POST", "/v3/shipments/SHIP1,SHIP2/labels"),
        (guide.encode_download_labels, "GET", "/v3/shipments/SHIP1,SHIP2/labels"),
    ],
)
def test_ids_go_into_the_path_each_once(encode, method, path):
    asked = encode(["SHIP1", "SHIP2", "SHIP1"])

    assert (asked.method, asked.path, asked.json) == (method, path, None)


@pytest.mark.parametrize("shipment_id", ["", "..", "../admin", "a,b", "a/b", "a?b", "a#b", "a b", "%2e%2e", "ä", "a\n"])
def test_an_id_that_would_leave_the_path_is_never_sent(shipment_id):
    for encode in (guide.encode_shipments, encode_generate_labels, encode_dispatch):
        with pytest.raises(ValueError):
            encode([shipment_id])


@pytest.mark.parametrize(
    ("encode", "most"),
    [
        (guide.encode_shipments, 50),
        (guide.encode_shipping_details, 50),
        (encode_generate_labels, 20),
        (guide.encode_download_labels, 20),
        (encode_dispatch, 25),
    ],
)
def test_a_batch_is_within_its_limit(encode, most):
    encode([f"SHIP{number}" for number in range(most)])

    for ids in ([], [f"SHIP{number}" for number in range(most + 1)]):
        with pytest.raises(ValueError, match=f"1 to {most}"):
            encode(ids)


def test_the_shipping_details_of_the_guide_are_read():
    found = guide.decode_shipping_details(answer(example("guide-2.3-shipping-details.json")))
    home = Address(name="Asha Example", line1="1 Invented Road", city="Mumbai", state="Maharashtra", pincode="400001")

    assert found.unreadable == ()
    assert found.details == (
        ShippingDetails(
            flipkart_shipment_id="SHIP1234567890",
            tracking_id="EK1234567890IN",
            courier="EKART",
            delivery_address=Address(
                name="Asha Example",
                line1="1 Invented Road",
                line2="Near No Mall",
                city="Mumbai",
                state="Maharashtra",
                pincode="400001",
                phone="+910000000001",
            ),
            billing_address=home,
        ),
    )


def test_shipping_details_that_cannot_be_read_stand_apart():
    rows = [{"shipmentId": "SHIP1", "trackingId": {}}, {"shipmentId": "SHIP2", "trackingId": None}, "x"]

    found = guide.decode_shipping_details(answer({"shippingDetails": rows}))

    assert [details.flipkart_shipment_id for details in found.details] == ["SHIP2"]
    assert [(hole.flipkart_shipment_id, hole.path) for hole in found.unreadable] == [
        ("SHIP1", "shippingDetails[0].trackingId"),
        ("", "shippingDetails[2]"),
    ]


# Labels


@pytest.mark.parametrize(
    ("said", "outcomes"),
    [
        ({"status": "SUCCESS", "message": "Labels generated successfully"}, [(True, ""), (True, "")]),
        ({"status": "SUCCESS", "failed": []}, [(True, ""), (True, "")]),
        ({"status": "PARTIAL", "failed": ["A"]}, [(False, ""), (True, "")]),
        (
            {"status": "PARTIAL", "failed": [{"shipmentId": "B", "errorCode": "ON_HOLD", "errorMessage": "m"}]},
            [(True, ""), (False, "ON_HOLD")],
        ),
        ({"status": "FAILURE"}, [(None, "FAILURE"), (None, "FAILURE")]),
        ({"status": "success"}, [(None, "success"), (None, "success")]),
        ({"status": "PARTIAL", "failed": ["FOREIGN", 7, None]}, [(True, ""), (True, "")]),
    ],
)
def test_one_status_speaks_for_every_id_that_is_not_named(said, outcomes):
    """guide-gaps 8: accepted, not done."""
    found = guide.decode_generate_labels(answer(said), ["A", "B"])

    assert [(outcome.id, outcome.ok, outcome.code) for outcome in found] == [
        ("A", *outcomes[0]),
        ("B", *outcomes[1]),
    ]


@pytest.mark.parametrize("said", [{}, {"status": None}, {"status": 1}, {"status": "PARTIAL", "failed": "A"}, [], b""])
def test_labels_without_a_status_are_an_open_question(said):
    with pytest.raises(UnexpectedPayload):
        guide.decode_generate_labels(answer(said), ["A"])


def test_the_papers_of_the_guide_are_read():
    (papers,) = guide.decode_download_labels(answer(example("guide-3.2-labels.json")), ["SHIP1234567890"]).apart

    assert papers == Papers(
        flipkart_shipment_id="SHIP1234567890",
        label=b"%PDF-1.4 label",
        invoice=b"%PDF-1.4 invoice",
        manifest=b"%PDF-1.4 manifest",
    )


@pytest.mark.parametrize(
    "said",
    [
        b"",
        {},
        {"labelResponses": None},
        {"labelResponses": []},
        {"labelResponses": [{"shipmentId": "A"}]},
        {"labelResponses": [{"shipmentId": "A", "label": None, "invoice": None, "manifest": None}]},
        {"labelResponses": [{"shipmentId": "A", "label": {}, "invoice": {"base64String": ""}}]},
        {"labelResponses": [{"shipmentId": "A", "label": {"base64String": None, "format": "PDF"}}]},
        {"labelResponses": [{"shipmentId": "FOREIGN", "label": {"base64String": "JVBERi0="}}, 7, None]},
    ],
)
def test_labels_that_are_not_ready_are_nothing_and_no_error(said):
    """Guide, Issue 2: "empty response"."""
    assert guide.decode_download_labels(answer(said), ["A"]).apart == (Papers(flipkart_shipment_id="A"),)


@pytest.mark.parametrize("text", ["JVBERi0", "###", "JVBERi0=x", "é", 7, ["JVBERi0="], {"a": 1}])
def test_a_paper_that_is_no_base64_is_noted_and_the_others_are_kept(text):
    rows = [
        {"shipmentId": "A", "label": {"base64String": text}, "invoice": {"base64String": "aW52b2ljZQ=="}},
        {"shipmentId": "B", "label": {"base64String": "bGFi\r\nZWw="}},
    ]

    a, b = guide.decode_download_labels(answer({"labelResponses": rows}), ["A", "B"]).apart

    assert (a.label, a.invoice, a.notes) == (None, b"invoice", ("label: not base64",))
    assert (b.label, b.notes) == (b"label", ())


def test_what_the_bytes_are_is_left_to_the_one_who_stores_them():
    said = {"labelResponses": [{"shipmentId": "A", "label": {"base64String": "bm8gcGRm", "format": "PDF"}}]}

    assert guide.decode_download_labels(answer(said), ["A"]).apart[0].label == b"no pdf"


def test_two_different_labels_for_one_shipment_are_none():
    rows = [
        {"shipmentId": "A", "label": {"base64String": "b25l"}, "invoice": {"base64String": "c2FtZQ=="}},
        {"shipmentId": "A", "label": {"base64String": "dHdv"}, "invoice": {"base64String": "c2FtZQ=="}},
        {"shipmentId": "A", "manifest": {"base64String": "bGF0ZQ=="}},
    ]

    (papers,) = guide.decode_download_labels(answer({"labelResponses": rows}), ["A"]).apart

    assert (papers.label, papers.invoice, papers.manifest) == (None, b"same", b"late")
    assert papers.notes == ("label: sent twice, differently",)


def test_a_third_copy_does_not_settle_which_of_two_labels_is_meant():
    rows = [{"shipmentId": "A", "label": {"base64String": text}} for text in ("b25l", "dHdv", "b25l")]

    (papers,) = guide.decode_download_labels(answer({"labelResponses": rows}), ["A"]).apart

    assert papers.label is None


# Dispatch


def test_a_dispatch_is_asked_as_the_guide_prints_it():
    asked = encode_dispatch(["SHIP1234567890", "SHIP0987654321"])

    assert (asked.method, asked.path) == ("POST", "/v3/shipments/dispatch")
    assert asked.json == {"shipmentIds": ["SHIP1234567890", "SHIP0987654321"]}


def test_each_id_gets_its_own_outcome_in_the_order_asked():
    """guide-gaps 7."""
    said = {
        "successful": ["A", "BOTH", "FOREIGN"],
        "failed": ["STRING", {"shipmentId": "ROW", "errorCode": "NOT_PACKED", "errorMessage": "no label"}, "BOTH"],
    }

    found = guide.decode_dispatch(answer(said), ["ROW", "A", "SILENT", "BOTH", "STRING", "A"])

    assert found == (
        RowOutcome(id="ROW", ok=False, code="NOT_PACKED", message="no label"),
        RowOutcome(id="A", ok=True),
        RowOutcome(id="SILENT", ok=None),
        RowOutcome(id="BOTH", ok=None),
        RowOutcome(id="STRING", ok=False),
    )


@pytest.mark.parametrize("said", [{}, [], b"", b"OK", {"successful": "A"}, {"successful": {}}, {"failed": True}])
def test_a_dispatch_without_lists_is_an_open_question(said):
    with pytest.raises(UnexpectedPayload):
        guide.decode_dispatch(answer(said), ["A"])


def test_a_code_that_is_none_is_not_kept():
    said = {"successful": [], "failed": [{"shipmentId": "A", "errorCode": "call +91 98765 43210", "errorMessage": 7}]}

    assert guide.decode_dispatch(answer(said), ["A"]) == (RowOutcome(id="A", ok=False),)


# Refusals


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        (
            b'{"errors": [{"code": "INVALID_STATE", "message": "Asha", "path": "shipmentIds[1]"}, {"code": 7}, "x"]}',
            (RowError(code="INVALID_STATE", path="shipmentIds[1]"), RowError(code="")),
        ),
        (b'{"error": "invalid_token", "error_description": "eyJ"}', (RowError(code="invalid_token"),)),
        (b'{"error": "eyJhbGciOiJSUzI1NiJ9"}', ()),
        (b"<html>", ()),
        (b"[]", ()),
        (b'{"errors": "x"}', ()),
        (b"", ()),
    ],
)
def test_of_a_refusal_only_codes_and_paths_are_kept(body, errors):
    assert read_errors(body) == errors


# Anything at all

any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5),
    max_leaves=15,
)
broken_rows = st.builds(
    lambda shipment_id, item_id, name, value: row(shipment_id, item_id, **{name: value}),
    st.sampled_from(["SHIP1", "SHIP2", "SHIP3"]),
    st.sampled_from(["001", "002"]),
    st.sampled_from(sorted(row(hold=True, codAmount=1, paymentType="COD"))),
    any_json,
)


@given(st.lists(broken_rows | any_json, max_size=6))
def test_every_row_is_read_or_named_and_nothing_else_is_raised(rows):
    shipments, unreadable = decode(*rows)

    readable = {shipment.flipkart_shipment_id for shipment in shipments}
    named = {hole.flipkart_shipment_id for hole in unreadable}
    assert readable.isdisjoint(named)
    ids = [entry.get("shipmentId") for entry in rows if isinstance(entry, dict)]
    assert {"SHIP1", "SHIP2", "SHIP3"} & {entry for entry in ids if isinstance(entry, str)} <= readable | named


def nothing_but_unexpected(decode_answer, *arguments: object) -> None:
    try:
        decode_answer(*arguments)
    except UnexpectedPayload as error:
        str(error).encode()


@given(any_json | st.binary(), st.lists(st.sampled_from(["A", "B", "C"]), max_size=4))
def test_no_answer_makes_a_decoder_raise_anything_else(value, ids):
    said = answer(value)

    for decoder in (decode_search, guide.decode_shipments, guide.decode_shipping_details, guide.decode_token):
        nothing_but_unexpected(decoder, said)
    for decoder in (guide.decode_generate_labels, guide.decode_download_labels, guide.decode_dispatch):
        nothing_but_unexpected(decoder, said, ids)


outcome_rows = st.lists(
    st.sampled_from(["A", "B", "C", "FOREIGN"])
    | st.fixed_dictionaries({"shipmentId": st.sampled_from(["A", "B", "C"]), "errorCode": any_json})
    | any_json,
    max_size=6,
)


@given(outcome_rows, outcome_rows, st.lists(st.sampled_from(["A", "B", "C", "D"]), max_size=5))
def test_outcomes_are_one_per_id_and_never_both(successful, failed, ids):
    found = guide.decode_dispatch(answer({"successful": successful, "failed": failed}), ids)

    def names(rows: list, shipment_id: str) -> bool:
        return any(
            entry == shipment_id or (isinstance(entry, dict) and entry.get("shipmentId") == shipment_id)
            for entry in rows
        )

    assert [outcome.id for outcome in found] == list(dict.fromkeys(ids))
    for outcome in found:
        said = (names(successful, outcome.id), names(failed, outcome.id))
        assert outcome.ok is {(True, False): True, (False, True): False}.get(said)


@given(st.binary(max_size=50), any_json)
def test_papers_are_what_was_sent_or_none(content, other):
    rows = [
        {"shipmentId": "A", "label": {"base64String": base64.b64encode(content).decode()}, "invoice": other},
        other,
    ]

    (papers,) = guide.decode_download_labels(answer({"labelResponses": rows}), ["A"]).apart

    assert papers.label == (content or None)


def test_a_page_of_a_search_is_what_the_builder_says():
    assert decode_search(answer(page(row(), marker="m"))).next_marker == "m"
    assert decode_search(answer(page())).next_marker is None
