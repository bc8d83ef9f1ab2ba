"""Hand-over sheets in Flipkart's published format: its manifest is fetched for the sheet, and where it is not, why."""

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from fulfillment import handover, manifests
from fulfillment.models import HandOver
from orders.models import Shipment
from sellers.models import Facility, WireName
from shipcrowd.flipkart.types import HandoverCount
from shipcrowd.tenancy import seller_scope
from shipcrowd.work import State
from tests import factories
from tests.factories import as_ops, reload
from tests.fulfillment.test_handover import pages_of
from tests.fulfillment.test_official import bring, enter_sizes
from tests.fulfillment.warehouse import (
    ask_dispatch,
    ask_labels,
    drain,
    only,
    refill_quota,
    spend_quota,
    take_in,
    work_on,
)

COURIER = "E-Kart Logistics"


@pytest.fixture
def connected(db, flipkart):
    """Two locations, and the published format."""
    return factories.connected_seller(flipkart, facilities=2, wire=WireName.OFFICIAL)


@pytest.fixture
def sizes(seller) -> None:
    enter_sizes(seller)


@pytest.fixture
def place(connected) -> str:
    """The location that everything here ships from, by the simulator's own id."""
    return str(connected.account.facilities[0].facility_id)


@pytest.fixture
def ready(connected, seller, flipkart, packer, clock, sizes, place) -> list[Shipment]:
    """Three parcels of one location that are ready to dispatch."""
    fresh = bring(connected, flipkart, 3, facility=place)
    ask_labels(seller, fresh, packer)
    work_on(clock)
    ask_dispatch(seller, fresh, packer)
    work_on(clock)
    return as_ops(Shipment, seller=seller)


def ask(seller, by, shipment: Shipment, *, courier: str = COURIER) -> HandOver:
    with seller_scope(seller):
        facility = Facility.objects.filter(pk=shipment.facility_id).first()
        handover.request_hand_over(seller=seller, facility=facility, courier=courier, by=by)
    drain()
    return as_ops(HandOver)[-1]


def test_the_manifest_is_fetched_and_stands_behind_the_sheet(seller, ready, packer, flipkart):
    """Flipkart writes the courier otherwise in its counts than in a shipment."""
    sheet = ask(seller, packer, ready[0])

    first, *behind = pages_of(sheet)
    assert (sheet.state, sheet.says, sheet.parcels, sheet.manifests) == (State.DONE, "3 parcels", 3, 1)
    assert all(any(one.tracking_id in page for page in behind) for one in ready)
    assert "Flipkart's manifests behind this sheet: 1" in first
    assert "One-time code of the courier: 1003" in first
    assert "counts" not in first
    assert len(flipkart.ledger.calls_of("manifest")) == 1


def test_multi_parcel_shipments_have_a_manifest_of_their_own(connected, seller, ready, packer, flipkart, clock, place):
    (made,) = flipkart.world.add_shipments(connected.account, 1, facility=place)
    flipkart.world.send_in_parcels(made, 1)
    (alone,) = flipkart.world.add_shipments(connected.account, 1, items=2, facility=place)
    flipkart.world.send_in_parcels(alone, 2)
    fresh = take_in(seller, [connected.account.shipments[one].official_id for one in (made, alone)])
    ask_labels(seller, fresh, packer)
    work_on(clock)
    ask_dispatch(seller, fresh, packer)
    work_on(clock)

    sheet = ask(seller, packer, ready[0])

    several = only(Shipment, flipkart_shipment_id=connected.account.shipments[alone].official_id)
    first = pages_of(sheet)[0]
    assert (sheet.says, sheet.parcels, sheet.manifests) == ("6 parcels", 6, 2)
    assert len(several.tracking_ids) == 2
    assert [first.count(one) for one in several.tracking_ids] == [1, 1]
    assert "Handed over: 6" in first
    assert "Parcels counted: ______ of 6" in first
    with seller_scope(seller):
        assert [one.parcels for one in handover.waiting(seller, timezone.now())] == [6]


def test_a_count_that_cannot_be_read_is_said_and_costs_the_others_nothing(
    connected, seller, ready, packer, flipkart, clock, place
):
    """Of two counts, one for shipments in several parcels, that one names no courier."""
    (made,) = flipkart.world.add_shipments(connected.account, 1, items=2, facility=place)
    flipkart.world.send_in_parcels(made, 2)
    ask_labels(seller, take_in(seller, [connected.account.shipments[made].official_id]), packer)
    work_on(clock)
    ask_dispatch(seller, as_ops(Shipment, seller=seller, is_multi_parcel=True), packer)
    work_on(clock)
    flipkart.faults.set("handover_counts", "missing_field", times=None, row=1, field="vendorGroupCode")

    sheet = ask(seller, packer, ready[0])

    unread = "1 of Flipkart's counts cannot be read: perhaps one of this courier's"
    assert (sheet.says, sheet.manifests) == (f"5 parcels; {unread}", 1)
    assert unread in pages_of(sheet)[0]


