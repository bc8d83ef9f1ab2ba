"""The format that Flipkart publishes, as the simulator serves it: strict about what is asked (wire.md 2, 3)."""

import base64
import json
from datetime import timedelta

import pytest
import requests

from shipcrowd.simulator import PORTAL_CLIENT_ID, Account, Simulator, State, mounted
from shipcrowd.simulator.app import REDIRECT_URIS
from shipcrowd.simulator.saving import restore, save
from tests.simulator.calling import BASE

NOW = "2026-01-07T10:00:00.000Z"


class Official:
    """One seller's session in the published format; every call gives the answer as it came."""

    def __init__(self, simulator: Simulator, account: Account) -> None:
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.mount(BASE, mounted(simulator))
        self.account = account
        token = self.token(grant_type="client_credentials", scope="Seller_Api").json()["access_token"]
        self.session.headers["Authorization"] = f"Bearer {token}"

    def token(self, auth: tuple[str, str] | None = None, **query: str) -> requests.Response:
        mine = (self.account.client_id, self.account.client_secret)
        return self.session.get(f"{BASE}/oauth-service/oauth/token", params=query, auth=auth or mine, timeout=30)

    def filter(self, **changes) -> requests.Response:
        asked = {"type": "preDispatch", "states": ["APPROVED"]} | changes
        asked = {name: value for name, value in asked.items() if value is not None}
        return self.post("v3/shipments/filter", {"filter": asked})

    def post(self, path: str, body) -> requests.Response:
        return self.session.post(f"{BASE}/sellers/{path}", json=body, timeout=30)

    def get(self, path: str, **query: str) -> requests.Response:
        return self.session.get(f"{BASE}/sellers/{path}", params=query, timeout=30)


@pytest.fixture
def official(simulator, account) -> Official:
    return Official(simulator, account)


def ids(answer: requests.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [row["shipmentId"] for row in answer.json()["shipments"]]


def code(answer: requests.Response) -> tuple[int, str]:
    (error,) = answer.json()["errors"]
    return answer.status_code, error["path"]


def official_ids(account: Account, made: list[str]) -> list[str]:
    return [account.shipments[shipment_id].official_id for shipment_id in made]


# OAuth


def test_a_token_is_given_by_get_to_basic_only(official, account):
    by_query = official.session.get(
        f"{BASE}/oauth-service/oauth/token",
        params={
            "grant_type": "client_credentials",
            "scope": "Seller_Api",
            "client_id": account.client_id,
            "client_secret": account.client_secret,
        },
        headers={"Authorization": ""},
        timeout=30,
    )
    with_default = official.token(grant_type="client_credentials", scope="Seller_Api,Default")

    assert (by_query.status_code, by_query.json()["error"]) == (401, "unauthorized")
    assert (with_default.status_code, with_default.json()["error"]) == (400, "invalid_scope")


def test_a_published_token_is_opaque_small_lettered_and_counts_down(official, clock):
    first = official.token(grant_type="client_credentials", scope="Seller_Api").json()
    clock.moves(seconds=60)
    second = official.token(grant_type="client_credentials", scope="Seller_Api").json()

    assert set(first) == {"access_token", "token_type", "expires_in", "scope"}
    assert (first["token_type"], len(first["access_token"])) == ("bearer", 36)
    assert second["access_token"] == first["access_token"]
    assert first["expires_in"] - second["expires_in"] == 60


def test_a_code_wants_the_state_that_it_was_given_with(official, simulator, account):
    portal = (PORTAL_CLIENT_ID, "simulator-portal-secret")

    def exchange(**query: str) -> requests.Response:
        given = simulator.oauth.allow(account.account_id, REDIRECT_URIS[0], "st4te")
        asked = {"grant_type": "authorization_code", "code": given, "redirect_uri": REDIRECT_URIS[0]} | query
        return official.token(portal, **asked)

    assert exchange().json()["error"] == "invalid_grant"
    assert exchange(state="other").json()["error"] == "invalid_grant"
    assert "refresh_token" in exchange(state="st4te").json()


# The filter


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"type": None}, "filter.type"),
        ({"type": "cod"}, "filter.type"),
        ({"states": None}, "filter.states"),
        ({"states": ["READY_TO_PACK"]}, "filter.states"),
        ({"states": ["SHIPPED"]}, "filter.states"),
        ({"states": ["APPROVED", "APPROVED"]}, "filter.states"),
        ({"type": "cancelled", "states": ["CANCELLED"]}, "filter.cancellationType"),
        ({"type": "cancelled", "states": ["CANCELLED"], "cancellationType": "buyer"}, "filter.cancellationType"),
        ({"type": "postDispatch", "states": ["SHIPPED"], "hold": True}, "filter.hold"),
        ({"hold": "yes"}, "filter.hold"),
        ({"shipmentTypes": ["SLOW"]}, "filter.shipmentTypes"),
        ({"dispatchServiceTiers": "EXPRESS"}, "filter.dispatchServiceTiers"),
        ({"orderDate": {"from": "yesterday"}}, "filter.orderDate.from"),
        ({"modifiedDate": {"to": "2026-01-07T10:00:00"}}, "filter.modifiedDate.to"),
        ({"orderDate": [NOW, NOW]}, "filter.orderDate"),
    ],
)
def test_a_filter_that_cannot_be_meant_is_refused_with_its_path(official, changes, path):
    assert code(official.filter(**changes)) == (400, path)


