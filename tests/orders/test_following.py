"""Shipments are read again by id in full batches, until they are delivered; their details come by batch."""

from collections.abc import Collection
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from orders import following, polling
from orders.models import Buyer, FollowCursor, PollCursor, Reading, Shipment, TimelineEntry, Unreadable
from orders.reading import fetch_details, read_again, stale
from orders.tasks import follow, poll
from sellers import gateway
from sellers.models import Standing
from shipcrowd.simulator import api
from shipcrowd.tenancy import seller_scope
from shipcrowd.transport.errors import Unreachable
from tests import factories
from tests.factories import as_ops


def polled(connected, flipkart, count: int, **values) -> list[str]:
    """So many shipments at Flipkart and here, with nothing due to be followed."""
    made = flipkart.world.add_shipments(connected.account, count, **values)
    with seller_scope(connected.seller):
        polling.start_polling(connected.seller, connected.connection)
    while poll(seller_id=connected.seller.pk):
        pass
    return made


def cursor(connected) -> FollowCursor:
    (row,) = as_ops(FollowCursor, seller=connected.seller)
    return row


def make_due(connected, *shipment_ids: str) -> None:
    """These want to be read now (all, where none is named)."""
    with seller_scope(connected.seller):
        readings = Reading.objects.filter(follow_at__isnull=False)
        if shipment_ids:
            readings = readings.filter(shipment__flipkart_shipment_id__in=shipment_ids)
        readings.update(follow_at=timezone.now() - timedelta(seconds=1))
        FollowCursor.objects.update(wake_at=timezone.now() - timedelta(seconds=1))


def rest(connected) -> None:
    """Details are here."""
    with seller_scope(connected.seller):
        Buyer.objects.update(details_read_at=timezone.now())


def states(connected) -> list[str]:
    return [shipment.state for shipment in as_ops(Shipment, seller=connected.seller)]


def calls(flipkart, operation: str) -> int:
    return len(flipkart.ledger.calls_of(operation))


# --- Following ---


def test_a_batch_that_flipkart_knows_nothing_of_does_not_stand_in_front_of_the_others(connected, flipkart):
    (gone,) = polled(connected, flipkart, 1)
    connected.account.shipments.pop(gone)
    make_due(connected)

    follow(seller_id=connected.seller.pk)

    (hole,) = as_ops(Unreadable)
    assert (hole.flipkart_shipment_id, hole.says) == (gone, "Flipkart no longer knows this shipment")
    (reading,) = as_ops(Reading)
    assert reading.follow_at > timezone.now() + timedelta(hours=5)
    assert (cursor(connected).failures_in_a_row, cursor(connected).says) == (0, "")


def test_a_wrong_address_says_nothing_of_shipments(connected, flipkart):
    polled(connected, flipkart, 1)
    make_due(connected)
    flipkart.faults.set("shipments", "html", times=1, status=404)

    follow(seller_id=connected.seller.pk)

    assert as_ops(Unreadable) == []
    assert cursor(connected).failures_in_a_row == 1


def spoil_answers(spoilers: Collection[str], monkeypatch, answer) -> None:
    """So Flipkart answers each call by id that names one of these."""
    shipments = api.shipments

    def spoiling(world, account, shipment_ids):
        return answer() if set(spoilers) & set(shipment_ids) else shipments(world, account, shipment_ids)

    monkeypatch.setattr(api, "shipments", spoiling)


def refusal():
    raise api.ApiError(400, "BAD_SHIPMENT", "one of them is bad")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (refusal, "refused (HTTP 400, BAD_SHIPMENT)"),
        (lambda: {"shipments": "none"}, "shipments: not a list"),
        (lambda: {"shipments": [], "filler": "x" * 20_000}, "an answer larger than 0 MB"),
    ],
    ids=["refused", "unreadable", "too large"],
)
def test_one_that_spoils_each_answer_is_kept_for_a_person_and_the_others_are_followed(
    connected, flipkart, monkeypatch, settings, answer, says
):
    made = polled(connected, flipkart, 5)
    rest(connected)
    make_due(connected)
    settings.FLIPKART_ANSWER_BYTES = 10_000
    spoil_answers(made[1:2], monkeypatch, answer)
    began = timezone.now()

    follow(seller_id=connected.seller.pk)

    (hole,) = as_ops(Unreadable)
    assert (hole.flipkart_shipment_id, hole.says) == (made[1], says)
    by_id = {reading.flipkart_shipment_id: reading for reading in as_ops(Reading)}
    bad = by_id.pop(made[1])
    assert bad.follow_at > timezone.now() + timedelta(hours=5)
    assert all(reading.read_at > began for reading in by_id.values())
    assert (cursor(connected).failures_in_a_row, cursor(connected).says) == (0, "")


