"""What the client asks and what the simulator answers, held against Flipkart's published document and captured answers.

They are needed where FLIPKART_REFERENCE names their folder; our own examples cover the same ground elsewhere.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from requests import Response

from shipcrowd import transport
from shipcrowd.flipkart.client import FlipkartClient
from shipcrowd.flipkart.tokens import grant_by_client_credentials
from shipcrowd.flipkart.types import (
    AcknowledgedForm,
    Acknowledgement,
    Cancellation,
    CancelReason,
    Dimensions,
    HandoverCount,
    Parcel,
    ParcelInvoice,
    ParcelItem,
    PaymentType,
    SandboxMove,
    ShipmentType,
    Span,
    State,
    SubShipment,
    Window,
)
from shipcrowd.flipkart.wire import official
from shipcrowd.simulator import Account, Simulator
from shipcrowd.transport import Request, Transport
from shipcrowd.transport.errors import NotAuthorized
from tests.flipkart.published import (
    AMENDMENTS,
    HAS_REFERENCE,
    STARRED,
    Judged,
    Published,
    Wrong,
    needs_reference,
    reference,
)
from tests.flipkart.rows import answer
from tests.flipkart.scripted import Tokens, flipkart_saying

pytestmark = needs_reference

URL = "http://published.invalid"
PUBLISHED = Published(URL) if HAS_REFERENCE else None
NOW = datetime(2026, 1, 7, 10, tzinfo=UTC)


def judge(request: Request, published: Published | None = None) -> None:
    """Raises Wrong unless the document allows this request, as it would be sent."""
    (published or PUBLISHED).check_request(Transport(URL)._prepare(request, "token"))


def captured(name: str) -> bytes:
    return (reference("captured") / name).read_bytes()


# The judge itself


def test_a_request_that_the_document_does_not_allow_is_told_by_its_path():
    (part, *_) = official.searches([State.APPROVED])
    window = Window(of=Span.ORDERED, begins_at=NOW, ends_at=NOW)
    asked = official.encode_search(part=part, window=window, payment_type=None, skus=(), marker=None)
    asked.json["filter"]["states"] = ["READY_TO_PACK"]

    with pytest.raises(Wrong, match="filter/states/0: 'READY_TO_PACK' is not one of"):
        judge(asked)


def test_a_path_that_flipkart_does_not_serve_is_told():
    with pytest.raises(Wrong, match="Path not found"):
        judge(Request("POST", "/v3/orders/search", operation="search", json={}))


WRONG = {
    "/sellers/v3/shipments/dispatch": {"shipment_ids": ["A"], "location": "L"},
    "/sellers/v3/shipments/cancel": {"shipments": [{"id": "A", "groups": ["g"], "why": 3}]},
    "/sellers/v3/shipments/labels": {"shipments": [{"shipmentId": "A", "locationId": "L", "sub_shipments": []}]},
    "/sellers/v3/shipments/manifest": {"vendorGroupCode": "Ekart Logistics"},
    "/sellers/v3/shipments/forms/updateAck": {"shipments": [{"shipmentId": "A", "forms": [{"name": "W"}]}]},
    "/sellers/v3/shipments/filter": {"filter": {"type": "preDispatch", "state": ["APPROVED"]}},
}


@pytest.mark.parametrize("path", WRONG)
def test_a_body_with_names_of_its_own_is_told(path):
    with pytest.raises(Wrong, match=r"Additional properties are not allowed|is a required property"):
        judge(Request("POST", path, operation="x", json=WRONG[path]))


def test_a_parameter_with_a_name_of_its_own_is_told():
    with pytest.raises(Wrong, match="no parameter is named ids"):
        judge(Request("GET", "/sellers/v3/shipments", operation="x", query={"ids": "A"}))
    with pytest.raises(Wrong, match="locationId"):
        judge(Request("GET", "/sellers/v3/shipments/handover/counts", operation="x"))


def bodies() -> dict[str, Any]:
    """What we send, by its path; nothing left out of it that may be said."""
    serial = replace(parcel_of("A").items[0], serial_numbers=(("S1",),))
    (part, *_) = official.searches([State.APPROVED])
    window = Window(of=Span.ORDERED, begins_at=NOW, ends_at=NOW)
    others = other_requests("A", "L", ["A"], CancelReason.B2B_ORDER, ["W", "1"], NOW, NOW)
    requests = [
        official.encode_search(part=part, window=window, payment_type=None, skus=("S",), marker=None),
        official.encode_generate_labels([replace(parcel_of("A"), items=(serial,))]),
        official.encode_dispatch(["A"], "L"),
        *(request for request in others if request.json),
    ]
    return {request.path: request.json for request in requests}


def objects_at(body: Any, where: str) -> list[dict[str, Any]]:
    """The objects at "shipments/taxItems" of a body, through lists."""
    found = [body]
    for name in where.split("/") if where else ():
        found = [one[name] for one in found]
        found = [inner for one in found for inner in (one if isinstance(one, list) else [one])]
    return found


@pytest.mark.parametrize(
    ("path", "where", "name"),
    [(path, where, name) for path, objects in STARRED.items() for where, names in objects.items() for name in names],
)
def test_what_must_be_said_is_missed_under_another_name(path, where, name):
    body = bodies()[path]
    judge(Request("POST", path, operation="x", json=body))

    for said in objects_at(body, where):
        said[f"{name}s"] = said.pop(name)
    with pytest.raises(Wrong, match=f"'{name}' is a required property"):
        judge(Request("POST", path, operation="x", json=body))


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("shipments_by_id.shipping_details.2018-09.json", "/sellers/v3/shipments/A"),
        ("handover_counts.2022-08.json", "/sellers/v3/shipments/handover/counts?locationId=L"),
        ("shipments_filter.item.approved.2023-06.json", "/sellers/v3/shipments?shipmentIds=A"),
    ],
)
def test_the_captured_answers_are_as_the_amended_document_says(name, path):
    said = json.loads(captured(name))
    response = Response()
    response.status_code, response.headers["Content-Type"] = 200, "application/json"
    response._content = json.dumps(
        said if name != "shipments_filter.item.approved.2023-06.json" else {"shipments": [said]}
    ).encode()

    PUBLISHED.check_answer(Transport(URL)._prepare(Request("GET", path, operation="x"), "token"), response)


@pytest.mark.parametrize("reason", AMENDMENTS)
def test_every_amendment_is_needed(reason):
    """What is wrong in the document is listed with its reason; when it is mended there, the line goes."""
    simulator = Simulator(clock=lambda: NOW)
    account = simulator.world.add_seller("Asha")
    simulator.world.add_shipments(account, 2, parcels=2)
    (packed,) = simulator.world.add_shipments(account, 1, states="PACKED")
    transport.mount(URL, Judged(simulator, Published(URL, unamended=reason)))

    try:
        with pytest.raises(Wrong):
            walk_through(account, packed=account.shipments[packed].official_id)
    finally:
        transport.mount(URL, None)


def walk_through(account: Account, *, packed: str) -> None:
    """Searches, a request to pack, the papers of one that is packed and its dispatch, and the courier's manifest."""
    line = Transport(URL)
    keys = {"client_id": account.client_id, "client_secret": account.client_secret}
    token = grant_by_client_credentials(line, official, **keys).access_token
    client = FlipkartClient(transport=line, wire=official, tokens=Tokens(token))
    window = Window(of=Span.ORDERED, begins_at=NOW - timedelta(days=1), ends_at=NOW)
    for part in client.searches([State.APPROVED]):
        list(client.shipment_pages(part=part, window=window))
    client.generate_labels([parcel_of("A")])
    client.fetch_shipping_details([packed])
    client.download_papers([packed])
    (shipment,) = client.fetch_shipments([packed]).shipments
    location = shipment.flipkart_location_id
    client.dispatch([packed], location_id=location)
    (count,) = client.fetch_handover_counts(location)
    client.download_manifest(count, location_id=location)
    client.sandbox.change_dispatch_slot(shipment.items[0].flipkart_order_item_id, after=NOW, by=NOW)


