"""Polling and following in Flipkart's published format: every part is searched, and what was read once is not lost."""

from datetime import timedelta

import pytest

from orders import polling
from orders.models import Buyer, FollowCursor, PollCursor, Reading, Shipment, ShipmentItem, Unreadable
from orders.tasks import follow, poll
from sellers.models import WireName
from shipcrowd.tenancy import seller_scope
from tests import factories
from tests.factories import as_ops


@pytest.fixture
def connected(db, flipkart):
    """A seller whose connection speaks the published format."""
    found = factories.connected_seller(flipkart, facilities=2, wire=WireName.OFFICIAL)
    with seller_scope(found.seller):
        polling.start_polling(found.seller, found.connection)
    return found


def poll_again(connected) -> None:
    factories.wake(PollCursor)
    while poll(seller_id=connected.seller.pk):
        pass
    (cursor,) = as_ops(PollCursor)
    assert (cursor.walk, cursor.says) == (None, "")


def follow_again(connected) -> None:
    factories.wake(FollowCursor)
    while follow(seller_id=connected.seller.pk):
        pass


def states(connected) -> dict[str, str]:
    """By the simulator's own ids."""
    found = {row.flipkart_shipment_id: row.state for row in as_ops(Shipment, seller=connected.seller)}
    by_id = connected.account.by_official_id
    return {by_id[shipment_id].shipment_id: state for shipment_id, state in found.items()}


def stored(connected, shipment_id: str) -> Shipment:
    official_id = connected.account.shipments[shipment_id].official_id
    (row,) = as_ops(Shipment, seller=connected.seller, flipkart_shipment_id=official_id)
    return row


def test_a_first_poll_brings_all_that_is_open_held_and_express_ones_too(connected, flipkart):
    world, account = flipkart.world, connected.account
    plain = world.add_shipments(account, 25)
    held = world.add_shipments(account, 2, held=True)
    express = world.add_shipments(account, 1, tier="EXPRESS", shipment_type="EXPRESS")
    picked_up = world.add_shipments(account, 1, states="PICKUP_COMPLETE")
    world.add_shipments(account, 3, states=["SHIPPED", "DELIVERED", "CANCELLED"])

    poll_again(connected)

    assert set(states(connected)) == {*plain, *held, *express, *picked_up}
    assert [stored(connected, one).is_on_hold for one in held] == [True, True]
    assert (stored(connected, express[0]).service_tier, stored(connected, express[0]).shipment_type) == (
        "EXPRESS",
        "EXPRESS",
    )
    assert {row.facility_id is None for row in as_ops(Shipment)} == {False}


@pytest.mark.parametrize(("status", "runs"), [(400, 1), (500, 3)])
def test_a_search_that_never_works_holds_up_no_other_and_is_caught_up_with(connected, flipkart, clock, status, runs):
    world, account = flipkart.world, connected.account
    (bought,) = world.add_shipments(account, 1)
    poll_again(connected)
    flipkart.faults.set("search", "no_cancelled_search", times=None, status=status)

    for new in range(1, 3):
        clock.pass_(minutes=5)
        world.add_shipments(account, 1, ordered_at=clock.now)
        if new == 1:
            world.cancel(bought, by="buyer")
        for _ in range(runs):
            factories.wake(PollCursor)
            poll(seller_id=connected.seller.pk)
        assert len(as_ops(Shipment)) == 1 + new

    (cursor,) = as_ops(PollCursor)
    (told,) = as_ops(Unreadable)
    assert (cursor.walk, cursor.failures_in_a_row) == (None, 0)
    assert set(cursor.behind) == {f"cancelled by the {who}" for who in ("seller", "buyer", "marketplace")}
    assert told.says.startswith("the search “cancelled by the ")
    assert stored(connected, bought).state == "APPROVED"

    flipkart.faults.clear()
    poll_again(connected)

    assert stored(connected, bought).state == "CANCELLED"
    assert (as_ops(PollCursor)[0].behind, as_ops(Unreadable)) == ({}, [])


