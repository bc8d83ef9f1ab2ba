"""Reads, presses, workers and a cut connection at the same time: nobody waits for ever, and each parcel leaves once."""

import random
import threading
from collections.abc import Callable

import pytest
from django.db import connection

from fulfillment import dispatch, labels, parking, retrying
from fulfillment.models import Dispatch, LabelRequest
from sellers.models import Quota, Role
from shipcrowd.tenancy import seller_scope
from shipcrowd.work import State
from tests import factories
from tests.factories import as_ops
from tests.fulfillment.warehouse import ask_dispatch, ask_labels, states, take_in, work_on

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def connected(transactional_db, flipkart):
    found = factories.connected_seller(flipkart)
    with factories.ops():
        Quota.objects.update(left=100_000)
    return found


@pytest.fixture
def packer(connected):
    return factories.member(connected.seller, Role.STAFF)


def at_once(*acts: Callable[[], object]) -> list[Exception]:
    """Runs all acts in threads of their own that start together; what they raised."""
    raised: list[Exception] = []
    start = threading.Barrier(len(acts))

    def run(act: Callable[[], object]) -> None:
        start.wait()
        try:
            act()
        except Exception as error:  # noqa: BLE001 - told by the test itself
            raised.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[act]) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return raised


def test_reads_presses_and_workers_lock_in_one_order(connected, flipkart, packer, clock):
    """trust.md 46: shuffled batches of the same shipments, each changed before it is read, and no deadlock."""
    seller, world = connected.seller, flipkart.world
    packed = world.add_shipments(connected.account, 40, states="PACKED")
    fresh = world.add_shipments(connected.account, 40)
    shipments = take_in(seller, [*packed, *fresh])

    def reads(seed: int) -> Callable[[], None]:
        dice = random.Random(seed)

        def read() -> None:
            for _ in range(8):
                some = dice.sample([*packed, *fresh], 30)
                for shipment_id in some[:6]:
                    (world.release if world.find(shipment_id)[1].is_on_hold else world.hold)(shipment_id)
                for shipment_id in some[:6]:
                    if world.find(shipment_id)[1].is_on_hold:
                        world.release(shipment_id)
                take_in(seller, some)

        return read

    def presses(seed: int) -> Callable[[], None]:
        dice = random.Random(seed)

        def press() -> None:
            for _ in range(8):
                some = dice.sample(shipments, 30)
                ask_labels(seller, some, packer)
                ask_dispatch(seller, some, packer)

        return press

    def works() -> None:
        for _ in range(15):
            labels.work_due(seller_id=seller.pk)
            dispatch.work_due(seller_id=seller.pk)

    # One who changes holds, so that a press of hold and of release never cross in the simulator.
    assert at_once(reads(1), presses(2), presses(3), works, works, works) == []

    ask_labels(seller, shipments, packer)
    work_on(clock)
    ask_dispatch(seller, shipments, packer)
    work_on(clock)
    assert sorted(flipkart.ledger.labels) == sorted(fresh)
    assert sorted(flipkart.ledger.dispatches) == sorted([*packed, *fresh])


def test_a_connection_cut_in_the_middle_of_sending_parks_and_doubles_nothing(connected, flipkart, packer, clock):
    """trust.md 19, 20: the worker's word for a parked row no longer counts; a retry reads it back."""
    seller = connected.seller
    parcels = take_in(seller, flipkart.world.add_shipments(connected.account, 100, states="PACKED"))
    ask_dispatch(seller, parcels, packer)

    def cut() -> None:
        with seller_scope(seller):
            parking.park(seller, packer)

    def works() -> None:
        while dispatch.work_due(seller_id=seller.pk):
            pass

    assert at_once(cut, works, works) == []
    assert set(states(Dispatch)) <= {State.DONE, State.GIVEN_UP}

    row_ids = [row.public_id for row in as_ops(Dispatch)]
    with seller_scope(seller):
        retrying.retry(seller=seller, row_ids=row_ids, by=packer)
    work_on(clock)

    assert states(Dispatch) == [State.DONE] * 100
    assert sorted(flipkart.ledger.attempts_of("dispatch")) == sorted(s.flipkart_shipment_id for s in parcels)


def test_papers_of_many_are_stored_once_by_workers_side_by_side(connected, flipkart, packer, clock):
    """trust.md 13."""
    seller = connected.seller
    shipments = take_in(seller, flipkart.world.add_shipments(connected.account, 24))
    ask_labels(seller, shipments, packer)

    def works() -> None:
        for _ in range(10):
            labels.work_due(seller_id=seller.pk)

    assert at_once(works, works, works) == []
    clock.pass_(seconds=6)
    factories.wake(LabelRequest)
    assert at_once(works, works, works) == []
    work_on(clock)

    assert states(LabelRequest) == [State.DONE] * 24
    assert len(flipkart.ledger.attempts_of("generate_labels")) == 24
