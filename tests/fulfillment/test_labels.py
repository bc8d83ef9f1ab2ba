"""Labels: asked for once, packed once, fetched until they are here, and never for what must not leave."""

import threading
from datetime import timedelta
from math import ceil
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from fulfillment import labels
from fulfillment.models import LabelRequest, Step
from orders.models import Reading, Shipment
from sellers.models import Connection, Quota, Role, Standing
from shipcrowd import files, work
from shipcrowd.audit.models import AuditEntry
from shipcrowd.simulator import api
from shipcrowd.tenancy import NoScope, seller_scope
from shipcrowd.work import Attention, State
from tests import factories
from tests.factories import as_ops, reload
from tests.fulfillment.warehouse import (
    ask_labels,
    drain,
    only,
    papers,
    states,
    take_in,
    told,
    wait,
    work_on,
)


@pytest.fixture
def shipments(seller, account, flipkart) -> list[Shipment]:
    """Three that may be labelled."""
    return take_in(seller, flipkart.world.add_shipments(account, 3))


@pytest.fixture
def shipment(seller, account, flipkart) -> Shipment:
    return take_in(seller, flipkart.world.add_shipments(account, 1))[0]


def read_long_ago(*shipments: Shipment) -> None:
    with factories.ops():
        Reading.objects.filter(shipment__in=shipments).update(read_at=timezone.now() - timedelta(minutes=6))


# --- A good day ------------------------------------------------------------------------------------------------------


def test_a_label_is_asked_for_packed_fetched_and_stored(seller, shipment, flipkart, packer, clock):
    outcome = ask_labels(seller, [shipment], packer)
    work_on(clock)

    assert outcome.in_words() == "1 on their way"
    assert states(LabelRequest) == [State.DONE]
    assert flipkart.ledger.labels == [shipment.flipkart_shipment_id]
    stored = reload(shipment)
    assert (stored.state, stored.labelled_outside) == ("PACKED", False)
    assert stored.label_requested_at < stored.label_stored_at
    assert [(paper.paper, paper.holds(stored.tracking_id)) for paper in papers(shipment)] == [
        ("label", True),
        ("invoice", None),
        ("manifest", None),
    ]
    assert {"label requested", "accepted by Flipkart: waiting for the label", "label stored"} <= set(told(shipment))


def test_the_stored_label_is_cut_and_its_page_kept(seller, shipment, packer, clock):
    ask_labels(seller, [shipment], packer)
    work_on(clock)

    label = papers(shipment)[0]
    assert files.read_checked(label.storage_key, label.sha256).startswith(b"%PDF")
    assert label.cut_by == "line"
    assert label.storage_key.startswith(f"sellers/{seller.public_id}/label/")
    assert label.original_key.startswith(f"sellers/{seller.public_id}/original/")


@pytest.mark.slow
def test_many_are_grouped_into_as_few_calls_as_the_batch_allows(seller, account, flipkart, packer, clock):
    shipments = take_in(seller, flipkart.world.add_shipments(account, 45))

    ask_labels(seller, shipments, packer)
    work_on(clock)

    assert states(LabelRequest) == [State.DONE] * 45
    assert sorted(flipkart.ledger.labels) == sorted(s.flipkart_shipment_id for s in shipments)
    assert [len(call.ids) for call in flipkart.ledger.calls_of("generate_labels")] == [20, 20, 5]
    assert len(flipkart.ledger.calls_of("download_labels")) <= 6


def test_asking_writes_one_line_of_audit_with_who(seller, shipments, packer):
    ask_labels(seller, shipments, packer)

    (entry,) = as_ops(AuditEntry, did="asked for labels")
    assert (entry.by_id, entry.about_id, entry.row_count) == (packer.pk, seller.pk, 3)


def test_asking_takes_the_same_number_of_statements_for_many(
    seller, account, flipkart, packer, django_assert_num_queries
):
    few = take_in(seller, flipkart.world.add_shipments(account, 2))
    many = take_in(seller, flipkart.world.add_shipments(account, 60))

    with django_assert_num_queries(count_of(seller, few, packer)):
        ask_labels(seller, many, packer)


def count_of(seller, shipments, packer) -> int:
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415 - only this count needs it

    with CaptureQueriesContext(connection) as captured:
        ask_labels(seller, shipments, packer)
    return len(captured)


def test_asking_needs_the_sellers_scope(seller, shipment, packer):
    with pytest.raises(NoScope):
        labels.request_labels(seller=seller, shipment_ids=[shipment.pk], by=packer, now=timezone.now())


