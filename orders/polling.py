"""Finding shipments at Flipkart: a walk over its search, page by page, that the cursor remembers until the last page.

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

Known shipments come along and cost nothing (ingest.py). What leaves these windows or changes otherwise is read by id
(tasks.follow). A walk goes on from its last page when the quota pauses it or its turn is over; the cursor moves only
when the walk has come to its end.

A search that cannot be read holds up no other: it is left behind, a person is told, and the next walk asks it for all
since then. Flipkart is known to refuse some (wire.md 10: what the buyer or the marketplace cancelled).
"""

import random
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from orders import cursors, reading
from orders.ingest import ingest
from orders.models import FollowCursor, PollCursor, Reading, Shipment, Unreadable
from orders.states import BEFORE_PACK, OPEN_STATES, PACKED_STATES
from sellers import gateway, switches
from sellers.models import Connection, Seller
from shipcrowd import queue
from shipcrowd.flipkart.client import FlipkartClient
from shipcrowd.flipkart.types import Page, SearchPart, Span, State, Window
from shipcrowd.flipkart.types import Unreadable as Hole
from shipcrowd.tenancy import require_scope, seller_scope
from shipcrowd.transport import retry
from shipcrowd.transport.errors import (
    Broken,
    CallFailed,
    NotAuthorized,
    Refused,
    Throttled,
    UnexpectedPayload,
    Unreachable,
)
from shipcrowd.work import database_now

LATE_WINDOW = timedelta(days=7)
LATE_CALLS_A_MINUTE = 15
FULL_EVERY = timedelta(days=1)
# One run of the task: others wait for its worker.
PAGES_A_RUN = 10
SECONDS_A_RUN = 20.0
# A walk that went on for longer stands on markers too old to trust.
WALK_LIVES = timedelta(hours=2)
# After our own quota is spent: time for several calls to come back, since going on reads the last page once more.
THROTTLED_PAUSE = timedelta(seconds=6)
THROTTLED_PAUSE_WITHOUT_PROGRESS = timedelta(seconds=20)
NOT_AUTHORIZED_PAUSE = timedelta(minutes=1)
TRIES_OF_A_SEARCH = 3  # that is not answered, before the others go on without it
FOLLOW_AFTER = timedelta(minutes=1)  # a new connection; its first page may be quicker
# What "fetch now" reads again: five calls of the guide's 50, and none of those read within so long.
FETCHED_NOW = 250
FETCHED_JUST_NOW = timedelta(minutes=1)
SEARCH = "search"  # path of the Unreadable row that says a walk cannot be finished


class Overtaken(Exception):
    """The lease ended, and somebody else has the cursor."""


def start_polling(seller: Seller, connection: Connection) -> None:
    """A connection has come to be: its cursors exist, it is polled. In the caller's scope (settings.ON_CONNECTED)."""
    require_scope(seller)
    fresh = {"wake_at": Now(), "token": None, "failures_in_a_row": 0, "says": ""}
    # It may be another account's, of which all that is open is to be found.
    anew: dict[str, object] = {"walk": None, "last_full_at": None, "behind": {}}
    PollCursor.objects.update_or_create(seller=seller, connection=connection, defaults=fresh | anew)
    # After the first page, which tells whether this is the seller's account: to another one its shipments are unknown.
    later = {"wake_at": Now() + FOLLOW_AFTER}
    FollowCursor.objects.update_or_create(seller=seller, connection=connection, defaults=fresh | later)
    queue.ring(seller.pk, PollCursor.KIND)


def poll_now(seller: Seller) -> str:
    """A person wants what is new: why it is not asked for, in words; empty when it is. In the seller's scope.

    What may stand packed is read again too: of a buyer who cancels after the label the guide's search says nothing.
    """
    require_scope(seller)
    if why_not := switches.why_not_reading(seller):
        return why_not
    if not cursors.wake(PollCursor, seller.pk):
        return _("Flipkart is being read just now, or this seller is not connected.")
    queue.ring(seller.pk, PollCursor.KIND)
    if _follow_now(seller) and cursors.wake(FollowCursor, seller.pk):
        queue.ring(seller.pk, FollowCursor.KIND)
    return ""


def _follow_now(seller: Seller) -> bool:
    """Open shipments with a label are due to be read, those that leave next first; whether there are any.

    No more than a few calls' worth, nor what was read just now, so that pressing often costs no more of the quota. What
    somebody else holds is being read.
    """
    fresh = Reading.objects.filter(shipment_id=OuterRef("pk"), seller=seller, read_at__gt=Now() - FETCHED_JUST_NOW)
    labelled = Shipment.objects.filter(Q(label_requested_at__isnull=False) | Q(state__in=PACKED_STATES), seller=seller)
    leaving = labelled.filter(~Exists(fresh), is_open=True).order_by("dispatch_by_at", "pk")
    keys = list(leaving.values_list("pk", flat=True)[:FETCHED_NOW])
    readings = Reading.objects.filter(seller=seller, shipment_id__in=keys).order_by("flipkart_shipment_id", "pk")
    held = list(readings.select_for_update(no_key=True, skip_locked=True).values_list("pk", flat=True))
    return bool(Reading.objects.filter(seller=seller, pk__in=held).update(follow_at=Now()))


