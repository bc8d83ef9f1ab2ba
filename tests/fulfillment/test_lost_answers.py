"""Each answer of Flipkart's is lost once, at each operation, in the middle of a day's work; the ledger is the judge."""

import pytest

from fulfillment.models import Dispatch, LabelRequest
from orders.models import Shipment
from shipcrowd.work import State
from tests.factories import as_ops, reload
from tests.fulfillment.warehouse import ask_dispatch, ask_labels, ask_print, states, take_in, wait, work_on

OPERATIONS = ["shipments", "generate_labels", "download_labels", "dispatch"]
KINDS = ["drop_before", "drop_after", "server_error", "truncated", "html"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_lost_answer_costs_time_and_nothing_else(seller, account, flipkart, packer, clock, operation, kind):
    """trust.md 1, 2, 32."""
    shipment_ids = flipkart.world.add_shipments(account, 5)
    shipments = take_in(seller, shipment_ids)
    flipkart.faults.set(operation, kind)

    ask_labels(seller, shipments, packer)
    work_on(clock)
    job = ask_print(seller, shipments, packer)
    work_on(clock)
    ask_dispatch(seller, shipments, packer)
    work_on(clock)
    wait(clock, seconds=60)
    work_on(clock)

    assert states(LabelRequest) == states(Dispatch) == [State.DONE] * 5
    assert sorted(flipkart.ledger.labels) == sorted(flipkart.ledger.dispatches) == sorted(shipment_ids)
    # Attempts, not effects: a second one would show even where Flipkart refused it.
    assert sorted(flipkart.ledger.attempts_of("generate_labels")) == sorted(shipment_ids)
    assert sorted(flipkart.ledger.attempts_of("dispatch")) == sorted(shipment_ids)
    assert flipkart.faults.switched_on == []
    assert reload(job).says == "5 labels"
    assert {(shipment.state, shipment.attention) for shipment in as_ops(Shipment)} == {("READY_TO_DISPATCH", "")}
