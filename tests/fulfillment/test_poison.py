"""One row on which our own code always raises holds up no other of its seller, whatever the kind of work.

The poison is a shipment whose stored state no version knows: reading it raises, each time.
"""

import pytest

from fulfillment.models import Dispatch, LabelRequest, PrintJob, Step
from fulfillment.papers import checking
from orders.models import Shipment
from shipcrowd import queue, work
from shipcrowd.work import Attention, State
from tests import factories
from tests.factories import as_ops, reload
from tests.fulfillment.warehouse import (
    ask_dispatch,
    ask_labels,
    ask_print,
    drain,
    only,
    papers,
    states,
    take_in,
    wait,
    work_on,
)


def poison(shipment: Shipment) -> None:
    with factories.ops():
        Shipment.objects.filter(pk=shipment.pk).update(state="NO_STATE_AT_ALL")


def work_off(seller, kind: str, turns: int = 30) -> None:
    """As the bell and a worker would, mistakes logged and not raised."""
    for _ in range(turns):
        queue.work(seller_id=seller.pk, kind=kind)


def test_one_poison_dispatch_lets_the_others_go(seller, account, flipkart, packer):
    parcels = take_in(seller, flipkart.world.add_shipments(account, 6, states="PACKED"))
    ask_dispatch(seller, parcels, packer)
    poison(parcels[2])

    work_off(seller, Dispatch.KIND)

    good = [parcel.flipkart_shipment_id for parcel in parcels if parcel.pk != parcels[2].pk]
    assert sorted(flipkart.ledger.dispatches) == sorted(good)
    assert {row.state for row in as_ops(Dispatch) if row.shipment_id != parcels[2].pk} == {State.DONE}
    row = only(Dispatch, shipment=parcels[2])
    assert (row.state, row.attention) == (State.DUE, Attention.BROKEN)
    assert row.says == "a mistake of ours (ValueError), again: will be tried again"


def test_one_poison_among_what_is_to_be_packed_lets_the_others_go(seller, account, flipkart, packer):
    shipments = take_in(seller, flipkart.world.add_shipments(account, 4))
    ask_labels(seller, shipments, packer)
    poison(shipments[0])

    work_off(seller, LabelRequest.KIND)

    assert sorted(flipkart.ledger.labels) == sorted(s.flipkart_shipment_id for s in shipments[1:])
    assert only(LabelRequest, shipment=shipments[0]).attention == Attention.BROKEN
    assert {row.attention for row in as_ops(LabelRequest) if row.shipment_id != shipments[0].pk} == {""}


def test_one_poison_among_what_is_to_be_fetched_lets_the_others_come(seller, account, flipkart, packer, clock):
    shipments = take_in(seller, flipkart.world.add_shipments(account, 4))
    ask_labels(seller, shipments, packer)
    drain()
    assert {row.step for row in as_ops(LabelRequest)} == {Step.FETCH}
    poison(shipments[1])
    flipkart.faults.set("download_labels", "late_labels")

    for _ in range(6):
        wait(clock, seconds=6)
        work_off(seller, LabelRequest.KIND, turns=8)

    good = [shipment for shipment in shipments if shipment.pk != shipments[1].pk]
    assert [only(LabelRequest, shipment=shipment).state for shipment in good] == [State.DONE] * 3
    assert all(papers(shipment) for shipment in good)


def test_one_poison_print_job_lets_the_others_print(seller, account, flipkart, packer, clock):
    shipments = take_in(seller, flipkart.world.add_shipments(account, 2))
    ask_labels(seller, shipments, packer)
    work_on(clock)
    bad, good = (ask_print(seller, [shipment], packer) for shipment in shipments)
    poison(shipments[0])

    work_off(seller, PrintJob.KIND)

    assert (reload(good).state, reload(bad).state) == (State.DONE, State.DUE)
    assert reload(bad).attention == Attention.BROKEN


@pytest.fixture
def no_child_starts(monkeypatch, tmp_path):
    """The process that reads PDFs does not find itself."""
    for reader in checking._readers.values():
        reader.stop()
    monkeypatch.setattr(checking, "HOME", tmp_path)


def test_where_no_pdf_can_be_read_labels_wait_and_say_so(seller, account, packer, flipkart, clock, no_child_starts):
    """It says nothing about the papers, and is no mistake of ours: each row waits for its own next look."""
    shipments = take_in(seller, flipkart.world.add_shipments(account, 2))
    ask_labels(seller, shipments, packer)

    drain()
    wait(clock, seconds=6)
    drain()

    assert states(LabelRequest) == [State.DUE] * 2
    assert {(row.attention, row.fetches, row.says) for row in as_ops(LabelRequest)} == {
        ("", 1, "waiting for a way to read it: the process that reads PDFs does not start")
    }
    assert work.look_for_due() == []