def test_another_sellers_shipments_are_not_labelled(seller, other_seller, shipment, packer, flipkart):
    """trust.md 53: the row exists, and neither its seller nor Flipkart hears of it."""
    theirs = factories.shipment(other_seller)

    assert ask_labels(seller, [theirs], packer).in_words() == "0 on their way"
    assert as_ops(LabelRequest) == []


# --- What is left out ------------------------------------------------------------------------------------------------


def test_what_must_not_be_labelled_is_left_out_with_its_reason(seller, account, flipkart, packer, clock):
    world = flipkart.world
    good = world.add_shipments(account, 2)
    held = world.add_shipments(account, 2, held=True)
    cancelled = world.add_shipments(account, 1, states="CANCELLED")
    early = world.add_shipments(
        account, 1, dispatch_after=clock() + timedelta(hours=30), dispatch_by=clock() + timedelta(hours=60)
    )
    chosen = take_in(seller, [*good, *held, *cancelled, *early])

    outcome = ask_labels(seller, chosen, packer)
    work_on(clock)

    assert outcome.accepted == 2
    assert [(reason.split(" before ")[0], ids) for reason, ids in outcome.left_out] == [
        ("on hold at Flipkart", held),
        ("cancelled", cancelled),
        ("not due", early),
    ]
    assert outcome.in_words().startswith(
        "2 on their way; left out: 2 on hold at Flipkart, 1 cancelled, 1 not due before "
    )
    assert sorted(flipkart.ledger.labels) == sorted(good)


def test_a_shipment_in_an_unknown_state_is_left_out(seller, shipment, packer):
    with factories.ops():
        Shipment.objects.update(state="UNKNOWN", state_word="GIFT_WRAPPING")

    outcome = ask_labels(seller, [shipment], packer)

    assert outcome.left_out == [("its state “GIFT_WRAPPING” is not known here", [shipment.flipkart_shipment_id])]


@pytest.mark.parametrize("happens", ["cancel", "hold", "change_dispatch_dates"])
def test_what_changed_since_it_was_read_is_seen_before_it_is_packed(seller, shipment, flipkart, packer, clock, happens):
    """trust.md 21: read longer than five minutes ago, so it is read again first."""
    dates = {"dispatch_after": clock() + timedelta(hours=9)} if happens == "change_dispatch_dates" else {}
    getattr(flipkart.world, happens)(shipment.flipkart_shipment_id, **dates)
    read_long_ago(shipment)

    ask_labels(seller, [shipment], packer)
    drain()

    row = only(LabelRequest)
    assert flipkart.ledger.calls_of("generate_labels") == []
    assert (row.state, row.says.split(":")[0].split(" before")[0]) == {
        "cancel": (State.WITHDRAWN, "cancelled at Flipkart"),
        "hold": (State.DUE, "on hold at Flipkart"),
        "change_dispatch_dates": (State.DUE, "not due"),
    }[happens]


def test_a_shipment_on_hold_is_labelled_once_it_is_released(seller, shipment, flipkart, packer, clock):
    flipkart.world.hold(shipment.flipkart_shipment_id)
    read_long_ago(shipment)
    ask_labels(seller, [shipment], packer)
    drain()

    flipkart.world.release(shipment.flipkart_shipment_id)
    read_long_ago(shipment)
    wait(clock, minutes=5)
    work_on(clock)

    assert flipkart.ledger.labels == [shipment.flipkart_shipment_id]


@pytest.mark.parametrize(("happens", "state"), [("cancel", State.WITHDRAWN), ("hold", State.DUE)])
def test_what_changed_just_now_is_refused_by_flipkart_and_believed(seller, shipment, flipkart, packer, happens, state):
    """trust.md 21: read a moment ago, so only the call itself can tell."""
    getattr(flipkart.world, happens)(shipment.flipkart_shipment_id)

    ask_labels(seller, [shipment], packer)
    drain()

    assert only(LabelRequest).state == state
    assert flipkart.ledger.labels == []


def test_when_flipkart_does_not_answer_the_second_look_nothing_is_packed(seller, shipment, flipkart, packer):
    read_long_ago(shipment)
    flipkart.faults.set("shipments", "drop_before")

    ask_labels(seller, [shipment], packer)
    drain()

    row = only(LabelRequest)
    assert row.says.startswith("waiting: Flipkart did not answer at ")
    assert row.says.endswith("(IST)")
    assert (row.state, flipkart.ledger.calls_of("generate_labels")) == (State.DUE, [])


