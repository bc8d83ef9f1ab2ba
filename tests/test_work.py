"""Work rows: who may take one, what becomes of it, and that nothing in doubt is ever simply sent again."""

import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta

import pytest
from django.db import DataError, OperationalError, connection
from django.db.models import Q
from django.db.models.functions import Now
from django.test import override_settings

from fulfillment.models import Dispatch, LabelRequest, Step
from shipcrowd import work
from shipcrowd.tenancy import seller_scope
from shipcrowd.work import Attention, State, Turn
from tests import factories
from tests.factories import as_ops, reload

AGO, AHEAD = Now() - timedelta(seconds=5), Now() + timedelta(seconds=500)


@pytest.fixture
def row(seller) -> LabelRequest:
    return label_request(seller)


def label_request(seller, **values) -> LabelRequest:
    shipment = factories.shipment(seller)
    with seller_scope(seller):
        return LabelRequest.objects.create(**{"seller": seller, "shipment": shipment, "wake_at": AGO} | values)


def claim(seller, **options) -> list[LabelRequest]:
    return work.claim_due(LabelRequest, **{"seller_id": seller.pk, "limit": 20} | options)


def settle(seller, outcome, rows, **options) -> set[int]:
    with seller_scope(seller):
        return outcome(rows, **options)


def seconds_until(row) -> float:
    return (reload(row).wake_at - work.database_now()).total_seconds()


# --- Claiming --------------------------------------------------------------------------------------------------------


def test_a_row_that_is_due_is_claimed_under_a_lease(seller, row):
    (claimed,) = claim(seller)

    stored = reload(row)
    assert claimed.pk == row.pk
    assert stored.state == State.CLAIMED
    assert stored.claim_token == claimed.claim_token is not None
    assert 80 < seconds_until(row) <= 90


def test_what_is_not_due_or_asleep_is_not_claimed(seller):
    label_request(seller, wake_at=AHEAD)
    label_request(seller, wake_at=None)

    assert claim(seller) == []


def test_no_more_than_the_limit_is_claimed_and_the_longest_waiting_first(seller):
    late = label_request(seller, wake_at=Now() - timedelta(seconds=1))
    early = label_request(seller, wake_at=Now() - timedelta(seconds=9))

    assert [taken.pk for taken in claim(seller, limit=1)] == [early.pk]
    assert [taken.pk for taken in claim(seller, limit=1)] == [late.pk]


def test_a_batch_is_either_in_doubt_or_not(seller):
    fresh = label_request(seller, wake_at=Now() - timedelta(seconds=9))
    in_doubt = label_request(seller, state=State.UNKNOWN, in_doubt=True)

    assert [taken.pk for taken in claim(seller)] == [fresh.pk]
    assert [taken.pk for taken in claim(seller)] == [in_doubt.pk]


def test_only_rows_of_the_wanted_step_are_claimed(seller, row):
    fetching = label_request(seller, step=Step.FETCH)

    assert [taken.pk for taken in claim(seller, only=Q(step=Step.FETCH))] == [fetching.pk]


def test_another_sellers_rows_are_not_claimed(seller, other_seller, row):
    """trust.md 53: their rows exist and do not come."""
    assert claim(other_seller) == []
    assert reload(row).state == State.DUE


def test_a_claim_comes_back_when_its_lease_has_ended(seller, row):
    """trust.md 6."""
    with override_settings(LEASE_SECONDS=-1):
        (first,) = claim(seller)

    (second,) = claim(seller)

    assert second.pk == first.pk
    assert second.claim_token != first.claim_token
    assert not second.in_doubt


@pytest.mark.django_db(transaction=True)
def test_two_workers_never_hold_the_same_row():
    """trust.md 6, 13: twelve workers, sixty rows, each in exactly one hand."""
    seller = factories.seller()
    for _ in range(60):
        label_request(seller)
    hands: list[list[int]] = []
    start = threading.Barrier(12)

    def work_on() -> None:
        start.wait()
        try:
            while rows := claim(seller, limit=3):
                hands.append([taken.pk for taken in rows])
        finally:
            connection.close()

    in_threads(work_on, 12)

    taken = [pk for hand in hands for pk in hand]
    assert sorted(taken) == sorted(row.pk for row in as_ops(LabelRequest))