# --- What a walk asks, and how far it is -----------------------------------------------------------------------------


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


# --- Walking ---------------------------------------------------------------------------------------------------------


def work_due(*, seller_id: int) -> bool:
    """One run of the seller's walk, begun or gone on with; True when it is not at its end and may go on at once.

    Outside of any scope. A call that fails ends the run, with its words on the cursor, and the walk goes on later.
    """
    cursor = cursors.claim(PollCursor, seller_id)
    if cursor is None:
        return False
    try:
        client = gateway.client_for(seller_id, for_polling=True)
        walk = _walk_of(cursor, client)
        return _run(cursor, walk, client)
    except Overtaken:
        return False
    except gateway.ReadingIsOff as error:
        cursors.release(cursor, after=settings.POLL_EVERY, says=_words(error))
    except gateway.NotConnected as error:
        gateway.heard(seller_id, error)  # it may be the page that said so
        cursors.release(cursor, after=None, walk=None, says=_words(error))
    except CallFailed as error:
        gateway.heard(seller_id, error)
        _put_off(cursor, error)
    return False


def _walk_of(cursor: PollCursor, client: FlipkartClient) -> Walk:
    """The unfinished walk, or a new one."""
    now = database_now()
    if cursor.walk is not None:
        walk = Walk.from_json(cursor.walk)
        if now - walk.began_at < WALK_LIVES:
            return walk
    with seller_scope(cursor.seller_id):
        waiting = Shipment.objects.filter(seller_id=cursor.seller_id, is_open=True, state__in=BEFORE_PACK).count()
    return plan(
        now=now,
        searches=client.searches,
        by_change=client.wire.ABILITIES.search_by_change,
        page_size=client.limits.page,
        read_until=cursor.read_until,
        last_full_at=cursor.last_full_at,
        last_late_at=cursor.last_late_at,
        waiting=waiting,
        behind=behind_from_json(cursor.behind),
    )


def _run(cursor: PollCursor, walk: Walk, client: FlipkartClient) -> bool:
    """Walks until the end, or until others should have the worker. Raises Overtaken and what calls raise."""
    ends_at = time.monotonic() + SECONDS_A_RUN
    pages = 0

    def is_turn_over() -> bool:
        # Two pages at least: a walk that goes on reads its last page once more, and would else stay where it is.
        return pages >= PAGES_A_RUN or (pages > 1 and time.monotonic() > ends_at)

    while walk.legs:
        try:
            for so_far, page in _leg_of(cursor, walk, client):
                walk = so_far
                pages += 1
                if page.has_more and is_turn_over():
                    return _pause(cursor, walk)
            walk = walk.without_leg()
        except CallFailed as error:
            if not may_leave_behind(error, failures=cursor.failures_in_a_row, ended=walk.ended, left=len(walk.legs)):
                raise
            walk = _leave_behind(cursor, walk, error)
        if walk.legs and is_turn_over():
            return _pause(cursor, walk)
    _check_account(cursor, walk)
    _finish(cursor, walk)
    return False


def _leg_of(cursor: PollCursor, walk: Walk, client: FlipkartClient) -> Iterator[tuple[Walk, Page]]:
    """The walk after each page of its first leg, and the page. Raises Overtaken and what calls raise."""
    leg = walk.legs[0]
    answers = client.shipment_pages(part=leg.part, window=leg.window, marker=walk.marker)
    began = before = database_now()
    while True:
        page = next(answers, None)  # the call; after the last page it says whether that was the end
        if page is None:
            return
        if leg.part.is_rumour:
            page = reading.confirmed(client, page)
        # Where rows are not whole, a page brings what was held back of the one before it: as old as that.
        walk = _take_in(cursor, walk, page, began if client.wire.ABILITIES.whole_rows else before)
        yield walk, page
        before, began = began, database_now()


def _pause(cursor: PollCursor, walk: Walk) -> bool:
    """The worker is for others now; whether the walk may go on."""
    _check_account(cursor, walk)
    return cursors.release(cursor, after=timedelta(0), walk=walk.to_json())


def _take_in(cursor: PollCursor, walk: Walk, page: Page, began: datetime) -> Walk:
    """A page and how far the walk is, in one transaction."""
    with seller_scope(cursor.seller_id):
        done = ingest(
            seller_id=cursor.seller_id, shipments=page.shipments, unreadable=page.unreadable, read_began_at=began
        )
        # A walk that goes on reads this page again (FlipkartClient.shipment_pages): its last shipment is held back.
        walk = replace(walk, marker=page.marker, pages=walk.pages + 1, new=walk.new + done.new)
        if not cursors.keep(cursor, walk=walk.to_json()):
            raise Overtaken
        if walk.pages == 1 and done.new:
            cursors.wake_follower(cursor.seller_id)
    return walk


