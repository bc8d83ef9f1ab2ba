"""Carries one kind of effect out, a batch at a time: look, send, settle each row; or read back what is in doubt.

Labels, dispatch, cancelling and forms differ in what they send and in what follows when it is there (`Effect`);
everything that keeps an effect from being lost or doubled stands here once.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fulfillment import verdicts
from fulfillment.models import Dispatch, FormAcknowledgement, LabelRequest, SellerCancellation
from fulfillment.queries import lock_shipments
from fulfillment.verdicts import AskPerson, Drop, GiveUp, Lost, NotThere, Send, There, Verdict, Wait
from orders import reading, rules, timeline
from orders.models import Shipment
from sellers import gateway, switches
from sellers.models import Seller, User
from shipcrowd import work
from shipcrowd.flipkart.client import FlipkartClient
from shipcrowd.flipkart.types import Abilities, Limits, RowOutcome, State
from shipcrowd.tenancy import seller_scope
from shipcrowd.transport.errors import CallFailed, NotAuthorized, Refused, Throttled
from shipcrowd.work import Attention

RowT = TypeVar("RowT", LabelRequest, Dispatch, SellerCancellation, FormAcknowledgement)
PayloadT = TypeVar("PayloadT")

NO_CONNECTION = gettext_lazy("waiting: there is no working connection to Flipkart")
# Failures of a call that say for certain that nothing was done by it.
DID_NOTHING = (Throttled, NotAuthorized, gateway.NotConnected, gateway.SendingIsOff)
# How long rows sleep that nothing but a person's switch or a new connection will help.
SLEEP = timedelta(seconds=60)
# Of rows that go out in groups so many calls' worth is taken at once, so that the groups fill their calls.
CALLS_TOGETHER = 4
BATCH = 5000  # rows of one statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect(Generic[RowT, PayloadT]):
    """One kind of effect: which rows are waiting for it, how it is sent, and what follows."""

    model: type[RowT]
    only: Q  # rows that wait for it
    words: Promise  # what is told of a shipment for which it was not done, with %(why)s
    # What to send for each row (by key), or why it cannot be sent, in words; opens its own scope.
    payloads: Callable[[FlipkartClient, Sequence[RowT]], Mapping[int, PayloadT | str]]
    # One call; it gets those that `group` names alike, where `is_grouped`.
    send: Callable[[FlipkartClient, Sequence[PayloadT]], Sequence[RowOutcome]]
    limit: Callable[[Limits], int]  # so many go into one call
    is_there: Callable[[RowT], bool]
    why_not: Callable[[Shipment, datetime], str | None]  # what the rules have against it
    # Settles rows whose effect is there, in the open scope; the flag: done before we ever asked.
    arrived: Callable[[Sequence[RowT], bool], None]
    # A step of the day's work, which waits for holds and its time, and stops for what is kept back.
    is_of_the_day: bool = True
    may_be_done: frozenset[str] = verdicts.MAY_BE_DONE  # codes by which Flipkart may mean that it is done
    wants_items: bool = False  # for `is_there`: each row's shipment comes with its items
    reads_after: bool = False  # what was accepted is read at once: more of the shipment has changed than its state
    is_grouped: Callable[[Abilities], bool] = lambda _abilities: False
    group: Callable[[PayloadT], str] = lambda _payload: ""


def in_state(holds: Callable[[State], bool]) -> Callable[[LabelRequest | Dispatch | FormAcknowledgement], bool]:
    """For effects that show in the shipment's state."""
    return lambda row: holds(State(row.shipment.state))


def write_rows(
    model: type[RowT],
    shipments: Iterable[Shipment],
    *,
    by: User | None,
    now: datetime,
    values: Callable[[Shipment], Mapping[str, Any]] = lambda _shipment: {},
) -> None:
    """A row each, due now, in their order; `values` is what the kind keeps besides. The shipments are locked.

    No ON CONFLICT: for the locks nobody else can have asked between the caller's look and this.
    """
    model._default_manager.bulk_create(
        (
            model(
                seller_id=shipment.seller_id,
                shipment=shipment,
                wake_at=Now(),
                give_up_at=verdicts.give_up_at(now=now, dispatch_by_at=shipment.dispatch_by_at),
                asked_by=by,
                **values(shipment),
            )
            for shipment in shipments
        ),
        batch_size=BATCH,
    )