@pytest.mark.parametrize(
    ("operation", "fault", "says"),
    [
        ("handover_counts", "server_error", "could not be fetched: their server failed (HTTP 500)"),
        ("manifest", "server_error", "could not be fetched: their server failed (HTTP 500)"),
        ("manifest", "not_a_pdf", "could not be fetched: "),
        ("manifest", "cut_pdf", "could not be fetched: "),
        ("handover_counts", "forbidden", "could not be fetched: not authorized (HTTP 403"),
    ],
)
def test_a_failed_call_is_no_reason_for_no_sheet(seller, ready, packer, flipkart, operation, fault, says):
    flipkart.faults.set(operation, fault, times=None)

    sheet = ask(seller, packer, ready[0])

    (first,) = pages_of(sheet)
    assert (sheet.state, sheet.manifests, sheet.parcels) == (State.DONE, 0, 3)
    assert f"Flipkart's manifest {says}" in first
    assert f"3 parcels; Flipkart's manifest {says}" in sheet.says
    assert "Handed over: 3" in first


def test_where_only_our_quota_is_spent_the_manifest_is_waited_for(seller, ready, packer, flipkart):
    spend_quota(seller)

    waits = ask(seller, packer, ready[0])
    refill_quota(seller)
    factories.wake(HandOver)
    drain()

    assert (waits.state, waits.says) == (State.DUE, "waiting: our own quota of calls is spent for the moment")
    assert (reload(waits).says, reload(waits).manifests) == ("3 parcels", 1)


def test_after_two_minutes_the_sheet_is_made_without_the_manifest(seller, ready, packer):
    spend_quota(seller)
    waits = ask(seller, packer, ready[0])

    with factories.ops():
        HandOver.objects.update(asked_at=timezone.now() - handover.LONGEST_WAIT, wake_at=timezone.now())
    drain()

    missing = "Flipkart's manifest could not be fetched: our own quota of calls is spent for the moment"
    assert reload(waits).says == f"3 parcels; {missing}"
    assert missing in pages_of(waits)[0]


def test_a_manifest_that_flipkart_has_no_time_for_is_asked_for_again(seller, ready, packer, flipkart):
    flipkart.faults.set("manifest", "throttled", times=1)

    waits = ask(seller, packer, ready[0])
    refill_quota(seller)
    factories.wake(HandOver)
    drain()

    assert waits.state == State.DUE
    assert (reload(waits).says, reload(waits).manifests) == ("3 parcels", 1)


def test_where_counts_differ_the_sheet_says_both(seller, ready, packer):
    """One that was put aside stays in the house, and Flipkart counts it all the same."""
    with factories.ops():
        Shipment.objects.filter(pk=ready[0].pk).update(is_on_hold=True)

    sheet = ask(seller, packer, ready[1])

    assert "Flipkart counts 3 shipments, this sheet 2" in pages_of(sheet)[0]
    assert sheet.says == "2 parcels; Flipkart counts 3 shipments, this sheet 2"


def test_a_courier_that_flipkart_does_not_name_is_not_guessed(seller, ready, packer, flipkart):
    with factories.ops():
        Shipment.objects.update(courier="Delhivery")

    sheet = ask(seller, packer, ready[0], courier="Delhivery")

    (first,) = pages_of(sheet)
    assert "could not be fetched: it names Ekart Logistics and not this courier" in first
    assert flipkart.ledger.calls_of("manifest") == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"courier": ""}, "these parcels name no courier"),
        ({"facility": None}, "these parcels name no location"),
    ],
)
def test_without_courier_or_location_nothing_is_asked(seller, ready, packer, flipkart, change, says):
    with factories.ops():
        Shipment.objects.update(**change)

    sheet = ask(seller, packer, reload(ready[0]), courier=change.get("courier", COURIER))

    assert f"Flipkart's manifest could not be fetched: {says}" in pages_of(sheet)[0]
    assert flipkart.ledger.calls_of("handover_counts") == []


def test_nothing_to_hand_over_asks_nothing(seller, ready, packer, flipkart):
    with factories.ops():
        Shipment.objects.update(is_on_hold=True)

    sheet = ask(seller, packer, ready[0])

    assert (sheet.says, flipkart.ledger.calls_of("handover_counts")) == ("0 parcels", [])


# --- Which counts are this courier's ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("group", "is_ours"),
    [
        ("Ekart Logistics", True),
        ("E-KART LOGISTICS", True),
        ("Ekart", False),
        ("Ekart Logistics Large", False),
        ("Delhivery", False),
        ("--", False),
    ],
)
def test_the_same_letters_are_the_same_courier_and_nothing_else(group, is_ours):
    counts = [HandoverCount(vendor_group=group, count=2)]

    assert bool(manifests.of_courier(counts, COURIER)) is is_ours


@given(st.lists(st.text()), st.text())
def test_no_courier_is_matched_by_a_name_without_letters(groups, courier):
    counts = [HandoverCount(vendor_group=group, count=1) for group in groups]

    found = manifests.of_courier(counts, courier)

    assert [one for one in found if one.vendor_group == courier] == [
        one for one in counts if one.vendor_group == courier and any(manifests.letters(courier))
    ]
