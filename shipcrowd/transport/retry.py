"""Again or not, and when: pure functions of what happened; the caller brings the clock and the chance, and waits.

Waiting is a column of the caller's (`wake_at`), never a sleep: a worker that sleeps holds a seat, and forgets
when it is killed.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

from shipcrowd.transport.errors import CallFailed, NotAuthorized, Refused, Throttled

# Two to four seconds at first: a restart of their gateway is over by then, and a person still waits for it.
FIRST_PAUSE = timedelta(seconds=4)
# An hour of outage costs four more calls, and the end of it is seen within a quarter of an hour.
LONGEST_PAUSE = timedelta(minutes=15)
FIRST_CLOSING = timedelta(minutes=1)
# A Retry-After of 0 or -1 must not become a tight loop.
SHORTEST_PAUSE = timedelta(seconds=1)
# An effect whose answer was lost is mostly visible at once; 5 s leaves a slow writer of theirs time to finish.
FIRST_READ_BACK = timedelta(seconds=5)
# Somebody stands at the bench and does not know whether the parcel may leave: no longer than this between two looks.
LONGEST_READ_BACK = timedelta(minutes=5)
# Labels are ready 2 to 5 s after the request (guide, Issue 2), rarely after half an hour (wire.md 3.4).
FIRST_LOOK = timedelta(seconds=2)
LONGEST_LOOK = timedelta(seconds=300)
# Packing that is told of as it goes on takes 5 to 10 s as a rule, and up to half an hour (wire.md 3.2).
FIRST_LOOK_AT_PACKING = timedelta(seconds=6)
NEXT_LOOKS_AT_PACKING = timedelta(seconds=5)

_MOST_DOUBLINGS = 20  # 2 ** attempt is cut here, so that attempt 5,000 is a number and not a memory problem

_SECONDS = re.compile(r"[+-]?[0-9]{1,20}(?:\.[0-9]{1,9})?\Z")


@dataclass(frozen=True, slots=True)
class SendAgain:
    """It was not done, or doing it twice does no harm: send the same call again once `after` has passed."""

    after: timedelta


@dataclass(frozen=True, slots=True)
class ReadBack:
    """Nobody knows whether the effect took place: read the shipment once `after` has passed, then decide."""

    after: timedelta


@dataclass(frozen=True, slots=True)
class AskPerson:
    """No call of ours will mend this."""

    because: CallFailed


def after_failure(
    error: CallFailed,
    *,
    is_effect: bool,
    attempt: int,
    give_up_at: datetime,
    now: datetime,
    jitter: float,
    first_read_back: timedelta = FIRST_READ_BACK,
) -> SendAgain | ReadBack | AskPerson:
    """What to do once attempt `attempt` (1 is the first) has failed; `jitter` is drawn by the caller, 0.0 to 1.0.

    A read-back is never given up here: as long as an effect is in doubt it is looked up, however late.
    """
    if isinstance(error, (Refused, NotAuthorized)):
        return AskPerson(because=error)
    if is_effect and not isinstance(error, Throttled):
        # The answer is lost, perhaps not the request: sending an effect again could dispatch twice.
        return ReadBack(after=_doubled(first_read_back, attempt, LONGEST_READ_BACK) * (1 + jitter / 2))
    pause = _doubled(FIRST_PAUSE, attempt, LONGEST_PAUSE) * (0.5 + jitter / 2)
    if isinstance(error, Throttled) and error.retry_after is not None:
        # A little more than asked, not less: many workers were told the same second.
        pause = _bounded(error.retry_after * (1 + jitter / 10))
    return SendAgain(after=pause) if now + pause < give_up_at else AskPerson(because=error)


def closed_without_word(times: int, *, jitter: float) -> timedelta:
    """How long nobody asks after the 429 number `times` in a row that does not say until when; `jitter` 0.0 to 1.0.

    The first closes for a minute, for any minute that Flipkart may count is over then.
    """
    return _doubled(FIRST_CLOSING, times, LONGEST_PAUSE) * (1 + jitter / 4)


def next_look(attempt: int) -> timedelta:
    """How long to wait before look number `attempt` at labels that are not ready: 2, 4, 8 ... 300 s."""
    return _doubled(FIRST_LOOK, attempt, LONGEST_LOOK)


def next_look_at_packing(attempt: int) -> timedelta:
    """How long to wait before look number `attempt` at a shipment in packing: 6, 5, 5, then 10, 20 ... 300 s.

    By the second look what takes as long as usual is packed; what takes longer is seen before it has taken twice that.
    """
    return FIRST_LOOK_AT_PACKING if attempt <= 1 else _doubled(NEXT_LOOKS_AT_PACKING, attempt - 2, LONGEST_LOOK)


def parse_retry_after(header: str | None, *, now: datetime) -> timedelta | None:
    """The wait that a Retry-After header asks for, bounded to [1 s, 15 min]; None when it says nothing readable.

    Seconds or an HTTP date (RFC 9110, 10.2.3). Absurd values are bounded, not refused: -1 and a date long past mean
    "soon", 10^9 means "long". `now` should be the time of the answer's own Date header, so that clocks may differ.
    """
    text = (header or "").strip()[:64]
    if _SECONDS.match(text):
        return _bounded(timedelta(seconds=min(float(text), LONGEST_PAUSE.total_seconds())))
    at = parse_http_date(text)
    return None if at is None else _bounded(at - now)


def parse_http_date(header: str | None) -> datetime | None:
    """The moment an HTTP date names, aware; None when it is none. A zone that is not said is UTC, as HTTP means it."""
    try:
        at = parsedate_to_datetime((header or "").strip()[:64])
        offset = at.utcoffset() or timedelta(0)
        return at.replace(tzinfo=timezone(offset)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _doubled(first: timedelta, attempt: int, longest: timedelta) -> timedelta:
    doublings = min(max(attempt, 1) - 1, _MOST_DOUBLINGS)
    return min(longest, first * (1 << doublings))


def _bounded(pause: timedelta) -> timedelta:
    return min(max(pause, SHORTEST_PAUSE), LONGEST_PAUSE)
