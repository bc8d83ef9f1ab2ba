"""What may be done to a shipment, when it must be ready, and how often it is read again."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.rules import (
    Act,
    deadline,
    follow_pace,
    in_indian_words,
    last_pickup,
    missed_pickup,
    next_pickup,
    why_kept_back,
    why_not,
)
from orders.states import FINAL, HANDED_OVER, State

NOW = datetime.fromisoformat("2026-11-24T12:00:00+05:30")
EARLIER = NOW - timedelta(hours=2)


@dataclass(kw_only=True)
class Facts:
    state: str = State.APPROVED
    state_word: str = "APPROVED"
    is_on_hold: bool = False
    dispatch_after_at: datetime | None = EARLIER
    label_requested_at: datetime | None = None
    label_stored_at: datetime | None = None
    labelled_outside: bool = False
    dispatch_requested_at: datetime | None = None
    set_aside_at: datetime | None = None
    set_aside_reason: str = ""
    attention: str = ""
    attention_says: str = ""


OUTSIDE = "already labelled outside of Shipcrowd"
NO_LABEL = "no label stored yet"

# state: why no label, why no print (nothing stored; label stored), why no dispatch; None: it may be done.
CASES = {
    State.APPROVED: (None, NO_LABEL, None, "not packed yet (approved)"),
    State.READY_TO_PACK: (None, NO_LABEL, None, "not packed yet (ready to pack)"),
    State.PACKING_IN_PROGRESS: (
        "already with Flipkart (packing in progress)",
        NO_LABEL,
        None,
        "not packed yet (packing in progress)",
    ),
    State.FORM_FAILED: ("already with Flipkart (form failed)", NO_LABEL, None, "not packed yet (form failed)"),
    State.PACKED: (OUTSIDE, NO_LABEL, None, None),
    State.READY_TO_DISPATCH: (OUTSIDE, NO_LABEL, None, "already marked ready to dispatch"),
    **{
        state: (words, words, words, words)
        for state, words in {
            State.PICKUP_COMPLETE: "already handed over (pickup complete)",
            State.SHIPPED: "already handed over (shipped)",
            State.DELIVERED: "already handed over (delivered)",
            State.COMPLETED: "already handed over (completed)",
            State.RETURN_REQUESTED: "already handed over (return requested)",
            State.RETURNED: "already handed over (returned)",
            State.CANCELLED: "cancelled",
            State.UNKNOWN: "its state “TELEPORTED” is not known here",
        }.items()
    },
}


@pytest.mark.parametrize("state", State)
def test_every_state_allows_what_it_should(state):
    word = "TELEPORTED" if state is State.UNKNOWN else state.value
    plain = Facts(state=state, state_word=word)
    labelled = Facts(state=state, state_word=word, label_requested_at=EARLIER, label_stored_at=EARLIER)

    said = (
        why_not(plain, Act.LABEL, NOW),
        why_not(plain, Act.PRINT, NOW),
        why_not(labelled, Act.PRINT, NOW),
        why_not(plain, Act.DISPATCH, NOW),
    )

    assert said == CASES[state]


@pytest.mark.parametrize("act", Act)
@pytest.mark.parametrize("state", [State.APPROVED, State.PACKED, State.READY_TO_DISPATCH])
def test_nothing_is_done_to_what_is_held(act, state):
    assert why_not(Facts(state=state, is_on_hold=True, label_stored_at=EARLIER), act, NOW) == "on hold at Flipkart"


@pytest.mark.parametrize(
    ("act", "state"), [(Act.LABEL, State.APPROVED), (Act.PRINT, State.PACKED), (Act.DISPATCH, State.PACKED)]
)
def test_nothing_is_done_before_it_is_due(act, state):
    due_at = datetime.fromisoformat("2026-11-24T13:00:00+00:00")
    stored = None if act is Act.LABEL else EARLIER

    early = Facts(state=state, dispatch_after_at=due_at, label_stored_at=stored)

    assert why_not(early, act, NOW) == "not due before 24 Nov 18:30"
    assert why_not(early, act, due_at) is None


@pytest.mark.parametrize(
    ("facts", "act", "words"),
    [
        (Facts(label_requested_at=EARLIER), Act.LABEL, "its label is already asked for"),
        (Facts(state=State.PACKED, label_requested_at=EARLIER), Act.LABEL, "its label is already asked for"),
        (Facts(state=State.PACKED, label_stored_at=EARLIER), Act.LABEL, "already labelled"),
        (Facts(state=State.PACKED, labelled_outside=True), Act.LABEL, OUTSIDE),
        (
            Facts(state=State.PACKED, labelled_outside=True),
            Act.PRINT,
            "labelled outside of Shipcrowd, no copy stored",
        ),
        (Facts(state=State.PACKED, dispatch_requested_at=EARLIER), Act.DISPATCH, "its dispatch is already asked for"),
        (Facts(dispatch_after_at=None), Act.LABEL, None),
    ],
)
def test_what_was_asked_or_done_already_is_said(facts, act, words):
    assert why_not(facts, act, NOW) == words


@pytest.mark.parametrize("act", Act)
def test_what_a_person_must_have_in_hands_first_is_left_undone(act):
    aside = Facts(state=State.PACKED, set_aside_at=EARLIER, set_aside_reason="damaged", label_stored_at=EARLIER)
    changed = Facts(state=State.PACKED, attention="pull", attention_says="its items changed")

    assert why_not(aside, act, NOW, is_asked=True) == "set aside: damaged"
    assert why_not(changed, act, NOW, is_asked=True) == "must be pulled: its items changed"
    assert why_kept_back(Facts(attention="late", attention_says="it takes too long")) is None


def test_what_is_over_is_said_before_what_keeps_it_back():
    gone = {"set_aside_at": EARLIER, "set_aside_reason": "short", "attention": "pull", "attention_says": "pull it"}

    assert why_not(Facts(state=State.CANCELLED, **gone), Act.PRINT, NOW) == "cancelled"
    assert why_not(Facts(state=State.SHIPPED, **gone), Act.DISPATCH, NOW) == "already handed over (shipped)"
    assert why_not(Facts(state=State.PACKED, is_on_hold=True, **gone), Act.DISPATCH, NOW) == "must be pulled: pull it"


def test_our_own_request_is_no_reason_against_itself():
    assert why_not(Facts(label_requested_at=EARLIER), Act.LABEL, NOW, is_asked=True) is None
    packed = Facts(state=State.PACKED, dispatch_requested_at=EARLIER)
    assert why_not(packed, Act.DISPATCH, NOW, is_asked=True) is None
    assert why_not(Facts(label_requested_at=EARLIER, is_on_hold=True), Act.LABEL, NOW, is_asked=True) is not None


def test_a_shipment_that_came_to_be_packed_is_not_asked_again():
    """Between our request and our call somebody packed it in Flipkart's panel: the label is fetched, not asked for."""
    assert why_not(Facts(state=State.PACKED, label_requested_at=EARLIER), Act.LABEL, NOW, is_asked=True) is not None


