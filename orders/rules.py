"""What may be done to a shipment and when, decided from values alone: no clock, no database."""

from collections.abc import Collection, Sequence
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, Protocol

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.states import BEFORE_PACK, FINAL, HANDED_OVER, PACKING, READY, is_packed_or_later
from shipcrowd.flipkart.times import INDIAN_TIME
from shipcrowd.flipkart.types import Abilities, Offer, State
from shipcrowd.work import Attention


class Act(StrEnum):
    LABEL = "label"
    PRINT = "print"
    DISPATCH = "dispatch"


class Facts(Protocol):
    """What the rules look at; a row of orders.models.Shipment has it."""

    state: str
    state_word: str
    is_on_hold: bool
    dispatch_after_at: datetime | None
    label_requested_at: datetime | None
    label_stored_at: datetime | None
    labelled_outside: bool
    dispatch_requested_at: datetime | None
    set_aside_at: datetime | None
    set_aside_reason: str
    attention: str
    attention_says: str


def why_not(shipment: Facts, act: Act | str, now: datetime, *, is_asked: bool = False) -> str | None:
    """Why `act` must be left undone for this shipment, in words that a person knows; None when it may be done.

    `is_asked`: our own request for it exists already and is about to be sent, so that it is no reason against itself.
    """
    act, state = Act(act), State(shipment.state)
    return (
        _why_untouchable(shipment, state)
        or why_kept_back(shipment)
        or _why_on_hold(shipment)
        or _why_too_late(shipment, act, state, is_asked=is_asked)
        or _why_too_early(shipment, act, state, now)
    )


def _why_untouchable(shipment: Facts, state: State) -> str | None:
    if state is State.UNKNOWN:
        return _("its state “%(word)s” is not known here") % {"word": shipment.state_word}
    if state is State.CANCELLED:
        return _("cancelled")
    if has_left(state):
        return _("already handed over (%(state)s)") % {"state": _words(state)}
    return None


def has_left(state: State) -> bool:
    """Whether the courier has the parcel."""
    return state in HANDED_OVER or state is State.PICKUP_COMPLETE


def why_kept_back(shipment: Facts) -> str | None:
    """Why a person must have the parcel in hands before anything else is done with it; None where nobody must.

    People know of it already: what was on its way for it stops, and nobody else need be told.
    """
    if shipment.attention == Attention.PULL:
        return _("must be pulled: %(why)s") % {"why": shipment.attention_says or _("needs a person")}
    return _("set aside: %(reason)s") % {"reason": shipment.set_aside_reason} if shipment.set_aside_at else None


def why_not_fetch(shipment: Facts) -> str | None:
    """Why nothing should be fetched for it, or None. Whether it has a label does not matter, nor whether it is due."""
    return _why_untouchable(shipment, State(shipment.state)) or why_kept_back(shipment) or _why_on_hold(shipment)


def why_not_label(shipment: Facts, now: datetime, *, is_asked: bool) -> str | None:
    """Why no label may be asked for, or None. Of what is packed already only a copy of its papers is fetched."""
    state = State(shipment.state)
    if shipment.label_stored_at:
        return _("already labelled")
    if not is_packed_or_later(state):
        return why_not(shipment, Act.LABEL, now, is_asked=is_asked)
    if state is State.READY_TO_DISPATCH and not shipment.is_on_hold:
        return why_kept_back(shipment)
    return why_not(shipment, Act.DISPATCH, now, is_asked=True)


_NOT_OFFERED = {
    Offer.CANCEL: gettext_lazy("this connection's format of Flipkart's cannot cancel: do it in Flipkart's own panel"),
    Offer.FORMS: gettext_lazy("this connection's format of Flipkart's knows no forms: tell it in Flipkart's own panel"),
}


def why_not_here(abilities: Abilities | None, offer: Offer) -> str:
    """Why `offer` is not to be had through a connection that can do so much (None: there is none yet), or ""."""
    return "" if abilities is None or offer in abilities.offers else str(_NOT_OFFERED[offer])


def why_not_cancel(shipment: Facts, *, is_being_labelled: bool) -> str | None:
    """Why the seller may not cancel it, or None. A hold, its time, and being set aside are no reasons against it."""
    state = State(shipment.state)
    if untouchable := _why_untouchable(shipment, state):
        return untouchable
    if state not in BEFORE_PACK:
        return _("packed already: only the buyer can cancel it now")
    return _("its label is on its way") if is_being_labelled else None