@pytest.mark.django_db(transaction=True)
def test_a_locked_row_of_another_kind_does_not_hide_what_is_free():
    """The oldest row is in somebody's settling transaction, and in doubt; the next one is free, and not in doubt."""
    seller = factories.seller()
    locked = label_request(seller, state=State.UNKNOWN, in_doubt=True, wake_at=Now() - timedelta(seconds=9))
    free = label_request(seller)
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with seller_scope(seller):
            list(LabelRequest.objects.filter(pk=locked.pk).select_for_update())
            held.set()
            let_go.wait(10)
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(10)
    try:
        assert [taken.pk for taken in claim(seller)] == [free.pk]
    finally:
        let_go.set()
        holder.join()


# --- Begin, and what may follow --------------------------------------------------------------------------------------


def test_a_row_is_in_doubt_before_it_is_sent(seller, row):
    """trust.md 7: calling is committed first."""
    (sent,) = work.begin_calls(claim(seller))

    stored = reload(row)
    assert sent.pk == row.pk
    assert (stored.state, stored.in_doubt, stored.attempts) == (State.CALLING, True, 1)
    assert stored.called_at is not None


def test_what_has_passed_to_another_worker_is_not_sent(seller, row):
    """trust.md 13."""
    with override_settings(LEASE_SECONDS=-1):
        mine = claim(seller)
    theirs = claim(seller)

    assert work.begin_calls(mine) == []
    assert [sent.pk for sent in work.begin_calls(theirs)] == [row.pk]
    assert reload(row).attempts == 1


def test_an_empty_batch_begins_nothing():
    assert work.begin_calls([]) == []


def test_a_worker_that_died_while_calling_leaves_a_row_to_be_read_back(seller, row):
    """trust.md 7, 8."""
    with override_settings(LEASE_SECONDS=-1):
        work.begin_calls(claim(seller))

    (again,) = claim(seller)

    assert again.in_doubt


OUTCOMES = [
    (work.done, {}, State.DONE, False, ""),
    (work.refused, {"because": Attention.REFUSED, "says": "no"}, State.REFUSED, False, Attention.REFUSED),
    (work.given_up, {"because": Attention.GIVEN_UP, "says": "long"}, State.GIVEN_UP, True, Attention.GIVEN_UP),
    (work.withdrawn, {"says": "cancelled"}, State.WITHDRAWN, False, ""),
]


@pytest.mark.parametrize(("outcome", "options", "state", "in_doubt", "attention"), OUTCOMES)
def test_an_end_lets_the_row_sleep(seller, row, outcome, options, state, in_doubt, attention):
    rows = work.begin_calls(claim(seller))

    assert settle(seller, outcome, rows, **options) == {row.pk}

    stored = reload(row)
    assert (stored.state, stored.in_doubt, stored.attention) == (state, in_doubt, attention)
    assert stored.wake_at is None
    assert stored.claim_token is None
    assert stored.settled_at is not None


LATER = [
    (work.put_off, {"after": timedelta(seconds=40), "says": "later"}, State.DUE, False),
    (work.lost, {"after": timedelta(seconds=40), "says": "lost"}, State.UNKNOWN, True),
    (work.goes_on, {"after": timedelta(seconds=40), "says": "next step"}, State.DUE, False),
]


@pytest.mark.parametrize(("outcome", "options", "state", "in_doubt"), LATER)
def test_what_comes_later_wakes_up_then(seller, row, outcome, options, state, in_doubt):
    rows = work.begin_calls(claim(seller))

    settle(seller, outcome, rows, **options)

    stored = reload(row)
    assert (stored.state, stored.in_doubt) == (state, in_doubt)
    assert stored.claim_token is None
    assert 30 < seconds_until(row) <= 40


def test_what_was_in_doubt_stays_so_when_it_is_put_off(seller):
    row = label_request(seller, state=State.UNKNOWN, in_doubt=True)

    settle(seller, work.put_off, claim(seller), after=timedelta(seconds=40), says="no answer")

    assert (reload(row).state, reload(row).in_doubt) == (State.UNKNOWN, True)


@pytest.mark.parametrize(
    ("outcome", "options"),
    [*[(outcome, options) for outcome, options, *_ in OUTCOMES], *[(o, options) for o, options, *_ in LATER]],
)
def test_a_row_that_is_no_longer_ours_is_not_settled(seller, row, outcome, options):
    """trust.md 13: the slow worker's word no longer counts."""
    with override_settings(LEASE_SECONDS=-1):
        slow = claim(seller)
    claim(seller)
    before = reload(row)

    assert settle(seller, outcome, slow, **options) == set()

    after = reload(row)
    assert (after.state, after.claim_token, after.wake_at) == (before.state, before.claim_token, before.wake_at)


