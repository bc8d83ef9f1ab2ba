"""Every operation of the client in Flipkart's published format against the stateful simulator."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pikepdf
import pypdfium2
import pytest

from shipcrowd import transport
from shipcrowd.flipkart.client import FlipkartClient, NotOffered
from shipcrowd.flipkart.tokens import grant_by_client_credentials, grant_by_code, grant_by_refresh
from shipcrowd.flipkart.types import (
    AcknowledgedForm,
    Acknowledgement,
    Cancellation,
    CancelReason,
    Dimensions,
    HandoverCount,
    Page,
    Parcel,
    ParcelInvoice,
    ParcelItem,
    PaymentType,
    SandboxMove,
    Shipment,
    ShipmentType,
    Span,
    State,
    SubShipment,
    Window,
)
from shipcrowd.flipkart.wire import wire_named
from shipcrowd.simulator import PORTAL_CLIENT_ID, Account, Simulator, mounted
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
from tests.flipkart.published import HAS_REFERENCE, Judged, Published

URL = "http://flipkart-simulator.invalid"
OFFICIAL = wire_named("official")
NOW = datetime(2026, 1, 7, 10, tzinfo=UTC)
SIZE = Dimensions(length=Decimal(25), breadth=Decimal("20.5"), height=Decimal(3), weight=Decimal("0.25"))
PUBLISHED = Published(URL) if HAS_REFERENCE else None
PORTAL = {"client_id": PORTAL_CLIENT_ID, "client_secret": "simulator-portal-secret"}


class Shop:
    """One seller's account in a simulator whose clock the test moves; `client` is connected to it."""

    def __init__(self) -> None:
        self.now = NOW
        self.simulator = Simulator(clock=lambda: self.now, seed=7)
        # Where the published document is at hand it judges every call of every test here.
        transport.mount(URL, Judged(self.simulator, PUBLISHED) if PUBLISHED else mounted(self.simulator))
        self.account: Account = self.simulator.world.add_seller("Asha Textiles", facilities=2)
        self.transport = transport.Transport(URL)
        self.keys = {"client_id": self.account.client_id, "client_secret": self.account.client_secret}
        self.token = ""
        self.client = FlipkartClient(transport=self.transport, wire=OFFICIAL, tokens=self)

    def add(self, count: int = 1, **how: object) -> list[str]:
        """The ids of this format."""
        made = self.simulator.world.add_shipments(self.account, count, **how)
        return [self.account.shipments[shipment_id].official_id for shipment_id in made]

    def truth(self, shipment_id: str):
        return self.simulator.world.find(shipment_id)[1]

    def current(self) -> str:
        return self.token or self.renew(failed="")

    def renew(self, *, failed: str) -> str:
        assert failed == self.token
        self.token = grant_by_client_credentials(self.transport, OFFICIAL, **self.keys).access_token
        return self.token

    def walk(self, *states: State, of: Span = Span.ORDERED, **window: datetime) -> list[Page]:
        span = {"begins_at": self.now - timedelta(days=30), "ends_at": self.now} | window
        return [
            page
            for part in self.client.searches(states or State)
            for page in self.client.shipment_pages(part=part, window=Window(of=of, **span))
        ]

    def fetch(self, shipment_id: str) -> Shipment:
        (shipment,) = self.client.fetch_shipments([shipment_id]).shipments
        return shipment

    def pack(self, shipment_ids: Sequence[str]):
        return self.client.generate_labels([parcel(self.fetch(shipment_id)) for shipment_id in shipment_ids])

    def packed(self, count: int = 1, **how: object) -> list[str]:
        added = self.add(count, **how)
        self.pack(added)
        self.now += timedelta(seconds=10)
        return added

    def state_of(self, shipment_id: str) -> State:
        return State(str(self.simulator.world.state_of(shipment_id)))

    def calls(self, operation: str) -> list[int]:
        return [call.status for call in self.simulator.ledger.calls_of(operation)]


def parcel(shipment: Shipment, **changes: object) -> Parcel:
    """What a request to pack says of it."""
    told = {
        "flipkart_location_id": shipment.flipkart_location_id,
        "items": tuple(
            ParcelItem(flipkart_order_item_id=item.flipkart_order_item_id, quantity=item.quantity)
            for item in shipment.items
            if item.state is not State.CANCELLED
        ),
        "invoices": (ParcelInvoice(flipkart_order_id=shipment.flipkart_order_id, invoice_date=date(2026, 1, 7)),),
        "sub_shipments": tuple(
            SubShipment(flipkart_sub_shipment_id=part.flipkart_sub_shipment_id, dimensions=SIZE)
            for part in shipment.sub_shipments
        ),
    }
    return Parcel(flipkart_shipment_id=shipment.flipkart_shipment_id, **(told | changes))


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    transport.mount(URL, None)