def test_one_that_flipkart_will_not_read_again_keeps_no_other_back(seller, account, flipkart, packer, monkeypatch):
    made = take_in(seller, flipkart.world.add_shipments(account, 4))
    bad = made[2]
    shipments = api.shipments

    def refusing(world, account, shipment_ids):
        if bad.flipkart_shipment_id in shipment_ids:
            raise api.ApiError(400, "BAD_SHIPMENT", "one of them is bad")
        return shipments(world, account, shipment_ids)

    monkeypatch.setattr(api, "shipments", refusing)
    read_long_ago(*made)
    ask_labels(seller, made, packer)
    drain()

    others = {one.flipkart_shipment_id for one in made} - {bad.flipkart_shipment_id}
    assert set(flipkart.ledger.labels) == others
    row = only(LabelRequest, shipment=bad)
    assert (row.state, row.says) == (
        State.DUE,
        "waiting: Flipkart did not name this shipment when it was read again",
    )


def test_a_code_that_needs_a_person_becomes_attention_and_a_retry_by_hand_uses_the_same_row(
    seller, shipment, flipkart, packer, clock
):
    flipkart.faults.set("generate_labels", "partial", code="INVALID_HSN")
    ask_labels(seller, [shipment], packer)
    drain()

    row = only(LabelRequest)
    assert (row.state, row.attention) == (State.REFUSED, Attention.REFUSED)
    assert row.says == "Flipkart does not accept its HSN code (INVALID_HSN)"

    assert ask_labels(seller, [shipment], packer).accepted == 1
    work_on(clock)

    assert (only(LabelRequest).pk, only(LabelRequest).state, only(LabelRequest).attention) == (row.pk, State.DONE, "")
    assert flipkart.ledger.labels == [shipment.flipkart_shipment_id]


# --- Once and only once ----------------------------------------------------------------------------------------------


def test_asked_twice_it_says_so_and_packs_once(seller, shipments, flipkart, packer, clock):
    """trust.md 18."""
    ask_labels(seller, shipments[:2], packer)
    second = ask_labels(seller, shipments, packer)
    work_on(clock)

    assert second.in_words() == "1 on their way; 2 already on their way"
    assert len(flipkart.ledger.labels) == 3


def test_what_is_labelled_is_not_asked_for_again(seller, shipment, flipkart, packer, clock):
    ask_labels(seller, [shipment], packer)
    work_on(clock)

    again = ask_labels(seller, [shipment], packer)

    assert again.in_words() == "0 on their way; left out: 1 already labelled"


def test_a_shipment_packed_in_flipkarts_own_panel_is_fetched_and_never_packed(seller, account, flipkart, packer, clock):
    (shipment,) = take_in(seller, flipkart.world.add_shipments(account, 1, states="PACKED"))
    assert shipment.labelled_outside

    assert ask_labels(seller, [shipment], packer).accepted == 1
    work_on(clock)

    assert flipkart.ledger.calls_of("generate_labels") == []
    assert reload(shipment).label_stored_at is not None
    assert only(LabelRequest).state == State.DONE


def test_a_shipment_packed_outside_meanwhile_is_fetched_and_not_packed_again(
    seller, account, shipment, flipkart, packer, clock
):
    flipkart.world.pack(account, shipment.flipkart_shipment_id)
    read_long_ago(shipment)

    ask_labels(seller, [shipment], packer)
    work_on(clock)

    assert flipkart.ledger.calls_of("generate_labels") == []
    assert (reload(shipment).labelled_outside, only(LabelRequest).state) == (True, State.DONE)


LOST = ["drop_after", "server_error", "truncated", "html"]


@pytest.mark.parametrize("kind", LOST)
def test_a_lost_answer_is_read_back_and_not_sent_twice(seller, shipments, flipkart, packer, clock, kind):
    """trust.md 1, 32."""
    options = {"effect": True} if kind in ("server_error", "html") else {}
    flipkart.faults.set("generate_labels", kind, **options)
    ask_labels(seller, shipments, packer)
    drain()
    assert states(LabelRequest) == [State.UNKNOWN] * 3

    work_on(clock)

    assert states(LabelRequest) == [State.DONE] * 3
    assert sorted(flipkart.ledger.attempts_of("generate_labels")) == sorted(s.flipkart_shipment_id for s in shipments)
    assert [reload(s).labelled_outside for s in shipments] == [False] * 3


@pytest.mark.parametrize("kind", ["drop_before", "server_error"])
def test_what_never_arrived_is_sent_again_after_two_looks(seller, shipments, flipkart, packer, clock, kind):
    """trust.md 2, 3."""
    flipkart.faults.set("generate_labels", kind, **({"effect": False} if kind == "server_error" else {}))
    ask_labels(seller, shipments, packer)
    drain()
    wait(clock, seconds=6)
    drain()
    assert {row.read_backs for row in as_ops(LabelRequest)} == {1}
    assert flipkart.ledger.labels == []

    work_on(clock)

    assert sorted(flipkart.ledger.labels) == sorted(s.flipkart_shipment_id for s in shipments)
    assert states(LabelRequest) == [State.DONE] * 3