def parcel_of(shipment_id: str) -> Parcel:
    return Parcel(
        flipkart_shipment_id=shipment_id,
        flipkart_location_id="L",
        items=(ParcelItem(flipkart_order_item_id="1", quantity=1),),
        invoices=(ParcelInvoice(flipkart_order_id="OD1", invoice_date=date(2026, 1, 7)),),
        sub_shipments=(SubShipment(flipkart_sub_shipment_id="SS-1", dimensions=SIZE),),
    )


# Every request that can be built


SIZE = Dimensions(length=Decimal(25), breadth=Decimal("20.5"), height=Decimal(3), weight=Decimal("0.25"))
moments = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2199, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the zone stands beside it
identities = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,40}", fullmatch=True)
measures = st.decimals(min_value=Decimal("0.001"), max_value=Decimal(500), places=3)
sizes = st.builds(Dimensions, length=measures, breadth=measures, height=measures, weight=measures)
parcels = st.builds(
    Parcel,
    flipkart_shipment_id=identities,
    flipkart_location_id=identities,
    items=st.lists(
        st.builds(
            ParcelItem,
            flipkart_order_item_id=identities,
            quantity=st.integers(1, 99),
            tax_rate=st.sampled_from([Decimal(0), Decimal(5), Decimal("0.25"), Decimal(18), Decimal(40)]),
            purchase_price=st.none() | measures,
            serial_numbers=st.lists(st.lists(identities, max_size=2).map(tuple), max_size=3).map(tuple),
        ),
        min_size=1,
        max_size=3,
        unique_by=lambda item: item.flipkart_order_item_id,
    ).map(tuple),
    invoices=st.lists(
        st.builds(
            ParcelInvoice,
            flipkart_order_id=identities,
            invoice_date=st.dates(date(2000, 1, 1), date(2199, 1, 1)),
            invoice_number=st.just("") | identities,
        ),
        min_size=1,
        max_size=2,
    ).map(tuple),
    sub_shipments=st.lists(
        st.builds(SubShipment, flipkart_sub_shipment_id=identities, dimensions=sizes), min_size=1, max_size=3
    ).map(tuple),
)