def ids(pages: Sequence[Page]) -> list[str]:
    return [shipment.flipkart_shipment_id for page in pages for shipment in page.shipments]


def page_count(pdf: bytes) -> int:
    with pikepdf.open(io.BytesIO(pdf)) as file:
        return len(file.pages)


def text_of(pdf: bytes) -> str:
    with pypdfium2.PdfDocument(pdf) as file:
        return " ".join(" ".join(page.get_textpage().get_text_range().split()) for page in file)


# The thinnest line


def test_a_parcel_goes_from_connecting_to_dispatch(shop):
    added = shop.add(3, items=2)

    assert sorted(ids(shop.walk(State.APPROVED))) == sorted(added)
    assert [outcome.ok for outcome in shop.pack(added)] == [True, True, True]
    assert {shop.state_of(shipment_id) for shipment_id in added} == {State.PACKING_IN_PROGRESS}
    shop.now += timedelta(seconds=10)
    assert sorted(ids(shop.walk(State.PACKED))) == sorted(added)
    assert page_count(shop.client.download_papers(added).merged) == 3
    for location in {shop.truth(shipment_id).facility.official_id for shipment_id in added}:
        there = [one for one in added if shop.truth(one).facility.official_id == location]
        assert [outcome.ok for outcome in shop.client.dispatch(there, location_id=location)] == [True] * len(there)
    assert {shop.state_of(shipment_id) for shipment_id in added} == {State.READY_TO_DISPATCH}
    assert sorted(shop.simulator.ledger.dispatches) == sorted(shop.truth(one).shipment_id for one in added)
    assert {call.wire for call in shop.simulator.ledger.calls if call.operation != "token"} == {"official"}


# Tokens


def test_a_sellers_own_application_gets_the_same_token_again_with_what_is_left_of_it(shop):
    first = grant_by_client_credentials(shop.transport, OFFICIAL, **shop.keys)
    shop.now += timedelta(days=20)

    second = grant_by_client_credentials(shop.transport, OFFICIAL, **shop.keys)

    assert (first.access_token, first.refresh_token) == (second.access_token, None)
    assert second.expires_in == timedelta(days=40)


def test_a_code_goes_with_the_state_of_its_consent_and_is_good_once(shop):
    code, other = (shop.simulator.oauth.allow(shop.account.account_id, REDIRECT_URIS[0], "st4te") for _ in range(2))

    first = grant_by_code(shop.transport, OFFICIAL, **PORTAL, code=code, redirect_uri=REDIRECT_URIS[0], state="st4te")
    for spent, state in ((code, "st4te"), (other, "another")):
        with pytest.raises(NotAuthorized, match="invalid_grant"):
            grant_by_code(shop.transport, OFFICIAL, **PORTAL, code=spent, redirect_uri=REDIRECT_URIS[0], state=state)
    second = grant_by_refresh(shop.transport, OFFICIAL, **PORTAL, refresh_token=first.refresh_token)

    assert second.expires_in == timedelta(days=60)
    shop.token = second.access_token
    assert ids(shop.walk()) == []


def test_wrong_credentials_are_not_authorized(shop):
    with pytest.raises(NotAuthorized) as failure:
        grant_by_client_credentials(shop.transport, OFFICIAL, client_id=shop.account.client_id, client_secret="not-it")

    assert (failure.value.status, failure.value.code) == (401, "unauthorized")


def test_a_token_lives_for_the_days_that_it_claims_and_a_dead_one_is_renewed_once(shop):
    shop.current()
    shop.now += timedelta(days=59)
    shop.walk(State.SHIPPED)
    shop.now += timedelta(days=2)

    shop.walk(State.SHIPPED)

    assert shop.calls("search") == [200, 401, 200]
    assert shop.calls("token") == [200, 200]


# Reading