def test_a_lost_answer_of_a_shipment_cancelled_meanwhile_is_withdrawn(seller, shipment, flipkart, packer, clock):
    """trust.md 21."""
    flipkart.faults.set("generate_labels", "drop_before")
    ask_labels(seller, [shipment], packer)
    drain()
    flipkart.world.cancel(shipment.flipkart_shipment_id)

    work_on(clock)

    assert (only(LabelRequest).state, only(LabelRequest).says) == (State.WITHDRAWN, "cancelled at Flipkart")


def test_a_read_back_that_is_not_answered_is_repeated_and_never_given_up(seller, shipment, flipkart, packer, clock):
    flipkart.faults.set("generate_labels", "drop_after")
    flipkart.faults.set("shipments", "drop_before", times=3)
    ask_labels(seller, [shipment], packer)
    drain()
    with factories.ops():
        LabelRequest.objects.update(give_up_at=timezone.now() - timedelta(hours=1))
    wait(clock, seconds=6)
    drain()
    assert (only(LabelRequest).state, only(LabelRequest).attention) == (State.UNKNOWN, Attention.LATE)

    work_on(clock)

    assert only(LabelRequest).state == State.DONE
    assert len(flipkart.ledger.attempts_of("generate_labels")) == 1


@pytest.mark.parametrize("kind", ["partial", "silent", "contradicting", "foreign_ids"])
def test_half_an_answer_settles_each_row_by_itself(seller, account, flipkart, packer, clock, kind):
    """trust.md 4, 5."""
    shipments = take_in(seller, flipkart.world.add_shipments(account, 8))
    flipkart.faults.set("generate_labels", kind)

    ask_labels(seller, shipments, packer)
    work_on(clock, looks=40)

    assert states(LabelRequest) == [State.DONE] * 8
    assert sorted(flipkart.ledger.labels) == sorted(s.flipkart_shipment_id for s in shipments)


def test_accepted_and_yet_not_packed_is_found_and_sent_again(seller, shipment, flipkart, packer, clock):
    """guide-gaps 8: one status for many ids means accepted, not done."""
    flipkart.faults.set("generate_labels", "silent", times=1)

    ask_labels(seller, [shipment], packer)
    drain()
    assert (only(LabelRequest).step, flipkart.ledger.labels) == (Step.FETCH, [])
    work_on(clock, looks=40)

    assert flipkart.ledger.labels == [shipment.flipkart_shipment_id]
    assert only(LabelRequest).state == State.DONE


def test_a_throttled_call_waits_as_long_as_flipkart_says_and_is_not_in_doubt(
    seller, shipments, flipkart, packer, clock
):
    """trust.md 27."""
    flipkart.faults.set("generate_labels", "throttled", retry_after="30")

    ask_labels(seller, shipments, packer)
    drain()

    assert {(row.state, row.in_doubt) for row in as_ops(LabelRequest)} == {(State.DUE, False)}
    assert work.look_for_due() == []
    assert 25 < (only(LabelRequest, shipment=shipments[0]).wake_at - timezone.now()).total_seconds() < 35
    with factories.ops():
        Quota.objects.update(closed_until=None, left=1000)
    work_on(clock)
    assert len(flipkart.ledger.attempts_of("generate_labels")) == 3


def test_calls_that_did_nothing_leave_neither_doubt_nor_count(seller, shipments, flipkart, packer):
    flipkart.faults.set("generate_labels", "throttled", retry_after="30")
    ask_labels(seller, shipments, packer)
    drain()

    assert {(row.state, row.in_doubt, row.attempts) for row in as_ops(LabelRequest)} == {(State.DUE, False, 0)}


@pytest.mark.parametrize("status", [404, 503])
def test_without_a_token_nothing_was_sent_and_nothing_is_refused(seller, shipments, flipkart, packer, clock, status):
    with factories.ops():
        Connection.objects.update(token_believed_until=None)
    flipkart.faults.set("token", "server_error", times=2, status=status)

    ask_labels(seller, shipments, packer)
    drain()

    assert {(row.state, row.in_doubt, row.attempts) for row in as_ops(LabelRequest)} == {(State.DUE, False, 0)}
    assert only(LabelRequest, shipment=shipments[0]).says.startswith("waiting: no access token could be had")
    assert flipkart.ledger.attempts_of("generate_labels") == []
    work_on(clock, looks=40)
    assert {row.state for row in as_ops(LabelRequest)} == {State.DONE}


