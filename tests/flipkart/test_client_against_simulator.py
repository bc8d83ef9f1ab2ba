"""Every operation of the client against the stateful simulator: two readings of one guide."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest

from shipcrowd import transport
from shipcrowd.flipkart.client import FlipkartClient
from shipcrowd.flipkart.tokens import authorize_url, grant_by_client_credentials, grant_by_code, grant_by_refresh
from shipcrowd.flipkart.types import Page, PaymentType, Span, State, Token, Window
from shipcrowd.flipkart.wire import wire_named
from shipcrowd.simulator import Account, Simulator, mounted
from shipcrowd.simulator.app import REDIRECT_URIS
from shipcrowd.transport.errors import (
    Broken,
    CallFailed,
    NotAuthorized,
    Refused,
    Throttled,
    UnexpectedPayload,
    Unreachable,
)
from tests.flipkart.rows import parcels

URL = "http://flipkart-simulator.invalid"
GUIDE = wire_named("guide")
NOW = datetime(2026, 1, 7, 10, tzinfo=UTC)


class Shop:
    """One seller's account in a simulator whose clock the test moves; `client` is connected to it."""

    def __init__(self) -> None:
        self.now = NOW
        self.simulator = Simulator(clock=lambda: self.now, seed=7)
        transport.mount(URL, mounted(self.simulator))
        self.account: Account = self.simulator.world.add_seller("Asha Textiles", facilities=2)
        self.transport = transport.Transport(URL)
        self.keys = {"client_id": self.account.client_id, "client_secret": self.account.client_secret}
        self.token = ""
        self.client = FlipkartClient(transport=self.transport, wire=GUIDE, tokens=self)

    def add(self, count: int = 1, **how: object) -> list[str]:
        return self.simulator.world.add_shipments(self.account, count, **how)

    def current(self) -> str:
        return self.token or self.renew(failed="")

    def renew(self, *, failed: str) -> str:
        assert failed == self.token
        self.token = grant_by_client_credentials(self.transport, GUIDE, **self.keys).access_token
        return self.token

    def walk(self, *states: State, **changes: object) -> list[Page]:
        return list(self.pages(*states, **changes))

    def pages(self, *states: State, **changes: object) -> Iterator[Page]:
        window = {"begins_at": self.now - timedelta(days=30), "ends_at": self.now}
        window |= {name: changes.pop(name) for name in list(window) if name in changes}
        (part,) = self.client.searches(states or (State.APPROVED,))
        return self.client.shipment_pages(part=part, window=Window(of=Span.ORDERED, **window), **changes)

    def state_of(self, shipment_id: str) -> State:
        return State(str(self.simulator.world.state_of(shipment_id)))

    def calls(self, operation: str) -> list[int]:
        return [call.status for call in self.simulator.ledger.calls_of(operation)]


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    transport.mount(URL, None)


def ids(pages: list[Page]) -> list[str]:
    return [shipment.flipkart_shipment_id for page in pages for shipment in page.shipments]


# Tokens


@pytest.mark.parametrize("basic", [False, True])
def test_a_sellers_own_application_gets_a_token(shop, basic):
    token = grant_by_client_credentials(shop.transport, GUIDE, **shop.keys, basic=basic)

    shop.token = token.access_token
    assert (token.refresh_token, token.expires_in) == (None, timedelta(days=60))
    assert shop.walk() == [Page(shipments=())]


@pytest.mark.parametrize("basic", [False, True])
def test_wrong_credentials_are_not_authorized(shop, basic):
    with pytest.raises(NotAuthorized) as failure:
        grant_by_client_credentials(
            shop.transport, GUIDE, client_id=shop.account.client_id, client_secret="not-it", basic=basic
        )

    assert "not-it" not in str(failure.value)


def test_a_code_is_good_once_and_its_refresh_token_brings_another(shop):
    portal = {"client_id": "shipcrowd-portal", "client_secret": "simulator-portal-secret"}
    code = shop.simulator.oauth.allow(shop.account.account_id, REDIRECT_URIS[0])

    first = grant_by_code(shop.transport, GUIDE, **portal, code=code, redirect_uri=REDIRECT_URIS[0], state="s1")
    with pytest.raises(NotAuthorized) as failure:
        grant_by_code(shop.transport, GUIDE, **portal, code=code, redirect_uri=REDIRECT_URIS[0], state="s1")
    second = grant_by_refresh(shop.transport, GUIDE, **portal, refresh_token=first.refresh_token)

    assert failure.value.code == "invalid_grant"
    assert isinstance(second, Token)
    shop.token = second.access_token
    assert shop.walk() == [Page(shipments=())]