def test_a_shipment_is_what_the_world_says_field_by_field(shop):
    (shipment_id,) = shop.add(
        cod=True, items=2, quantity=2, held=True, parcels=2, shipment_type="EXPRESS", replacement=True, form="Waybill"
    )
    truth = shop.truth(shipment_id)

    shipment = shop.fetch(shipment_id)

    assert (shipment.flipkart_order_id, shipment.flipkart_location_id) == (
        truth.order_id,
        truth.facility.official_id,
    )
    assert (shipment.state, shipment.is_on_hold, shipment.is_multi_parcel) == (State.APPROVED, True, True)
    assert abs(shipment.ordered_at - truth.ordered_at) < timedelta(milliseconds=1)
    assert abs(shipment.dispatch_after_at - truth.dispatch_after_at) < timedelta(milliseconds=1)
    assert abs(shipment.dispatch_by_at - truth.dispatch_by_at) < timedelta(milliseconds=1)
    assert shipment.updated_at == truth.approved_at
    assert (shipment.payment_type, shipment.cod_amount) == (PaymentType.COD, None)
    assert (shipment.shipment_type, shipment.packaging_policy) == (ShipmentType.EXPRESS, "DEFAULT")
    assert [form.name for form in shipment.forms] == ["Waybill"]
    assert [part.flipkart_sub_shipment_id for part in shipment.sub_shipments] == ["SS-1", "SS-2"]
    assert (shipment.buyer_name, shipment.shipping_address, shipment.tracking_id) == ("", None, "")
    for item, made in zip(shipment.items, truth.items, strict=True):
        assert (item.sku, item.fsn, item.hsn, item.title) == (
            made.goods.sku,
            made.goods.fsn,
            made.goods.hsn,
            made.goods.title,
        )
        assert (item.quantity, item.is_replacement, item.state) == (2, True, State.APPROVED)
        assert (item.selling_price, item.total_price) == (Decimal(made.goods.selling_price), Decimal(made.total_price))
        assert 17 <= len(item.flipkart_order_item_id) <= 18
        assert item.flipkart_order_item_id.isdigit()


def test_a_day_is_walked_without_loss_or_repetition(shop):
    added = shop.add(50) + shop.add(7, items=3)

    pages = shop.walk(State.APPROVED)

    assert sorted(ids(pages)) == sorted(added)
    assert [len(page.shipments) for page in pages if page.shipments] == [20, 20, 17]
    assert [hole for page in pages for hole in page.unreadable] == []


def test_every_state_and_held_and_express_and_cancelled_ones_are_found_by_the_searches_together(shop):
    names = ["APPROVED", "READY_TO_PACK", "PACKING_IN_PROGRESS", "FORM_FAILED", "PACKED", "READY_TO_DISPATCH"]
    names += ["PICKUP_COMPLETE", "SHIPPED", "DELIVERED"]
    added = shop.add(len(names), states=names) + shop.add(2, held=True) + shop.add(1, shipment_type="EXPRESS")
    added += shop.add(1, shipment_type="SELF") + shop.add(1, tier="EXPRESS")
    cancelled = shop.add(3)
    for shipment_id, by in zip(cancelled, ("seller", "buyer", "marketplace"), strict=True):
        shop.simulator.world.cancel(shipment_id, by=by)

    assert set(ids(shop.walk())) == set(added + cancelled)


def test_the_tier_is_known_to_the_search_that_asks_for_it(shop):
    (express,) = shop.add(tier="EXPRESS")
    shop.add()

    tiers = {
        (shipment.flipkart_shipment_id, shipment.service_tier)
        for page in shop.walk(State.APPROVED)
        for shipment in page.shipments
        if shipment.service_tier
    }

    assert tiers == {(express, "EXPRESS")}


def test_what_changed_is_found_by_when_it_changed(shop):
    old, untouched = shop.add(2, ordered_at=NOW - timedelta(days=9))
    shop.simulator.world.hold(old)

    assert ids(shop.walk(of=Span.CHANGED, begins_at=NOW - timedelta(hours=1))) == [old]
    assert untouched in ids(shop.walk(of=Span.CHANGED))


def test_what_was_cancelled_is_found_by_when_it_was_cancelled(shop):
    (shipment_id,) = shop.add(ordered_at=NOW - timedelta(days=9))
    shop.simulator.world.cancel(shipment_id)

    assert ids(shop.walk(State.CANCELLED, of=Span.CHANGED, begins_at=NOW - timedelta(hours=1))) == [shipment_id]


def test_an_order_approved_late_is_found_as_a_change(shop):
    (shipment_id,) = shop.add(ordered_at=NOW - timedelta(days=3), approved_at=NOW + timedelta(minutes=1))

    assert ids(shop.walk(of=Span.CHANGED)) == []
    shop.now += timedelta(minutes=2)
    assert ids(shop.walk(of=Span.CHANGED, begins_at=NOW)) == [shipment_id]


