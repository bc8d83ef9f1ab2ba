"""The console page and the control routes: every power of guide 8.2 through a form and as JSON."""

import pytest
from werkzeug.test import Client

from shipcrowd.simulator import State


@pytest.fixture
def browser(simulator, account):
    return Client(simulator)


def press(browser, do, **form):
    answer = browser.post("/", data={"do": do, **form})
    assert answer.status_code == 303
    return browser.get(answer.headers["Location"]).text


def test_the_page_shows_accounts_shipments_faults_and_ledger(simulator, account, browser):
    ids = simulator.world.add_shipments(account, 2, states=[State.APPROVED, State.PACKED])
    simulator.world.dispatch(account, ids[1])
    simulator.faults.set("dispatch", "slow", seconds=20)

    page = browser.get("/").text

    for words in (
        "Asha Textiles",
        *ids,
        account.client_id,
        "READY_TO_DISPATCH",
        "seconds 20",
        "dispatched twice: none",
    ):
        assert words in page
    assert "http://" not in page
    assert "https://" not in page
    assert "<script" not in page


def test_texts_of_buyers_and_of_links_are_escaped(simulator, account, browser):
    simulator.world.add_seller("<script>alert(1)</script>")
    simulator.world.add_shipments(account, 1, title="<script>alert(2)</script>")

    page = browser.get("/?said=<script>alert(3)</script>&id=<script>alert(4)</script>")

    assert "<script" not in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_test_orders_are_made_by_form(simulator, account, browser, clock):
    facility = account.facility_ids[1]
    form = {"account": account.account_id, "sku": "CABLE-C-2M", "facility": facility, "payment": "cod", "count": "3"}

    page = press(browser, "create", **form, late="1", held="1")

    assert "3 shipments" in page
    for shipment in account.shipments.values():
        assert (shipment.is_cod, shipment.is_on_hold, shipment.facility.facility_id) == (True, True, facility)
        assert shipment.items[0].goods.sku == "CABLE-C-2M"
        assert (shipment.approved_at, (clock.now - shipment.ordered_at).days) == (clock.now, 3)


@pytest.mark.parametrize(
    ("power", "before", "after"),
    [
        ("ready", State.APPROVED, State.READY_TO_PACK),
        ("pack", State.APPROVED, State.PACKED),
        ("cancel", State.PACKED, State.CANCELLED),
        ("ship", State.READY_TO_DISPATCH, State.SHIPPED),
        ("deliver", State.SHIPPED, State.DELIVERED),
        ("return", State.DELIVERED, State.RETURN_REQUESTED),
    ],
)
def test_powers_by_form_and_as_json(simulator, account, browser, power, before, after):
    by_form, by_json = simulator.world.add_shipments(account, 2, states=before)

    press(browser, "power", shipment=by_form, power=power)
    answer = browser.post(f"/control/shipments/{by_json}/{power}")

    assert simulator.world.state_of(by_form) == after
    assert answer.json["state"] == after
    refused = browser.post(f"/control/shipments/{by_json}/deliver")
    assert refused.status_code == (200 if after == State.SHIPPED else 409)


def test_hold_release_and_dates(simulator, account, browser):
    (shipment_id,) = simulator.world.add_shipments(account, 1)

    press(browser, "power", shipment=shipment_id, power="hold")
    assert browser.get(f"/control/shipments/{shipment_id}").json["hold"] is True
    browser.post(f"/control/shipments/{shipment_id}/release")
    assert browser.get(f"/control/shipments/{shipment_id}").json["hold"] is False
    press(browser, "dates", shipment=shipment_id, dispatchBy="2026-01-12T18:00")
    assert browser.get(f"/control/shipments/{shipment_id}").json["dispatchByDate"] == "2026-01-12T18:00:00+05:30"
    dates = {"dispatchAfter": "2026-01-08T00:00:00Z"}
    changed = browser.post(f"/control/shipments/{shipment_id}/dates", json=dates).json
    assert changed["dispatchAfterDate"] == "2026-01-08T00:00:00+00:00"


def test_faults_by_form_and_as_json(simulator, browser):
    press(browser, "fault", operation="search", kind="slow", times="3", seconds="12")
    browser.post("/control/faults", json={"operation": "dispatch", "kind": "partial", "times": None})

    on = [(fault.operation, fault.kind, fault.left, fault.options) for fault in simulator.faults.switched_on]
    assert on == [("search", "slow", 3, {"seconds": 12.0}), ("dispatch", "partial", None, {})]
    browser.delete("/control/faults")
    assert simulator.faults.switched_on == []
    browser.post("/control/chaos", json={"share": 0.5, "kinds": ["drop_after"], "seed": 3})
    assert simulator.faults.random_share == 0.5