def most_urgent_first(shipments: Iterable[Shipment], now: datetime) -> list[Shipment]:
    """By dispatch-by; those without one last."""
    return sorted(shipments, key=lambda s: (s.dispatch_by_at is None, s.dispatch_by_at or now, s.pk))


def work_batch(effect: Effect[RowT, PayloadT], *, seller_id: int) -> bool:
    """Claims one batch that is due and brings each of its rows further. True when there may be more.

    Safe to run twice and side by side. Opens its own scopes; calls Flipkart outside of them.
    """
    with seller_scope(seller_id):
        why_not = switches.why_not_sending(Seller.objects.get(pk=seller_id))
    if why_not:
        # What is in doubt may still be read back: that sends nothing.
        unsent = effect.only & Q(in_doubt=False)
        says = _("waiting: %(why)s") % {"why": why_not}
        work.wait_all(effect.model, seller_id=seller_id, only=unsent, after=SLEEP, says=says[:300])
    try:
        client = gateway.client_for(seller_id)
    except CallFailed:
        work.wait_all(effect.model, seller_id=seller_id, only=effect.only, after=SLEEP, says=str(NO_CONNECTION))
        return False
    limit = effect.limit(client.limits)
    is_grouped = effect.is_grouped(client.wire.ABILITIES)
    rows = work.claim_due(
        effect.model,
        seller_id=seller_id,
        limit=limit * CALLS_TOGETHER if is_grouped else limit,
        only=effect.only,
        related=["shipment__facility"],
        narrows=True,
    )
    if not rows:
        return False
    with work.mistakes_noted(rows):
        if rows[0].in_doubt:
            _settle(effect, _read_back(effect, client, rows))
        else:
            ready, left = _split(effect, client, rows)
            _settle(effect, left)
            for group in _grouped(effect, ready) if is_grouped else [ready]:
                for start in range(0, len(group), limit):
                    _settle(effect, _send(effect, client, group[start : start + limit]), crash_points=True)
    return True


def _split(
    effect: Effect[RowT, PayloadT], client: FlipkartClient, rows: list[RowT]
) -> tuple[list[tuple[RowT, PayloadT]], list[tuple[RowT, Verdict]]]:
    """Those that may be sent now, after what was read too long ago was read again; and what becomes of the others."""
    rows, left = _freshened(effect, client, rows)
    now = timezone.now()
    judged = [(row, _before_sending(effect, row, now=now)) for row in rows]
    left += [pair for pair in judged if not isinstance(pair[1], Send)]
    may_go = [row for row, verdict in judged if isinstance(verdict, Send)]
    payloads = effect.payloads(client, may_go) if may_go else {}
    ready: list[tuple[RowT, PayloadT]] = []
    for row in may_go:
        payload = payloads[row.pk]
        if isinstance(payload, str):
            left.append((row, AskPerson(Attention.REFUSED, payload)))
        else:
            ready.append((row, payload))
    return ready, left


def _grouped(
    effect: Effect[RowT, PayloadT], ready: Sequence[tuple[RowT, PayloadT]]
) -> list[list[tuple[RowT, PayloadT]]]:
    groups: dict[str, list[tuple[RowT, PayloadT]]] = defaultdict(list)
    for row, payload in ready:
        groups[effect.group(payload)].append((row, payload))
    return [groups[name] for name in sorted(groups)]


def _before_sending(effect: Effect[RowT, PayloadT], row: RowT, *, now: datetime) -> Verdict:
    shipment = row.shipment
    state = State(shipment.state)
    verdict = verdicts.before_sending(
        state=state,
        is_on_hold=effect.is_of_the_day and shipment.is_on_hold,
        dispatch_after_at=shipment.dispatch_after_at if effect.is_of_the_day else None,
        is_there=effect.is_there(row),
        attempts=row.attempts,
        now=now,
    )
    if not isinstance(verdict, Send):
        return verdict
    if effect.is_of_the_day and (kept_back := rules.why_kept_back(shipment)):
        return Drop(kept_back)
    reason = effect.why_not(shipment, now)
    return AskPerson(Attention.REFUSED, reason) if reason else verdict