def test_settled_once_a_row_is_not_settled_again(seller, row):
    rows = claim(seller)
    settle(seller, work.done, rows)

    assert settle(seller, work.refused, rows, because=Attention.REFUSED, says="no") == set()
    assert reload(row).state == State.DONE


def test_only_after_two_looks_it_may_be_sent_again(seller, row):
    """trust.md 3."""
    settle(seller, work.lost, work.begin_calls(claim(seller)), after=timedelta(0), says="lost")

    settle(seller, work.not_there_yet, claim(seller))

    assert (reload(row).state, reload(row).read_backs, reload(row).in_doubt) == (State.UNKNOWN, 1, True)
    assert 20 < seconds_until(row) <= 30
    with factories.ops():
        LabelRequest.objects.update(wake_at=AGO)

    settle(seller, work.not_there_yet, claim(seller))

    assert (reload(row).state, reload(row).read_backs, reload(row).in_doubt) == (State.DUE, 0, False)


def test_a_new_attempt_begins_its_read_backs_anew(seller):
    label_request(seller, read_backs=1)

    (sent,) = work.begin_calls(claim(seller))

    assert reload(sent).read_backs == 0


def test_a_long_work_keeps_its_lease(seller, row):
    with override_settings(LEASE_SECONDS=3):
        rows = claim(seller)

    assert work.keep(rows)
    assert 80 < seconds_until(row) <= 90


def test_a_lease_that_has_passed_to_another_cannot_be_kept(seller, row):
    with override_settings(LEASE_SECONDS=-1):
        mine = claim(seller)
    claim(seller)

    assert not work.keep(mine)


def test_where_nothing_can_be_done_all_that_is_due_waits_and_says_why(seller, other_seller):
    due, in_doubt = label_request(seller), label_request(seller, state=State.CALLING, in_doubt=True)
    later, theirs = label_request(seller, wake_at=AHEAD), label_request(other_seller)

    waiting = work.wait_all(LabelRequest, seller_id=seller.pk, after=timedelta(seconds=60), says="no connection")

    assert waiting == 2
    assert (reload(due).state, reload(due).says) == (State.DUE, "no connection")
    assert (reload(in_doubt).state, reload(in_doubt).in_doubt) == (State.UNKNOWN, True)
    assert 50 < seconds_until(due) <= 60
    assert reload(later).says == reload(theirs).says == ""


def test_a_kind_of_work_rests_while_the_quota_is_spent_and_another_sellers_does_not(seller, other_seller):
    label_request(seller), label_request(other_seller)
    for one in (seller, other_seller):
        work.release_turn(one.pk, "labels", work.take_turn(one.pk, "labels"))

    work.rest(seller.pk, "labels", after=timedelta(seconds=60))

    assert work.look_for_due() == [(other_seller.pk, "labels")]
    assert work.take_turn(seller.pk, "labels") is None
    assert work.take_turn(seller.pk, "dispatches")
    work.rest(seller.pk, "labels", after=timedelta(seconds=-1))
    assert work.take_turn(seller.pk, "labels")


def test_a_mistake_of_ours_becomes_attention_and_keeps_the_doubt(seller):
    sent, unsent = label_request(seller), label_request(seller, wake_at=Now() - timedelta(seconds=1))
    rows = claim(seller)
    work.begin_calls([row for row in rows if row.pk == sent.pk])

    meet_a_mistake(rows)

    assert (reload(sent).state, reload(unsent).state) == (State.UNKNOWN, State.DUE)
    assert reload(sent).attention == reload(unsent).attention == Attention.BROKEN
    assert reload(sent).says == "a mistake of ours (ZeroDivisionError) with one of several: each is tried alone"
    assert seconds_until(sent) > 80


def meet_a_mistake(rows) -> None:
    with pytest.raises(ZeroDivisionError), work.mistakes_noted(rows):
        raise ZeroDivisionError("Asha Verma, +919000000000")


