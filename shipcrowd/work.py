"""Work rows: an effect on the outside is a row before it is a call, and stays one until its outcome is known.

A task is three steps. Claim: one statement in its own short scope takes rows that are due, under a lease by the
database's clock and a token that every later write must still hold. Call: no scope, no transaction; `begin_calls` has
committed *calling* and *in doubt* before. Settle: each row its own outcome. A worker that dies leaves its rows to
wake up when the lease ends; a row in doubt is then read back, and never simply sent again.

`wake_at` is when a row next wants somebody: its turn, the end of a lease, a read-back; empty when nobody need come.
"""

import os
import signal
import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar, TypeVar, cast

from django.apps import apps
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from shipcrowd.tenancy import SellerOwned, seller_scope, through_door

# The door by which bell and readiness look at due rows: id, seller, kind and time only.
DUE_DOOR = {"due": "wake_at is not null and {door} = 'on'"}

# A row that met a mistake of ours once more, all alone: only a new version will help it, or other data.
MISTAKE_AGAIN = timedelta(minutes=15)
# Calls in vain before rows are sent in smaller batches: some five minutes, so that an outage costs few calls more.
TRIES_TOGETHER = 4


class State(models.TextChoices):
    DUE = "due", gettext_lazy("waiting for its turn")
    CLAIMED = "claimed", gettext_lazy("taken by a worker")
    CALLING = "calling", gettext_lazy("being sent")
    UNKNOWN = "unknown", gettext_lazy("answer lost, will be read back")
    DONE = "done", gettext_lazy("done")
    REFUSED = "refused", gettext_lazy("refused")
    GIVEN_UP = "given_up", gettext_lazy("given up")
    WITHDRAWN = "withdrawn", gettext_lazy("withdrawn")


OPEN = (State.DUE, State.CLAIMED, State.CALLING, State.UNKNOWN)


class Attention(models.TextChoices):
    """Why the machine needs a person."""

    NONE = "", gettext_lazy("nothing")
    REFUSED = "refused", gettext_lazy("Flipkart refused it")
    LATE = "late", gettext_lazy("it takes too long")
    GIVEN_UP = "given_up", gettext_lazy("tried too long")
    BAD_PAPER = "bad_paper", gettext_lazy("the paper cannot be used")
    RECONNECT = "reconnect", gettext_lazy("the connection must be renewed")
    PULL = "pull", gettext_lazy("pull this parcel")
    PARKED = "parked", gettext_lazy("parked when the connection was cut")
    UNREADABLE = "unreadable", gettext_lazy("Flipkart's answer cannot be read")
    UNKNOWN_STATE = "unknown_state", gettext_lazy("a state that this version does not know")
    ODD_MOVE = "odd_move", gettext_lazy("its state moved in a way we do not expect")
    FORM = "form", gettext_lazy("a form must be acknowledged")
    BROKEN = "broken", gettext_lazy("our own mistake")


# What is still open goes on by itself, whatever has happened to it; only a form waits for a number that a person tells.
NEEDS_PERSON = ~Q(attention=Attention.NONE) & (~Q(state__in=OPEN) | Q(attention=Attention.FORM))
GOES_ON = ~Q(attention__in=(Attention.NONE, Attention.FORM)) & Q(state__in=OPEN)


class Due(SellerOwned):
    """Something of a seller's that the bell rings for when `wake_at` has come."""

    KIND: ClassVar[str]

    wake_at = models.DateTimeField(null=True)

    class Meta(SellerOwned.Meta):
        abstract = True


