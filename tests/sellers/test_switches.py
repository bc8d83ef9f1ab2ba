"""What platform ops have stopped for one seller stays undone for it alone, and goes on afterwards."""

import pytest
from django.utils import timezone

from fulfillment import labels
from fulfillment.models import LabelRequest
from orders.models import PollCursor, Shipment
from sellers import gateway
from sellers.models import Role
from sellers.switches import Switch, turn
from shipcrowd.tenancy import seller_scope
from shipcrowd.work import State
from tests import factories
from tests.factories import as_ops, reload, run_due_work


@pytest.fixture
def ops(db):
    return factories.user(is_staff=True)


def switch(seller, which: Switch, off: str, by) -> None:
    with seller_scope(seller):
        turn(seller, which, off=off, by=by)


def ask_label(connected, flipkart) -> str:
    """Asks for the label of a fresh shipment; what the press says."""
    made = flipkart.world.add_shipments(connected.account, 1)
    factories.wake(PollCursor)
    packer = factories.member(connected.seller, Role.STAFF)
    with seller_scope(connected.seller):
        PollCursor.objects.update(wake_at=timezone.now())
    run_due_work(rounds=2)
    (shipment,) = as_ops(Shipment, flipkart_shipment_id=made[0])
    with seller_scope(connected.seller):
        asked = {"shipment_ids": [shipment.pk], "by": packer, "now": timezone.now()}
        return labels.request_labels(seller=connected.seller, **asked).in_words()


def test_stopped_sending_keeps_what_was_asked_and_says_why_until_it_goes_on(connected, flipkart, ops):
    switch(connected.seller, Switch.SENDING, "their keys leaked", ops)
    says = ask_label(connected, flipkart)

    run_due_work()

    assert says == "1 on their way; the platform has stopped sending: their keys leaked: they wait"

    (row,) = as_ops(LabelRequest)
    assert (row.state, row.says) == (State.DUE, "waiting: the platform has stopped sending: their keys leaked")
    assert flipkart.ledger.labels == []

    switch(connected.seller, Switch.SENDING, "", ops)
    factories.wake()
    run_due_work()
    assert len(flipkart.ledger.labels) == 1


def test_an_effect_already_in_a_workers_hand_is_not_sent_either(connected, ops):
    switch(connected.seller, Switch.SENDING, "their keys leaked", ops)

    with pytest.raises(gateway.SendingIsOff):
        gateway.client_for(connected.seller.pk).dispatch(["SHIP1"])


def test_what_is_switched_off_in_mid_batch_stops_the_next_call(connected, flipkart, ops):
    client = gateway.client_for(connected.seller.pk)
    switch(connected.seller, Switch.SENDING, "their keys leaked", ops)

    with pytest.raises(gateway.SendingIsOff):
        client.dispatch(["SHIP1"])
    assert flipkart.ledger.calls_of("dispatch") == []


def test_stopped_reading_ends_polling_and_following_but_not_what_a_press_needs(connected, flipkart, ops):
    flipkart.world.add_shipments(connected.account, 1)
    switch(connected.seller, Switch.READING, "Flipkart asked us to", ops)
    with seller_scope(connected.seller):
        PollCursor.objects.update(wake_at=timezone.now())

    run_due_work()

    (cursor,) = as_ops(PollCursor)
    assert (cursor.says, cursor.failures_in_a_row) == ("the platform has stopped reading: Flipkart asked us to", 0)
    assert flipkart.ledger.calls_of("search") == []
    with pytest.raises(gateway.ReadingIsOff):
        gateway.client_for(connected.seller.pk, for_polling=True)
    assert gateway.client_for(connected.seller.pk).fetch_shipments(list(connected.account.shipments)).shipments

    switch(connected.seller, Switch.READING, "", ops)
    factories.wake(PollCursor)
    run_due_work()
    assert reload(cursor).last_good_at is not None


def test_another_seller_is_not_stopped(connected, flipkart, ops):
    other = factories.connected_seller(flipkart)
    switch(connected.seller, Switch.SENDING, "their keys leaked", ops)
    switch(connected.seller, Switch.READING, "their keys leaked", ops)

    ask_label(other, flipkart)
    run_due_work()

    assert len(flipkart.ledger.labels) == 1