def test_a_piece_that_a_buyer_cancels_leaves_the_rest_alive_in_both_feeds(shop):
    """wire.md 3.7: the same shipment and item ids in the live and in the cancelled feed."""
    (shipment_id,) = shop.add(items=2, quantity=3)
    shop.simulator.world.cancel_item(shipment_id, 1, pieces=1)
    shop.simulator.world.cancel_item(shipment_id, 2)

    live, cancelled = (shop.walk(state) for state in (State.APPROVED, State.CANCELLED))
    by_id = shop.fetch(shipment_id)

    (gone,) = [shipment for page in cancelled for shipment in page.shipments]
    assert ids(live) == [shipment_id]
    assert (gone.state, [item.quantity for item in gone.items]) == (State.CANCELLED, [1, 3])
    assert (by_id.state, [(item.state, item.quantity) for item in by_id.items]) == (
        State.APPROVED,
        [(State.APPROVED, 2), (State.CANCELLED, 3)],
    )


def test_foreign_ids_and_none_at_all_are_just_not_there(shop):
    (own,) = shop.add()
    other = shop.simulator.world.add_seller("Other")
    (foreign,) = shop.simulator.world.add_shipments(other, 1)

    assert ids([shop.client.fetch_shipments([own, foreign, "nosuch"])]) == [own]
    assert shop.client.fetch_shipments([foreign]) == Page(shipments=())


def test_tracking_and_addresses_come_after_packing(shop):
    (shipment_id,) = shop.add(parcels=2)
    (before,) = shop.client.fetch_shipping_details([shipment_id])
    shop.pack([shipment_id])
    shop.now += timedelta(seconds=10)

    (details,) = shop.client.fetch_shipping_details([shipment_id])

    truth = shop.truth(shipment_id)
    assert (before.tracking_id, before.delivery_address) == ("", None)
    assert details.tracking_id == truth.tracking_id
    assert [part.tracking_id for part in details.sub_shipments] == truth.tracking_ids
    assert len(set(truth.tracking_ids)) == 2
    assert details.courier == "E-Kart Logistics"
    assert (details.delivery_address.name, details.delivery_address.pincode) == (truth.buyer_name, truth.place.pincode)


def test_each_parcel_has_the_size_that_it_was_packed_by(shop):
    (shipment_id,) = shop.add(parcels=2)
    (outside,) = shop.add(states="PACKED")
    (before,) = shop.client.fetch_shipping_details([shipment_id])
    larger = replace(SIZE, length=Decimal(40), weight=Decimal("1.5"))
    told = (
        SubShipment(flipkart_sub_shipment_id="SS-2", dimensions=larger),
        SubShipment(flipkart_sub_shipment_id="SS-1", dimensions=SIZE),
    )

    shop.client.generate_labels([parcel(shop.fetch(shipment_id), sub_shipments=told)])
    shop.now += timedelta(seconds=10)
    details, by_others = shop.client.fetch_shipping_details([shipment_id, outside])

    assert [part.dimensions for part in before.sub_shipments] == [None, None]
    assert [part.dimensions for part in details.sub_shipments] == [SIZE, larger]
    assert by_others.sub_shipments[0].dimensions is not None


# Packing, papers and dispatch


def test_packing_takes_five_to_ten_seconds(shop):
    (shipment_id,) = shop.add()
    shop.pack([shipment_id])

    shop.now += timedelta(seconds=4.9)
    before = shop.state_of(shipment_id)
    shop.now += timedelta(seconds=5.1)

    assert (before, shop.state_of(shipment_id)) == (State.PACKING_IN_PROGRESS, State.PACKED)
    assert shop.simulator.ledger.labels == [shop.truth(shipment_id).shipment_id]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"flipkart_location_id": "LOC00"}, "INVALID_LOCATION"),
        ({"items": (ParcelItem(flipkart_order_item_id="1", quantity=1),)}, "INVALID_REQUEST_ITEM_ID"),
        ({"invoices": (ParcelInvoice(flipkart_order_id="OD1", invoice_date=date(2026, 1, 7)),)}, "INVALID_INVOICE"),
        ({"sub_shipments": (SubShipment(flipkart_sub_shipment_id="SS-9", dimensions=SIZE),)}, "INVALID_SUB_SHIPMENT"),
    ],
)
def test_a_parcel_of_which_something_is_wrong_is_refused_by_its_row(shop, wrong, code):
    good, bad = shop.add(2)

    outcomes = shop.client.generate_labels([parcel(shop.fetch(good)), parcel(shop.fetch(bad), **wrong)])

    assert [(outcome.ok, outcome.code) for outcome in outcomes] == [(True, ""), (False, code)]
    assert shop.simulator.ledger.labels == [shop.truth(good).shipment_id]