class WorkRow(Due):
    """One intended effect, unique by the owning table's key; see the module for its life."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    state = models.CharField(max_length=10, choices=State, default=State.DUE)
    in_doubt = models.BooleanField(default=False)  # a call was begun whose outcome is not known
    attempts = models.PositiveSmallIntegerField(default=0)  # calls begun that may have done something
    read_backs = models.PositiveSmallIntegerField(default=0)  # since the row came in doubt
    claim_token = models.UUIDField(null=True)
    give_up_at = models.DateTimeField(null=True)
    attention = models.CharField(max_length=20, choices=Attention, default=Attention.NONE, blank=True)
    says = models.CharField(max_length=300, blank=True)  # the last thing that happened, in words a person knows
    asked_by = models.ForeignKey("sellers.User", on_delete=models.SET_NULL, null=True, related_name="+")
    asked_at = models.DateTimeField(db_default=Now())
    called_at = models.DateTimeField(null=True)
    lost_at = models.DateTimeField(null=True)  # when an answer was last found to be lost, and looked for
    settled_at = models.DateTimeField(null=True)

    class Meta(Due.Meta):
        abstract = True

    @property
    def is_open(self) -> bool:
        return self.state in OPEN


RowT = TypeVar("RowT", bound=WorkRow)


class TakenOver(Exception):
    """The row has passed to another worker while this one was long at it: what this one does is for nobody."""


def together(limit: int, attempts: int) -> int:
    """How many rows go in one call where the first of them was sent so often in vain. Pure.

    One of them may be why no call with it is ever answered: in ever smaller batches it is alone in the end.
    """
    return max(1, limit >> max(0, attempts - TRIES_TOGETHER))


def claim_due(
    model: type[RowT],
    *,
    seller_id: int,
    limit: int,
    only: Q | None = None,
    related: Sequence[str] = (),
    narrows: bool = False,
) -> list[RowT]:
    """Up to `limit` rows that are due, oldest first, now ours until the lease ends. Opens its own scope and commits.

    Of rows in doubt only such are returned in one batch, and of others only others: one is read back, the other sent.
    A row that met a mistake of ours comes alone: whichever of them is the cause holds up no other (`mistakes_noted`).
    With `narrows`, rows that were sent again and again in vain come by themselves, and ever fewer `together`.
    """
    token = uuid.uuid4()
    with seller_scope(seller_id):
        waiting = model.objects.filter(seller_id=seller_id, wake_at__lte=Now()).filter(only or Q())
        free = waiting.order_by("wake_at", "pk").select_for_update(skip_locked=True)
        first = free.values_list("pk", "in_doubt", "attention", "attempts").first()
        if first is None:
            return []
        taken, in_doubt, attempts = [first[0]], first[1], first[3]
        if first[2] != Attention.BROKEN:
            alike = free.filter(in_doubt=in_doubt).exclude(attention=Attention.BROKEN)
            if narrows and not in_doubt:
                in_vain = Q(attempts__gt=TRIES_TOGETHER)
                alike = alike.filter(in_vain if attempts > TRIES_TOGETHER else ~in_vain)
                limit = together(limit, attempts)
            taken = list(alike.values_list("pk", flat=True)[:limit])
        model.objects.filter(pk__in=taken).update(
            state=State.CLAIMED,
            claim_token=token,
            wake_at=Now() + timedelta(seconds=settings.LEASE_SECONDS),
            lost_at=Now() if in_doubt else F("lost_at"),
        )
        mine = _all(model).filter(seller_id=seller_id, claim_token=token)
        rows = list(mine.select_related(*related).order_by("pk"))
    crash_point(f"{model.KIND}.claimed")
    return rows


def begin_calls(rows: Sequence[RowT]) -> list[RowT]:
    """Commits that these rows are about to be sent, and gives those that are still ours; the lease begins anew.

    They are given as they were before the call: not in doubt, and without it in `attempts`. Verdicts count on that:
    this attempt is `attempts + 1`, and a row that is put off after a certain no is not in doubt.
    """
    if not rows:
        return []
    model = type(rows[0])
    with seller_scope(rows[0].seller_id):
        _still_ours(model, rows).update(
            state=State.CALLING,
            in_doubt=True,
            read_backs=0,
            attempts=F("attempts") + 1,
            called_at=Now(),
            # Why it waited is over; a broken row is still to be taken alone, should the worker die of it.
            attention=models.Case(
                models.When(attention=Attention.BROKEN, then=models.Value(Attention.BROKEN)), default=models.Value("")
            ),
            wake_at=Now() + timedelta(seconds=settings.LEASE_SECONDS),
        )
        ours = set(_still_ours(model, rows).filter(state=State.CALLING).values_list("pk", flat=True))
    crash_point(f"{model.KIND}.calling")
    return [row for row in rows if row.pk in ours]


def not_sent(rows: Sequence[RowT]) -> None:
    """The call that was begun has certainly done nothing (refused whole, 429): no doubt and no attempt is left of it.

    Opens its own scope, as `begin_calls` does.
    """
    with seller_scope(rows[0].seller_id):
        begun = _still_ours(type(rows[0]), rows).filter(state=State.CALLING)
        begun.update(state=State.CLAIMED, in_doubt=False, attempts=F("attempts") - 1)


def keep(rows: Sequence[RowT]) -> bool:
    """The lease of these rows begins anew, for work that takes longer; False when one has passed to somebody else."""
    with seller_scope(rows[0].seller_id):
        lease = Now() + timedelta(seconds=settings.LEASE_SECONDS)
        return _still_ours(type(rows[0]), rows).update(wake_at=lease) == len(rows)


def wait_all(model: type[RowT], *, seller_id: int, after: timedelta, says: str, only: Q | None = None) -> int:
    """Puts off everything of the seller's that is due, where nothing can be done at all; opens its own scope.

    One statement, so that thousands of rows that wait for a connection do not pass through a worker one batch at a
    time.
    """
    with seller_scope(seller_id):
        return (
            model.objects.filter(seller_id=seller_id, wake_at__lte=Now())
            .filter(only or Q())
            .update(
                state=models.Case(
                    models.When(in_doubt=True, then=models.Value(State.UNKNOWN)), default=models.Value(State.DUE)
                ),
                claim_token=None,
                says=says,
                wake_at=Now() + after,
            )
        )


def done(rows: Sequence[RowT], says: str = "") -> set[int]:
    """The effect is there.

    Returns the keys of the rows that were still ours; in the caller's scope, as all that follow.
    """
    return _settle(rows, state=State.DONE, in_doubt=False, attention="", says=says, wake_at=None, settled_at=Now())


def goes_on(rows: Sequence[RowT], *, after: timedelta, says: str) -> set[int]:
    """The effect is there, and the row has a next step that is none: due again after a pause, no longer in doubt."""
    return _settle(rows, state=State.DUE, in_doubt=False, attention="", says=says, wake_at=Now() + after)


def refused(rows: Sequence[RowT], *, because: Attention | str, says: str) -> set[int]:
    """Flipkart declined, and nothing happened there; a person must look."""
    return _settle(
        rows, state=State.REFUSED, in_doubt=False, attention=because, says=says, wake_at=None, settled_at=Now()
    )


def given_up(rows: Sequence[RowT], *, because: Attention | str, says: str) -> set[int]:
    """Tried too long. A row in doubt stays in doubt, so that a retry reads back first."""
    return _settle(rows, state=State.GIVEN_UP, attention=because, says=says, wake_at=None, settled_at=Now())


def withdrawn(rows: Sequence[RowT], *, says: str, attention: Attention | str = "") -> set[int]:
    """No longer wanted (cancelled, held, parked): never sent, or known not to have happened."""
    return _settle(
        rows, state=State.WITHDRAWN, in_doubt=False, attention=attention, says=says, wake_at=None, settled_at=Now()
    )


def put_off(rows: Sequence[RowT], *, after: timedelta, says: str, attention: Attention | str = "") -> set[int]:
    """Later, with nothing new known: this claim sent nothing, or was told by Flipkart that nothing was done (429)."""
    settled = _settle(
        [row for row in rows if not row.in_doubt],
        state=State.DUE,
        in_doubt=False,
        says=says,
        attention=attention,
        wake_at=Now() + after,
    )
    return settled | _settle(
        [row for row in rows if row.in_doubt],
        state=State.UNKNOWN,
        says=says,
        attention=attention,
        wake_at=Now() + after,
    )


def lost(rows: Sequence[RowT], *, after: timedelta, says: str) -> set[int]:
    """Sent, and the answer is lost: to be read back, whatever the attempt."""
    return _settle(rows, state=State.UNKNOWN, in_doubt=True, says=says, wake_at=Now() + after, lost_at=Now())


def not_there_yet(rows: Sequence[RowT]) -> set[int]:
    """Read back, and the effect is not there: once more after the grace, and only then it may be sent again."""
    again = [row for row in rows if row.read_backs == 0]
    gone = [row for row in rows if row.read_backs > 0]
    settled = _settle(
        again,
        state=State.UNKNOWN,
        read_backs=1,
        says=_("not there yet, read back once more"),
        wake_at=Now() + timedelta(seconds=settings.GRACE_SECONDS),
    )
    return settled | _settle(
        gone,
        state=State.DUE,
        in_doubt=False,
        read_backs=0,
        says=_("read back twice: it did not arrive"),
        wake_at=Now(),
    )


@contextmanager
def mistakes_noted(rows: Sequence[RowT]) -> Iterator[None]:
    """A mistake of our own ends on the claimed rows as attention, in no one's words: an exception's text may hold a
    name.

    Nobody knows which row of a batch it was, so each is tried alone soon (`claim_due`); the one that meets it again is
    tried rarely, and given up by age. Rows that were being sent stay in doubt. The exception goes on, to be logged.
    """
    try:
        yield
    except (OperationalError, InterfaceError):
        raise  # nothing can be written now: the lease ends by itself
    except Exception as error:
        with seller_scope(rows[0].seller_id):
            left = list(_still_ours(type(rows[0]), rows).order_by("pk").select_for_update())
            mistake = _("a mistake of ours (%(error)s)") % {"error": type(error).__name__}
            _note_mistake(left, mistake, was_alone=len(rows) == 1)
        raise


def _note_mistake(rows: Sequence[RowT], mistake: str, *, was_alone: bool) -> None:
    broken, lease = Attention.BROKEN, timedelta(seconds=settings.LEASE_SECONDS)
    words = {"mistake": mistake}
    again = [row for row in rows if row.attention == broken]
    first = [row for row in rows if row.attention != broken]
    if was_alone:
        put_off(first, after=lease, attention=broken, says=_("%(mistake)s: will be tried again") % words)
    else:
        says = _("%(mistake)s with one of several: each is tried alone") % words
        put_off([row for row in first if not row.in_doubt], after=timedelta(0), attention=broken, says=says)
        put_off([row for row in first if row.in_doubt], after=lease, attention=broken, says=says)
    # What is in doubt is looked up however late: only a look can tell whether it was done.
    now = database_now()
    over = [row for row in again if not row.in_doubt and _gives_up_at(row) <= now]
    given_up(over, because=Attention.GIVEN_UP, says=_("tried too long: %(mistake)s") % words)
    in_time = [row for row in again if row not in over]
    says = _("%(mistake)s, again: will be tried again") % words
    put_off(in_time, after=MISTAKE_AGAIN, attention=broken, says=says)


def _gives_up_at(row: WorkRow) -> datetime:
    at: datetime = row.give_up_at or row.asked_at + settings.GIVE_UP_AFTER
    return at


def sent_again_by_hand(rows: Sequence[RowT], *, by_id: int | None, but: Collection[State] = (State.DONE,)) -> int:
    """A person's retry of rows that ended: due now, read back first where they were in doubt.

    Those that ended in one of `but` stay as they are.
    """
    if not rows:
        return 0
    return (
        type(rows[0])
        .objects.filter(pk__in=[row.pk for row in rows])
        .exclude(state__in=(*OPEN, *but))
        .update(
            state=models.Case(
                models.When(in_doubt=True, then=models.Value(State.UNKNOWN)), default=models.Value(State.DUE)
            ),
            attention="",
            asked_by_id=by_id,
            says=_("asked again by a person"),
            read_backs=0,
            wake_at=Now(),
            settled_at=None,
            give_up_at=Now() + settings.GIVE_UP_AFTER,
        )
    )


def _settle(rows: Sequence[RowT], **values: object) -> set[int]:
    if not rows:
        return set()
    model = type(rows[0])
    ours = set(_still_ours(model, rows).order_by("pk").select_for_update().values_list("pk", flat=True))
    model.objects.filter(pk__in=ours).update(claim_token=None, **values)
    return ours


def _still_ours(model: type[RowT], rows: Iterable[RowT]) -> models.QuerySet[RowT]:
    held = list(rows)
    return _all(model).filter(
        pk__in=[row.pk for row in held], claim_token__in={row.claim_token for row in held if row.claim_token}
    )


def _all(model: type[RowT]) -> models.QuerySet[RowT]:
    return cast("models.QuerySet[RowT]", model.objects.all())  # the manager only knows that they are work rows


# --- Kinds of work, turns and the bell -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kind:
    name: str
    cluster: str
    run: str  # dotted path of `run(*, seller_id: int) -> bool`, True when more is due now


def kinds() -> dict[str, Kind]:
    return {name: Kind(name, cluster, run) for name, (cluster, run) in settings.WORK_KINDS.items()}


class Turn(SellerOwned):
    """One seller's one kind of work is in at most one hand at a time; when its bell was last rung, how long it rests.

    For economy and fairness only: what keeps an effect from being doubled is the claim on its row.
    """

    kind = models.CharField(max_length=20)
    rung_at = models.DateTimeField(null=True)
    taken_at = models.DateTimeField(null=True)
    held_until = models.DateTimeField(null=True)
    token = models.UUIDField(null=True)
    rests_until = models.DateTimeField(null=True)  # the seller's quota is spent: whatever is due waits

    class Meta(SellerOwned.Meta):
        constraints = [models.UniqueConstraint(fields=["seller", "kind"], name="one_turn_a_kind")]

    def __str__(self) -> str:
        return f"turn {self.pk}"


def due() -> list[tuple[int, str]]:
    """(seller, kind) pairs with work that is due, in nobody's hand, and whose bell was not rung just now; marks them
    rung.

    One look at all sellers through the door; what it finds is marked in each seller's own scope.
    """
    return [pair for pair in look_for_due() if _mark_rung(*pair)]


def look_for_due() -> list[tuple[int, str]]:
    """As `due`, without marking anything."""
    return through_door("due", "on", _read_due)


def _read_due() -> list[tuple[int, str]]:
    # statement_timestamp() as in Django's Now(): now() stands still from a transaction's begin to its end.
    tables = {model.KIND: model._meta.db_table for model in apps.get_models() if issubclass(model, Due)}
    exists = " union all ".join(
        f"select seller.id, '{kind}' from sellers_seller seller where exists "  # noqa: S608 - names of our own tables
        f'(select 1 from "{table}" w where w.seller_id = seller.id and w.wake_at <= statement_timestamp())'
        for kind, table in sorted(tables.items())
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"select w.id, w.kind from ({exists}) w (id, kind) "  # noqa: S608
            "left join shipcrowd_turn t on t.seller_id = w.id and t.kind = w.kind "
            "where (t.held_until is null or t.held_until < statement_timestamp()) "
            "and (t.rests_until is null or t.rests_until < statement_timestamp()) "
            "and (t.rung_at is null or t.rung_at < statement_timestamp() - make_interval(secs => %s))",
            [settings.RING_AGAIN_SECONDS],
        )
        return list(cursor.fetchall())


def longest_wait() -> timedelta:
    """How long the seller's kind of work that waits longest has been due and in nobody's hand; zero where none is.

    What rests because a quota is spent does not wait for us, and of a long flood each batch counts by itself.
    """
    return through_door("due", "on", _read_longest_wait)


def _read_longest_wait() -> timedelta:
    tables = {model.KIND: model._meta.db_table for model in apps.get_models() if issubclass(model, Due)}
    oldest = " union all ".join(
        f"select seller.id, '{kind}', "  # noqa: S608 - names of our own tables
        f'(select min(w.wake_at) from "{table}" w where w.seller_id = seller.id) from sellers_seller seller'
        for kind, table in sorted(tables.items())
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "select coalesce(max(statement_timestamp() - greatest(w.wake_at, t.taken_at, t.rests_until)), '0') "  # noqa: S608
            f"from ({oldest}) w (id, kind, wake_at) "
            "left join shipcrowd_turn t on t.seller_id = w.id and t.kind = w.kind "
            "where w.wake_at <= statement_timestamp()"
        )
        waited: timedelta = cursor.fetchone()[0]
    return max(waited, timedelta(0))


def _mark_rung(seller_id: int, kind: str) -> bool:
    with seller_scope(seller_id), connection.cursor() as cursor:
        cursor.execute(
            "insert into shipcrowd_turn as t (seller_id, kind, rung_at) values (%s, %s, statement_timestamp()) "
            "on conflict (seller_id, kind) do update set rung_at = statement_timestamp() "
            "where t.rung_at is null or t.rung_at < statement_timestamp() - make_interval(secs => %s) returning 1",
            [seller_id, kind, settings.RING_AGAIN_SECONDS],
        )
        return cursor.fetchone() is not None


def take_turn(seller_id: int, kind: str) -> uuid.UUID | None:
    """A token while nobody else works this seller's `kind`; None when somebody does. Ends by itself with the lease."""
    token = uuid.uuid4()
    with seller_scope(seller_id), connection.cursor() as cursor:
        cursor.execute(
            "insert into shipcrowd_turn as t (seller_id, kind, held_until, token, taken_at) "
            "values (%s, %s, statement_timestamp() + make_interval(secs => %s), %s, statement_timestamp()) "
            "on conflict (seller_id, kind) do update set held_until = excluded.held_until, token = excluded.token, "
            "taken_at = excluded.taken_at, rung_at = null "
            "where (t.held_until is null or t.held_until < statement_timestamp()) "
            "and (t.rests_until is null or t.rests_until < statement_timestamp()) returning 1",
            [seller_id, kind, settings.LEASE_SECONDS, token],
        )
        return token if cursor.fetchone() else None