def test_out_of_time_at_a_429_it_is_given_up_and_not_in_doubt(seller, shipment, flipkart, packer):
    flipkart.faults.set("generate_labels", "throttled", retry_after="30")
    ask_labels(seller, [shipment], packer)
    with factories.ops():
        LabelRequest.objects.update(give_up_at=timezone.now() + timedelta(seconds=20))
    drain()

    row = only(LabelRequest)
    assert (row.state, row.attention, row.in_doubt) == (State.GIVEN_UP, Attention.GIVEN_UP, False)
    assert row.says == "tried too long: Flipkart takes no more calls"


def test_halves_of_a_refused_batch_count_as_one_call_each(seller, account, flipkart, packer, monkeypatch):
    """What was refused whole has done nothing: a first no of a row is believed, and not read back."""
    made = take_in(seller, flipkart.world.add_shipments(account, 4))
    bad = made[2]
    generate = api.generate_labels

    def refusing(world, account, shipment_ids, fault):
        if bad.flipkart_shipment_id in shipment_ids:
            raise api.ApiError(400, "BAD_SHIPMENT", "one of them is bad")
        return generate(world, account, shipment_ids, fault)

    monkeypatch.setattr(api, "generate_labels", refusing)
    ask_labels(seller, made, packer)
    drain()

    assert {row.attempts for row in as_ops(LabelRequest)} == {1}


def test_sending_switched_off_keeps_what_was_asked_and_says_so(seller, shipment, flipkart, packer, clock, settings):
    settings.SENDING = False
    outcome = ask_labels(seller, [shipment], packer)
    drain()

    assert outcome.in_words() == "1 on their way; sending is switched off: they wait"
    assert (only(LabelRequest).state, only(LabelRequest).says) == (State.DUE, "waiting: sending is switched off")
    assert flipkart.ledger.calls_of("generate_labels") == []

    settings.SENDING = True
    wait(clock, seconds=60)
    work_on(clock)

    assert flipkart.ledger.labels == [shipment.flipkart_shipment_id]


def test_without_a_connection_it_waits_and_goes_on_once_there_is_one(seller, shipment, flipkart, packer, clock):
    with factories.ops():
        Connection.objects.update(standing=Standing.RECONNECT)
    ask_labels(seller, [shipment], packer)
    drain()
    assert only(LabelRequest).says == "waiting: there is no working connection to Flipkart"

    with factories.ops():
        Connection.objects.update(standing=Standing.CONNECTED)
    wait(clock, seconds=60)
    work_on(clock)

    assert only(LabelRequest).state == State.DONE


def test_what_flipkart_forbids_waits_for_the_connection_with_attention(seller, shipment, flipkart, packer, clock):
    flipkart.faults.set("generate_labels", "forbidden")

    ask_labels(seller, [shipment], packer)
    drain()

    row = only(LabelRequest)
    assert (row.state, row.in_doubt, row.attention) == (State.DUE, False, Attention.RECONNECT)
    wait(clock, minutes=5)
    work_on(clock)
    assert (only(LabelRequest).state, only(LabelRequest).attention) == (State.DONE, "")


def test_what_waited_too_long_is_given_up_and_a_person_is_told(seller, shipment, flipkart, packer, clock):
    flipkart.world.hold(shipment.flipkart_shipment_id)
    read_long_ago(shipment)
    ask_labels(seller, [shipment], packer)
    with factories.ops():
        LabelRequest.objects.update(give_up_at=timezone.now())

    drain()

    row = only(LabelRequest)
    assert (row.state, row.attention) == (State.GIVEN_UP, Attention.GIVEN_UP)
    assert row.says == "tried too long: on hold at Flipkart: waits until it is released"
    assert row.says in told(shipment)


# --- Fetching --------------------------------------------------------------------------------------------------------


def test_a_label_that_comes_late_is_asked_for_again_with_growing_pauses(seller, shipment, flipkart, packer, clock):
    """Guide, Issue 2."""
    flipkart.faults.set("generate_labels", "late_labels", seconds=3600)
    ask_labels(seller, [shipment], packer)
    pauses = []
    for _ in range(6):
        drain()
        row = only(LabelRequest)
        pauses.append(ceil((row.wake_at - timezone.now()).total_seconds()))
        wait(clock, seconds=1)

    assert pauses == [2, 2, 4, 8, 16, 32]
    assert only(LabelRequest).attention == ""