def test_an_invoice_is_not_dated_before_its_order_or_after_today(shop):
    (shipment_id,) = shop.add()
    shipment = shop.fetch(shipment_id)

    for day in (date(2026, 1, 6), date(2026, 1, 8)):
        invoice = ParcelInvoice(flipkart_order_id=shipment.flipkart_order_id, invoice_date=day)
        (outcome,) = shop.client.generate_labels([parcel(shipment, invoices=(invoice,))])
        assert (outcome.ok, outcome.code) == (False, "INVALID_INVOICE")


def test_papers_before_packing_is_over_are_refused_for_all_though_the_status_is_good(shop):
    (ready,) = shop.packed()
    (waiting,) = shop.add()

    with pytest.raises(Refused) as failure:
        shop.client.download_papers([ready, waiting])

    assert (failure.value.status, failure.value.code) == (200, "OPERATION_NOT_ALLOWED")
    assert page_count(shop.client.download_papers([ready]).merged) == 1


def test_a_shipment_in_several_parcels_has_a_page_for_each(shop):
    added = shop.packed(1, parcels=3) + shop.packed(1)

    assert page_count(shop.client.download_papers(added).merged) == 4


def test_a_dispatch_is_of_one_location_and_after_the_papers(shop):
    here, there = shop.packed(2)
    location = shop.truth(here).facility.official_id

    before = shop.client.dispatch([here], location_id=location)
    shop.client.download_papers([here, there])
    after = shop.client.dispatch([here, there], location_id=location)

    assert [outcome.code for outcome in before] == ["LABEL_NOT_DOWNLOADED"]
    assert [(outcome.ok, outcome.code) for outcome in after] == [(True, ""), (False, "INVALID_LOCATION")]
    assert shop.simulator.ledger.dispatches == [shop.truth(here).shipment_id]


def test_one_account_is_asked_in_either_format(shop):
    guide = wire_named("guide")
    made = shop.simulator.world.add_shipments(shop.account, 2)
    client = FlipkartClient(transport=shop.transport, wire=guide, tokens=shop)
    shop.pack([shop.truth(made[0]).official_id])

    states = {shipment.flipkart_shipment_id: shipment.state_word for shipment in client.fetch_shipments(made).shipments}

    assert states == {made[0]: "PACKED", made[1]: "APPROVED"}


# Faults


OPERATIONS = ["search", "shipments", "shipping_details", "generate_labels", "download_labels", "dispatch", "cancel"]
OPERATIONS += ["forms", "acknowledge_forms", "invoices", "download_invoices", "download_labels_only"]
OPERATIONS += ["handover_counts", "manifest", "sandbox"]


@pytest.mark.parametrize(
    ("kind", "options", "error"),
    [
        ("drop_before", {}, Unreachable),
        ("drop_after", {}, Unreachable),
        ("slow", {"seconds": 120}, Unreachable),
        ("throttled", {"retry_after": "30"}, Throttled),
        ("server_error", {}, Broken),
        ("html", {}, UnexpectedPayload),
        ("html", {"status": 504}, Broken),
        ("truncated", {}, UnexpectedPayload),
        ("forbidden", {}, NotAuthorized),
        ("unauthorized", {"times": 2}, NotAuthorized),
    ],
)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_fault_becomes_the_error_that_says_what_to_do(shop, operation, kind, options, error):
    (shipment_id,) = shop.packed()
    (approved,), (listed,) = shop.add(), shop.add(form="Waybill")
    location = shop.truth(shipment_id).facility.official_id
    parcels = [parcel(shop.fetch(approved))]
    cancellations = [cancellation(shop, listed)]
    waybill = AcknowledgedForm(form="Waybill", number="1")
    count = HandoverCount(vendor_group="Ekart Logistics", count=1)
    item_id = shop.fetch(listed).items[0].flipkart_order_item_id
    shop.add(1, states="READY_TO_DISPATCH", facility=shop.truth(shipment_id).facility.facility_id)
    call = {
        "search": shop.walk,
        "shipments": lambda: shop.client.fetch_shipments([shipment_id]),
        "shipping_details": lambda: shop.client.fetch_shipping_details([shipment_id]),
        "generate_labels": lambda: shop.client.generate_labels(parcels),
        "download_labels": lambda: shop.client.download_papers([shipment_id]),
        "dispatch": lambda: shop.client.dispatch([shipment_id], location_id=location),
        "cancel": lambda: shop.client.cancel(cancellations),
        "forms": lambda: shop.client.fetch_forms([listed]),
        "acknowledge_forms": lambda: shop.client.acknowledge_forms(
            [Acknowledgement(flipkart_shipment_id=listed, numbers=(waybill,))]
        ),
        "invoices": lambda: shop.client.fetch_invoices([shipment_id]),
        "download_invoices": lambda: shop.client.download_invoices([shipment_id]),
        "download_labels_only": lambda: shop.client.download_labels_only([shipment_id]),
        "handover_counts": lambda: shop.client.fetch_handover_counts(location),
        "manifest": lambda: shop.client.download_manifest(count, location_id=location),
        "sandbox": lambda: shop.client.sandbox.change_dispatch_slot(item_id, after=NOW, by=NOW + timedelta(days=1)),
    }[operation]
    shop.simulator.faults.set(operation, kind, **options)

    with pytest.raises(CallFailed) as failure:
        call()

    assert type(failure.value) is error
    assert failure.value.operation == operation
    shop.simulator.faults.clear()
    call()