def rest(seller_id: int, kind: str, *, after: timedelta) -> None:
    """Nobody works this seller's `kind` before: its quota is spent, and what else is due would be turned away too.

    One row is written, however many wait. Opens its own scope.
    """
    with seller_scope(seller_id):
        Turn.objects.filter(seller_id=seller_id, kind=kind).update(rests_until=Now() + after)


def release_turn(seller_id: int, kind: str, token: uuid.UUID, *, is_well: bool = True) -> None:
    """The turn is free again; after a failure of ours the bell waits a while, lest it ring for it each second."""
    with seller_scope(seller_id):
        Turn.objects.filter(seller_id=seller_id, kind=kind, token=token).update(
            held_until=None, token=None, rung_at=None if is_well else Now()
        )


def database_now() -> datetime:
    """The database's clock: leases and 'when our read began' never use a host's."""
    with connection.cursor() as cursor:
        cursor.execute("select clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now


# --- Named places where a test kills the process ---------------------------------------------------------------------


def crash_point(name: str) -> None:
    """Outside tests nothing.

    With SHIPCROWD_CRASH="<name>,<name>... <folder>" the process is killed at each of the names, once: the folder
    remembers.
    """
    names, _space, folder = os.environ.get("SHIPCROWD_CRASH", "").partition(" ")
    if name not in names.split(","):
        return
    try:
        Path(folder, name).touch(exist_ok=False)
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
