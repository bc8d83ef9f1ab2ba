"""One seller's flood delays nobody: whoever has ten rows waits for a turn, not for fifty thousand (trust.md 26)."""

import time

import pytest
from django.db import connection
from django_q.models import OrmQ
from django_q.signing import SignedPackage

from fulfillment.models import Dispatch
from orders.models import Shipment
from orders.states import State
from shipcrowd import queue, transport, work
from shipcrowd.simulator import mounted
from shipcrowd.tenancy import seller_scope
from tests import factories
from tests.conftest import SIMULATOR
from tests.factories import as_ops
from tests.fulfillment.warehouse import ask_dispatch, take_in

FLOOD = 50_000
SECONDS_A_CALL = 10  # a Flipkart that is very slow, and still answers in time


@pytest.fixture
def flooded(connected):
    """A connected seller with 50,000 dispatches that are due, of shipments that Flipkart knows nothing of."""
    seller = connected.seller
    with seller_scope(seller):
        pattern = factories.shipment(seller, state=State.PACKED, state_word="PACKED")
        with connection.cursor() as cursor:
            columns = [f.column for f in Shipment._meta.local_concrete_fields if not f.generated and not f.primary_key]
            drawn = {"public_id": "gen_random_uuid()", "flipkart_shipment_id": "'SHIP' || number"}
            cursor.execute(
                f"insert into orders_shipment ({', '.join(columns)}) "
                f"select {', '.join(drawn.get(column, column) for column in columns)} "
                "from orders_shipment, generate_series(2, %s) number where id = %s",
                [FLOOD, pattern.pk],
            )
            cursor.execute(
                "insert into fulfillment_dispatch (seller_id, shipment_id, wake_at, public_id, state, in_doubt, "
                "attempts, read_backs, attention, says) select seller_id, id, now(), gen_random_uuid(), 'due', false, "
                "0, 0, '', '' from orders_shipment"
            )
    return connected


def work_the_queue(until) -> int:
    """Works the queue's rows in their order, one after the other, as one worker would; how many until it is so."""
    for turn in range(1, 100):
        row = OrmQ.objects.order_by("pk").first()
        if row is None:
            queue.ring_the_due()
            continue
        task = SignedPackage.loads(row.payload)
        row.delete()
        queue.work_batch(**{name: task["kwargs"][name] for name in ("seller_id", "kind")})
        if until():
            return turn
    raise AssertionError("it does not come to an end")


@pytest.fixture
def slow_calls(flipkart, clock) -> None:
    """Each call lets time pass, at Flipkart and so for whoever waits."""

    def answer(environ, start_response):
        clock.pass_(seconds=SECONDS_A_CALL)
        return flipkart(environ, start_response)

    transport.mount(SIMULATOR, mounted(answer))


@pytest.mark.slow
def test_ten_rows_of_one_seller_do_not_wait_for_fifty_thousand_of_another(flooded, flipkart, slow_calls, clock):
    small = factories.connected_seller(flipkart)
    packer = factories.member(small.seller)
    ten = take_in(small.seller, flipkart.world.add_shipments(small.account, 10, states="PACKED"))
    queue.ring_the_due()

    asked_at, began = clock.now, time.monotonic()
    ask_dispatch(small.seller, ten, packer)
    turns = work_the_queue(lambda: {row.state for row in as_ops(Dispatch, seller=small.seller)} == {work.State.DONE})

    # The flood had its turn first, and has at most one more before the ten are done.
    assert turns <= 3
    seconds = (clock.now - asked_at).total_seconds() + time.monotonic() - began
    assert SECONDS_A_CALL < seconds < 60
    assert flipkart.ledger.dispatches == [one.flipkart_shipment_id for one in ten]


@pytest.mark.slow
def test_a_spent_quota_rewrites_nothing_of_the_flood(flooded, flipkart):
    flipkart.faults.set("shipments", "throttled", times=None, retry_after="30")
    with seller_scope(flooded.seller):
        before = dict(Dispatch.objects.values_list("pk", "wake_at"))

    queue.work_batch(seller_id=flooded.seller.pk, kind="dispatches")

    with seller_scope(flooded.seller):
        after = dict(Dispatch.objects.values_list("pk", "wake_at"))
    assert sum(before[pk] != after[pk] for pk in before) == 25
    assert work.look_for_due() == []
