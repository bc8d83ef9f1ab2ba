"""Ready to dispatch: each parcel once, whatever becomes of the answer, and none that must not leave."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from fulfillment import dispatch
from fulfillment.models import Dispatch
from orders.models import Reading, Shipment
from sellers.models import Role
from shipcrowd.work import Attention, State
from tests import factories
from tests.factories import as_ops, reload
from tests.fulfillment.warehouse import ask_dispatch, drain, only, states, take_in, told, wait, work_on


@pytest.fixture
def packed(seller, account, flipkart) -> list[Shipment]:
    """Three packed parcels."""
    return take_in(seller, flipkart.world.add_shipments(account, 3, states="PACKED"))


@pytest.fixture
def parcel(seller, account, flipkart) -> Shipment:
    return take_in(seller, flipkart.world.add_shipments(account, 1, states="PACKED"))[0]


def read_long_ago(*shipments: Shipment) -> None:
    with factories.ops():
        Reading.objects.filter(shipment__in=shipments).update(read_at=timezone.now() - timedelta(minutes=6))


def ids(shipments: list[Shipment]) -> list[str]:
    return sorted(shipment.flipkart_shipment_id for shipment in shipments)


def test_packed_parcels_become_ready_to_dispatch(seller, packed, flipkart, packer):
    outcome = ask_dispatch(seller, packed, packer)
    drain()

    assert outcome.in_words() == "3 on their way"
    assert states(Dispatch) == [State.DONE] * 3
    assert sorted(flipkart.ledger.dispatches) == ids(packed)
    assert {reload(shipment).state for shipment in packed} == {"READY_TO_DISPATCH"}
    assert told(packed[0])[-2:] == ["ready to dispatch asked for", "ready to dispatch at Flipkart"]


def test_what_a_dispatch_shows_outlives_a_read_that_began_before_it(seller, parcel, flipkart, packer):
    """The slow answer of a poll still says PACKED; the next read says what is true."""
    from orders.ingest import ingest  # noqa: PLC0415 - only here a read is held back by hand
    from sellers import gateway  # noqa: PLC0415
    from shipcrowd import work  # noqa: PLC0415
    from shipcrowd.tenancy import seller_scope  # noqa: PLC0415

    began = work.database_now()
    page = gateway.client_for(seller.pk).fetch_shipments([parcel.flipkart_shipment_id])
    ask_dispatch(seller, [parcel], packer)
    drain()

    with seller_scope(seller):
        ingest(seller_id=seller.pk, shipments=page.shipments, read_began_at=began)
    assert (reload(parcel).state, reload(parcel).attention) == ("READY_TO_DISPATCH", "")

    flipkart.world.ship(parcel.flipkart_shipment_id)
    take_in(seller, [parcel.flipkart_shipment_id])
    assert reload(parcel).state == "SHIPPED"


def test_our_own_dispatch_is_known_to_be_in_time_or_late(seller, account, flipkart, packer):
    hour = timedelta(hours=1)
    add = flipkart.world.add_shipments
    parcels = take_in(
        seller,
        add(account, 1, states="PACKED")
        + add(account, 1, states="PACKED", ordered_at=timezone.now() - 9 * hour, dispatch_by=timezone.now() - hour),
    )

    ask_dispatch(seller, parcels, packer)
    drain()

    found = [reload(parcel) for parcel in parcels]
    assert [row.was_dispatched_late for row in found] == [False, True]
    assert all(timezone.now() - row.dispatched_at < timedelta(minutes=1) for row in found)


def test_sixty_parcels_are_three_calls(seller, account, flipkart, packer):
    packed = take_in(seller, flipkart.world.add_shipments(account, 60, states="PACKED"))

    ask_dispatch(seller, packed, packer)
    drain()

    assert [len(call.ids) for call in flipkart.ledger.calls_of("dispatch")] == [25, 25, 10]
    assert sorted(flipkart.ledger.dispatches) == ids(packed)


def test_what_must_not_leave_is_left_out_with_its_reason(seller, account, flipkart, packer):
    world = flipkart.world
    packed = world.add_shipments(account, 1, states="PACKED")
    unpacked = world.add_shipments(account, 2)
    held = world.add_shipments(account, 1, states="PACKED", held=True)
    cancelled = world.add_shipments(account, 1, states="CANCELLED")
    gone = world.add_shipments(account, 1, states="READY_TO_DISPATCH")
    chosen = take_in(seller, [*packed, *unpacked, *held, *cancelled, *gone])

    outcome = ask_dispatch(seller, chosen, packer)
    drain()

    assert dict(outcome.left_out) == {
        "not packed yet (approved)": unpacked,
        "on hold at Flipkart": held,
        "cancelled": cancelled,
        "already marked ready to dispatch": gone,
    }
    assert flipkart.ledger.dispatches == packed


def test_what_a_person_keeps_back_while_it_waits_is_withdrawn_in_words(seller, packed, flipkart, packer):
    """trust.md 20: one is set aside, one must be pulled; the third goes."""
    ask_dispatch(seller, packed, packer)
    keep_back(packed[0], set_aside_at=timezone.now(), set_aside_reason="damaged")
    keep_back(packed[1], attention=Attention.PULL, attention_says="its items changed")

    drain()

    assert flipkart.ledger.dispatches == [packed[2].flipkart_shipment_id]
    rows = [only(Dispatch, shipment=parcel) for parcel in packed[:2]]
    assert [(row.state, row.attention, row.says) for row in rows] == [
        (State.WITHDRAWN, "", "set aside: damaged"),
        (State.WITHDRAWN, "", "must be pulled: its items changed"),
    ]


def test_what_was_set_aside_and_put_back_is_dispatched_by_the_same_row(seller, parcel, flipkart, packer):
    ask_dispatch(seller, [parcel], packer)
    keep_back(parcel, set_aside_at=timezone.now(), set_aside_reason="short")
    drain()
    assert ask_dispatch(seller, [parcel], packer).in_words() == "0 on their way; left out: 1 set aside: short"
    keep_back(parcel, set_aside_at=None, set_aside_reason="")

    ask_dispatch(seller, [parcel], packer)
    drain()

    assert only(Dispatch).state == State.DONE
    assert flipkart.ledger.dispatches == [parcel.flipkart_shipment_id]


def keep_back(shipment: Shipment, **facts) -> None:
    with factories.ops():
        Shipment.objects.filter(pk=shipment.pk).update(**facts)


def test_a_buyer_who_cancels_just_before_the_call_is_believed(seller, packed, flipkart, packer):
    """trust.md 21."""
    flipkart.world.cancel(packed[0].flipkart_shipment_id)

    ask_dispatch(seller, packed, packer)
    drain()

    assert (only(Dispatch, shipment=packed[0]).state, only(Dispatch, shipment=packed[0]).says) == (
        State.WITHDRAWN,
        "cancelled at Flipkart",
    )
    assert sorted(flipkart.ledger.dispatches) == ids(packed[1:])


def test_a_buyer_who_cancelled_since_the_last_read_is_seen_before_the_call(seller, parcel, flipkart, packer):
    flipkart.world.cancel(parcel.flipkart_shipment_id)
    read_long_ago(parcel)

    ask_dispatch(seller, [parcel], packer)
    drain()

    assert flipkart.ledger.calls_of("dispatch") == []
    assert only(Dispatch).state == State.WITHDRAWN


def test_when_flipkart_does_not_answer_dispatch_waits_and_says_so(seller, parcel, flipkart, packer, clock):
    read_long_ago(parcel)
    flipkart.faults.set("shipments", "drop_before")
    ask_dispatch(seller, [parcel], packer)
    drain()
    assert only(Dispatch).says.startswith("waiting: Flipkart did not answer at ")
    assert flipkart.ledger.calls_of("dispatch") == []

    work_on(clock)

    assert flipkart.ledger.dispatches == [parcel.flipkart_shipment_id]


@pytest.mark.parametrize("kind", ["drop_after", "server_error", "truncated", "html"])
def test_a_lost_answer_is_read_back_and_not_sent_twice(seller, packed, flipkart, packer, clock, kind):
    """trust.md 1, 32."""
    flipkart.faults.set("dispatch", kind, **({"effect": True} if kind in ("server_error", "html") else {}))
    ask_dispatch(seller, packed, packer)
    drain()
    assert states(Dispatch) == [State.UNKNOWN] * 3

    work_on(clock)

    assert states(Dispatch) == [State.DONE] * 3
    assert sorted(flipkart.ledger.attempts_of("dispatch")) == ids(packed)


@pytest.mark.parametrize("kind", ["drop_before", "server_error"])
def test_what_never_arrived_is_sent_again_after_two_looks(seller, packed, flipkart, packer, clock, kind):
    """trust.md 2, 3."""
    flipkart.faults.set("dispatch", kind, **({"effect": False} if kind == "server_error" else {}))
    ask_dispatch(seller, packed, packer)
    drain()
    wait(clock, seconds=6)
    drain()
    assert (flipkart.ledger.dispatches, {row.read_backs for row in as_ops(Dispatch)}) == ([], {1})

    work_on(clock)

    assert sorted(flipkart.ledger.dispatches) == ids(packed)
    assert {(row.state, row.attempts) for row in as_ops(Dispatch)} == {(State.DONE, 2)}


def test_an_effect_that_comes_late_is_seen_by_the_second_look(seller, parcel, flipkart, packer, clock):
    """trust.md 3: the server finishes only after we hung up."""
    flipkart.faults.set("dispatch", "drop_before")
    ask_dispatch(seller, [parcel], packer)
    drain()
    wait(clock, seconds=6)
    drain()
    flipkart.world.dispatch(flipkart.world.find(parcel.flipkart_shipment_id)[0], parcel.flipkart_shipment_id)

    work_on(clock)

    assert only(Dispatch).state == State.DONE
    assert flipkart.ledger.dispatches == [parcel.flipkart_shipment_id]
    assert flipkart.ledger.attempts_of("dispatch") == [parcel.flipkart_shipment_id]


@pytest.mark.parametrize("kind", ["partial", "silent", "contradicting", "foreign_ids"])
def test_half_an_answer_settles_each_row_by_itself(seller, account, flipkart, packer, clock, kind):
    """trust.md 4, 5."""
    packed = take_in(seller, flipkart.world.add_shipments(account, 9, states="PACKED"))
    flipkart.faults.set("dispatch", kind)

    ask_dispatch(seller, packed, packer)
    work_on(clock)

    assert states(Dispatch) == [State.DONE] * 9
    assert sorted(flipkart.ledger.dispatches) == ids(packed)


def test_a_refusal_needs_a_person_and_says_flipkarts_code(seller, parcel, flipkart, packer):
    flipkart.faults.set("dispatch", "partial", code="INVALID_SHIPMENTS")

    ask_dispatch(seller, [parcel], packer)
    drain()

    row = only(Dispatch)
    assert (row.state, row.attention) == (State.REFUSED, Attention.REFUSED)
    assert row.says == "Flipkart does not know this shipment (INVALID_SHIPMENTS)"


def test_failed_rows_named_by_id_only_are_refused_without_a_code(seller, parcel, flipkart, packer):
    """guide-gaps 7."""
    flipkart.faults.set("dispatch", "partial", as_strings=True)

    ask_dispatch(seller, [parcel], packer)
    drain()

    assert only(Dispatch).says == "Flipkart refused it and gave no reason"


def test_one_that_was_dispatched_outside_meanwhile_is_done_and_not_doubled(seller, parcel, flipkart, packer, clock):
    account = flipkart.world.find(parcel.flipkart_shipment_id)[0]
    flipkart.world.dispatch(account, parcel.flipkart_shipment_id)

    ask_dispatch(seller, [parcel], packer)
    work_on(clock)

    assert only(Dispatch).state == State.DONE
    assert flipkart.ledger.dispatches == [parcel.flipkart_shipment_id]


def test_asked_twice_it_says_so_and_dispatches_once(seller, packed, flipkart, packer):
    """trust.md 18."""
    ask_dispatch(seller, packed[:2], packer)
    second = ask_dispatch(seller, packed, packer)
    drain()
    third = ask_dispatch(seller, packed, packer)

    assert second.in_words() == "1 on their way; 2 already on their way"
    assert third.in_words() == "0 on their way; left out: 3 already marked ready to dispatch"
    assert len(flipkart.ledger.attempts_of("dispatch")) == 3


def test_another_sellers_parcels_are_not_dispatched(seller, other_seller, packer, flipkart):
    theirs = factories.shipment(other_seller, state="PACKED", state_word="PACKED")

    assert ask_dispatch(seller, [theirs], packer).accepted == 0
    drain()
    assert as_ops(Dispatch) == []
    assert flipkart.ledger.dispatches == []


def test_a_task_that_runs_again_after_all_is_done_calls_nobody(seller, parcel, flipkart, packer):
    """trust.md 9."""
    ask_dispatch(seller, [parcel], packer)
    drain()
    calls = len(flipkart.ledger.calls)

    assert dispatch.work_due(seller_id=seller.pk) is False
    assert len(flipkart.ledger.calls) == calls


@pytest.mark.django_db(transaction=True)
def test_twenty_presses_and_four_workers_dispatch_each_parcel_once(flipkart, clock):
    """trust.md 13, 18."""
    connected = factories.connected_seller(flipkart)
    packer = factories.member(connected.seller, Role.STAFF)
    packed = take_in(connected.seller, flipkart.world.add_shipments(connected.account, 60, states="PACKED"))
    start = threading.Barrier(24)
    accepted = []

    def press() -> None:
        accepted.append(ask_dispatch(connected.seller, packed, packer).accepted)

    def work_off() -> None:
        for _ in range(40):
            dispatch.work_due(seller_id=connected.seller.pk)

    def at_once(act) -> None:
        start.wait()
        try:
            act()
        finally:
            connection.close()

    threads = [threading.Thread(target=at_once, args=[act]) for act in [press] * 20 + [work_off] * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    work_on(clock)

    assert sum(accepted) == 60
    assert sorted(flipkart.ledger.attempts_of("dispatch")) == ids(packed)
    assert states(Dispatch) == [State.DONE] * 60