def test_two_that_spoil_each_answer_and_came_last_do_not_stand_for_all(connected, flipkart, monkeypatch):
    """As the two parcels of one order, read at once and side by side ever after."""
    made = polled(connected, flipkart, 6)
    rest(connected)
    make_due(connected)
    oldest_first = [one.flipkart_shipment_id for one in sorted(as_ops(Reading), key=lambda one: (one.read_at, one.pk))]
    spoil_answers(oldest_first[-2:], monkeypatch, refusal)
    began = timezone.now()

    follow(seller_id=connected.seller.pk)

    assert {hole.flipkart_shipment_id for hole in as_ops(Unreadable)} == set(oldest_first[-2:])
    assert sum(reading.read_at > began for reading in as_ops(Reading)) == len(made) - 2
    assert cursor(connected).failures_in_a_row == 0


def test_while_nothing_can_be_read_of_any_no_shipment_is_to_blame(connected, flipkart):
    polled(connected, flipkart, 5)
    rest(connected)
    make_due(connected)
    flipkart.faults.set("shipments", "html", times=None)

    follow(seller_id=connected.seller.pk)

    assert as_ops(Unreadable) == []
    assert cursor(connected).failures_in_a_row == 1
    assert all(reading.follow_at < timezone.now() for reading in as_ops(Reading))


def test_what_happens_to_a_shipment_is_seen_until_it_is_delivered(connected, flipkart):
    (one,) = polled(connected, flipkart, 1)
    flipkart.world.pack(connected.account, one)
    flipkart.world.dispatch(connected.account, one)
    for happens in (flipkart.world.ship, flipkart.world.deliver):
        happens(one)
        make_due(connected)
        follow(seller_id=connected.seller.pk)

    (reading,) = as_ops(Reading)
    assert states(connected) == ["DELIVERED"]
    assert reading.follow_at is None
    assert [line.says for line in as_ops(TimelineEntry, kind="state")] == ["APPROVED → SHIPPED", "SHIPPED → DELIVERED"]


def test_due_ones_are_read_in_full_batches_the_longest_due_first(connected, flipkart):
    made = polled(connected, flipkart, 120)
    rest(connected)
    make_due(connected, *made[:70])
    began = timezone.now()

    assert follow(seller_id=connected.seller.pk) is False

    assert calls(flipkart, "shipments") == 2
    assert sum(reading.read_at > began for reading in as_ops(Reading)) == 100  # the 70, and 30 that come due next


def test_a_flood_is_followed_run_by_run(connected, flipkart, monkeypatch):
    monkeypatch.setattr(following, "CALLS_A_RUN", 2)
    polled(connected, flipkart, 240)
    rest(connected)
    make_due(connected)

    runs = [follow(seller_id=connected.seller.pk) for _ in range(3)]

    assert runs == [True, True, False]
    assert calls(flipkart, "shipments") == 5


def test_nothing_is_read_before_its_time(connected, flipkart):
    polled(connected, flipkart, 3)
    rest(connected)
    factories.wake(FollowCursor)

    assert follow(seller_id=connected.seller.pk) is False

    assert calls(flipkart, "shipments") == 0
    assert timedelta(minutes=14) < cursor(connected).wake_at - timezone.now() <= timedelta(minutes=15)


def test_a_shipment_that_flipkart_no_longer_knows_is_shown_and_stands_in_nobodys_way(connected, flipkart):
    one, other = polled(connected, flipkart, 2)
    rest(connected)
    gone = connected.account.shipments.pop(one)
    make_due(connected)

    follow(seller_id=connected.seller.pk)

    (hole,) = as_ops(Unreadable)
    assert (hole.flipkart_shipment_id, hole.path) == (one, "missing")
    assert hole.says == "Flipkart no longer knows this shipment"
    (reading,) = as_ops(Reading, shipment__flipkart_shipment_id=one)
    assert reading.follow_at > timezone.now() + timedelta(hours=5)

    connected.account.shipments[one] = gone
    make_due(connected, one, other)
    follow(seller_id=connected.seller.pk)
    assert as_ops(Unreadable) == []


def test_a_failed_call_waits_and_says_why(connected, flipkart):
    polled(connected, flipkart, 3)
    make_due(connected)
    flipkart.faults.set("shipments", "drop_before")

    assert follow(seller_id=connected.seller.pk) is False

    row = cursor(connected)
    assert (row.failures_in_a_row, row.token) == (1, None)
    assert row.says.startswith("shipments")
    assert row.wake_at > timezone.now()

    make_due(connected)
    follow(seller_id=connected.seller.pk)
    assert (cursor(connected).failures_in_a_row, cursor(connected).says) == (0, "")