@pytest.mark.parametrize(("kind", "error"), [("not_a_pdf", Refused), ("cut_pdf", UnexpectedPayload)])
def test_a_paper_that_is_no_pdf_is_told(shop, kind, error):
    (shipment_id,) = shop.packed()
    shop.simulator.faults.set("download_labels", kind)

    with pytest.raises(error):
        shop.client.download_papers([shipment_id])


@pytest.mark.parametrize(
    ("kind", "outcomes"),
    [
        ("partial", [False, True]),
        ("silent", [None, True]),
        ("contradicting", [None, True]),
        ("foreign_ids", [True, True]),
    ],
)
@pytest.mark.parametrize("operation", ["generate_labels", "dispatch"])
def test_each_row_of_a_bulk_answer_has_its_own_outcome(shop, operation, kind, outcomes):
    where = {"facility": shop.account.facility_ids[0]}
    added = shop.packed(2, **where) if operation == "dispatch" else shop.add(2, **where)
    if operation == "dispatch":
        shop.client.download_papers(added)
    parcels = [parcel(shop.fetch(shipment_id)) for shipment_id in added]
    shop.simulator.faults.set(operation, kind)

    if operation == "dispatch":
        found = shop.client.dispatch(added, location_id=shop.account.facilities[0].official_id)
    else:
        found = shop.client.generate_labels(parcels)

    assert [(outcome.id, outcome.ok) for outcome in found] == list(zip(added, outcomes, strict=True))


def test_a_page_that_shifts_loses_one_and_one_that_repeats_brings_one_twice(shop):
    """trust.md 37: pages are numbered, so overlap and the daily search must find it."""
    added = shop.add(40)
    (every, *_) = shop.client.searches([State.APPROVED])
    window = Window(of=Span.ORDERED, begins_at=NOW - timedelta(days=1), ends_at=NOW)

    def walk() -> list[str]:
        return ids(list(shop.client.shipment_pages(part=every, window=window)))

    shop.simulator.faults.set("search", "shifting_page")
    shifted = walk()
    shop.simulator.faults.set("search", "repeat_on_two_pages")
    repeated = walk()

    assert (len(shifted), len(set(shifted))) == (39, 39)
    assert (len(repeated), set(repeated)) == (41, set(added))


@pytest.mark.parametrize(
    ("kind", "says"), [("repeating_marker", "circle"), ("has_more_without_marker", "nextPageUrl: missing")]
)
def test_a_walk_that_leads_nowhere_ends_after_what_was_read(shop, kind, says):
    added = shop.add(30)
    shop.simulator.faults.set("search", kind, 1 if kind == "has_more_without_marker" else None)
    (every, *_) = shop.client.searches([State.APPROVED])
    found: list[Page] = []

    with pytest.raises(UnexpectedPayload, match=says):
        found.extend(
            shop.client.shipment_pages(
                part=every, window=Window(of=Span.ORDERED, begins_at=NOW - timedelta(days=1), ends_at=NOW)
            )
        )

    assert set(ids(found)) <= set(added)
    assert ids(found) != []


def test_a_next_page_on_another_host_is_asked_from_ours(shop):
    added = shop.add(30)
    shop.simulator.faults.set("search", "foreign_next_page", None)

    assert sorted(ids(shop.walk(State.APPROVED))) == sorted(added)


# Cancelling, forms, invoices, hand-over