@settings(deadline=None)
@given(
    st.sets(st.sampled_from(State), min_size=1),
    moments,
    moments,
    st.sampled_from(Span),
    st.lists(st.text(min_size=1, max_size=20), max_size=3, unique=True),
    st.none()
    | st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#&"), min_size=1, max_size=40).map(
        "/v3/shipments/filter?next_token={}".format
    ),
)
def test_every_search_is_as_published(states, begins_at, ends_at, of, skus, marker):
    window = Window(of=of, begins_at=begins_at, ends_at=ends_at)

    for part in official.searches(states):
        judge(official.encode_search(part=part, window=window, payment_type=None, skus=skus, marker=marker))


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(parcels, min_size=1, max_size=3, unique_by=lambda parcel: parcel.flipkart_shipment_id))
def test_every_request_to_pack_is_as_published(chosen):
    judge(official.encode_generate_labels(chosen))


@settings(deadline=None)
@given(st.lists(identities, min_size=1, max_size=5, unique=True), identities)
def test_every_request_by_ids_is_as_published(ids, location):
    judge(official.encode_shipments(ids))
    judge(official.encode_shipping_details(ids))
    judge(official.encode_download_labels(ids))
    judge(official.encode_dispatch(ids, location))


@pytest.mark.slow
@settings(deadline=None)
@given(
    identities,
    identities,
    st.lists(identities, min_size=1, max_size=3, unique=True),
    st.sampled_from(CancelReason),
    st.lists(st.text(min_size=1, max_size=20), min_size=2, max_size=2),
    moments,
    moments,
)
def test_every_other_request_is_as_published(shipment_id, location, ids, reason, words, after, before):
    for request in other_requests(shipment_id, location, ids, reason, words, after, before):
        judge(request)


