"""The seller API against the guide's own examples: every field, every JSON type."""

import base64
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from shipcrowd.simulator import Account, Simulator, State
from tests.simulator.calling import Caller, StandingClock

TEXT, NUMBER, WHOLE, NOTHING = str, float, int, type(None)

#: Guide 2.1, with what guide-gaps 11 and 13 add.
ROW = {
    "shipmentId": TEXT,
    "orderId": TEXT,
    "orderDate": TEXT,
    "orderItemId": TEXT,
    "quantity": WHOLE,
    "sku": TEXT,
    "fsn": TEXT,
    "hsn": TEXT,
    "productTitle": TEXT,
    "mrp": NUMBER,
    "sellingPrice": NUMBER,
    "totalPrice": NUMBER,
    "dispatchByDate": TEXT,
    "dispatchAfterDate": TEXT,
    "deliveryDate": TEXT,
    "shippingProvider": TEXT,
    "trackingId": NOTHING,
    "state": TEXT,
    "facilityId": TEXT,
    "facilityName": TEXT,
    "invoice": {"invoiceDate": TEXT, "invoiceNumber": NOTHING, "serialNumber": TEXT},
    "buyerDetails": {"name": TEXT, "phone": TEXT, "alternatePhone": NOTHING},
    "shippingAddress": {
        "name": TEXT,
        "addressLine1": TEXT,
        "addressLine2": TEXT,
        "city": TEXT,
        "state": TEXT,
        "pincode": TEXT,
        "landmark": TEXT,
        "phone": TEXT,
    },
    "hold": bool,
    "paymentType": TEXT,
}
ADDRESS = {"name": TEXT, "addressLine1": TEXT, "city": TEXT, "state": TEXT, "pincode": TEXT}
PAPER = {"base64String": TEXT, "format": TEXT}


def shape(value):
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return type(value)


def test_a_row_of_the_search_has_the_fields_and_types_of_the_guide(simulator, account, caller):
    simulator.world.add_shipments(account, 1)

    answer = caller.search(states=["APPROVED"]).json()

    assert shape(answer) == {"shipments": [ROW], "hasMore": bool, "nextPageUrl": NOTHING}


def test_a_cod_row_says_what_to_collect(simulator, account, caller):
    simulator.world.add_shipments(account, 1, cod=True, sku="TS-BLK-M", quantity=2)

    row = caller.search().json()["shipments"][0]

    assert shape(row) == {**ROW, "codAmount": NUMBER}
    assert (row["paymentType"], row["sellingPrice"], row["totalPrice"], row["codAmount"]) == ("COD", 899, 1798, 1798)


def test_times_are_written_with_milliseconds_and_z(simulator, account, caller, clock):
    simulator.world.add_shipments(account, 1, ordered_at=clock.now - timedelta(hours=1))

    row = caller.search().json()["shipments"][0]

    assert (row["orderDate"], row["dispatchByDate"]) == ("2026-01-07T09:00:00.000Z", "2026-01-08T18:29:59.999Z")


def test_shipments_by_id_are_the_same_rows_in_the_order_asked(simulator, account, caller):
    first, second = simulator.world.add_shipments(account, 2)

    answer = caller.shipments([second, first]).json()

    assert [row["shipmentId"] for row in answer["shipments"]] == [second, first]
    assert answer["shipments"][1] == caller.search().json()["shipments"][0]


def test_shipping_details_have_the_fields_and_types_of_the_guide(simulator, account, caller):
    ids = simulator.world.add_shipments(account, 1, states=State.PACKED)

    assert shape(caller.shipping_details(ids).json()) == {
        "shippingDetails": [
            {
                "shipmentId": TEXT,
                "trackingId": TEXT,
                "shippingProvider": TEXT,
                "billingAddress": ADDRESS,
                "deliveryAddress": {**ADDRESS, "addressLine2": TEXT, "phone": TEXT},
            }
        ]
    }


def test_labels_are_asked_for_packed_and_downloaded_as_the_guide_says(simulator, account, caller, clock):
    ids = simulator.world.add_shipments(account, 2)

    assert caller.generate_labels(ids).json() == {"status": "SUCCESS", "message": "Labels generated successfully"}
    clock.moves(seconds=5)
    answer = caller.download_labels(ids).json()

    row = {"shipmentId": TEXT, "label": PAPER, "invoice": PAPER, "manifest": PAPER}
    assert shape(answer) == {"labelResponses": [row, row]}
    for paper in ("label", "invoice", "manifest"):
        assert base64.b64decode(answer["labelResponses"][0][paper]["base64String"]).startswith(b"%PDF")
        assert answer["labelResponses"][0][paper]["format"] == "PDF"
    packed = caller.search(states=["PACKED"]).json()["shipments"]
    assert [row["shipmentId"] for row in packed] == ids
    assert all(row["trackingId"] and row["invoice"]["invoiceNumber"] for row in packed)