WEEKDAYS = [["14:00", "18:30"]] * 6 + [[]]  # nobody comes on Sundays


@pytest.mark.parametrize(
    ("now", "holidays", "pickup"),
    [
        ("2026-11-24T12:00+05:30", [], "2026-11-24T14:00+05:30"),
        ("2026-11-24T14:00+05:30", [], "2026-11-24T14:00+05:30"),
        ("2026-11-24T14:01+05:30", [], "2026-11-24T18:30+05:30"),
        ("2026-11-24T19:00+05:30", ["2026-11-25"], "2026-11-26T14:00+05:30"),
        ("2026-11-28T19:00+05:30", [], "2026-11-30T14:00+05:30"),
        ("2026-11-23T20:00+00:00", [], "2026-11-24T14:00+05:30"),  # already Tuesday in India
    ],
)
def test_the_next_pickup_is_found(now, holidays, pickup):
    assert next_pickup(WEEKDAYS, holidays, datetime.fromisoformat(now)) == datetime.fromisoformat(pickup)


def test_the_last_pickup_tells_what_is_late():
    assert last_pickup(WEEKDAYS, [], NOW) == datetime.fromisoformat("2026-11-23T18:30+05:30")
    assert last_pickup(WEEKDAYS, ["2026-11-23"], NOW) == datetime.fromisoformat("2026-11-21T18:30+05:30")
    assert last_pickup([], [], NOW) is None


@pytest.mark.parametrize(
    ("ready_at", "missed"),
    [
        ("2026-11-23T18:29+05:30", "2026-11-23T18:30+05:30"),
        ("2026-11-20T09:00+05:30", "2026-11-23T18:30+05:30"),
        ("2026-11-23T18:30+05:30", None),
        ("2026-11-24T11:00+05:30", None),
        (None, None),
    ],
)
def test_only_what_was_ready_before_the_last_pickup_has_missed_it(ready_at, missed):
    ready = datetime.fromisoformat(ready_at) if ready_at else None
    expected = datetime.fromisoformat(missed) if missed else None

    assert missed_pickup(ready, WEEKDAYS, [], NOW) == expected


def test_where_no_courier_calls_no_pickup_is_missed():
    assert missed_pickup(NOW - timedelta(days=9), [], [], NOW) is None


def test_the_deadline_is_the_earlier_of_dispatch_by_and_pickup():
    tomorrow, soon = NOW + timedelta(days=1), NOW + timedelta(hours=1)
    pickup = datetime.fromisoformat("2026-11-24T14:00+05:30")

    assert deadline(tomorrow, WEEKDAYS, [], NOW) == pickup
    assert deadline(soon, WEEKDAYS, [], NOW) == soon
    assert deadline(tomorrow, [], [], NOW) == tomorrow
    assert deadline(None, WEEKDAYS, [], NOW) == pickup
    assert deadline(None, [], [], NOW) is None


def test_times_are_said_in_indian_time():
    assert in_indian_words(datetime.fromisoformat("2026-11-03T18:31:59+00:00")) == "4 Nov 00:01"


@given(st.sampled_from(sorted(State)), st.integers(0, 60 * 24), st.integers(0, 60 * 24))
def test_a_shipment_is_read_ever_more_rarely_until_it_is_final(state, hours, more):
    sooner, later = follow_pace(state, timedelta(hours=hours)), follow_pace(state, timedelta(hours=hours + more))

    if state in FINAL:
        assert sooner is later is None
    else:
        assert timedelta(minutes=15) <= sooner <= later <= timedelta(days=7)


def test_what_is_handed_over_is_followed_at_a_slower_pace():
    day = timedelta(days=1)
    assert follow_pace(State.APPROVED, day) == timedelta(minutes=15)
    assert follow_pace(State.SHIPPED, day) == timedelta(hours=2)
    assert follow_pace(State.SHIPPED, 10 * day) == day
    assert {follow_pace(state, day) for state in HANDED_OVER & FINAL} == {None}
