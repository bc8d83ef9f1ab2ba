"""Finding shipments at Flipkart: a walk over its search, page by page, that the cursor remembers until the last page.

What it asks is planned in walks.py. Known shipments come along and cost nothing (ingest.py); what leaves its windows or
changes otherwise is read by id (tasks.follow). A walk goes on from its last page when the quota pauses it or its turn
is over; the cursor moves only when the walk has come to its end.

A search that cannot be read holds up no other: it is left behind, a person is told, and the next walk asks it for all
since then. Flipkart is known to refuse some (wire.md 10: what the buyer or the marketplace cancelled).
"""

import random
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from orders import cursors, reading
from orders.ingest import ingest
from orders.models import FollowCursor, PollCursor, Reading, Shipment, Unreadable
from orders.states import BEFORE_PACK, PACKED_STATES
from orders.walks import FULL_EVERY, Walk, behind_from_json, behind_to_json, may_leave_behind, plan
from sellers import gateway, switches
from sellers.models import Connection, Seller
from shipcrowd import queue
from shipcrowd.flipkart.client import FlipkartClient
from shipcrowd.flipkart.types import Page
from shipcrowd.flipkart.types import Unreadable as Hole
from shipcrowd.tenancy import require_scope, seller_scope
from shipcrowd.transport import retry
from shipcrowd.transport.errors import CallFailed, NotAuthorized, Refused, Throttled, UnexpectedPayload
from shipcrowd.work import database_now

# One run of the task: others wait for its worker.
PAGES_A_RUN = 10
SECONDS_A_RUN = 20.0
# A walk that went on for longer stands on markers too old to trust.
WALK_LIVES = timedelta(hours=2)
# After our own quota is spent: time for several calls to come back, since going on reads the last page once more.
THROTTLED_PAUSE = timedelta(seconds=6)
THROTTLED_PAUSE_WITHOUT_PROGRESS = timedelta(seconds=20)
NOT_AUTHORIZED_PAUSE = timedelta(minutes=1)
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
    behind = behind_to_json(walk.behind)
    moved: dict[str, object] = {"read_until": walk.began_at, "last_good_at": Now(), "behind": behind}
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