def _check_account(cursor: PollCursor, walk: Walk) -> None:
    """New facilities may show that this Flipkart account is another seller's: then the connection has just ended."""
    if walk.new and not gateway.check_account(cursor.seller_id):
        raise gateway.NotConnected("search", _("this Flipkart account is another seller's"))


def _finish(cursor: PollCursor, walk: Walk) -> None:
    """The cursor moves. Raises Overtaken when it is somebody else's by now: then theirs counts."""
    seller_id = cursor.seller_id
    moved: dict[str, object] = {"read_until": walk.began_at, "last_good_at": Now()}
    moved["behind"] = behind_to_json(walk.behind)
    if walk.is_full:
        moved["last_full_at"] = walk.began_at
    if walk.is_full or walk.is_late:
        moved["last_late_at"] = walk.began_at
    with seller_scope(seller_id):
        if not cursors.release(cursor, after=settings.POLL_EVERY, walk=None, failures_in_a_row=0, says="", **moved):
            raise Overtaken
        if not walk.behind:
            Unreadable.objects.filter(seller_id=seller_id, path=SEARCH).delete()
        if walk.is_full:
            # A row without an id cannot be known again: what is still there has just been met once more.
            gone = Unreadable.objects.filter(seller_id=seller_id, flipkart_shipment_id="")
            gone.filter(last_seen_at__lt=walk.began_at).delete()
        if walk.new:
            cursors.wake_follower(seller_id)
    gateway.heard(seller_id, None)


# --- When a call failed ----------------------------------------------------------------------------------------------


def _put_off(cursor: PollCursor, error: CallFailed) -> None:
    """Later, with the reason on the cursor, which does not move."""
    if isinstance(error, Throttled):
        cursors.release(cursor, after=_pause_when_throttled(cursor, error), says=_words(error))
        return
    failures = cursor.failures_in_a_row + 1
    pause = growing_pause(error, failures)
    if isinstance(error, (UnexpectedPayload, Refused)):
        # Its markers may be what is wrong: the next walk starts anew. A person sees it until one comes to its end.
        says = _("the search could not be read to its end: %(error)s") % {"error": error}
        _need_person(cursor.seller_id, says)
        cursors.release(
            cursor, after=max(pause, settings.POLL_EVERY), walk=None, failures_in_a_row=failures, says=_words(error)
        )
        return
    cursors.release(cursor, after=pause, failures_in_a_row=failures, says=_words(error))


def may_leave_behind(error: CallFailed, *, failures: int, ended: int, left: int) -> bool:
    """Whether the walk goes on without the search that failed so. Pure.

    `failures` are the runs that failed before in a row, `ended` the searches that the walk has read, `left` those that
    it still has, the failed one with them. Where none can be read, it is not the search that has failed but Flipkart.
    """
    if isinstance(error, (UnexpectedPayload, Refused)):
        return ended > 0 or left > 1
    return isinstance(error, (Broken, Unreachable)) and ended > 0 and failures + 1 >= TRIES_OF_A_SEARCH


def _leave_behind(cursor: PollCursor, walk: Walk, error: CallFailed) -> Walk:
    """The walk without its first leg; a person hears of it. Raises Overtaken."""
    name = walk.legs[0].part.name
    says = _("the search “%(name)s” could not be read and is asked again with each poll: %(error)s")
    _need_person(cursor.seller_id, says % {"name": name, "error": error})
    walk = walk.leaving_leg_behind()
    with seller_scope(cursor.seller_id):
        if not cursors.keep(cursor, walk=walk.to_json()):
            raise Overtaken
    return walk


def _pause_when_throttled(cursor: PollCursor, error: Throttled) -> timedelta:
    """At least long enough for the walk to get further than the page that it reads again."""
    with seller_scope(cursor.seller_id):
        stands = (
            PollCursor.objects.filter(pk=cursor.pk, seller_id=cursor.seller_id).values_list("walk", flat=True).get()
        )
    least = THROTTLED_PAUSE_WITHOUT_PROGRESS if stands == cursor.walk else THROTTLED_PAUSE
    return max(error.retry_after or least, least)


def growing_pause(error: CallFailed, failures: int) -> timedelta:
    """How long reads wait after so many failures in a row; what no call of ours mends waits longest.

    A refused log-in is asked about soon again: three of them shut the connection (gateway.heard), and its owner hears.
    """
    if isinstance(error, NotAuthorized):
        return NOT_AUTHORIZED_PAUSE
    now = database_now()
    again = retry.after_failure(
        error,
        is_effect=False,
        attempt=failures,
        give_up_at=now + FULL_EVERY,
        now=now,
        jitter=random.random(),  # noqa: S311
    )
    return again.after if isinstance(again, retry.SendAgain) else retry.LONGEST_PAUSE


def _need_person(seller_id: int, says: str) -> None:
    with seller_scope(seller_id):
        hole = Hole(flipkart_shipment_id="", path=SEARCH, says=says)
        ingest(seller_id=seller_id, shipments=(), unreadable=[hole], read_began_at=database_now())


def _words(error: CallFailed) -> str:
    return (error.says if isinstance(error, gateway.ReadingIsOff) else str(error))[:300]