def other_requests(
    shipment_id: str,
    location: str,
    ids: Sequence[str],
    reason: CancelReason,
    words: Sequence[str],
    after: datetime,
    before: datetime,
) -> list[Request]:
    """One of each operation that only this format has."""
    cancellation = Cancellation(
        flipkart_shipment_id=shipment_id,
        flipkart_location_id=location,
        cancellation_group_ids=tuple(ids),
        reason=reason,
    )
    number = AcknowledgedForm(form=words[0], number=words[1])
    count = HandoverCount(
        vendor_group=words[0], count=1, is_multi_parcel=True, pick_up_after=after, pick_up_before=before
    )
    listings = [(one, 2) for one in ids]
    return [
        official.encode_cancel([cancellation]),
        official.encode_forms(ids),
        official.encode_acknowledge_forms([Acknowledgement(flipkart_shipment_id=shipment_id, numbers=(number,))]),
        official.encode_invoices(ids),
        official.encode_download_invoices(ids),
        official.encode_download_labels_only(ids, reprint=True),
        official.encode_handover_counts(location),
        official.encode_manifest(count, location),
        official.encode_test_order(location_id=location, listings=listings, shipment_type=ShipmentType.NORMAL),
        *(official.encode_move(move, shipment_id) for move in SandboxMove),
        official.encode_dispatch_slot(shipment_id, after=after, by=before),
        official.encode_test_return(shipment_id, by_courier=True),
        official.encode_return_event(shipment_id, is_complete=True),
    ]


#: Operations of the document that this client does not ask for, and why.
NOT_ASKED = {
    "self-ship is a later part of this portal": {
        *(f"POST /sellers/v3/shipments/selfShip/{name}" for name in ("dispatch", "delivery", "deliveryAttempt")),
        *(f"POST /sellers/v2/shipments/{name}" for name in ("dispatch", "delivery", "deliveryAttempt")),
        *(f"POST /sellers/v2/services/{name}" for name in ("attempt", "complete")),
        "POST /sellers/v3/shipments/{shipmentId}/update",
        "POST /sellers/v2/shipments/sandbox/create_service/",
    },
    "returns are a later part of this portal": {
        *(
            f"POST /sellers/v2/returns/{name}"
            for name in ("approve", "reject", "complete", "cancel", "pickup", "pickupAttempt")
        ),
        "GET /sellers/v2/returns",
        "GET /sellers/v3/shipments/otc/{locationId}",
    },
    "listings are a later part of this portal": {
        *(
            f"POST /sellers/listings/v3{tail}"
            for tail in ("", "/search", "/update", "/update/inventory", "/update/price")
        ),
        "GET /sellers/listings/v3/{skuIds}",
    },
    "reports are sold to partners only": {"POST /reports/{reportTypeIdentifier}", "GET /reports/{reportId}/detail"},
    "the same label as bytes of no said kind": {"POST /sellers/v3/shipments/{shipmentIds}/labelOnly"},
}


def test_every_operation_of_the_document_is_asked_for_or_left_out_with_a_reason():
    published = Published(URL)
    (part, *_) = official.searches([State.APPROVED])
    window = Window(of=Span.ORDERED, begins_at=NOW, ends_at=NOW)
    for request in (
        *(
            official.encode_search(part=part, window=window, payment_type=None, skus=(), marker=marker)
            for marker in (None, "/v3/shipments/filter?next_token=m")
        ),
        official.encode_shipments(["A"]),
        official.encode_shipping_details(["A"]),
        official.encode_generate_labels([parcel_of("A")]),
        official.encode_download_labels(["A"]),
        official.encode_dispatch(["A"], "L"),
        *other_requests("A", "L", ["A"], CancelReason.B2B_ORDER, ["Waybill", "1"], NOW, NOW),
    ):
        judge(request, published)

    assert published.operations - published.asked == set().union(*NOT_ASKED.values())


# Captured answers, unchanged


def test_a_captured_row_is_read():
    row = captured("shipments_filter.item.approved.2023-06.json")
    page = b'{"hasMore": false, "shipments": [' + row + b"]}"
    (part, *_) = official.searches([State.APPROVED])
    window = Window(of=Span.CHANGED, begins_at=NOW, ends_at=NOW)
    with flipkart_saying(page, wire="official") as (client, _, _):
        (found,) = client.shipment_pages(part=part, window=window)

    (shipment,) = found.shipments
    (item,) = shipment.items
    assert found.unreadable == ()
    assert (shipment.flipkart_shipment_id, shipment.state) == ("b7000000-41d7-46b1-a799-000000000001", State.APPROVED)
    assert (shipment.flipkart_order_id, shipment.shipment_type) == ("OD428000000000000100", ShipmentType.NORMAL)
    assert shipment.dispatch_by_at == datetime(2023, 6, 7, 10, 30, tzinfo=UTC)
    assert shipment.ordered_at == datetime(2023, 6, 7, 0, 30, 53, 447000, tzinfo=UTC)
    assert (shipment.payment_type, item.payment_type) == (PaymentType.COD, PaymentType.COD)
    assert (item.quantity, item.sku, item.total_price) == (1, "SKU-SOAP-1", Decimal("159.0"))
    assert item.cancellation_group_id == "grp428000000000000100"
    assert shipment.sub_shipments == (SubShipment(flipkart_sub_shipment_id="SS-1"),)