def test_later_polls_bring_what_changed_whoever_changed_it(connected, flipkart, clock):
    world, account = flipkart.world, connected.account
    made = world.add_shipments(account, 8, ordered_at=clock.now - timedelta(days=5))
    packed, shipped, held, by_seller, by_buyer, by_marketplace, late, untouched = made
    late_one = account.shipments[late]
    late_one.approved_at = clock.now + timedelta(minutes=1)
    poll_again(connected)
    assert late not in states(connected)
    clock.pass_(minutes=5)

    world.pack_outside(packed)
    for power in (world.pack_outside, lambda one: world.dispatch(account, one), world.ship):
        power(shipped)
    world.hold(held)
    for shipment_id, by in ((by_seller, "seller"), (by_buyer, "buyer"), (by_marketplace, "marketplace")):
        world.cancel(shipment_id, by=by)
    calls = len(flipkart.ledger.calls)
    poll_again(connected)

    assert states(connected) == {
        packed: "PACKED",
        shipped: "SHIPPED",
        held: "APPROVED",
        by_seller: "CANCELLED",
        by_buyer: "CANCELLED",
        by_marketplace: "CANCELLED",
        late: "APPROVED",
        untouched: "APPROVED",
    }
    assert stored(connected, held).is_on_hold
    # Seven searches, and one reading by id for each of the three that found something cancelled.
    assert len(flipkart.ledger.calls) - calls == 10


def test_a_piece_that_is_cancelled_does_not_cancel_the_rest(connected, flipkart, clock):
    """wire.md 3.7: the cancelled feed shows the same shipment and item ids as the live one."""
    (shipment_id,) = flipkart.world.add_shipments(connected.account, 1, items=2, quantity=3)
    poll_again(connected)
    clock.pass_(minutes=5)
    flipkart.world.cancel_item(shipment_id, 1, pieces=1)
    flipkart.world.cancel_item(shipment_id, 2)

    poll_again(connected)

    row = stored(connected, shipment_id)
    assert (row.state, row.quantity, row.sku_count) == ("APPROVED", 2, 1)
    assert [(item.quantity, item.state_word) for item in as_ops(ShipmentItem)] == [(2, "APPROVED"), (3, "CANCELLED")]


def test_a_cancelled_shipment_that_was_never_seen_comes_as_it_is(connected, flipkart, clock):
    poll_again(connected)
    clock.pass_(minutes=5)
    (shipment_id,) = flipkart.world.add_shipments(connected.account, 1)
    flipkart.world.cancel(shipment_id)

    poll_again(connected)

    assert states(connected) == {shipment_id: "CANCELLED"}


def test_a_walk_goes_on_where_it_was_interrupted(connected, flipkart):
    made = flipkart.world.add_shipments(connected.account, 50)
    flipkart.faults.set("search", "server_error", 1)
    factories.wake(PollCursor)
    poll(seller_id=connected.seller.pk)
    flipkart.faults.set("search", "shifting_page", 1)

    poll_again(connected)

    # A page that shifted lost one: the daily search finds it, for pages are numbered there.
    assert len(states(connected)) == 49
    with seller_scope(connected.seller):
        PollCursor.objects.update(last_full_at=None)
    poll_again(connected)
    assert set(states(connected)) == set(made)


def test_tracking_ids_and_addresses_come_by_the_shipping_view_once_it_is_packed(connected, flipkart, clock):
    (shipment_id,) = flipkart.world.add_shipments(connected.account, 1, parcels=2)
    poll_again(connected)
    follow_again(connected)
    (before,) = as_ops(Buyer)
    assert (before.details_read_at is None, before.delivery_address) == (False, None)
    flipkart.world.pack_outside(shipment_id)
    clock.pass_(minutes=5)

    poll_again(connected)
    follow_again(connected)

    truth = connected.account.shipments[shipment_id]
    (buyer,) = as_ops(Buyer)
    row = stored(connected, shipment_id)
    assert (row.tracking_id, row.tracking_ids) == (truth.tracking_id, truth.tracking_ids)
    assert row.courier == "E-Kart Logistics"
    assert buyer.delivery_address["name"] == truth.buyer_name


def test_following_reads_up_to_a_hundred_by_id_in_one_call(connected, flipkart, clock):
    flipkart.world.add_shipments(connected.account, 90)
    poll_again(connected)
    with seller_scope(connected.seller):
        Reading.objects.update(follow_at=clock.now - timedelta(minutes=1))
    flipkart.ledger._calls.clear()

    follow_again(connected)

    assert len(flipkart.ledger.calls_of("shipments")) == 1