def test_a_look_without_an_answer_does_not_make_the_pauses_of_a_late_label_grow(
    seller, shipment, flipkart, packer, clock
):
    """An outage is waited out in pauses of its own, of half a minute at most."""
    flipkart.faults.set("generate_labels", "late_labels", seconds=3600)
    flipkart.faults.set("download_labels", "server_error", times=6)
    ask_labels(seller, [shipment], packer)
    pauses = []
    for _ in range(9):
        drain()
        row = only(LabelRequest)
        pauses.append(ceil((row.wake_at - timezone.now()).total_seconds()))
        wait(clock, seconds=1)

    assert pauses == [2, 2, 4, 8, 16, 30, 30, 2, 4]


def test_a_label_that_is_late_by_half_an_hour_needs_a_person_and_is_still_tried(
    seller, shipment, flipkart, packer, clock
):
    flipkart.faults.set("generate_labels", "late_labels", seconds=3600)
    ask_labels(seller, [shipment], packer)
    drain()
    with factories.ops():
        LabelRequest.objects.update(packed_at=timezone.now() - timedelta(minutes=31))
    wait(clock, minutes=31)
    drain()
    assert (only(LabelRequest).state, only(LabelRequest).attention) == (State.DUE, Attention.LATE)

    wait(clock, minutes=31)
    drain()

    assert (only(LabelRequest).state, only(LabelRequest).attention) == (State.DONE, "")


def test_a_shipment_that_flipkart_no_longer_knows_gets_no_label_and_a_person_is_told(
    seller, account, shipments, flipkart, packer, clock
):
    ask_labels(seller, shipments, packer)
    drain()
    for one in shipments:
        del account.shipments[one.flipkart_shipment_id]

    wait(clock, seconds=6)
    drain()

    rows = as_ops(LabelRequest)
    says = "Flipkart no longer knows this shipment: its label will not come"
    assert {(row.state, row.attention, row.says) for row in rows} == {(State.GIVEN_UP, Attention.REFUSED, says)}
    assert [told(one)[-1] for one in shipments] == [says] * len(shipments)
    assert len(flipkart.ledger.calls_of("download_labels")) == 1


def test_a_refused_fetch_is_asked_for_in_halves_and_one_bad_id_condemns_nobody(
    seller, account, flipkart, packer, clock, monkeypatch
):
    made = take_in(seller, flipkart.world.add_shipments(account, 4))
    bad = made[2].flipkart_shipment_id
    refuse_papers_of(bad, monkeypatch)
    ask_labels(seller, made, packer)

    work_on(clock)

    by_id = {row.shipment_id: row for row in as_ops(LabelRequest)}
    refused = by_id.pop(made[2].pk)
    assert (refused.state, refused.attention) == (State.DUE, Attention.REFUSED)
    assert refused.says == "Flipkart refused it (BAD_SHIPMENT): its label is asked for again"
    assert {row.state for row in by_id.values()} == {State.DONE}


def refuse_papers_of(shipment_id: str, monkeypatch) -> None:
    """Flipkart refuses each call for papers that names this one."""
    download = api.download_labels

    def refusing(world, account, shipment_ids, fault):
        if shipment_id in shipment_ids:
            raise api.ApiError(400, "BAD_SHIPMENT", "one of them is bad")
        return download(world, account, shipment_ids, fault)

    monkeypatch.setattr(api, "download_labels", refusing)


def test_papers_that_are_too_large_together_are_asked_for_in_halves(seller, account, flipkart, packer, clock, settings):
    settings.FLIPKART_ANSWER_BYTES = 300_000  # more than one shipment's, less than two's
    made = take_in(seller, flipkart.world.add_shipments(account, 4))
    ask_labels(seller, made, packer)

    work_on(clock)

    assert states(LabelRequest) == [State.DONE] * 4


def test_one_shipments_papers_that_are_too_large_need_a_person_in_true_words(
    seller, shipment, flipkart, packer, clock, settings
):
    settings.FLIPKART_ANSWER_BYTES = 2**16
    ask_labels(seller, [shipment], packer)
    drain()
    for _ in range(3):
        wait(clock, seconds=6)
        drain()

    row = only(LabelRequest)
    assert (row.state, row.attention) == (State.DUE, Attention.BAD_PAPER)
    assert row.says.startswith("Flipkart's answer about its papers cannot be used (an answer larger than ")


def test_a_parcel_that_left_without_a_label_of_ours_is_not_asked_for_for_ever(
    seller, account, shipment, flipkart, packer, clock
):
    flipkart.faults.set("download_labels", "late_labels", times=None)
    ask_labels(seller, [shipment], packer)
    drain()
    wait(clock, seconds=6)
    drain()
    flipkart.world.dispatch(account, shipment.flipkart_shipment_id)
    flipkart.world.ship(shipment.flipkart_shipment_id)
    take_in(seller, [shipment.flipkart_shipment_id])

    work_on(clock)

    row = only(LabelRequest)
    assert (row.state, row.says, row.attention) == (State.WITHDRAWN, "left the house without a label of ours", "")
    assert told(shipment)[-1] == "label not fetched: left the house without a label of ours"


