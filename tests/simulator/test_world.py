"""Which moves are legal, and what the ledger says of them."""

from datetime import timedelta

import pytest

from shipcrowd.simulator import Refusal, State
from shipcrowd.simulator.accounts import MOVES

#: What each power does: the state it leads to, and from where.
POWERS = {
    "make_ready": (State.READY_TO_PACK, {State.APPROVED}),
    "pack_outside": (State.PACKED, {State.APPROVED, State.READY_TO_PACK}),
    "cancel": (
        State.CANCELLED,
        {
            State.APPROVED,
            State.READY_TO_PACK,
            State.PACKING_IN_PROGRESS,
            State.FORM_FAILED,
            State.PACKED,
            State.READY_TO_DISPATCH,
        },
    ),
    "pick_up": (State.PICKUP_COMPLETE, {State.READY_TO_DISPATCH}),
    "ship": (State.SHIPPED, {State.READY_TO_DISPATCH, State.PICKUP_COMPLETE}),
    "deliver": (State.DELIVERED, {State.SHIPPED}),
}


@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize("state", State)
def test_every_power_from_every_state(simulator, account, power, state):
    (shipment_id,) = simulator.world.add_shipments(account, 1, states=state)
    target, legal_from = POWERS[power]

    if state in legal_from:
        getattr(simulator.world, power)(shipment_id)
        assert simulator.world.state_of(shipment_id) == target
    else:
        with pytest.raises(Refusal):
            getattr(simulator.world, power)(shipment_id)
        assert simulator.world.state_of(shipment_id) == state


@pytest.mark.parametrize("state", State)
def test_labels_only_before_packing_and_dispatch_only_when_packed(simulator, account, caller, state):
    (shipment_id,) = simulator.world.add_shipments(account, 1, states=state)

    dispatched = caller.dispatch([shipment_id]).json()["successful"]
    labelled = caller.generate_labels([shipment_id]).json()["status"]

    assert dispatched == ([shipment_id] if state == State.PACKED else [])
    assert labelled == ("SUCCESS" if state in (State.APPROVED, State.READY_TO_PACK) else "PARTIAL")


def test_a_return_is_asked_for_and_then_comes_back(simulator, account):
    (shipment_id,) = simulator.world.add_shipments(account, 1, states=State.DELIVERED)

    simulator.world.send_back(shipment_id)
    assert simulator.world.state_of(shipment_id) == State.RETURN_REQUESTED
    simulator.world.send_back(shipment_id)
    assert simulator.world.state_of(shipment_id) == State.RETURNED
    with pytest.raises(Refusal):
        simulator.world.send_back(shipment_id)


def test_a_held_shipment_is_neither_packed_nor_dispatched_until_it_is_released(simulator, account, caller):
    approved, packed = simulator.world.add_shipments(account, 2, states=[State.APPROVED, State.PACKED])
    for shipment_id in (approved, packed):
        simulator.world.hold(shipment_id)

    assert caller.generate_labels([approved]).json()["failed"][0]["errorCode"] == "SHIPMENT_ON_HOLD"
    assert caller.dispatch([packed]).json()["failed"][0]["errorCode"] == "SHIPMENT_ON_HOLD"
    assert [row["hold"] for row in caller.shipments([approved, packed]).json()["shipments"]] == [True, True]

    for shipment_id in (approved, packed):
        simulator.world.release(shipment_id)
    assert caller.generate_labels([approved]).json()["status"] == "SUCCESS"
    assert caller.dispatch([packed]).json()["successful"] == [packed]


def test_what_is_not_yet_due_is_not_packed(simulator, account, caller, clock):
    (shipment_id,) = simulator.world.add_shipments(account, 1, dispatch_after=clock.now + timedelta(minutes=30))

    refused = caller.generate_labels([shipment_id]).json()
    clock.moves(minutes=30)
    accepted = caller.generate_labels([shipment_id]).json()

    assert refused["failed"][0]["errorCode"] == "SHIPMENT_NOT_DUE"
    assert accepted["status"] == "SUCCESS"
    assert [attempt.code for attempt in simulator.ledger.attempts] == ["SHIPMENT_NOT_DUE", ""]


def test_dispatch_dates_can_be_changed_but_not_crossed(simulator, account, caller, clock):
    (shipment_id,) = simulator.world.add_shipments(account, 1)

    simulator.world.change_dispatch_dates(shipment_id, dispatch_by=clock.now + timedelta(days=4))
    with pytest.raises(Refusal):
        simulator.world.change_dispatch_dates(shipment_id, dispatch_after=clock.now + timedelta(days=5))

    row = caller.shipments([shipment_id]).json()["shipments"][0]
    assert (row["dispatchAfterDate"], row["dispatchByDate"]) == ("2026-01-07T08:00:00.000Z", "2026-01-11T10:00:00.000Z")


def test_a_buyer_who_cancels_after_the_label_stops_the_dispatch(simulator, account, caller, clock):
    """trust.md 21."""
    (shipment_id,) = simulator.world.add_shipments(account, 1)
    caller.generate_labels([shipment_id])
    simulator.world.cancel(shipment_id)

    assert caller.dispatch([shipment_id]).json()["failed"][0]["errorCode"] == "ORDER_ITEM_ALREADY_CANCELLED"
    assert [effect.kind for effect in simulator.ledger.effects] == ["create", "pack", "cancel"]


def test_no_state_but_the_last_ones_is_a_dead_end():
    assert [state for state, following in MOVES.items() if not following] == [State.CANCELLED, State.RETURNED]
    assert set(MOVES) == set(State)


def test_a_fresh_day_has_a_bit_of_everything(simulator, account, clock):
    ids = simulator.world.add_day(account, 40)
    made = [account.shipments[shipment_id] for shipment_id in ids]

    assert len(set(ids)) == 40
    assert sum(shipment.is_on_hold for shipment in made) == 2
    assert sum(shipment.dispatch_after_at > clock.now for shipment in made) == 4
    assert sum(len(shipment.items) == 2 for shipment in made) == 5
    late = [shipment for shipment in made if clock.now - shipment.ordered_at == timedelta(days=3)]
    assert [shipment.approved_at for shipment in late] == [clock.now]
    assert {shipment.is_cod for shipment in made} == {True, False}
    assert {shipment.facility.facility_id for shipment in made} == set(account.facility_ids)
    assert len({shipment.items[0].goods.sku for shipment in made}) > 5
    assert all(shipment.dispatch_by_at > clock.now for shipment in made)


def test_a_week_later_nothing_is_a_week_late(simulator, account, clock):
    ids = simulator.world.add_day(account, 40)
    ready = next(i for i in ids if not account.shipments[i].is_on_hold)
    simulator.world.pack_outside(ready)
    account.shipments[ready].dispatch_after_at = clock.now
    simulator.world.dispatch(account, ready)

    clock.now += timedelta(days=7)
    simulator.world.let_days_pass(account)

    assert simulator.world.state_of(ready) == State.SHIPPED
    assert all(account.shipments[i].dispatch_by_at > clock.now for i in ids if i != ready)


def test_ids_never_meet(simulator, account):
    simulator.world.add_shipments(account, 3_000)
    made = account.shipments.values()

    for ids in (
        {shipment.order_id for shipment in made},
        {shipment.shipment_id for shipment in made},
        {shipment.key for shipment in made},
    ):
        assert len(ids) == 3_000
    assert all(len(shipment.order_id) == 20 for shipment in made)