def _freshened(
    effect: Effect[RowT, PayloadT], client: FlipkartClient, rows: list[RowT]
) -> tuple[list[RowT], list[tuple[RowT, Verdict]]]:
    seller_id = rows[0].seller_id
    now = timezone.now()
    with seller_scope(seller_id):
        before = now - settings.READ_AGAIN_AFTER
        stale = reading.stale(seller_id, [row.shipment_id for row in rows], before=before)
    if not stale:
        return _with_shipments(effect, rows) if effect.wants_items else rows, []
    again = reading.read_again(seller_id=seller_id, shipments=stale, client=client)
    _rest_if_throttled(rows, again.failed)
    unread = {shipment.pk for shipment in stale} - again.read
    words = _("waiting: Flipkart did not name this shipment when it was read again")
    if again.failed is not None:
        words = (_("waiting: %(why)s") % {"why": verdicts.why_unread(again.failed, now=now)})[:300]
    pause = _pause(again.failed)
    fresh = _with_shipments(effect, [row for row in rows if row.shipment_id not in unread])
    return fresh, [(row, Wait(pause, words)) for row in rows if row.shipment_id in unread]


def _send(
    effect: Effect[RowT, PayloadT], client: FlipkartClient, ready: Sequence[tuple[RowT, PayloadT]]
) -> list[tuple[RowT, Verdict]]:
    """Sends rows that are committed as in doubt before; one bad row does not condemn a batch that is refused whole."""
    payloads = {row.pk: payload for row, payload in ready}
    rows = work.begin_calls([row for row, _payload in ready])
    if not rows:
        return []
    try:
        outcomes = effect.send(client, [payloads[row.pk] for row in rows])
    except CallFailed as error:
        work.crash_point(f"{effect.model.KIND}.called")
        gateway.heard(rows[0].seller_id, error)
        if isinstance(error, Refused) and not verdicts.says_later(error):
            return _send_in_halves(effect, client, [(row, payloads[row.pk]) for row in rows], error)
        if isinstance(error, DID_NOTHING):
            work.not_sent(rows)
        return _after_failed_call(rows, error)
    work.crash_point(f"{effect.model.KIND}.called")
    gateway.heard(rows[0].seller_id, None)
    if effect.reads_after:
        done = [row.shipment for row, outcome in zip(rows, outcomes, strict=True) if outcome.ok]
        reading.read_again(seller_id=rows[0].seller_id, shipments=done, client=client)
    return [
        (row, verdicts.after_answer(outcome, attempt=row.attempts + 1, may_be_done=effect.may_be_done))
        for row, outcome in zip(rows, outcomes, strict=True)
    ]


def _send_in_halves(
    effect: Effect[RowT, PayloadT], client: FlipkartClient, refused: Sequence[tuple[RowT, PayloadT]], error: Refused
) -> list[tuple[RowT, Verdict]]:
    """What was refused whole has done nothing: each half once more, down to the row that it is about."""
    if len(refused) == 1:
        return [(refused[0][0], AskPerson(Attention.REFUSED, verdicts.refusal_words(error.code)))]
    work.not_sent([row for row, _payload in refused])
    half = len(refused) // 2
    return _send(effect, client, refused[:half]) + _send(effect, client, refused[half:])


def _after_failed_call(rows: list[RowT], error: CallFailed) -> list[tuple[RowT, Verdict]]:
    now = timezone.now()
    if isinstance(error, gateway.SendingIsOff):
        says = _("waiting: %(why)s") % {"why": error.says}
        return [(row, Wait(SLEEP, says[:300])) for row in rows]
    if isinstance(error, gateway.NotConnected):
        return [(row, Wait(SLEEP, str(NO_CONNECTION))) for row in rows]
    _rest_if_throttled(rows, error)
    jitter = random.random()  # noqa: S311 - spreads retries, guards nothing; one for all, so that one call reads them back
    return [
        (
            row,
            verdicts.after_failed_call(
                error, attempt=row.attempts + 1, gives_up_at=row.give_up_at, now=now, jitter=jitter
            ),
        )
        for row in rows
    ]


def _read_back(effect: Effect[RowT, PayloadT], client: FlipkartClient, rows: list[RowT]) -> list[tuple[RowT, Verdict]]:
    """Looks at the shipments of rows in doubt, whatever the attempt, and sends nothing."""
    again = reading.read_again(seller_id=rows[0].seller_id, shipments=[row.shipment for row in rows], client=client)
    _rest_if_throttled(rows, again.failed)
    now = timezone.now()
    unread = [row for row in rows if row.shipment_id not in again.read]
    words = _("answer lost; Flipkart did not say at %(at)s whether it was done")
    words %= {"at": verdicts.in_ist(now, now=now)}
    fresh = _with_shipments(effect, [row for row in rows if row.shipment_id in again.read])
    judged: list[tuple[RowT, Verdict]] = []
    for row in fresh:
        state = State(row.shipment.state)
        judged.append((row, verdicts.read_back(state=state, is_there=effect.is_there(row))))
    return judged + [(row, Wait(_pause(again.failed), words)) for row in unread]