def while_papers_are_under_way(happens, monkeypatch) -> None:
    """It happens once Flipkart has made its answer to a call for papers, and before that is read here."""
    download = api.download_labels

    def download_and(*asked):
        answer = download(*asked)
        happens()
        return answer

    monkeypatch.setattr(api, "download_labels", download_and)


def test_of_a_shipment_cancelled_while_its_label_was_under_way_no_label_is_told(
    seller, shipment, flipkart, packer, clock, monkeypatch
):
    def cancel() -> None:
        flipkart.world.cancel(shipment.flipkart_shipment_id)
        take_in(seller, [shipment.flipkart_shipment_id])

    ask_labels(seller, [shipment], packer)
    drain()
    wait(clock, seconds=6)
    while_papers_are_under_way(cancel, monkeypatch)
    drain()

    row = only(LabelRequest)
    assert (row.state, row.says) == (State.WITHDRAWN, "cancelled at Flipkart: its label is void")
    assert "label stored" not in told(shipment)


def while_read_again(happens, monkeypatch) -> None:
    shipments = api.shipments

    def read_and(*asked):
        answer = shipments(*asked)
        happens()
        return answer

    monkeypatch.setattr(api, "shipments", read_and)


def test_a_worker_that_lost_its_claim_tells_nothing_of_the_label_it_fetched(
    seller, shipment, flipkart, packer, clock, monkeypatch
):
    def pass_to_another_worker() -> None:
        with factories.ops():
            LabelRequest.objects.update(claim_token=uuid4())

    _account, parcel = flipkart.world.find(shipment.flipkart_shipment_id)
    ask_labels(seller, [shipment], packer)
    drain()
    wait(clock, seconds=6)
    printed, parcel.tracking_id = parcel.tracking_id, "FMPP9999999999"
    take_in(seller, [shipment.flipkart_shipment_id])
    parcel.tracking_id = printed
    spoil_tracking_in_rows(flipkart, monkeypatch)
    before = told(shipment)
    while_read_again(pass_to_another_worker, monkeypatch)
    drain()

    assert only(LabelRequest).state == State.CLAIMED
    assert told(shipment) == before


@pytest.mark.parametrize("kind", ["not_a_pdf", "cut_pdf"])
def test_a_bad_paper_is_asked_for_again_and_never_stored(seller, shipment, flipkart, packer, clock, kind):
    """trust.md 42."""
    flipkart.faults.set("download_labels", kind, times=3)
    ask_labels(seller, [shipment], packer)
    drain()
    for _ in range(3):
        wait(clock, seconds=6)
        drain()
    row = only(LabelRequest)
    assert (row.state, row.attention) == (State.DUE, Attention.BAD_PAPER)
    assert reload(shipment).label_stored_at is None

    work_on(clock)

    assert (only(LabelRequest).state, only(LabelRequest).attention) == (State.DONE, "")
    assert [paper.paper for paper in papers(shipment)].count("label") == 1
    assert len(flipkart.ledger.attempts_of("generate_labels")) == 1


def test_a_shipment_cancelled_before_its_label_came_gets_none(seller, shipment, flipkart, packer, clock):
    ask_labels(seller, [shipment], packer)
    drain()
    flipkart.world.cancel(shipment.flipkart_shipment_id)
    take_in(seller, [shipment.flipkart_shipment_id])

    work_on(clock)

    row = only(LabelRequest)
    assert (row.state, row.says) == (State.WITHDRAWN, "cancelled at Flipkart: its label is void")
    assert reload(shipment).label_stored_at is None


def test_a_label_that_names_another_tracking_id_is_kept_back(seller, shipment, flipkart, packer, clock, monkeypatch):
    _account, parcel = flipkart.world.find(shipment.flipkart_shipment_id)
    ask_labels(seller, [shipment], packer)
    drain()
    wait(clock, seconds=6)
    printed, parcel.tracking_id = parcel.tracking_id, "FMPP9999999999"
    take_in(seller, [shipment.flipkart_shipment_id])
    parcel.tracking_id = printed
    spoil_tracking_in_rows(flipkart, monkeypatch)
    drain()

    row = only(LabelRequest)
    assert (row.state, row.attention) == (State.GIVEN_UP, Attention.BAD_PAPER)
    assert row.says == "kept back: the label that came names another tracking id than ours"
    assert [paper.holds(reload(shipment).tracking_id) for paper in papers(shipment) if paper.paper == "label"] == [
        False
    ]
    assert reload(shipment).label_stored_at is None