def test_after_a_mistake_each_row_of_the_batch_comes_alone_and_only_the_cause_waits(seller):
    """One row on which our code always raises holds up no other."""
    rows = [label_request(seller, wake_at=Now() - timedelta(seconds=9 - place)) for place in range(4)]
    poison, good = rows[2], [rows[0].pk, rows[1].pk, rows[3].pk]
    fresh = label_request(seller, wake_at=Now() - timedelta(seconds=1))
    meet_a_mistake(claim(seller, limit=4))

    assert [row.pk for row in claim(seller)] == [fresh.pk]  # those that met no mistake go on together
    done = []
    while batch := claim(seller):
        assert len(batch) == 1
        if batch[0].pk == poison.pk:
            meet_a_mistake(batch)
        else:
            settle(seller, work.done, batch)
            done.append(batch[0].pk)

    assert sorted(done) == sorted(good)
    assert [reload(row).attention for row in rows] == ["", "", Attention.BROKEN, ""]
    assert reload(poison).says == "a mistake of ours (ZeroDivisionError), again: will be tried again"
    assert 800 < seconds_until(poison) <= 900


def test_a_mistake_with_a_row_that_was_alone_is_tried_again_after_the_lease(seller, row):
    meet_a_mistake(claim(seller))

    assert reload(row).says == "a mistake of ours (ZeroDivisionError): will be tried again"
    assert 80 < seconds_until(row) <= 90


@pytest.mark.parametrize(
    ("in_doubt", "after"), [(False, (State.GIVEN_UP, Attention.GIVEN_UP)), (True, (State.UNKNOWN, Attention.BROKEN))]
)
def test_a_row_that_meets_a_mistake_again_past_its_age_is_given_up_unless_in_doubt(seller, in_doubt, after):
    row = label_request(seller, attention=Attention.BROKEN, in_doubt=in_doubt, give_up_at=AGO)

    meet_a_mistake(claim(seller))

    assert (reload(row).state, reload(row).attention) == after
    assert reload(row).in_doubt == in_doubt


def test_a_row_without_an_end_of_its_own_is_given_up_a_day_after_it_was_asked_for(seller):
    young = label_request(seller, attention=Attention.BROKEN)
    old = label_request(seller, attention=Attention.BROKEN, asked_at=Now() - timedelta(hours=25))

    for _ in range(2):
        meet_a_mistake(claim(seller))

    assert (reload(young).state, reload(old).state) == (State.DUE, State.GIVEN_UP)
    assert reload(old).says == "tried too long: a mistake of ours (ZeroDivisionError)"


def test_a_mistake_after_settling_changes_nothing(seller, row):
    rows = claim(seller)

    settle(seller, work.done, rows)
    with pytest.raises(ZeroDivisionError), work.mistakes_noted(rows):
        raise ZeroDivisionError

    assert (reload(row).state, reload(row).attention) == (State.DONE, "")


def test_a_database_that_is_away_is_left_to_the_lease(seller, row):
    """trust.md 44."""
    rows = claim(seller)

    with pytest.raises(OperationalError), work.mistakes_noted(rows):
        raise OperationalError

    assert reload(row).state == State.CLAIMED


def test_what_the_database_refuses_to_hold_is_a_mistake_of_ours(seller, row):
    """Its lease would bring it back into the same batch for ever, and nobody would hear of it."""
    with pytest.raises(DataError), work.mistakes_noted(claim(seller)), seller_scope(seller):
        LabelRequest.objects.filter(pk=row.pk).update(says="x" * 301)

    assert (reload(row).state, reload(row).attention) == (State.DUE, Attention.BROKEN)


# --- By hand ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "in_doubt", "after"),
    [
        (State.REFUSED, False, State.DUE),
        (State.GIVEN_UP, False, State.DUE),
        (State.GIVEN_UP, True, State.UNKNOWN),
        (State.WITHDRAWN, False, State.DUE),
    ],
)
def test_a_retry_by_hand_reads_back_first_what_is_in_doubt(seller, state, in_doubt, after):
    row = label_request(seller, state=state, in_doubt=in_doubt, wake_at=None, attention=Attention.REFUSED)
    person = factories.user()

    with seller_scope(seller):
        assert work.sent_again_by_hand([row], by_id=person.pk) == 1

    stored = reload(row)
    assert (stored.state, stored.in_doubt, stored.attention, stored.asked_by_id) == (after, in_doubt, "", person.pk)
    assert [taken.pk for taken in claim(seller)] == [row.pk]