def test_the_marker_of_a_captured_page_is_taken_and_sent_as_it_came():
    page = captured("shipments_filter.page1.envelope.2020-09.json")
    token = json.loads(page)["nextPageUrl"].partition("next_token=")[2]
    (part, *_) = official.searches([State.APPROVED])
    window = Window(of=Span.CHANGED, begins_at=NOW, ends_at=NOW)
    with flipkart_saying(page, {"hasMore": False, "shipments": []}, wire="official") as (client, asked, _):
        list(client.shipment_pages(part=part, window=window))

    second = asked.asked[1]
    assert (second.method, second.body) == ("GET", None)
    assert second.url.endswith(f"/sellers/v3/shipments/filter?next_token={token}")
    inner = json.loads(base64.b64decode(token + "=" * (-len(token) % 4)))
    assert inner == json.loads(captured("next_token.decoded.json"))["outer"]


def test_the_captured_shipping_view_is_read():
    with flipkart_saying(captured("shipments_by_id.shipping_details.2018-09.json"), wire="official") as (client, _, _):
        (details,) = client.fetch_shipping_details(["387b9edb-f31e-4ed6-995f-a523f29c495d"])

    (parcel,) = details.sub_shipments
    assert (details.tracking_id, details.courier) == ("FMPP0000000001", "E-Kart Logistics")
    assert (parcel.dimensions.length, parcel.dimensions.weight) == (Decimal(50), Decimal(2))
    assert (details.delivery_address.name, details.delivery_address.pincode) == ("BUYER ONE", "132103")
    assert (details.delivery_address.state, details.delivery_address.state_code) == ("Haryana", "IN-HR")


def test_the_captured_hand_over_counts_are_read():
    with flipkart_saying(captured("handover_counts.2022-08.json"), wire="official") as (client, _, _):
        (count,) = client.fetch_handover_counts("LOC1")

    assert (count.vendor_group, count.count, count.is_multi_parcel) == ("Ekart Logistics", 1, False)
    assert count.pick_up_after == datetime(2022, 8, 28, 9, 30, tzinfo=UTC)


def test_the_row_that_a_captured_notification_carries_is_read():
    said = json.loads(captured("webhooks/shipment_created.2021-08-03.json"), parse_float=Decimal)
    row = said["attributes"] | {"shipmentId": said["shipmentId"], "locationId": said["locationId"]}

    page = official.decode_shipments(answer(json.dumps({"shipments": [row]}, default=float).encode()))

    (shipment,) = page.shipments
    (package,) = shipment.sub_shipments[0].packages
    assert shipment.items[0].sku == "SKMEI-1213-GRN-ORG-101"
    assert package.dimensions == Dimensions(
        length=Decimal(25), breadth=Decimal(5), height=Decimal(15), weight=Decimal("0.15")
    )


@pytest.mark.parametrize(
    ("name", "days"), [("authorization_code", 58), ("client_credentials", 37), ("refresh_token", 37)]
)
def test_the_captured_tokens_are_read_and_believed(name, days):
    body = reference("oauth") / f"token.{name}.response.json"

    token = official.decode_token(answer(body.read_bytes()))

    assert official.token_life(token.expires_in) // timedelta(days=1) == days
    assert (token.refresh_token is None) == (name == "client_credentials")


@pytest.mark.parametrize("name", ["401_unknown_client", "401_bad_secret", "401_expired_bearer"])
def test_the_captured_refusals_of_oauth_mean_connect_again(name):
    said = json.loads(captured("oauth_errors.json"))[name]
    with flipkart_saying((401, said), wire="official") as (client, _, _), pytest.raises(NotAuthorized) as failure:
        grant_by_client_credentials(client._transport, official, client_id="app", client_secret="s")

    assert failure.value.code == said["error"]
