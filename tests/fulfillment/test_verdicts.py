"""What becomes of a row, as tables of cases."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fulfillment.verdicts import (
    AskPerson,
    Drop,
    GiveUp,
    Lost,
    NotThere,
    Send,
    There,
    Wait,
    after_answer,
    after_failed_call,
    before_sending,
    give_up_at,
    in_ist,
    read_back,
    refusal_words,
    says_later,
)
from orders.states import State
from shipcrowd.flipkart.types import RowOutcome
from shipcrowd.transport.errors import Broken, NotAuthorized, Refused, Throttled, UnexpectedPayload, Unreachable
from shipcrowd.work import Attention

NOW = datetime(2026, 3, 4, 7, 21, tzinfo=UTC)
HOUR = timedelta(hours=1)


def before(**known):
    values = {
        "state": State.APPROVED,
        "is_on_hold": False,
        "dispatch_after_at": NOW - HOUR,
        "is_there": False,
        "attempts": 0,
        "now": NOW,
    }
    return before_sending(**values | known)


def test_what_nothing_is_against_is_sent():
    assert before() == Send()
    assert before(dispatch_after_at=None) == Send()
    assert before(dispatch_after_at=NOW) == Send()


def test_what_is_there_already_is_outside_work_unless_we_sent_it():
    assert before(is_there=True) == There(outside=True)
    assert before(is_there=True, attempts=1) == There(outside=False)


def test_what_must_not_leave_is_not_sent():
    assert before(state=State.CANCELLED) == Drop("cancelled at Flipkart")
    assert before(is_on_hold=True) == Wait(timedelta(minutes=5), "on hold at Flipkart: waits until it is released")
    assert before(dispatch_after_at=NOW + 2 * HOUR) == Wait(2 * HOUR, "not due before 14:51 (IST)")
    assert before(state=State.UNKNOWN).because == Attention.UNKNOWN_STATE


def test_a_cancelled_shipment_on_hold_is_cancelled():
    assert before(state=State.CANCELLED, is_on_hold=True) == Drop("cancelled at Flipkart")


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("ORDER_ITEM_ALREADY_DISPATCHED", Lost),
        ("INVALID_ITEM_STATE", Lost),
        ("ORDER_ITEM_ALREADY_CANCELLED", Drop),
        ("SHIPMENT_ON_HOLD", Wait),
        ("SHIPMENT_NOT_DUE", Wait),
        ("DEPENDENT_SYSTEM_CALL_FAILED", Wait),
        ("INVALID_SHIPMENTS", AskPerson),
        ("SOMETHING_NEW", AskPerson),
        ("", AskPerson),
    ],
)
def test_a_first_no_is_believed(code, verdict):
    assert isinstance(after_answer(RowOutcome(id="S", ok=False, code=code), attempt=1), verdict)


@pytest.mark.parametrize("attempt", [2, 3])
@given(code=st.text())
def test_a_later_no_may_speak_of_what_an_earlier_attempt_has_done(attempt, code):
    assert isinstance(after_answer(RowOutcome(id="S", ok=False, code=code), attempt=attempt), Lost)


def test_a_no_that_is_repeated_reaches_a_person_in_the_end():
    assert isinstance(after_answer(RowOutcome(id="S", ok=False, code="NO"), attempt=4), AskPerson)


@given(attempt=st.integers(1, 1000), code=st.text())
def test_a_yes_is_a_yes_and_silence_is_read_back(attempt, code):
    assert after_answer(RowOutcome(id="S", ok=True, code=code), attempt=attempt) == There()
    assert isinstance(after_answer(RowOutcome(id="S", ok=None, code=code), attempt=attempt), Lost)


def failed(error, *, attempt=1, gives_up_at=NOW + HOUR):
    return after_failed_call(error, attempt=attempt, gives_up_at=gives_up_at, now=NOW, jitter=0.0)


@pytest.mark.parametrize("attempt", [1, 5, 5000])
@pytest.mark.parametrize("error", [Unreachable("dispatch"), Broken("dispatch"), UnexpectedPayload("dispatch")])
def test_an_answer_that_is_lost_is_read_back_whatever_the_attempt(error, attempt):
    verdict = failed(error, attempt=attempt, gives_up_at=NOW - HOUR)

    assert isinstance(verdict, Lost)
    assert timedelta(seconds=5) <= verdict.after <= timedelta(minutes=5)


def test_a_whole_call_that_is_put_off_is_read_back_and_no_refusal():
    """Nobody says that nothing was done by it."""
    later = Refused("dispatch", status=400, code="DEPENDENT_SYSTEM_CALL_FAILED")

    assert says_later(later)
    assert isinstance(failed(later), Lost)
    assert not says_later(Refused("dispatch", status=400, code="INVALID_SHIPMENTS"))
    assert not says_later(Throttled("dispatch"))


def test_a_throttled_call_was_not_done_and_waits_as_told():
    assert failed(Throttled("dispatch", retry_after=timedelta(seconds=30))).after == timedelta(seconds=30)


def test_a_call_throttled_past_its_time_needs_a_person():
    assert failed(Throttled("dispatch"), gives_up_at=NOW) == GiveUp("tried too long: Flipkart takes no more calls")


def test_a_forbidden_call_needs_the_connection():
    assert failed(NotAuthorized("dispatch", status=403)).attention == Attention.RECONNECT


def test_reading_back_tells_there_cancelled_or_not_there():
    assert read_back(state=State.READY_TO_DISPATCH, is_there=True) == There()
    assert read_back(state=State.CANCELLED, is_there=False) == Drop("cancelled at Flipkart")
    assert read_back(state=State.PACKED, is_there=False) == NotThere()


@pytest.mark.parametrize(
    ("dispatch_by", "gives_up"),
    [
        (None, 24 * HOUR),
        (NOW + 48 * HOUR, 24 * HOUR),
        (NOW + 2 * HOUR, 1.5 * HOUR),
        (NOW + timedelta(minutes=20), 24 * HOUR),  # late already: still worth trying
        (NOW - HOUR, 24 * HOUR),
    ],
)
def test_waiting_ends_while_a_person_can_still_act(dispatch_by, gives_up):
    assert give_up_at(now=NOW, dispatch_by_at=dispatch_by) == NOW + gives_up


def test_a_refusal_is_said_in_our_words_with_flipkarts_code():
    assert refusal_words("INVALID_HSN") == "Flipkart does not accept its HSN code (INVALID_HSN)"
    assert refusal_words("NEW") == "Flipkart refused it (NEW)"
    assert refusal_words("") == "Flipkart refused it and gave no reason"


def test_a_time_is_said_in_india_with_its_day_when_that_is_another():
    assert in_ist(NOW, now=NOW) == "12:51 (IST)"
    assert in_ist(NOW + 20 * HOUR, now=NOW) == "05 Mar 08:51 (IST)"