def test_held_shipments_are_invisible_unless_asked_for(official, simulator, account):
    held, free = official_ids(account, simulator.world.add_shipments(account, 2))
    simulator.world.hold(held)

    assert ids(official.filter()) == [free]
    assert ids(official.filter(hold=True)) == [held]


def test_other_types_are_invisible_unless_asked_for(official, simulator, account):
    (normal,) = official_ids(account, simulator.world.add_shipments(account, 1))
    (express,) = official_ids(account, simulator.world.add_shipments(account, 1, shipment_type="EXPRESS"))

    assert ids(official.filter()) == [normal]
    assert set(ids(official.filter(shipmentTypes=["EXPRESS", "NORMAL"]))) == {normal, express}


def test_pages_are_of_twenty_and_go_on_by_get(official, simulator, account):
    made = official_ids(account, simulator.world.add_shipments(account, 45))
    page = official.filter()
    found = ids(page)
    while page.json()["hasMore"]:
        url = page.json()["nextPageUrl"]
        assert url.startswith("/v3/shipments/filter?next_token=")
        page = official.session.get(f"{BASE}/sellers{url}", timeout=30)
        found += ids(page)

    assert found == made
    assert "nextPageUrl" not in page.json()


def test_a_token_that_is_not_ours_is_refused(official):
    assert code(official.get("v3/shipments/filter", next_token="abc")) == (400, "next_token")
    assert code(official.get("v3/shipments/filter")) == (400, "next_token")


def test_the_token_holds_a_token(official, simulator, account):
    simulator.world.add_shipments(account, 25)
    token = official.filter().json()["nextPageUrl"].partition("next_token=")[2]

    outer = json.loads(base64.b64decode(token + "=" * (-len(token) % 4)))
    inner = json.loads(base64.b64decode(outer["token"] + "=" * (-len(outer["token"]) % 4)))

    assert (outer["filterType"], outer["view"]) == ("preDispatch", "order_api.v3.shipment")
    assert inner["pagination"] == {"page_num": 2, "page_size": 20}


def test_the_order_of_a_search_is_what_was_asked(official, simulator, account):
    made = [
        *simulator.world.add_shipments(account, 1, dispatch_by=simulator.clock() + timedelta(days=2)),
        *simulator.world.add_shipments(account, 1, dispatch_by=simulator.clock() + timedelta(days=1)),
    ]
    first, second = official_ids(account, made)

    for order, wanted in (("asc", [second, first]), ("desc", [first, second])):
        body = {
            "filter": {"type": "preDispatch", "states": ["APPROVED"]},
            "sort": {"field": "dispatchByDate", "order": order},
        }
        assert ids(official.post("v3/shipments/filter", body)) == wanted