def test_a_refresh_token_that_is_none_means_connect_again(shop):
    portal = {"client_id": "shipcrowd-portal", "client_secret": "simulator-portal-secret"}

    with pytest.raises(NotAuthorized) as failure:
        grant_by_refresh(shop.transport, GUIDE, **portal, refresh_token="gone")

    assert failure.value.code == "invalid_grant"


def test_the_address_of_consent_opens_the_simulators_page(shop):
    url = authorize_url(URL, GUIDE, client_id="shipcrowd-portal", redirect_uri=REDIRECT_URIS[0], state="a b&c")
    parts = urlsplit(url)
    request = transport.Request(
        "GET",
        parts.path,
        operation="authorize",
        query={name: value[0] for name, value in parse_qs(parts.query).items()},
    )

    assert b"Allow" in shop.transport.send(request).body
    assert parse_qs(parts.query)["state"] == ["a b&c"]


def test_a_token_that_died_within_the_hour_is_renewed_once(shop):
    shop.current()
    shop.now += timedelta(minutes=61)

    assert shop.walk() == [Page(shipments=())]
    assert shop.calls("search") == [401, 200]
    assert shop.calls("token") == [200, 200]


# Reading


def test_a_day_is_walked_without_loss_or_repetition(shop):
    added = shop.add(130) + shop.add(7, items=3)

    pages = shop.walk()

    assert sorted(ids(pages)) == sorted(added)
    assert [hole for page in pages for hole in page.unreadable] == []
    assert {len(shipment.items) for page in pages for shipment in page.shipments} == {1, 3}


def test_a_shipment_is_what_the_world_says_field_by_field(shop):
    (shipment_id,) = shop.add(cod=True, items=2, quantity=2, held=True)
    truth = shop.account.shipments[shipment_id]

    (shipment,) = shop.client.fetch_shipments([shipment_id]).shipments

    assert shipment.flipkart_order_id == truth.order_id
    assert (shipment.state, shipment.is_on_hold) == (State.APPROVED, True)
    assert abs(shipment.ordered_at - truth.ordered_at) < timedelta(milliseconds=1)
    assert abs(shipment.dispatch_after_at - truth.dispatch_after_at) < timedelta(milliseconds=1)
    assert abs(shipment.dispatch_by_at - truth.dispatch_by_at) < timedelta(milliseconds=1)
    assert abs(shipment.deliver_by_at - truth.deliver_by_at) < timedelta(milliseconds=1)
    assert (shipment.flipkart_location_id, shipment.location_name) == (truth.facility.facility_id, truth.facility.name)
    assert (shipment.payment_type, shipment.cod_amount) == (PaymentType.COD, Decimal(truth.total_price))
    assert (shipment.buyer_name, shipment.buyer_phone) == (truth.buyer_name, truth.phone)
    assert (shipment.courier, shipment.tracking_id, shipment.invoice_number) == ("EKART", "", "")
    address = shipment.shipping_address
    assert (address.name, address.line1, address.line2) == (truth.buyer_name, truth.address_line1, truth.address_line2)
    assert (address.landmark, address.phone) == (truth.landmark, truth.phone)
    assert (address.city, address.state, address.pincode) == (truth.place.city, truth.place.state, truth.place.pincode)
    assert [
        (item.flipkart_order_item_id, item.sku, item.fsn, item.hsn, item.title, item.quantity, item.state)
        for item in shipment.items
    ] == [
        (item.order_item_id, item.goods.sku, item.goods.fsn, item.goods.hsn, item.goods.title, 2, State.APPROVED)
        for item in truth.items
    ]
    assert [(item.mrp, item.selling_price, item.total_price) for item in shipment.items] == [
        (Decimal(item.goods.mrp), Decimal(item.goods.selling_price), Decimal(item.total_price)) for item in truth.items
    ]