def spoil_tracking_in_rows(flipkart, monkeypatch) -> None:
    """Flipkart's rows say one tracking id, its label another."""
    from shipcrowd.simulator import api  # noqa: PLC0415 - only this fault reaches into the simulator

    encode = api.encode_rows

    def other(shipment):
        return [row | {"trackingId": "FMPP9999999999"} for row in encode(shipment)]

    monkeypatch.setattr(api, "encode_rows", other)


def test_a_tracking_id_that_changed_at_flipkart_is_read_again_before_a_label_is_kept_back(
    seller, shipment, flipkart, packer, clock
):
    with factories.ops():
        Shipment.objects.update(tracking_id="FMPP0000000000")
        Reading.objects.update(fingerprint=None)

    ask_labels(seller, [shipment], packer)
    work_on(clock)

    assert only(LabelRequest).state == State.DONE
    assert reload(shipment).tracking_id.startswith("FMPP26")


def test_a_full_storage_keeps_nothing_half_and_the_label_comes_once_there_is_room(
    seller, shipment, packer, clock, documents
):
    """trust.md 47, 48."""
    documents.parent.mkdir(exist_ok=True)
    documents.write_text("a file where the folder should be")
    ask_labels(seller, [shipment], packer)
    drain()
    wait(clock, seconds=6)
    drain()
    assert only(LabelRequest).says.startswith("waiting for a place to store it")
    assert papers(shipment) == []

    documents.unlink()
    work_on(clock)

    assert only(LabelRequest).state == State.DONE
    assert [paper.version for paper in papers(shipment)] == [1, 1, 1]


def test_an_unanswered_fetch_is_repeated(seller, shipment, flipkart, packer, clock):
    flipkart.faults.set("download_labels", "drop_before", times=2)

    ask_labels(seller, [shipment], packer)
    work_on(clock)

    assert only(LabelRequest).state == State.DONE


# --- Side by side ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_twenty_presses_at_once_make_one_request_a_shipment(flipkart, clock):
    """trust.md 18."""
    connected = factories.connected_seller(flipkart)
    packer = factories.member(connected.seller, Role.STAFF)
    shipments = take_in(connected.seller, flipkart.world.add_shipments(connected.account, 10))
    start = threading.Barrier(20)
    outcomes = []

    def press() -> None:
        start.wait()
        try:
            outcomes.append(ask_labels(connected.seller, shipments, packer))
        finally:
            connection.close()

    threads = [threading.Thread(target=press) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sorted(outcome.accepted for outcome in outcomes) == [0] * 19 + [10]
    assert sorted(outcome.already for outcome in outcomes) == [0] + [10] * 19
    work_on(clock)
    assert sorted(flipkart.ledger.labels) == sorted(s.flipkart_shipment_id for s in shipments)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_two_workers_side_by_side_pack_each_shipment_once(flipkart, clock):
    """trust.md 13: past their turns, so that only the claims stand between them."""
    connected = factories.connected_seller(flipkart)
    packer = factories.member(connected.seller, Role.STAFF)
    shipments = take_in(connected.seller, flipkart.world.add_shipments(connected.account, 60))
    ask_labels(connected.seller, shipments, packer)
    start = threading.Barrier(4)

    def work_off() -> None:
        start.wait()
        try:
            while labels.work_due(seller_id=connected.seller.pk):
                pass
        finally:
            connection.close()

    threads = [threading.Thread(target=work_off) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    work_on(clock)

    assert sorted(flipkart.ledger.attempts_of("generate_labels")) == sorted(s.flipkart_shipment_id for s in shipments)
    assert states(LabelRequest) == [State.DONE] * 60


def test_a_task_that_runs_again_after_all_is_done_calls_nobody(seller, shipment, flipkart, packer, clock):
    """trust.md 9."""
    ask_labels(seller, [shipment], packer)
    work_on(clock)
    calls = len(flipkart.ledger.calls)

    assert labels.work_due(seller_id=seller.pk) is False
    assert len(flipkart.ledger.calls) == calls


def test_the_preview_tells_what_a_request_would_do_and_does_nothing(seller, shipments, flipkart, packer):
    ask_labels(seller, shipments[:1], packer)

    with seller_scope(seller):
        outcome = labels.preview(
            seller=seller, shipment_ids=[shipment.pk for shipment in shipments], now=timezone.now()
        )

    assert (outcome.accepted, outcome.already) == (2, 1)
    assert len(as_ops(LabelRequest)) == 1