# By id


def test_shipments_are_found_by_one_of_three_kinds_of_ids(official, simulator, account):
    (shipment_id,) = simulator.world.add_shipments(account, 1)
    shipment = account.shipments[shipment_id]
    item_id = shipment.official_item_id(shipment.items[0])

    for name, value in (
        ("shipmentIds", shipment.official_id),
        ("orderItemIds", item_id),
        ("orderIds", shipment.order_id),
    ):
        assert ids(official.get("v3/shipments", **{name: value})) == [shipment.official_id]
        assert ids(official.get("v3/shipments", **{name: "nosuch"})) == []
    assert code(official.get("v3/shipments")) == (400, "shipmentIds")
    assert code(official.get("v3/shipments", orderIds="a", shipmentIds="b")) == (400, "shipmentIds")


def test_no_buyer_shows_before_packing_and_never_a_phone(official, simulator, account):
    approved, packed = simulator.world.add_shipments(account, 2, states=[State.APPROVED, State.PACKED])
    asked = ",".join(official_ids(account, [approved, packed]))

    rows = official.get(f"v3/shipments/{asked}").json()["shipments"]

    assert [row["deliveryAddress"]["addressLine1"] for row in rows] == [
        None,
        account.shipments[packed].address_line1,
    ]
    assert account.shipments[packed].phone not in official.get(f"v3/shipments/{asked}").text
    assert account.shipments[packed].buyer_name.split()[0] not in official.filter().text


# Packing and what may follow


@pytest.mark.parametrize("body", [{}, {"shipments": []}, {"shipments": [{}]}, {"shipments": [{"shipmentId": ""}]}, []])
def test_a_request_to_pack_that_names_nobody_is_refused_whole(official, body):
    assert official.post("v3/shipments/labels", body).status_code == 400


def test_every_row_may_fail_with_http_200(official, simulator, account):
    (shipment_id,) = official_ids(account, simulator.world.add_shipments(account, 1))

    answer = official.post("v3/shipments/labels", {"shipments": [{"shipmentId": shipment_id}]})

    (row,) = answer.json()["shipments"]
    assert (answer.status_code, row["status"], row["errorCode"]) == (200, "FAILURE", "INVALID_LOCATION")
    assert simulator.ledger.labels == []


def parcel_of(account: Account, made: str, serials: object = None) -> dict:
    """Everything that pack wants to be told of it, and `serials`, by line, beside."""
    shipment = account.shipments[made]
    items = {shipment.official_item_id(item): item for item in shipment.live_items}
    told = [{"orderItemId": one, "serialNumbers": said} for one, said in zip(items, serials or (), strict=False)]
    return {
        "shipmentId": shipment.official_id,
        "locationId": shipment.facility.official_id,
        "taxItems": [{"orderItemId": one, "quantity": item.shown, "taxRate": 0} for one, item in items.items()],
        "invoices": [{"orderId": shipment.order_id, "invoiceDate": NOW[:10]}],
        "subShipments": [
            {"subShipmentId": "SS-1", "dimensions": {"length": 9, "breadth": 9, "height": 9, "weight": 1}}
        ],
    } | ({"serialNumbers": told} if told else {})


@pytest.mark.parametrize(
    ("serials", "verdict"),
    [
        (None, "INVALID_REQUEST_SERIAL_NUMBER"),
        ([[["1"]]], "INVALID_REQUEST_SERIAL_NUMBER"),  # two pieces
        ([[["1"], []]], "INVALID_REQUEST_SERIAL_NUMBER"),
        ([["1", "2"]], "INVALID_REQUEST_SERIAL_NUMBER"),  # no list for each piece
        ([[["1"], ["1"]]], "INVALID_REQUEST_SERIAL_NUMBER"),
        ([[["1", "2"], ["3"]]], None),
    ],
)
def test_a_serialised_category_is_packed_with_the_numbers_of_each_piece(official, simulator, account, serials, verdict):
    (made,) = simulator.world.add_shipments(account, 1, quantity=2)
    simulator.world.want_serials(made)

    (row,) = official.post("v3/shipments/labels", {"shipments": [parcel_of(account, made, serials)]}).json()[
        "shipments"
    ]

    assert row.get("errorCode") == verdict
    assert account.shipments[made].items[0].serial_numbers == ([] if verdict else serials[0])


