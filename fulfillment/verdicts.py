"""What becomes of one row of an effect: pure decisions from what is known of its shipment and of Flipkart's answer.

Nothing here touches a clock, the network or the database; `sending` carries the verdicts out.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from shipcrowd.flipkart.types import RowOutcome, State
from shipcrowd.transport.errors import Broken, CallFailed, NotAuthorized, NoToken, Refused, Throttled
from shipcrowd.transport.retry import AskPerson as AskPersonAfterAll
from shipcrowd.transport.retry import ReadBack, SendAgain, after_failure
from shipcrowd.work import Attention

IST = ZoneInfo("Asia/Kolkata")
# A first failure of a row says that it was not done. A later one may speak of what an earlier, lost attempt has done
# meanwhile.
ATTEMPTS_READ_BACK = 3
LONGEST_WAIT = timedelta(minutes=15)

# Codes of Flipkart's published API (wire format of rows: guide-gaps 7); any other code needs a person.
MAY_BE_DONE = frozenset({"ORDER_ITEM_ALREADY_DISPATCHED", "ORDER_ITEM_ALREADY_PACKED", "INVALID_ITEM_STATE"})
CANCELLED = frozenset({"ORDER_ITEM_ALREADY_CANCELLED", "ORDER_ITEM_CANCELLED"})
ON_HOLD = frozenset({"SHIPMENT_ON_HOLD", "ORDER_ITEM_ON_HOLD"})
NOT_DUE = frozenset({"SHIPMENT_NOT_DUE"})
LATER = frozenset({"DEPENDENT_SYSTEM_CALL_FAILED", "INTERNAL_SERVER_ERROR", "INTERNAL_ERROR", "PROCESSING_FAILED"})

REFUSALS = {
    "INVALID_SHIPMENTS": gettext_lazy("Flipkart does not know this shipment"),
    "ORDER_ITEM_NOT_PACKED": gettext_lazy("Flipkart says that it is not packed yet"),
    "INVALID_INVOICE": gettext_lazy("Flipkart does not accept its invoice"),
    "INVALID_HSN": gettext_lazy("Flipkart does not accept its HSN code"),
    "EMPTY_OR_INVALID_REASON_FOR_CANCELLATION": gettext_lazy("Flipkart does not accept this reason"),
}

WORDS_CANCELLED = gettext_lazy("cancelled at Flipkart")
WORDS_ON_HOLD = gettext_lazy("on hold at Flipkart: waits until it is released")
WORDS_LATER = gettext_lazy("Flipkart could not do it just now: asked again later")
WORDS_UNKNOWN = gettext_lazy("in a state that this version does not know")


@dataclass(frozen=True, slots=True)
class Send:
    """Nothing is against it."""


@dataclass(frozen=True, slots=True)
class There:
    """The effect is there; `outside`: before we ever asked for it."""

    outside: bool = False


@dataclass(frozen=True, slots=True)
class NotThere:
    """Read back, and the effect is not there."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Nobody knows; to be read back."""

    after: timedelta
    says: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing was done; again later, until it is given up by age."""

    after: timedelta
    says: str
    attention: str = ""


@dataclass(frozen=True, slots=True)
class Drop:
    """No longer wanted, and known not to have happened."""

    says: str


@dataclass(frozen=True, slots=True)
class AskPerson:
    because: Attention
    says: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Nothing was done, and its time is over."""

    says: str


Verdict = Send | There | NotThere | Lost | Wait | Drop | AskPerson | GiveUp


def give_up_at(*, now: datetime, dispatch_by_at: datetime | None) -> datetime:
    """Until when waiting makes sense: half an hour before dispatch-by, when a person can still act; at most a day."""
    latest = now + settings.GIVE_UP_AFTER
    if dispatch_by_at is None:
        return latest
    in_time = dispatch_by_at - settings.GIVE_UP_BEFORE_DISPATCH_BY
    return min(latest, in_time) if in_time > now else latest


def before_sending(
    *, state: State, is_on_hold: bool, dispatch_after_at: datetime | None, is_there: bool, attempts: int, now: datetime
) -> Verdict:
    """Whether a row that was never sent, or whose last attempt did not arrive, may be sent now."""
    if is_there:
        return There(outside=attempts == 0)
    if state == State.CANCELLED:
        return Drop(str(WORDS_CANCELLED))
    if state == State.UNKNOWN:
        return AskPerson(Attention.UNKNOWN_STATE, str(WORDS_UNKNOWN))
    if is_on_hold:
        return Wait(settings.READ_AGAIN_AFTER, str(WORDS_ON_HOLD))
    if dispatch_after_at is not None and dispatch_after_at > now:
        due = in_ist(dispatch_after_at, now=now)
        return Wait(dispatch_after_at - now, _("not due before %(at)s") % {"at": due})
    return Send()


