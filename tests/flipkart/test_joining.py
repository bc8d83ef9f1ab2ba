"""Copies of one shipment into one."""

import itertools
from decimal import Decimal

import pytest

from shipcrowd.flipkart.joining import Contradiction, join, state_of
from shipcrowd.flipkart.types import Shipment, ShipmentItem, State
from shipcrowd.flipkart.wire import guide
from tests.flipkart.rows import answer, row


def shipment(*item_ids: str, **changes: object) -> Shipment:
    rows = [row("SHIP1", item_id, **changes) for item_id in item_ids]
    return guide.decode_shipments(answer({"shipments": rows})).shipments[0]


def item(state: State, word: str = "") -> ShipmentItem:
    return ShipmentItem(flipkart_order_item_id="1", sku="A", quantity=1, state=state, state_word=word or state.value)


@pytest.mark.parametrize(
    ("states", "state"),
    [
        (["PACKED"], "PACKED"),
        (["PACKED", "APPROVED"], "APPROVED"),
        (["CANCELLED", "PACKED"], "PACKED"),
        (["CANCELLED", "CANCELLED"], "CANCELLED"),
        (["DELIVERED", "RETURN_REQUESTED"], "DELIVERED"),
        (["PACKED", "TELEPORTED", "CANCELLED"], "UNKNOWN"),
    ],
)
def test_a_shipment_is_as_far_as_its_last_living_item(states, state):
    for order in itertools.permutations(states):
        assert state_of([item(State.of_word(word), word) for word in order])[0] == state


def test_an_unknown_word_of_an_item_is_the_word_of_the_shipment():
    assert state_of([item(State.PACKED), item(State.UNKNOWN, "TELEPORTED")]) == (State.UNKNOWN, "TELEPORTED")


def test_where_copies_differ_the_careful_one_holds():
    early = shipment("001", dispatchByDate="2026-01-08T10:00:00Z", dispatchAfterDate="2026-01-07T10:00:00Z", hold=True)
    late = shipment("002", dispatchByDate="2026-01-09T10:00:00Z", dispatchAfterDate="2026-01-08T09:00:00Z")

    for joined in (join(early, late), join(late, early)):
        assert joined.is_on_hold
        assert joined.dispatch_by_at == early.dispatch_by_at
        assert joined.dispatch_after_at == late.dispatch_after_at


def test_a_copy_with_all_the_items_replaces_the_one_before():
    old, new = shipment("001", hold=True), shipment("001", "002", hold=False)

    assert join(old, new) == new


def test_cash_adds_up_over_items_and_never_counts_one_twice():
    first = shipment("001", "002", paymentType="COD", codAmount=899, totalPrice=899)
    second = shipment("002", "003", paymentType="COD", codAmount=899, totalPrice=899)
    strange = shipment("002", "003", paymentType="COD", codAmount=700, totalPrice=899)
    silent = shipment("003")

    assert join(first, second).cod_amount == Decimal(899) * 3
    assert join(first, strange).cod_amount is None
    assert join(first, silent).cod_amount == Decimal(899) * 2
    assert join(silent, first).cod_amount == Decimal(899) * 2


def test_rows_of_two_orders_are_not_one_shipment():
    one, other = shipment("001"), shipment("002", orderId="OD2")

    with pytest.raises(Contradiction) as failure:
        join(one, other)

    assert failure.value.field_name == "flipkart_order_id"