def test_a_seller_that_is_not_connected_is_not_followed(connected, flipkart):
    polled(connected, flipkart, 3)
    make_due(connected)
    with seller_scope(connected.seller):
        type(connected.connection).objects.update(standing=Standing.DISCONNECTED)

    assert follow(seller_id=connected.seller.pk) is False
    assert (cursor(connected).wake_at, calls(flipkart, "shipments")) == (None, 0)


# --- Details (guide 2.3) ---


def test_details_of_all_come_in_as_few_calls_as_batches_allow(connected, flipkart):
    polled(connected, flipkart, 120)

    factories.wake(FollowCursor)
    assert follow(seller_id=connected.seller.pk) is False

    buyers = as_ops(Buyer)
    assert calls(flipkart, "shipping_details") == 3
    assert all(buyer.details_read_at for buyer in buyers)
    sent = connected.account.shipments[as_ops(Shipment)[0].flipkart_shipment_id]
    assert buyers[0].delivery_address["line1"] == buyers[0].billing_address["line1"] == sent.address_line1
    assert buyers[0].delivery_address["phone"] == sent.phone

    factories.wake(FollowCursor)
    follow(seller_id=connected.seller.pk)
    assert calls(flipkart, "shipping_details") == 3


def test_while_a_walk_goes_on_only_full_batches_are_asked_for(connected, flipkart):
    polled(connected, flipkart, 70)
    with seller_scope(connected.seller):
        PollCursor.objects.update(walk={"legs": []})

    factories.wake(FollowCursor)
    follow(seller_id=connected.seller.pk)

    assert calls(flipkart, "shipping_details") == 1
    assert sum(buyer.details_read_at is None for buyer in as_ops(Buyer)) == 20


def test_one_that_spoils_each_answer_with_details_keeps_the_others_from_nothing(connected, flipkart, monkeypatch):
    made = polled(connected, flipkart, 5)
    details = api.shipping_details
    monkeypatch.setattr(
        api,
        "shipping_details",
        lambda world, account, ids: refusal() if made[1] in ids else details(world, account, ids),
    )

    follow(seller_id=connected.seller.pk)

    assert all(buyer.details_read_at for buyer in as_ops(Buyer))
    (told,) = as_ops(TimelineEntry, kind="address", says__contains="could not be read")
    assert told.shipment_id == as_ops(Shipment, flipkart_shipment_id=made[1])[0].pk
    assert "BAD_SHIPMENT" in told.says
    assert (cursor(connected).failures_in_a_row, cursor(connected).says) == (0, "")


def test_a_tracking_id_that_comes_with_the_details_is_kept_and_told(connected, flipkart):
    (one,) = polled(connected, flipkart, 1)
    flipkart.world.pack(connected.account, one)

    factories.wake(FollowCursor)
    follow(seller_id=connected.seller.pk)

    (shipment,) = as_ops(Shipment)
    tracking_id = connected.account.shipments[one].tracking_id
    assert (shipment.tracking_id, shipment.courier) == (tracking_id, "EKART")
    assert [line.says for line in as_ops(TimelineEntry, kind="tracking")] == [f"tracking id {tracking_id}"]
    (reading,) = as_ops(Reading)
    assert reading.fingerprint is None


def test_details_that_were_asked_for_before_a_newer_read_do_not_undo_what_it_brought(connected, flipkart, monkeypatch):
    (one,) = polled(connected, flipkart, 1)
    flipkart.world.pack(connected.account, one)
    read_again(seller_id=connected.seller.pk, shipments=as_ops(Shipment))
    details = api.shipping_details

    def details_and_then_a_newer_read(*asked):
        answer = details(*asked)
        flipkart.world.find(one)[1].tracking_id = "FMPP0000000001"
        read_again(seller_id=connected.seller.pk, shipments=as_ops(Shipment))
        return answer

    monkeypatch.setattr(api, "shipping_details", details_and_then_a_newer_read)
    factories.wake(FollowCursor)
    follow(seller_id=connected.seller.pk)

    (shipment,) = as_ops(Shipment)
    assert shipment.tracking_id == "FMPP0000000001"