def forms_wanted(forms: Collection[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of a shipment's forms those that a person must acknowledge: Flipkart fetches the others by itself."""
    return [form for form in forms if not form.get("is_automated")]


def _why_on_hold(shipment: Facts) -> str | None:
    return _("on hold at Flipkart") if shipment.is_on_hold else None


def _why_too_late(shipment: Facts, act: Act, state: State, *, is_asked: bool) -> str | None:
    if act is Act.LABEL:
        if shipment.label_stored_at:
            return _("already labelled")
        if shipment.label_requested_at and not is_asked:
            return _("its label is already asked for")
        if shipment.labelled_outside or (state not in BEFORE_PACK | PACKING and not is_asked):
            return _("already labelled outside of Shipcrowd")
        if state not in BEFORE_PACK:
            return _("already with Flipkart (%(state)s)") % {"state": _words(state)}
    if act is Act.DISPATCH:
        if state in READY:
            return _("already marked ready to dispatch")
        if shipment.dispatch_requested_at and not is_asked:
            return _("its dispatch is already asked for")
    return None


def _why_too_early(shipment: Facts, act: Act, state: State, now: datetime) -> str | None:
    if shipment.dispatch_after_at and now < shipment.dispatch_after_at:
        return _("not due before %(time)s") % {"time": in_indian_words(shipment.dispatch_after_at)}
    if act is Act.PRINT and not shipment.label_stored_at:
        return (
            _("labelled outside of Shipcrowd, no copy stored")
            if shipment.labelled_outside
            else _("no label stored yet")
        )
    if act is Act.DISPATCH and state is not State.PACKED:
        return _("not packed yet (%(state)s)") % {"state": _words(state)}
    return None


def _words(state: State) -> str:
    return state.value.replace("_", " ").lower()


def in_indian_words(at: datetime) -> str:
    """`at` as people in the warehouse say it: "24 Nov 18:30", Indian time."""
    local = at.astimezone(INDIAN_TIME)
    return f"{local.day} {local:%b %H:%M}"


def deadline(
    dispatch_by_at: datetime | None, pickup_times: Sequence[Sequence[str]], holidays: Collection[str], now: datetime
) -> datetime | None:
    """By when a shipment must stand ready: its dispatch-by, or the facility's next pickup where that comes earlier.

    `pickup_times` and `holidays` as on a Facility: times in IST by weekday, Monday first; ISO dates.
    """
    pickup = next_pickup(pickup_times, holidays, now)
    return min((at for at in (dispatch_by_at, pickup) if at), default=None)


def next_pickup(pickup_times: Sequence[Sequence[str]], holidays: Collection[str], now: datetime) -> datetime | None:
    """The next pickup at or after `now`; None where none is known for the next two weeks."""
    today = now.astimezone(INDIAN_TIME).date()
    coming = (
        at
        for days in range(15)
        for at in _pickups_of(today + timedelta(days=days), pickup_times, holidays)
        if at >= now
    )
    return next(coming, None)


def leaves_with_next_pickup(
    dispatch_by_at: datetime | None, pickup_times: Sequence[Sequence[str]], holidays: Collection[str], now: datetime
) -> bool:
    """Whether a shipment would be late with the pickup after the next one.

    Where no pickup is known: whether it must leave today.
    """
    if dispatch_by_at is None:
        return False
    coming = next_pickup(pickup_times, holidays, now)
    if coming is None:
        midnight = datetime.combine(now.astimezone(INDIAN_TIME).date() + timedelta(days=1), time(), INDIAN_TIME)
        return dispatch_by_at < midnight
    after = next_pickup(pickup_times, holidays, coming + timedelta(seconds=1))
    return after is None or dispatch_by_at < after


def missed_pickup(
    ready_at: datetime | None, pickup_times: Sequence[Sequence[str]], holidays: Collection[str], now: datetime
) -> datetime | None:
    """The last pickup, where a parcel that was ready by then is still here; None where none was missed."""
    last = last_pickup(pickup_times, holidays, now)
    return last if last is not None and ready_at is not None and ready_at < last else None


def last_pickup(pickup_times: Sequence[Sequence[str]], holidays: Collection[str], now: datetime) -> datetime | None:
    """The latest pickup before `now`, within two weeks: what was ready then and is still here is late."""
    today = now.astimezone(INDIAN_TIME).date()
    gone = (
        at
        for days in range(15)
        for at in reversed(_pickups_of(today - timedelta(days=days), pickup_times, holidays))
        if at < now
    )
    return next(gone, None)


def _pickups_of(day: date, pickup_times: Sequence[Sequence[str]], holidays: Collection[str]) -> list[datetime]:
    if day.isoformat() in holidays or day.weekday() >= len(pickup_times):
        return []
    return sorted(datetime.combine(day, time.fromisoformat(text), INDIAN_TIME) for text in pickup_times[day.weekday()])


# How often an open shipment is read again, by its age since it was ordered: most is decided in the first two days.
_PACE_OPEN = (
    (timedelta(days=2), timedelta(minutes=15)),
    (timedelta(days=7), timedelta(hours=1)),
    (timedelta(days=45), timedelta(hours=6)),
    (timedelta.max, timedelta(days=1)),
)
# One that has left the house: nothing here depends on it any more but the record.
_PACE_HANDED_OVER = (
    (timedelta(days=3), timedelta(hours=2)),
    (timedelta(days=7), timedelta(hours=6)),
    (timedelta(days=45), timedelta(days=1)),
    (timedelta.max, timedelta(days=7)),
)


def follow_pace(state: State, age: timedelta) -> timedelta | None:
    """How soon a shipment ordered `age` ago is read again by its id; None: no more, for it is final."""
    if state in FINAL:
        return None
    paces = _PACE_HANDED_OVER if state in HANDED_OVER else _PACE_OPEN
    return next(pace for until, pace in paces if age < until)