def test_sellers_and_days_as_json(simulator, account, browser):
    made = browser.post("/control/sellers", json={"name": "Malabar Home", "facilities": 3}).json
    browser.post("/control/day", json={"count": 8})
    shipments = {"account": "Malabar Home", "count": 2, "cod": True, "states": "PACKED"}
    ids = browser.post("/control/shipments", json=shipments).json["shipmentIds"]

    assert len(made["facilities"]) == 3
    assert len(account.shipments) == 8
    assert [simulator.world.state_of(shipment_id) for shipment_id in ids] == [State.PACKED] * 2
    world = browser.get("/control/world").json
    assert [sum(row["shipments"].values()) for row in world["accounts"]] == [8, 10]
    assert made["clientSecret"] not in str(world)
    assert len(browser.get("/control/ledger").json["effects"]) == 18


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("nothing", {}, 404),
        ("shipments", {"account": "nobody"}, 409),
        ("shipments", {"account": "seller-1", "count": 0}, 400),
        ("shipments", {"account": "seller-1", "states": "TELEPORTED"}, 400),
        ("shipments", {"account": "seller-1", "sku": "NO-SUCH"}, 409),
        ("shipments/SHIP1/fly", {}, 400),
        ("shipments/SHIP1/cancel", {}, 409),
        ("faults", {"operation": "dispatch", "kind": "gremlins"}, 400),
        ("faults", {}, 400),
        ("quota", {}, 400),
    ],
)
def test_what_cannot_be_done_is_said(browser, path, body, status):
    answer = browser.post(f"/control/{path}", json=body)

    assert answer.status_code == status
    assert answer.json["errors"][0]["message"]


def test_a_button_that_cannot_work_says_why(browser):
    assert "Not done: no shipment SHIP404" in press(browser, "power", shipment="SHIP404", power="cancel")


# What only the published format tells


def test_orders_of_every_kind_are_made_by_form(simulator, account, browser):
    press(
        browser,
        "create",
        account=account.account_id,
        count="1",
        quantity="2",
        parcels="3",
        type="EXPRESS",
        tier="EXPRESS",
        packaging="GREEN_PACKAGE",
        form="e-Way Bill",
        replacement="1",
    )

    (shipment,) = account.shipments.values()
    assert (shipment.parcels, shipment.shipment_type, shipment.service_tier) == (3, "EXPRESS", "EXPRESS")
    assert (shipment.packaging_policy, shipment.is_replacement) == ("GREEN_PACKAGE", True)
    assert ([form.name for form in shipment.forms], shipment.items[0].quantity) == (["e-Way Bill"], 2)
    page = browser.get(f"/?id={shipment.official_id}").text
    assert "3 parcels, express, express tier, replacement, e-Way Bill: wanted" in page


def test_what_is_no_kind_is_not_made(simulator, account, browser):
    for wrong in ({"type": "SLOW"}, {"tier": "FAST"}, {"packaging": "PAPER"}, {"parcels": "9"}):
        assert "Not done" in press(browser, "create", account=account.account_id, count="1", **wrong)
    assert account.shipments == {}


def test_forms_parcels_and_one_item_are_changed_by_their_buttons(simulator, account, browser):
    (shipment_id,) = simulator.world.add_shipments(account, 1, items=2)

    for power in ("form", "serials", "parcels", "cancel-item"):
        press(browser, "power", shipment=shipment_id, power=power)

    shipment = account.shipments[shipment_id]
    assert ([form.name for form in shipment.forms], shipment.parcels) == (["e-Way Bill"], 2)
    assert [item.is_cancelled for item in shipment.items] == [True, False]
    assert "(1 cancelled)" in browser.get("/").text


def test_the_same_over_the_control_routes(simulator, account, browser, clock):
    made = browser.post(
        "/control/shipments", json={"account": account.account_id, "items": 2, "quantity": 3, "parcels": 2}
    ).json["shipmentIds"][0]

    def use(power: str, **asked: object) -> tuple[int, dict]:
        answer = browser.post(f"/control/shipments/{made}/{power}", json=asked)
        return answer.status_code, answer.json

    assert use("cancel-item", line=2, pieces=2, by="marketplace")[1]["items"][1]["cancelled"] == 2
    assert use("form", name="Waybill")[1]["forms"] == [{"name": "Waybill", "ackNumber": ""}]
    assert use("packaging", policy="TRANSPARENT_PACKAGE")[1]["packagingPolicy"] == "TRANSPARENT_PACKAGE"
    assert use("packaging", policy="PAPER")[0] == 409
    assert use("parcels", count=4)[1]["parcels"] == 4
    assert use("parcels", count=9)[0] == 409
    assert use("cancel", by="seller")[1]["state"] == "CANCELLED"
    assert account.shipments[made].items[0].cancelled_by == "seller"
    assert browser.get(f"/control/shipments/{made}").json["officialId"] == account.shipments[made].official_id


def test_how_long_packing_takes_is_a_switch(simulator, account, browser):
    (shipment_id,) = simulator.world.add_shipments(account, 1)

    assert browser.post("/control/packing", json={"shortest": 9, "longest": 1}).status_code == 400
    assert browser.post("/control/packing", json={"shortest": 0, "longest": 0}).json == {"done": True}
    simulator.world.begin_packing(account, shipment_id)

    assert simulator.world.state_of(shipment_id) == State.PACKED