def test_the_filters_select(shop):
    prepaid, cod = shop.add(3), shop.add(2, cod=True)
    packed = shop.add(1, states="PACKED")
    old = shop.add(1, ordered_at=NOW - timedelta(days=20))
    skus = {item.sku for page in shop.walk() for shipment in page.shipments for item in shipment.items}

    assert sorted(ids(shop.walk(payment_type=PaymentType.COD))) == sorted(cod)
    assert sorted(ids(shop.walk(payment_type=PaymentType.PREPAID))) == sorted(prepaid + old)
    assert ids(shop.walk(State.PACKED)) == packed
    assert sorted(ids(shop.walk(State.PACKED, State.APPROVED))) == sorted(prepaid + cod + packed + old)
    assert ids(shop.walk(begins_at=NOW - timedelta(days=21), ends_at=NOW - timedelta(days=19))) == old
    found = {sku: ids(shop.walk(skus=[sku])) for sku in skus}
    assert sorted(shipment_id for some in found.values() for shipment_id in some) == sorted(prepaid + cod + old)


def test_both_ends_of_the_window_belong_to_it(shop):
    (shipment_id,) = shop.add(ordered_at=NOW - timedelta(hours=1, microseconds=123456))
    at = shop.account.shipments[shipment_id].ordered_at

    assert ids(shop.walk(begins_at=at, ends_at=at)) == [shipment_id]


def test_every_state_of_the_simulator_is_known_by_its_word(shop):
    names = ["APPROVED", "READY_TO_PACK", "PACKED", "READY_TO_DISPATCH", "SHIPPED", "DELIVERED", "CANCELLED"]
    added = shop.add(len(names), states=names)

    page = shop.client.fetch_shipments(added)

    assert [(found.state.value, found.state_word) for found in page.shipments] == [(name, name) for name in names]


def test_foreign_ids_are_not_there_and_none_at_all_is_refused(shop):
    (own,) = shop.add()
    other = shop.simulator.world.add_seller("Other")
    (foreign,) = shop.simulator.world.add_shipments(other, 1)

    assert ids([shop.client.fetch_shipments([own, foreign, "NOSUCH"])]) == [own]
    with pytest.raises(Refused) as failure:
        shop.client.fetch_shipments([foreign])
    assert failure.value.status == 404


def test_tracking_and_addresses_come_after_packing(shop):
    (shipment_id,) = shop.add()
    (before,) = shop.client.fetch_shipping_details([shipment_id])
    shop.client.generate_labels(parcels([shipment_id]))
    shop.now += timedelta(seconds=10)

    (details,) = shop.client.fetch_shipping_details([shipment_id])
    (shipment,) = shop.client.fetch_shipments([shipment_id]).shipments
    truth = shop.account.shipments[shipment_id]

    assert before.tracking_id == ""
    assert (details.tracking_id, details.courier) == (truth.tracking_id, "EKART")
    assert truth.tracking_id != ""
    assert (shipment.tracking_id, shipment.invoice_number) == (truth.tracking_id, truth.invoice_number)
    assert (details.delivery_address.name, details.delivery_address.phone) == (truth.buyer_name, truth.phone)
    assert (details.billing_address.pincode, details.billing_address.line2) == (truth.place.pincode, "")


# Labels and dispatch


def test_labels_are_accepted_then_empty_then_papers(shop):
    added = shop.add(3)

    outcomes = shop.client.generate_labels(parcels(added))
    at_once = shop.client.download_papers(added).apart
    shop.now += timedelta(seconds=10)
    papers = shop.client.download_papers(added).apart

    assert [(outcome.id, outcome.ok) for outcome in outcomes] == [(shipment_id, True) for shipment_id in added]
    assert {(paper.label, paper.invoice, paper.manifest) for paper in at_once} == {(None, None, None)}
    assert [paper.flipkart_shipment_id for paper in papers] == added
    for paper in papers:
        assert {document[:5] for document in (paper.label, paper.invoice, paper.manifest)} == {b"%PDF-"}
        assert paper.notes == ()


def test_a_dispatch_has_an_outcome_for_each(shop):
    (ready,) = shop.add(states="PACKED")
    (early,) = shop.add()
    shop.now += timedelta(seconds=10)

    outcomes = shop.client.dispatch([early, "NOSUCH", ready])

    assert [(outcome.id, outcome.ok) for outcome in outcomes] == [(early, False), ("NOSUCH", False), (ready, True)]
    assert all(outcome.code for outcome in outcomes[:2])
    assert shop.state_of(ready) is State.READY_TO_DISPATCH
    assert shop.simulator.ledger.dispatches == [ready]