def test_no_category_is_refused_for_numbers_that_it_does_not_want(official, simulator, account):
    (made,) = simulator.world.add_shipments(account, 1)

    (row,) = official.post("v3/shipments/labels", {"shipments": [parcel_of(account, made, [[["7"]]])]}).json()[
        "shipments"
    ]

    assert row["status"] == "SUCCESS"


def test_packing_fails_for_want_of_a_form_and_goes_on_once_it_is_acknowledged(simulator, account, clock):
    (shipment_id,) = simulator.world.add_shipments(account, 1, form="Waybill")
    simulator.world.begin_packing(account, shipment_id)
    clock.moves(seconds=10)

    failed = simulator.world.state_of(shipment_id)
    simulator.world.acknowledge(account, shipment_id, {"Waybill": "EWB-1"})
    waiting = simulator.world.state_of(shipment_id)
    clock.moves(seconds=10)

    assert (failed, waiting) == (State.FORM_FAILED, State.PACKING_IN_PROGRESS)
    assert simulator.world.state_of(shipment_id) == State.PACKED
    assert simulator.ledger.labels == [shipment_id]


def test_how_long_packing_takes_can_be_said(clock):
    simulator = Simulator(clock=clock, packing_seconds=(0, 0))
    account = simulator.world.add_seller("Quick")
    (shipment_id,) = simulator.world.add_shipments(account, 1)

    simulator.world.begin_packing(account, shipment_id)

    assert simulator.world.state_of(shipment_id) == State.PACKED


def test_a_cancelled_shipment_is_not_packed_on(simulator, account, clock):
    (shipment_id,) = simulator.world.add_shipments(account, 1)
    simulator.world.begin_packing(account, shipment_id)
    simulator.world.cancel(shipment_id)
    clock.moves(seconds=10)

    assert simulator.world.state_of(shipment_id) == State.CANCELLED


def test_the_last_piece_cancels_the_shipment(simulator, account):
    (shipment_id,) = simulator.world.add_shipments(account, 1, items=2, quantity=2)

    simulator.world.cancel_item(shipment_id, 1)
    simulator.world.cancel_item(shipment_id, 2, pieces=1)
    before = simulator.world.state_of(shipment_id)
    simulator.world.cancel_item(shipment_id, 2)

    assert (before, simulator.world.state_of(shipment_id)) == (State.APPROVED, State.CANCELLED)


# The world on disk


def test_all_that_the_published_format_tells_is_found_again(simulator, account, clock, tmp_path):
    packing, partly = simulator.world.add_shipments(
        account, 2, items=2, parcels=2, tier="EXPRESS", form="Waybill", packaging="GREEN_PACKAGE"
    )
    numbers = {account.shipments[packing].official_item_id(account.shipments[packing].items[0]): [["7", "8"]]}
    sizes = [dict.fromkeys(("length", "breadth", "height", "weight"), 9.5)] * 2
    simulator.world.begin_packing(account, packing, serials=numbers, sizes=sizes)
    simulator.world.cancel_item(partly, 1)
    simulator.world.want_serials(partly, 2)
    save(simulator, tmp_path / "world.json")
    again = Simulator(clock=clock)
    restore(again, tmp_path / "world.json")
    restored = again.world.accounts[account.account_id]

    assert restored.shipments == account.shipments
    assert restored.by_official_id.keys() == account.by_official_id.keys()
    clock.moves(seconds=10)
    assert again.world.state_of(packing) == State.FORM_FAILED