def test_labels_come_two_to_five_seconds_after_they_were_asked_for(simulator, account, caller, clock):
    ids = simulator.world.add_shipments(account, 20)
    caller.generate_labels(ids)

    clock.moves(seconds=1.9)
    early = caller.download_labels(ids).json()["labelResponses"]
    clock.moves(seconds=1.6)
    between = [bool(row.get("label")) for row in caller.download_labels(ids).json()["labelResponses"]]
    clock.moves(seconds=1.6)
    late = [bool(row.get("label")) for row in caller.download_labels(ids).json()["labelResponses"]]

    assert [row.get("label") for row in early] == [None] * 20
    # Both ways of saying "not yet": the keys with null, and no keys.
    assert {len(row) for row in early} == {1, 4}
    assert 0 < sum(between) < 20
    assert all(late)


def test_dispatch_names_every_id_once(simulator, account, caller):
    packed = simulator.world.add_shipments(account, 2, states=State.PACKED)
    approved = simulator.world.add_shipments(account, 1)

    assert caller.dispatch(packed).json() == {"successful": packed, "failed": []}
    again = caller.dispatch([packed[0], approved[0], "SHIP0000000000"]).json()

    assert again["successful"] == []
    assert [(row["shipmentId"], row["errorCode"]) for row in again["failed"]] == [
        (packed[0], "ORDER_ITEM_ALREADY_DISPATCHED"),
        (approved[0], "ORDER_ITEM_NOT_PACKED"),
        ("SHIP0000000000", "INVALID_SHIPMENTS"),
    ]
    assert simulator.ledger.dispatches == packed
    assert simulator.ledger.attempts_of("dispatch") == [*packed, packed[0], approved[0], "SHIP0000000000"]


def test_a_walk_over_the_markers_meets_every_shipment_once(simulator, account, caller):
    ids = simulator.world.add_shipments(account, 105)
    pages = walk(caller, size=20)

    assert [len(page) for page in pages] == [20, 20, 20, 20, 20, 5]
    assert [row["shipmentId"] for page in pages for row in page] == ids


def test_rows_of_one_shipment_are_never_torn_between_pages(simulator, account, caller):
    ids = simulator.world.add_shipments(account, 30, items=3)

    pages = walk(caller, size=10)

    assert {len(page) for page in pages} == {9, 3} or {len(page) for page in pages} == {9}
    for page in pages:
        assert [row["orderItemId"] for row in page] == ["001", "002", "003"] * (len(page) // 3)
    assert [row["shipmentId"] for page in pages for row in page][::3] == ids


def walk(caller: Caller, size: int) -> list[list[dict]]:
    pages, marker = [], ""
    while True:
        answer = caller.search(marker, size).json()
        pages.append(answer["shipments"])
        if not answer["hasMore"]:
            assert answer["nextPageUrl"] is None
            return pages
        url = urlsplit(answer["nextPageUrl"])
        assert url.path == "/v3/orders/search"
        marker = parse_qs(url.query)["marker"][0]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"states": ["PACKED"]}, {"packed"}),
        ({"states": ["APPROVED", "PACKED"]}, {"early", "cod", "packed"}),
        ({"type": "cod"}, {"cod"}),
        ({"type": "postpaid"}, {"early", "packed"}),
        ({"skus": ["CABLE-C-2M", "LAMP-LED-01"]}, {"cod"}),
        ({"orderDate": {"toDate": "2026-01-06T00:00:00.000Z"}}, {"early"}),
        ({"orderDate": {"fromDate": "2026-01-06T05:30:00+05:30"}}, {"cod", "packed"}),
        ({}, {"early", "cod", "packed"}),
    ],
)
def test_filters_of_the_search(simulator, account, caller, clock, wanted, found):
    add = simulator.world.add_shipments
    made = {
        "early": add(account, 1, sku="TS-BLK-M", ordered_at=clock.now - timedelta(days=3))[0],
        "cod": add(account, 1, sku="CABLE-C-2M", cod=True)[0],
        "packed": add(account, 1, sku="TS-BLK-M", states=State.PACKED)[0],
    }

    rows = caller.search(**wanted).json()["shipments"]

    assert {row["shipmentId"] for row in rows} == {made[name] for name in found}


def test_what_is_approved_late_appears_with_its_old_order_date(simulator, account, caller, clock):
    ids = simulator.world.add_shipments(
        account, 1, ordered_at=clock.now - timedelta(days=3), approved_at=clock.now + timedelta(minutes=1)
    )
    assert caller.search().json()["shipments"] == []
    assert caller.shipments(ids).status_code == 404

    clock.moves(minutes=1)

    assert caller.search().json()["shipments"][0]["orderDate"] == "2026-01-04T10:00:00.000Z"