def _rest_if_throttled(rows: Sequence[RowT], error: CallFailed | None) -> None:
    if isinstance(error, Throttled):
        work.rest(rows[0].seller_id, rows[0].KIND, after=_pause(error))


def _pause(error: CallFailed | None) -> timedelta:
    said = error.retry_after if isinstance(error, Throttled) else None
    return said or timedelta(seconds=settings.GRACE_SECONDS)


def _with_shipments(effect: Effect[RowT, PayloadT], rows: list[RowT]) -> list[RowT]:
    """The rows with their shipments as they are stored now."""
    if not rows:
        return []
    found = Shipment.objects.select_related("facility").prefetch_related(*["items"] if effect.wants_items else [])
    with seller_scope(rows[0].seller_id):
        shipments = found.in_bulk([row.shipment_id for row in rows])
    for row in rows:
        row.shipment = shipments[row.shipment_id]
    return rows


def _settle(
    effect: Effect[RowT, PayloadT], judged: Sequence[tuple[RowT, Verdict]], *, crash_points: bool = False
) -> None:
    """Each row its own outcome, in one transaction with its shipment and its timeline."""
    if not judged:
        return
    by_verdict: dict[Verdict, list[RowT]] = defaultdict(list)
    for row, verdict in judged:
        by_verdict[verdict].append(row)
    with seller_scope(judged[0][0].seller_id):
        lock_shipments(judged[0][0].seller_id, [row.shipment_id for row, _verdict in judged])
        for verdict, rows in by_verdict.items():
            _carry_out(effect, verdict, rows)
        if crash_points:
            work.crash_point(f"{effect.model.KIND}.settling")
    if crash_points:
        work.crash_point(f"{effect.model.KIND}.settled")


def _carry_out(effect: Effect[RowT, PayloadT], verdict: Verdict, rows: list[RowT]) -> None:
    match verdict:
        case There(outside=outside):
            effect.arrived(rows, outside)
        case Lost(after=after, says=says):
            work.lost(rows, after=after, says=says)
        case NotThere():
            _not_there(effect, rows)
        case Wait():
            _wait(effect, verdict, rows)
        case Drop(says=says):
            _tell(effect, rows, work.withdrawn(rows, says=says), _not_done(effect, says))
        case AskPerson(because=because, says=says):
            _tell(effect, rows, work.refused(rows, because=because, says=says), _not_done(effect, says))
        case GiveUp(says=says):
            _tell(effect, rows, work.given_up(rows, because=Attention.GIVEN_UP, says=says), says)
        case Send():
            raise AssertionError("a row that may be sent has no outcome yet")


def _not_done(effect: Effect[RowT, PayloadT], why: str) -> str:
    return str(effect.words) % {"why": why}


def _not_there(effect: Effect[RowT, PayloadT], rows: list[RowT]) -> None:
    """Once more after the grace, then it may be sent again; what is past its age needs a person instead."""
    now = timezone.now()
    over = [row for row in rows if row.read_backs > 0 and row.give_up_at is not None and row.give_up_at <= now]
    work.not_there_yet([row for row in rows if row not in over])
    says = _("tried too long: it did not arrive at Flipkart")
    _tell(effect, over, work.given_up(over, because=Attention.GIVEN_UP, says=says), says)


def _wait(effect: Effect[RowT, PayloadT], wait: Wait, rows: list[RowT]) -> None:
    now = timezone.now()
    late = [row for row in rows if row.give_up_at is not None and row.give_up_at <= now]
    in_time = [row for row in rows if row not in late]
    work.put_off(in_time, after=wait.after, says=wait.says, attention=wait.attention)
    # What is in doubt is looked up however late: only a look can tell whether it was done.
    in_doubt = [row for row in late if row.in_doubt]
    work.put_off(in_doubt, after=wait.after, says=wait.says, attention=Attention.LATE)
    over = [row for row in late if not row.in_doubt]
    says = _("tried too long: %(why)s") % {"why": wait.says}
    _tell(effect, over, work.given_up(over, because=Attention.GIVEN_UP, says=says), says)


def _tell(effect: Effect[RowT, PayloadT], rows: Sequence[RowT], ours: set[int], says: str) -> None:
    told = [row.shipment_id for row in rows if row.pk in ours]
    if told:
        timeline.note(rows[0].seller_id, told, effect.model.KIND, says)