def test_a_label_for_what_is_cancelled_is_refused_by_its_row(shop):
    good, bad = shop.add(2)
    shop.simulator.world.cancel(bad)

    outcomes = shop.client.generate_labels(parcels([good, bad]))

    assert [outcome.ok for outcome in outcomes] == [True, False]
    assert outcomes[1].code != ""
    assert shop.simulator.ledger.labels == [good]


# Faults


@pytest.mark.parametrize(
    ("kind", "options", "error"),
    [
        ("drop_before", {}, Unreachable),
        ("drop_after", {}, Unreachable),
        ("slow", {"seconds": 120}, Unreachable),
        ("throttled", {"retry_after": "30"}, Throttled),
        ("server_error", {}, Broken),
        ("server_error", {"status": 503}, Broken),
        ("html", {}, UnexpectedPayload),
        ("html", {"status": 504}, Broken),
        ("truncated", {}, UnexpectedPayload),
        ("forbidden", {}, NotAuthorized),
        ("unauthorized", {"times": 2}, NotAuthorized),
    ],
)
@pytest.mark.parametrize("operation", ["search", "shipments", "shipping_details", "download_labels", "dispatch"])
def test_every_fault_becomes_the_error_that_says_what_to_do(shop, operation, kind, options, error):
    (shipment_id,) = shop.add(states="PACKED")
    call = {
        "search": shop.walk,
        "shipments": lambda: shop.client.fetch_shipments([shipment_id]),
        "shipping_details": lambda: shop.client.fetch_shipping_details([shipment_id]),
        "download_labels": lambda: shop.client.download_papers([shipment_id]),
        "dispatch": lambda: shop.client.dispatch([shipment_id]),
    }[operation]
    shop.simulator.faults.set(operation, kind, **options)

    with pytest.raises(CallFailed) as failure:
        call()

    assert type(failure.value) is error
    assert failure.value.operation == operation
    shop.simulator.faults.clear()
    call()


def test_the_wait_of_a_429_is_theirs(shop):
    shop.simulator.faults.set("search", "throttled", retry_after="30")

    with pytest.raises(Throttled) as failure:
        shop.walk()

    assert failure.value.retry_after == timedelta(seconds=30)


def test_a_dispatch_whose_answer_was_lost_was_done_and_is_not_sent_twice(shop):
    (shipment_id,) = shop.add(states="PACKED")
    shop.simulator.faults.set("dispatch", "drop_after")

    with pytest.raises(Unreachable):
        shop.client.dispatch([shipment_id])

    assert shop.simulator.ledger.dispatches == [shipment_id]
    assert shop.client.fetch_shipments([shipment_id]).shipments[0].state is State.READY_TO_DISPATCH


def test_one_row_without_a_field_or_with_an_unknown_state_leaves_the_others(shop):
    added = shop.add(4)
    shop.simulator.faults.set("search", "missing_field", row=1)
    shop.simulator.faults.set("search", "unknown_state", row=2)

    (holed,) = shop.walk()
    (strange,) = shop.walk()

    assert [(hole.flipkart_shipment_id, hole.path) for hole in holed.unreadable] == [
        (added[1], "shipments[1].dispatchByDate")
    ]
    assert ids([holed]) == [added[0], added[2], added[3]]
    assert [shipment.state for shipment in strange.shipments].count(State.UNKNOWN) == 1
    assert strange.shipments[2].state_word == "TELEPORTED"


def test_a_shipment_on_two_pages_and_a_page_that_shifts(shop):
    """trust.md 37: what falls between two pages is for the next walk; what comes twice is one shipment."""
    added = set(shop.add(120, items=1))
    shop.simulator.faults.set("search", "repeat_on_two_pages")

    assert set(ids(shop.walk())) == added
    shop.simulator.faults.set("search", "shifting_page")
    assert len(added - set(ids(shop.walk()))) == 1
    assert set(ids(shop.walk())) == added