def cancellation(shop: Shop, shipment_id: str, *items: int, **changes: object) -> Cancellation:
    """Of these items (0 is the first), all if none is named."""
    shipment = shop.fetch(shipment_id)
    chosen = [shipment.items[at] for at in items] or shipment.items
    told = {
        "flipkart_location_id": shipment.flipkart_location_id,
        "cancellation_group_ids": tuple(item.cancellation_group_id for item in chosen),
        "reason": CancelReason.NOT_ENOUGH_INVENTORY,
    }
    return Cancellation(flipkart_shipment_id=shipment_id, **(told | changes))


def test_a_seller_cancels_what_is_not_packed(shop):
    (approved, packed), (gone,) = shop.add(2), shop.add()
    shop.pack([packed])
    shop.simulator.world.cancel(gone)
    asked = [cancellation(shop, shipment_id) for shipment_id in (approved, packed, gone)]

    outcomes = shop.client.cancel(asked)

    assert [(outcome.id, outcome.ok, outcome.code) for outcome in outcomes] == [
        (approved, True, ""),
        (packed, False, "INVALID_ITEM_STATE"),
        (gone, False, "ORDER_ITEM_ALREADY_CANCELLED"),
    ]
    assert shop.state_of(approved) is State.CANCELLED


def test_one_group_of_a_shipment_is_cancelled_and_the_other_lives_on(shop):
    (shipment_id,) = shop.add(items=2)

    (outcome,) = shop.client.cancel([cancellation(shop, shipment_id, 1)])

    assert outcome.ok
    assert [item.state for item in shop.fetch(shipment_id).items] == [State.APPROVED, State.CANCELLED]
    (part,) = [found for found in shop.client.searches([State.CANCELLED]) if "seller" in found.name]
    window = Window(of=Span.CHANGED, begins_at=NOW - timedelta(hours=1), ends_at=NOW)
    (page,) = shop.client.shipment_pages(part=part, window=window)
    assert [(one.state, len(one.items)) for one in page.shipments] == [(State.CANCELLED, 1)]


def test_a_group_that_is_none_and_another_location_are_refused_by_their_rows(shop):
    first, second = shop.add(2)
    asked = [
        cancellation(shop, first, cancellation_group_ids=("grp1",)),
        cancellation(shop, second, flipkart_location_id="LOC00"),
    ]

    assert [(outcome.ok, outcome.code) for outcome in shop.client.cancel(asked)] == [
        (False, "INVALID_CANCELLATION_GROUP"),
        (False, "INVALID_LOCATION"),
    ]


def test_a_form_is_asked_for_acknowledged_and_then_packing_goes_on(shop):
    (shipment_id,) = shop.add(form="e-Way Bill")
    shop.pack([shipment_id])
    shop.now += timedelta(seconds=10)
    failed = shop.state_of(shipment_id)
    before = shop.client.fetch_forms([shipment_id])
    number = AcknowledgedForm(form="e-Way Bill", number="EWB-331001234567")

    (outcome,) = shop.client.acknowledge_forms([Acknowledgement(flipkart_shipment_id=shipment_id, numbers=(number,))])
    shop.now += timedelta(seconds=10)
    after = shop.client.fetch_forms([shipment_id])

    assert (failed, outcome.ok, shop.state_of(shipment_id)) == (State.FORM_FAILED, True, State.PACKED)
    assert [form.status for page in (before, after) for form in page.shipments[0].forms] == ["PENDING", "ACKNOWLEDGED"]
    assert shop.simulator.ledger.labels == [shop.truth(shipment_id).shipment_id]


def test_a_form_that_nobody_wants_is_refused(shop):
    (shipment_id,) = shop.add()
    number = AcknowledgedForm(form="e-Way Bill", number="1")

    (outcome,) = shop.client.acknowledge_forms([Acknowledgement(flipkart_shipment_id=shipment_id, numbers=(number,))])

    assert (outcome.ok, outcome.code) == (False, "INVALID_FORM")


def test_what_stands_on_an_invoice_is_read(shop):
    (shipment_id,) = shop.packed(1, items=2)
    truth = shop.truth(shipment_id)

    (invoice,) = shop.client.fetch_invoices([shipment_id]).invoices

    assert (invoice.flipkart_shipment_id, invoice.flipkart_order_id) == (shipment_id, truth.order_id)
    assert (invoice.invoice_number, invoice.invoice_date) == (truth.invoice_number, date(2026, 1, 7))
    for item, made in zip(invoice.items, truth.items, strict=True):
        assert (item.amount, item.tax_rate) == (Decimal(made.total_price), Decimal(made.goods.gst_rate))
        assert item.cgst_rate + item.sgst_rate + item.igst_rate == item.tax_rate