def after_answer(outcome: RowOutcome, *, attempt: int, may_be_done: frozenset[str] = MAY_BE_DONE) -> Verdict:
    """What Flipkart's answer for one row of attempt number `attempt` means; `may_be_done` are the effect's codes."""
    if outcome.ok:
        return There()
    read_back = timedelta(seconds=settings.READ_BACK_SECONDS)
    if outcome.ok is None:
        return Lost(read_back, _("Flipkart's answer does not say what became of it: will be read back"))
    if outcome.code in may_be_done or 1 < attempt <= ATTEMPTS_READ_BACK:
        said = outcome.code or _("no")
        return Lost(read_back, _("Flipkart says %(said)s: will be read back") % {"said": said})
    if outcome.code in CANCELLED:
        return Drop(str(WORDS_CANCELLED))
    if outcome.code in ON_HOLD:
        return Wait(settings.READ_AGAIN_AFTER, str(WORDS_ON_HOLD))
    if outcome.code in NOT_DUE:
        return Wait(settings.READ_AGAIN_AFTER, _("not due yet at Flipkart"))
    if outcome.code in LATER:
        return Wait(_growing(attempt), str(WORDS_LATER))
    return AskPerson(Attention.REFUSED, refusal_words(outcome.code))


def says_later(error: CallFailed) -> bool:
    """Whether a whole call was turned away by what is not its fault: the same one may be answered later.

    Of an effect it does not say that nothing was done.
    """
    return isinstance(error, Refused) and error.code in LATER


def after_failed_call(
    error: CallFailed, *, attempt: int, gives_up_at: datetime | None, now: datetime, jitter: float
) -> Verdict:
    """What a call that failed as a whole means for one of its rows; `jitter` is drawn by the caller, 0.0 to 1.0.

    Not for Refused, unless it `says_later`: whoever sends finds out first which row it is about.
    """
    if says_later(error):
        error = Broken(error.operation)
    if isinstance(error, NotAuthorized):
        return Wait(
            settings.READ_AGAIN_AFTER, _("waiting: the connection to Flipkart must be renewed"), Attention.RECONNECT
        )
    decision = after_failure(
        error,
        is_effect=True,
        attempt=attempt,
        give_up_at=gives_up_at or now + settings.GIVE_UP_AFTER,
        now=now,
        jitter=jitter,
        first_read_back=timedelta(seconds=settings.READ_BACK_SECONDS),
    )
    why = error.says if isinstance(error, NoToken) else ""
    match decision:
        case ReadBack(after=after):
            words = _("Flipkart's answer was lost at %(at)s: will be read back")
            return Lost(after, words % {"at": in_ist(now, now=now)})
        case SendAgain(after=after):
            return Wait(after, _("waiting: %(why)s") % {"why": why or _("too many calls to Flipkart at once")})
        case AskPersonAfterAll():
            return GiveUp(_("tried too long: %(why)s") % {"why": why or _("Flipkart takes no more calls")})


def why_unread(error: CallFailed, *, now: datetime) -> str:
    """Why Flipkart could not be asked, or did not answer. Pure."""
    if isinstance(error, Throttled):  # by our own quota or theirs, or without a token: nothing was asked
        return error.says
    return _("Flipkart did not answer at %(at)s") % {"at": in_ist(now, now=now)}


def read_back(*, state: State, is_there: bool) -> There | Drop | NotThere:
    """What the shipment itself says of an effect in doubt."""
    if is_there:
        return There()
    return Drop(str(WORDS_CANCELLED)) if state == State.CANCELLED else NotThere()


def refusal_words(code: str) -> str:
    """Why Flipkart refused a row, in our words; its own code stands behind them for whoever asks Flipkart."""
    if not code:
        return _("Flipkart refused it and gave no reason")
    if "SERIAL" in code.upper():  # their codes are not written down: whatever it is called, a person enters them
        return _("Flipkart wants the serial numbers of its pieces: enter them on its page ({code})").format(code=code)
    return f"{REFUSALS[code]} ({code})" if code in REFUSALS else _("Flipkart refused it (%(code)s)") % {"code": code}


def in_ist(moment: datetime, *, now: datetime) -> str:
    """ "12:51 (IST)", with the day where it is not today's."""
    there = moment.astimezone(IST)
    day = "" if there.date() == now.astimezone(IST).date() else f"{there:%d %b} "
    return f"{day}{there:%H:%M} (IST)"


def _growing(attempt: int) -> timedelta:
    return min(LONGEST_WAIT, timedelta(seconds=settings.GRACE_SECONDS) * (1 << min(attempt - 1, 10)))