@pytest.mark.parametrize(("kind", "says"), [("repeating_marker", "circle"), ("has_more_without_marker", "nextPageUrl")])
def test_a_walk_that_leads_nowhere_ends_after_what_was_read(shop, kind, says):
    """trust.md 36."""
    added = shop.add(60)
    shop.simulator.faults.set("search", kind, times=None)
    found: list[Page] = []

    with pytest.raises(UnexpectedPayload, match=says):
        found.extend(shop.pages(State.APPROVED, begins_at=NOW - timedelta(days=3), ends_at=NOW))

    assert set(ids(found)) <= set(added)
    assert len(ids(found)) >= 50
    assert len(shop.calls("search")) <= 3


def test_a_next_page_on_another_host_is_asked_at_ours(shop):
    """trust.md 34."""
    added = shop.add(60)
    shop.simulator.faults.set("search", "foreign_next_page")

    assert sorted(ids(shop.walk())) == sorted(added)


@pytest.mark.parametrize(("kind", "first"), [("silent", None), ("contradicting", None), ("partial", False)])
def test_dispatch_answers_that_do_not_say_are_open_and_never_taken_for_done(shop, kind, first):
    added = shop.add(4, states="PACKED")
    shop.simulator.faults.set("dispatch", kind)

    outcomes = shop.client.dispatch(added)

    assert [outcome.id for outcome in outcomes] == added
    assert outcomes[0].ok is first
    assert outcomes[3].ok is True


@pytest.mark.parametrize("operation", ["dispatch", "generate_labels"])
def test_ids_that_nobody_asked_about_are_dropped(shop, operation):
    added = shop.add(2, states="PACKED" if operation == "dispatch" else "APPROVED")
    shop.simulator.faults.set(operation, "foreign_ids")

    outcomes = shop.client.dispatch(added) if operation == "dispatch" else shop.client.generate_labels(parcels(added))

    assert [(outcome.id, outcome.ok) for outcome in outcomes] == [(added[0], True), (added[1], True)]


def test_failed_rows_may_be_plain_ids(shop):
    """guide-gaps 7."""
    added = shop.add(4, states="PACKED")
    shop.simulator.faults.set("dispatch", "partial", as_strings=True)

    assert [outcome.ok for outcome in shop.client.dispatch(added)] == [False, False, True, True]


def test_a_paper_that_is_no_pdf_is_handed_on_as_it_came(shop):
    (shipment_id,) = shop.add(states="PACKED")
    shop.now += timedelta(seconds=10)
    shop.simulator.faults.set("download_labels", "not_a_pdf")

    (papers,) = shop.client.download_papers([shipment_id]).apart

    assert papers.label is not None
    assert not papers.label.startswith(b"%PDF")
    assert papers.invoice.startswith(b"%PDF")


@pytest.mark.parametrize("kind", ["token_dead"])
@pytest.mark.parametrize("operation", ["search", "dispatch", "generate_labels"])
def test_a_token_that_dies_in_the_middle_costs_one_renewal(shop, operation, kind):
    added = shop.add(1, states="APPROVED" if operation == "generate_labels" else "PACKED")
    shop.simulator.faults.set(operation, kind)

    call = {"search": lambda: shop.walk(State.PACKED), "dispatch": lambda: shop.client.dispatch(added)}
    call.get(operation, lambda: shop.client.generate_labels(parcels(added)))()

    assert shop.calls(operation) == [401, 200]
    assert shop.calls("token") == [200, 200]


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("html", UnexpectedPayload),
        ("truncated", UnexpectedPayload),
        ("missing_field", UnexpectedPayload),
        ("unauthorized", NotAuthorized),
        ("forbidden", NotAuthorized),
        ("throttled", Throttled),
        ("server_error", Broken),
        ("drop_after", Unreachable),
    ],
)
def test_a_token_call_fails_like_any_other(shop, kind, error):
    shop.simulator.faults.set("token", kind, times=1)

    with pytest.raises(error):
        grant_by_client_credentials(shop.transport, GUIDE, **shop.keys)


def test_the_hundred_and_first_call_of_a_minute_is_throttled(shop):
    (shipment_id,) = shop.add()
    for _ in range(100):
        shop.client.fetch_shipments([shipment_id])

    with pytest.raises(Throttled) as failure:
        shop.client.fetch_shipments([shipment_id])

    assert timedelta(seconds=1) <= failure.value.retry_after <= timedelta(seconds=60)
