"""What a walk over Flipkart's search asks, and how far it is; nothing here reads or stores.

A wire says which searches together cover a set of states (FlipkartClient.searches); each of them is a leg of the walk.
Where a search can ask for what *changed* (Abilities.search_by_change), a poll asks that, from the cursor less an
overlap. What the guide's search can ask is states within a window of *order* dates (2.1), so an order that is approved
days after its date lies behind any cursor. A poll there has these legs:

- new: every searchable state, from the cursor less an overlap (half an hour covers clocks that are ten minutes off);
- late: APPROVED and READY_TO_PACK of the seven days before that, so that an order approved three days late is here
  with the next poll. Its cost is what waits to be packed, a call for each 50; where that is much, it is walked more
  rarely, so that it takes no more than 15 calls a minute of the 100 (guide, API Quota Limits): each poll up to 3,750
  waiting shipments, every quarter of an hour with 10,000;
- full, in place of late: the open states over 30 days, with the first poll and once a day, for what came even later
  and for what fell between two pages that moved while they were read. It is walked on every wire.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from orders.states import BEFORE_PACK, OPEN_STATES
from shipcrowd.flipkart.types import SearchPart, Span, State, Window
from shipcrowd.transport.errors import Broken, CallFailed, Refused, UnexpectedPayload, Unreachable

LATE_WINDOW = timedelta(days=7)
LATE_CALLS_A_MINUTE = 15
FULL_EVERY = timedelta(days=1)
TRIES_OF_A_SEARCH = 3  # that is not answered, before the others go on without it


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One search."""

    part: SearchPart
    window: Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """The legs still to be walked, the first of them from `marker` on. `began_at` is where the cursor will stand.

    `ended` are the legs that came to their end, `behind` the searches that did not, and from when they are to be asked.
    """

    legs: tuple[Leg, ...]
    began_at: datetime
    marker: str | None = field(default=None, repr=False)
    is_full: bool = False
    is_late: bool = False
    pages: int = 0
    new: int = 0
    ended: int = 0
    behind: Mapping[str, datetime] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "legs": [_leg_to_json(leg) for leg in self.legs],
            "began_at": self.began_at.isoformat(),
            "marker": self.marker,
            "is_full": self.is_full,
            "is_late": self.is_late,
            "pages": self.pages,
            "new": self.new,
            "ended": self.ended,
            "behind": behind_to_json(self.behind),
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Walk":
        legs = tuple(_leg_from_json(leg) for leg in stored["legs"])
        behind = behind_from_json(stored.get("behind", {}))
        return cls(**stored | {"legs": legs, "began_at": datetime.fromisoformat(stored["began_at"]), "behind": behind})

    def without_leg(self) -> "Walk":
        """The first leg has come to its end."""
        return replace(self, legs=self.legs[1:], marker=None, ended=self.ended + 1)

    def leaving_leg_behind(self) -> "Walk":
        """The first leg could not be read."""
        leg = self.legs[0]
        since = min(leg.window.begins_at, self.behind.get(leg.part.name, leg.window.begins_at))
        return replace(self, legs=self.legs[1:], marker=None, behind={**self.behind, leg.part.name: since})


def behind_to_json(behind: Mapping[str, datetime]) -> dict[str, str]:
    return {name: since.isoformat() for name, since in behind.items()}


def behind_from_json(stored: Mapping[str, str]) -> dict[str, datetime]:
    return {name: datetime.fromisoformat(since) for name, since in stored.items()}


def _leg_to_json(leg: Leg) -> dict[str, Any]:
    window = leg.window
    return {
        "part": {"name": leg.part.name, "states": list(leg.part.states), "is_rumour": leg.part.is_rumour},
        "window": [window.of.value, window.begins_at.isoformat(), window.ends_at.isoformat()],
    }


def _leg_from_json(stored: dict[str, Any]) -> Leg:
    part, (of, begins_at, ends_at) = stored["part"], stored["window"]
    return Leg(
        part=SearchPart(**part | {"states": tuple(State(state) for state in part["states"])}),
        window=Window(
            of=Span(of), begins_at=datetime.fromisoformat(begins_at), ends_at=datetime.fromisoformat(ends_at)
        ),
    )


def plan(
    *,
    now: datetime,
    searches: Callable[[Collection[State]], Iterable[SearchPart]],
    by_change: bool,
    page_size: int,
    read_until: datetime | None,
    last_full_at: datetime | None,
    last_late_at: datetime | None,
    waiting: int,
    behind: Mapping[str, datetime],
) -> Walk:
    """What to ask now. `waiting` is how many shipments we know that wait to be packed. Pure.

    `searches` and `by_change` are the wire's: which searches cover some states, and whether one can ask for changes;
    `behind` says from when those are asked that the walk before could not read.
    """
    until = now + settings.POLL_OVERLAP  # their clock may be ahead of ours
    oldest = now - settings.POLL_FIRST
    new_from = max(read_until - settings.POLL_OVERLAP, oldest) if read_until else oldest
    still_open = tuple(State(state) for state in OPEN_STATES)

    def legs(states: Collection[State], of: Span, begins_at: datetime, ends_at: datetime) -> tuple[Leg, ...]:
        def window(part: SearchPart) -> Window:
            since = min(begins_at, behind.get(part.name, begins_at))
            return Window(of=of, begins_at=max(since, oldest), ends_at=ends_at)

        return tuple(Leg(part=part, window=window(part)) for part in searches(states))

    if read_until is None:
        return Walk(legs=legs(still_open, Span.ORDERED, oldest, until), began_at=now, is_full=True)
    new = legs(tuple(State), Span.CHANGED if by_change else Span.ORDERED, new_from, until)
    if last_full_at is None or now - last_full_at >= FULL_EVERY:
        # What changed of late says nothing of what was ordered of late and has not changed.
        full = legs(still_open, Span.ORDERED, oldest, until if by_change else new_from)
        return Walk(legs=new + full, began_at=now, is_full=True)
    if by_change:
        return Walk(legs=new, began_at=now)
    late_every = timedelta(minutes=waiting / page_size / LATE_CALLS_A_MINUTE)
    if late_every > settings.POLL_EVERY and last_late_at is not None and now - last_late_at < late_every:
        return Walk(legs=new, began_at=now)
    late_from = now - LATE_WINDOW
    late = legs(tuple(BEFORE_PACK), Span.ORDERED, late_from, new_from) if late_from < new_from else ()
    return Walk(legs=new + late, began_at=now, is_late=True)


def may_leave_behind(error: CallFailed, *, failures: int, ended: int, left: int) -> bool:
    """Whether the walk goes on without the search that failed so. Pure.

    `failures` are the runs that failed before in a row, `ended` the searches that the walk has read, `left` those that
    it still has, the failed one with them. Where none can be read, it is not the search that has failed but Flipkart.
    """
    if isinstance(error, (UnexpectedPayload, Refused)):
        return ended > 0 or left > 1
    return isinstance(error, (Broken, Unreachable)) and ended > 0 and failures + 1 >= TRIES_OF_A_SEARCH