@pytest.mark.parametrize("state", [State.DONE, State.CLAIMED, State.CALLING, State.UNKNOWN])
def test_a_retry_by_hand_leaves_alone_what_is_done_or_on_its_way(seller, state):
    row = label_request(seller, state=state, wake_at=None)

    with seller_scope(seller):
        assert work.sent_again_by_hand([row], by_id=factories.user().pk) == 0

    assert reload(row).state == state


# --- Turns and the bell ----------------------------------------------------------------------------------------------


def test_one_sellers_one_kind_is_in_one_hand(seller, other_seller):
    assert work.take_turn(seller.pk, "labels")
    assert work.take_turn(seller.pk, "labels") is None
    assert work.take_turn(seller.pk, "dispatches")
    assert work.take_turn(other_seller.pk, "labels")


def test_a_released_turn_may_be_taken(seller):
    token = work.take_turn(seller.pk, "labels")
    work.release_turn(seller.pk, "labels", token)

    assert work.take_turn(seller.pk, "labels")


def test_the_turn_of_a_dead_worker_ends_by_itself(seller):
    with override_settings(LEASE_SECONDS=-1):
        assert work.take_turn(seller.pk, "labels")

    assert work.take_turn(seller.pk, "labels")


def test_who_lost_a_turn_cannot_release_it_for_another(seller):
    with override_settings(LEASE_SECONDS=-1):
        dead = work.take_turn(seller.pk, "labels")
    work.take_turn(seller.pk, "labels")

    work.release_turn(seller.pk, "labels", dead)

    assert work.take_turn(seller.pk, "labels") is None


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_one_has_the_turn():
    seller = factories.seller()
    tokens: list[object] = []
    start = threading.Barrier(8)

    def take() -> None:
        start.wait()
        try:
            tokens.append(work.take_turn(seller.pk, "labels"))
        finally:
            connection.close()

    in_threads(take, 8)

    assert len([token for token in tokens if token]) == 1


def test_the_bell_hears_of_due_rows_of_every_seller_outside_of_any_scope(seller, other_seller):
    label_request(seller)
    label_request(other_seller, wake_at=AHEAD)
    shipment = factories.shipment(other_seller)
    with seller_scope(other_seller):
        Dispatch.objects.create(seller=other_seller, shipment=shipment, wake_at=AGO)

    assert sorted(work.look_for_due()) == sorted([(seller.pk, "labels"), (other_seller.pk, "dispatches")])


def test_the_bell_rings_once_and_again_when_nobody_heard(seller, row):
    """trust.md 17: the queue may forget it."""
    assert work.due() == [(seller.pk, "labels")]
    assert work.due() == []

    with factories.ops():
        Turn.objects.update(rung_at=Now() - timedelta(seconds=31))

    assert work.due() == [(seller.pk, "labels")]


def test_the_bell_is_silent_while_the_turn_is_held(seller, row):
    token = work.take_turn(seller.pk, "labels")
    assert work.due() == []

    work.release_turn(seller.pk, "labels", token)

    assert work.due() == [(seller.pk, "labels")]


def test_leases_go_by_the_databases_clock(db):
    """trust.md 38, 49."""
    first = work.database_now()

    assert first.tzinfo is not None
    assert work.database_now() > first


# --- Crash points ----------------------------------------------------------------------------------------------------


def crash(point: str, wanted: str) -> int:
    code = f"import django; django.setup(); from shipcrowd import work; work.crash_point({point!r})"
    environment = os.environ | {"SHIPCROWD_CRASH": wanted, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    return subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode


@pytest.mark.slow
def test_each_named_point_kills_the_process_once(tmp_path):
    remembers = tmp_path / "it remembers"
    remembers.mkdir()
    wanted = f"labels.called,labels.settled {remembers}"

    assert crash("labels.called", wanted) == crash("labels.settled", wanted) == -signal.SIGKILL
    assert crash("labels.called", wanted) == 0
    assert crash("labels.claimed", wanted) == 0


def test_outside_tests_a_named_point_is_nothing(monkeypatch):
    monkeypatch.delenv("SHIPCROWD_CRASH", raising=False)

    assert work.crash_point("labels.called") is None


def in_threads(run, count: int) -> None:
    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)


@pytest.mark.parametrize(("attempts", "sizes"), [(0, 25), (1, 25), (4, 25), (5, 12), (6, 6), (7, 3), (8, 1), (60, 1)])
def test_what_is_never_answered_goes_in_ever_smaller_batches(attempts, sizes):
    assert work.together(25, attempts) == sizes