def test_an_address_asked_for_too_early_is_asked_for_once_more_when_the_shipment_is_packed(connected, flipkart):
    (one,) = polled(connected, flipkart, 1)
    with seller_scope(connected.seller):
        Buyer.objects.update(details_read_at=timezone.now() - timedelta(hours=1))
    flipkart.world.pack(connected.account, one)
    read_again(seller_id=connected.seller.pk, shipments=as_ops(Shipment))

    for _round in range(2):
        factories.wake(FollowCursor)
        follow(seller_id=connected.seller.pk)

    (buyer,) = as_ops(Buyer)
    assert buyer.delivery_address["pincode"]
    assert calls(flipkart, "shipping_details") == 1


def test_who_gets_no_answer_is_not_asked_for_each_minute(connected, flipkart):
    one, _ = polled(connected, flipkart, 2)
    del connected.account.shipments[one]

    factories.wake(FollowCursor)
    follow(seller_id=connected.seller.pk)
    factories.wake(FollowCursor)
    follow(seller_id=connected.seller.pk)

    assert calls(flipkart, "shipping_details") == 1
    assert [line.says for line in as_ops(TimelineEntry, kind="address")] == [
        "delivery and billing address read",
        "Flipkart gave no shipping details",
    ]


@pytest.mark.parametrize("size", [2, 40])
def test_the_statements_of_a_batch_of_details_do_not_grow_with_it(connected, flipkart, size):
    made = polled(connected, flipkart, size)
    for one in made:
        flipkart.world.pack(connected.account, one)
    client = gateway.client_for(connected.seller.pk)

    with CaptureQueriesContext(connection) as queries:
        fetch_details(seller_id=connected.seller.pk, client=client, most_calls=1)

    assert sum("orders_" in query["sql"] for query in queries) == 10


# --- Before anything leaves the house ---


def test_it_reads_again_what_it_is_given_and_says_what_it_read(connected, flipkart):
    made = polled(connected, flipkart, 3)
    flipkart.world.cancel(made[0])
    shipments = as_ops(Shipment)

    outcome = read_again(seller_id=connected.seller.pk, shipments=shipments)

    assert (outcome.read, outcome.missing, outcome.failed) == ({shipment.pk for shipment in shipments}, set(), None)
    assert states(connected) == ["CANCELLED", "APPROVED", "APPROVED"]


def test_what_was_read_before_a_call_failed_is_kept(connected, flipkart):
    polled(connected, flipkart, 70)
    shipments = as_ops(Shipment)
    with seller_scope(connected.seller):
        Reading.objects.filter(shipment=shipments[60]).update(read_at=timezone.now() - timedelta(days=1))
    flipkart.faults.set("shipments", "slow", seconds=0)
    flipkart.faults.set("shipments", "drop_after")

    outcome = read_again(seller_id=connected.seller.pk, shipments=shipments)

    assert isinstance(outcome.failed, Unreachable)
    assert len(outcome.read) == 50
    assert shipments[60].pk in outcome.read  # the oldest reading goes first


def test_one_that_is_unreadable_is_not_taken_for_read(connected, flipkart):
    polled(connected, flipkart, 2)
    flipkart.faults.set("shipments", "missing_field", field="quantity", row=0)
    shipments = as_ops(Shipment)

    outcome = read_again(seller_id=connected.seller.pk, shipments=shipments)

    assert (outcome.read, outcome.missing, outcome.failed) == ({shipments[1].pk}, set(), None)


def test_without_a_connection_nothing_is_read(connected, flipkart):
    polled(connected, flipkart, 1)
    with seller_scope(connected.seller):
        type(connected.connection).objects.update(standing=Standing.RECONNECT)

    outcome = read_again(seller_id=connected.seller.pk, shipments=as_ops(Shipment))

    assert isinstance(outcome.failed, gateway.NotConnected)
    assert outcome.read == set()


def test_nothing_given_is_nothing_called(connected, flipkart):
    assert read_again(seller_id=connected.seller.pk, shipments=[]).failed is None
    assert flipkart.ledger.calls == []


def test_what_was_read_longer_ago_and_may_still_change_is_stale(seller, other_seller):
    now = timezone.now()
    fresh, old, never = (factories.shipment(seller) for _ in range(3))
    delivered, theirs = factories.shipment(seller, state="DELIVERED"), factories.shipment(other_seller)
    for shipment, minutes in ((fresh, 4), (old, 6), (delivered, 6)):
        with seller_scope(seller):
            Reading.objects.create(seller=seller, shipment=shipment, read_at=now - timedelta(minutes=minutes))

    with seller_scope(seller):
        asked = [fresh.pk, old.pk, never.pk, delivered.pk, theirs.pk]
        found = stale(seller.pk, asked, before=now - timedelta(minutes=5))

    assert found == [old, never]