def test_another_sellers_shipments_do_not_exist(simulator, account, caller):
    stranger = simulator.world.add_seller("Malabar Home")
    theirs = simulator.world.add_shipments(stranger, 1, states=State.PACKED)
    own = simulator.world.add_shipments(account, 1)

    assert [row["shipmentId"] for row in caller.search().json()["shipments"]] == own
    assert [row["shipmentId"] for row in caller.shipments([*own, *theirs]).json()["shipments"]] == own
    assert caller.shipments(theirs).status_code == 404
    assert caller.dispatch(theirs).json()["failed"][0]["errorCode"] == "INVALID_SHIPMENTS"
    assert simulator.world.state_of(theirs[0]) == State.PACKED


def test_two_sellers_may_have_shipments_with_the_same_id(simulator, account, caller):
    """trust.md 41."""
    stranger = simulator.world.add_seller("Malabar Home")
    for owner in (account, stranger):
        simulator.world.add_shipments(owner, 1, states=State.PACKED, shipment_ids=["SHIP7"])

    caller.dispatch(["SHIP7"])

    assert simulator.world.state_of("SHIP7", account=account) == State.READY_TO_DISPATCH
    assert simulator.world.state_of("SHIP7", account=stranger) == State.PACKED


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ([], "body"),
        ({"filter": 1}, "filter"),
        ({"filter": {"states": ["TELEPORTED"]}}, "filter.states"),
        ({"filter": {"type": "prepaid"}}, "filter.type"),
        ({"filter": {"orderDate": {"fromDate": "yesterday"}}}, "filter.orderDate.fromDate"),
        ({"filter": {"skus": "TS"}}, "filter.skus"),
        ({"pagination": {"pageSize": 51}}, "pagination.pageSize"),
        ({"pagination": {"pageSize": 0}}, "pagination.pageSize"),
        ({"pagination": {"marker": "bm90IG91cnM="}}, "pagination.marker"),
    ],
)
def test_a_search_that_cannot_be_read_is_refused_with_its_path(caller, body, path):
    answer = caller.session.post(f"{caller.base}/v3/orders/search", json=body)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["path"] == path


@pytest.mark.parametrize(
    ("operation", "most"),
    [("generate_labels", 20), ("dispatch", 25), ("shipments", 50), ("shipping_details", 50), ("download_labels", 50)],
)
def test_a_batch_that_is_too_large_is_refused_whole(simulator, account, caller, operation, most):
    ids = simulator.world.add_shipments(account, most + 1, states=State.APPROVED)

    assert caller.call(operation, ids[:most]).status_code == 200
    assert caller.call(operation, ids).status_code == 400
    assert simulator.ledger.labels == (ids[:most] if operation == "generate_labels" else [])


def test_bodies_and_paths_that_are_nonsense_are_answered_in_json(caller):
    broken = caller.session.post(f"{caller.base}/v3/shipments/dispatch", data=b"{not json")
    nowhere = caller.session.get(f"{caller.base}/v3/orders/nowhere")
    wrong_method = caller.session.get(f"{caller.base}/v3/orders/search")

    assert (broken.status_code, broken.json()["errors"][0]["code"]) == (400, "INVALID_REQUEST_JSON")
    assert (nowhere.status_code, nowhere.json()["errors"][0]["code"]) == (404, "NOT_FOUND")
    assert (wrong_method.status_code, wrong_method.json()["errors"][0]["code"]) == (405, "METHOD_NOT_ALLOWED")


def test_one_hundred_calls_in_any_rolling_minute(simulator, account, caller, clock):
    for _ in range(50):
        assert caller.search().status_code == 200
    clock.moves(seconds=30)
    for _ in range(50):
        assert caller.search().status_code == 200
    clock.moves(seconds=29)

    refused = caller.search()
    other = Caller(simulator, simulator.world.add_seller("Malabar Home"))

    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    assert other.search().status_code == 200
    clock.moves(seconds=1)
    assert [caller.search().status_code for _ in range(51)] == [200] * 50 + [429]
    simulator.quota.limit = None
    assert caller.search().status_code == 200


def test_twenty_thousand_shipments_are_paged_and_moved_correctly(
    simulator: Simulator, account: Account, caller: Caller
):
    ids = simulator.world.add_shipments(account, 20_000, cod=None)
    simulator.quota.limit = None

    simulator.world.cancel(ids[10_000])
    answer = caller.search(states=["APPROVED", "CANCELLED"]).json()

    assert account.counts() == {State.APPROVED: 19_999, State.CANCELLED: 1}
    assert [row["shipmentId"] for row in answer["shipments"]] == ids[:50]
    cancelled = caller.search(states=["CANCELLED"]).json()["shipments"]
    assert [row["shipmentId"] for row in cancelled] == [ids[10_000]]


def test_the_clock_of_a_test_moves_only_when_told(clock: StandingClock, simulator, account, caller):
    simulator.world.add_shipments(account, 1)

    assert caller.search().json() == caller.search().json()
    assert {call.at for call in simulator.ledger.calls_of("search")} == {clock.now}