def test_invoices_and_labels_come_alone_too(shop):
    added = shop.packed(2)

    labels, invoices = shop.client.download_labels_only(added), shop.client.download_invoices(added)

    assert (page_count(labels.merged), page_count(invoices.merged)) == (2, 2)
    assert "Tax Invoice" not in text_of(labels.merged)
    assert shop.truth(added[0]).invoice_number in text_of(invoices.merged)


def test_a_label_printed_again_marks_nothing(shop):
    (shipment_id,) = shop.packed()

    shop.client.download_labels_only([shipment_id])
    printed_again = shop.truth(shipment_id).papers_fetched
    shop.client.download_labels_only([shipment_id], reprint=False)

    assert (printed_again, shop.truth(shipment_id).papers_fetched) == (False, True)


def test_what_stands_ready_is_counted_by_courier_and_its_manifest_downloaded(shop):
    where = {"facility": shop.account.facility_ids[0], "states": "READY_TO_DISPATCH"}
    shop.add(3, **where)
    shop.add(1, parcels=2, **where)
    location = shop.account.facilities[0].official_id

    counts = shop.client.fetch_handover_counts(location)

    assert [(count.count, count.is_multi_parcel, count.vendor_group) for count in counts] == [
        (3, False, "Ekart Logistics"),
        (1, True, "Ekart Logistics"),
    ]
    assert counts[0].pick_up_after == datetime(2026, 1, 7, 9, 30, tzinfo=UTC)
    assert [page_count(shop.client.download_manifest(one, location_id=location)) for one in counts] == [3, 2]
    assert shop.client.fetch_handover_counts(shop.account.facilities[1].official_id) == ()


# The sandbox


def test_the_sandbox_makes_an_order_and_moves_it_to_the_buyer_and_back(shop):
    (known,) = shop.add()
    listing = shop.fetch(known).items[0].flipkart_listing_id
    location = shop.fetch(known).flipkart_location_id
    sandbox = shop.client.sandbox

    order = sandbox.order(location_id=location, listings=[(listing, 2)])
    (item_id,) = order.flipkart_order_item_ids
    shipment, item = shop.account.shipment_of_item(item_id)
    states = []
    for move in (SandboxMove.HOLD, SandboxMove.RELEASE):
        sandbox.move(move, item_id)
        states.append(shipment.is_on_hold)
    after, by = NOW + timedelta(hours=1), NOW + timedelta(days=3)
    sandbox.change_dispatch_slot(item_id, after=after, by=by)
    assert (states, item.quantity) == ([True, False], 2)
    assert (shipment.order_id, shipment.dispatch_after_at, shipment.dispatch_by_at) == (
        order.flipkart_order_id,
        after,
        by,
    )

    shop.now += timedelta(hours=2)
    shop.pack([shipment.official_id])
    shop.now += timedelta(seconds=10)
    shop.client.download_papers([shipment.official_id])
    shop.client.dispatch([shipment.official_id], location_id=location)
    for move in (SandboxMove.PICK_UP, SandboxMove.SHIP, SandboxMove.DELIVER):
        sandbox.move(move, item_id)
    sandbox.send_back(item_id)
    sandbox.end_return(item_id)
    assert shop.state_of(shipment.official_id) is State.RETURNED


def test_what_the_sandbox_cannot_do_is_a_refusal(shop):
    (shipment_id,) = shop.add()
    item_id = shop.fetch(shipment_id).items[0].flipkart_order_item_id

    with pytest.raises(Refused, match="INVALID_ITEM_STATE"):
        shop.client.sandbox.move(SandboxMove.DELIVER, item_id)
    with pytest.raises(Refused, match="INVALID_ITEM_ID"):
        shop.client.sandbox.move(SandboxMove.HOLD, "49999999999999001")


def test_a_wire_that_has_no_such_operation_says_so_before_anything_is_sent(shop):
    client = FlipkartClient(transport=shop.transport, wire=wire_named("guide"), tokens=shop)

    for ask in (
        lambda: client.cancel([]),
        lambda: client.fetch_forms(["A"]),
        lambda: client.fetch_invoices(["A"]),
        lambda: client.download_labels_only(["A"]),
        lambda: client.fetch_handover_counts("L"),
        lambda: client.sandbox,
    ):
        with pytest.raises(NotOffered):
            ask()
    assert shop.simulator.ledger.calls == []
