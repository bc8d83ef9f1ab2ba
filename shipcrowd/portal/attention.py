"""What needs a person: grouped by seller, what it is and why, in plain words, with the button that mends it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import Count, F, Window
from django.db.models.functions import RowNumber
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fulfillment import pulling
from fulfillment.models import (
    EFFECTS,
    RETRIED,
    Dispatch,
    EffectRow,
    FormAcknowledgement,
    LabelRequest,
    PrintJob,
    SellerCancellation,
)
from orders.models import PollCursor, Shipment, Unreadable
from sellers.access import memberships
from sellers.models import Connection, Seller, Standing, User
from shipcrowd.tenancy import everyone_scope, seller_scope
from shipcrowd.work import GOES_ON, NEEDS_PERSON, Attention, State

SHOWN = 25  # rows of a group; its count says how many there are
MENDED_AT_ONCE = 500  # by one press; the next press takes the next
LOST_SHOWN_FOR = timedelta(days=1)
FAILURES_SHOWN = 3  # polls that failed in a row before a person is told: fewer mend themselves

_WHAT = {
    LabelRequest.KIND: gettext_lazy("Labels"),
    Dispatch.KIND: gettext_lazy("Ready to dispatch"),
    PrintJob.KIND: gettext_lazy("Print jobs"),
    SellerCancellation.KIND: gettext_lazy("Cancellations"),
    FormAcknowledgement.KIND: gettext_lazy("Acknowledged forms"),
    "shipments": gettext_lazy("Shipments"),
    "unreadable": gettext_lazy("What Flipkart sent"),
    "connection": gettext_lazy("Connection"),
}
_DO = {
    Attention.REFUSED: gettext_lazy("Read Flipkart's reason beside each. Once it is mended there, press Retry."),
    Attention.GIVEN_UP: gettext_lazy("Tried until it made no sense any more. Press Retry to begin again."),
    Attention.BAD_PAPER: gettext_lazy(
        "Flipkart's file cannot be printed. Retry fetches it anew; else print it in their panel."
    ),
    Attention.RECONNECT: gettext_lazy("Nothing is read or sent until an owner renews it."),
    Attention.PULL: gettext_lazy(
        "Take the parcel out of its stack before the pickup, then scan it on the page “Pull parcels”."
    ),
    Attention.PARKED: gettext_lazy("Left undone when the connection was cut. Press Retry if it is still wanted."),
    Attention.UNREADABLE: gettext_lazy(
        "Look it up in Flipkart's panel. It goes away once a later read succeeds, or once you say that you have looked."
    ),
    Attention.UNKNOWN_STATE: gettext_lazy(
        "Nothing is done to it here until its state is known. Handle it in Flipkart's panel."
    ),
    Attention.ODD_MOVE: gettext_lazy(
        "Compare it with Flipkart's panel before you pack it; then say that you have looked."
    ),
    Attention.FORM: gettext_lazy("Get the form where its link leads, and tell its number on the shipment's page."),
    Attention.BROKEN: gettext_lazy("Tell the platform which it is. Press Retry to begin again."),
}
# Of what goes on by itself: what may be done meanwhile.
_MEANWHILE = {
    Attention.LATE: gettext_lazy("If the parcel must leave now, look in Flipkart's own panel."),
    Attention.RECONNECT: gettext_lazy("It waits for the connection, which an owner must renew."),
    Attention.BROKEN: gettext_lazy("Tell the platform if it stays."),
}


RETRY, LOOKED_AT = "replay", "visibility"


@dataclass(frozen=True, slots=True)
class Row:
    """One thing. `shipment` is empty where it is not about one; `public_id` is what its mending button sends."""

    says: str
    shipment: Shipment | None = None
    public_id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Mend:
    """The button that mends rows: where it leads, and as which field it sends their public ids."""

    route: str
    button: str
    icon: str
    field: str


@dataclass(frozen=True, slots=True)
class Place:
    """The page where a person does what is to be done."""

    route: str
    words: str
    icon: str


@dataclass(frozen=True, slots=True)
class Group:
    """Rows of one kind that want a person for one reason: `count` of them, of which `rows` are shown.

    `mend` is None where no button of ours mends them; `ids` are what one press of it for all sends. `place` is where
    it is done instead, or None.
    """

    kind: str
    reason: str
    what: str
    why: str
    do: str
    count: int
    rows: list[Row]
    mend: Mend | None
    ids: list[str]
    place: Place | None


def count(seller: Seller) -> int:
    """How many things need a person, in one statement."""
    parts: list[models.QuerySet[Any]] = [
        model._default_manager.filter(NEEDS_PERSON, seller=seller) for model in RETRIED
    ]
    parts.append(Shipment.objects.filter(seller=seller).exclude(attention=""))
    parts.append(Unreadable.objects.filter(seller=seller))
    parts.append(Connection.objects.filter(seller=seller, standing=Standing.RECONNECT))
    one = [part.order_by().values(one=models.Value(1)) for part in parts]
    return int(one[0].union(*one[1:], all=True).count())


def summary(seller: Seller) -> list[Group]:
    """The groups with their counts alone, the largest first, in one statement."""
    return by_seller([seller.pk]).get(seller.pk, [])


def by_seller(seller_ids: Sequence[int]) -> dict[int, list[Group]]:
    """The groups of each of these sellers that has any, with their counts alone, the largest first; one statement.

    In a scope of all of them.
    """
    theirs = {"seller_id__in": seller_ids}
    broken = Connection.objects.filter(**theirs, standing=Standing.RECONNECT)
    parts: list[models.QuerySet[Any, Any]] = [
        *(_counted(model.KIND, model._default_manager.filter(NEEDS_PERSON, **theirs)) for model in RETRIED),
        _counted("shipments", Shipment.objects.filter(**theirs).exclude(attention="")),
        _counted("unreadable", Unreadable.objects.filter(**theirs), Attention.UNREADABLE),
        _counted("connection", broken, Attention.RECONNECT),
    ]
    found: dict[int, list[Group]] = {}
    for seller_id, kind, reason, number in parts[0].union(*parts[1:], all=True):
        found.setdefault(seller_id, []).append(_group(kind, reason, number))
    return {seller_id: _largest_first(groups) for seller_id, groups in found.items()}


def _counted(kind: str, rows: models.QuerySet[Any], why: Attention | None = None) -> models.QuerySet[Any, Any]:
    """By seller and reason: that of each row, or `why` for all."""
    named = rows.order_by().annotate(kind=_word(kind), why=_word(why) if why else F("attention"))
    by_reason: models.QuerySet[Any, Any] = named.values("seller_id", "kind", "why").annotate(n=Count("pk"))
    return by_reason.values_list("seller_id", "kind", "why", "n")


def _word(text: str) -> models.Value:
    return models.Value(str(text), output_field=models.CharField())


def across(user: User) -> list[tuple[Seller, list[Group]]]:
    """The same of all sellers that a person may see, the one with most to do first. Outside of any scope."""
    if user.is_staff:
        with everyone_scope("attention of all sellers", by=user):
            return _across(list(Seller.objects.order_by("name", "pk")))
    mine = [membership.seller for membership in memberships(user)]
    with seller_scope(*mine):
        return _across(mine)


def _across(sellers: Sequence[Seller]) -> list[tuple[Seller, list[Group]]]:
    found = by_seller([seller.pk for seller in sellers])
    needing = [(seller, found[seller.pk]) for seller in sellers if seller.pk in found]
    return sorted(needing, key=lambda pair: -sum(group.count for group in pair[1]))


@dataclass(frozen=True, slots=True)
class Lost:
    """An effect whose answer was lost: what was sent, how it stands (a word and its tone), whether it is looked for.

    One that is parked is neither known nor looked for: only a person's Retry looks it up.
    """

    what: str
    row: Any
    shipment: Shipment
    stands: str
    tone: str
    is_looked_for: bool
    is_parked: bool


def lost_answers(seller: Seller, now: datetime) -> list[Lost]:
    """Those that are still looked for, and those that ended within a day; the latest first, one statement a table."""
    found: list[Lost] = []
    for model in EFFECTS:
        rows = model.objects.filter(seller=seller, lost_at__gte=now - LOST_SHOWN_FOR).select_related("shipment")
        what = str(_WHAT[model.KIND])
        found += [_lost(what, row) for row in rows.order_by("-lost_at", "-pk")[:SHOWN]]
    return sorted(found, key=lambda lost: lost.row.lost_at, reverse=True)[:SHOWN]


def _lost(what: str, row: EffectRow) -> Lost:
    is_looked_for = row.is_open and row.in_doubt
    is_parked = row.in_doubt and not row.is_open
    if is_looked_for:
        stands, tone = _("unknown"), "warn"
    elif is_parked:
        stands, tone = _("parked"), "bad"
    else:
        stands, tone = row.get_state_display(), _TONES.get(State(row.state), "note")
    return Lost(what, row, row.shipment, stands, tone, is_looked_for=is_looked_for, is_parked=is_parked)


_TONES = {State.DONE: "good", State.REFUSED: "bad", State.GIVEN_UP: "bad", State.WITHDRAWN: ""}


def groups(seller: Seller) -> list[Group]:
    """Everything that needs a person, the largest group first, with its rows; one statement a table."""
    found = _broken_connection(seller)
    for model in RETRIED:
        found += _of_work(seller, model, NEEDS_PERSON)
    found += _of_shipments(seller)
    found += _unreadable(seller)
    return _largest_first(found)


def goes_on(seller: Seller) -> list[Group]:
    """What the machine still tries, though something stands in its way: to be known, and to be hurried by hand."""
    found: list[Group] = []
    for model in RETRIED:
        found += _of_work(seller, model, GOES_ON)
    return [replace(group, do=str(_MEANWHILE.get(Attention(group.reason), ""))) for group in _largest_first(found)]


def _largest_first(groups: Sequence[Group]) -> list[Group]:
    """But for the connection: all else waits for it."""
    return sorted(groups, key=lambda group: (group.kind != "connection", -group.count, group.kind, group.reason))


def connection_words(seller: Seller) -> tuple[Connection | None, PollCursor | None]:
    """The seller's connection and how its polling goes; both None before the first Connect."""
    row = Connection.objects.filter(seller=seller).first()
    return row, PollCursor.objects.filter(seller=seller).first() if row else None


def _broken_connection(seller: Seller) -> list[Group]:
    row = Connection.objects.filter(seller=seller, standing=Standing.RECONNECT).first()
    return [_group("connection", Attention.RECONNECT, 1, rows=[Row(says=row.says)])] if row else []


def _of_work(seller: Seller, model: type[EffectRow | PrintJob], which: models.Q) -> list[Group]:
    rows = _numbered(model._default_manager.filter(which, seller=seller), MENDED_AT_ONCE)
    return _grouped(model.KIND, rows if model is PrintJob else rows.select_related("shipment"))


def _of_shipments(seller: Seller) -> list[Group]:
    rows = list(_numbered(Shipment.objects.filter(seller=seller).exclude(attention=""), MENDED_AT_ONCE))
    places = pulling.places(seller.pk, [row for row in rows if row.attention == Attention.PULL])
    for row in rows:
        # Where a person must look for it: not for another page, and not for the row.
        ids = ", ".join(row.parcels_to_pull)
        row.attention_says = "; ".join(filter(None, (row.attention_says, ids, places.get(row.pk, ""))))
    return _grouped("shipments", rows)


def _numbered(rows: models.QuerySet[Any], most: int) -> models.QuerySet[Any]:
    """The first rows of each reason, each with how many there are of it."""
    rows = rows.annotate(
        place=Window(RowNumber(), partition_by=F("attention"), order_by=F("pk").asc()),
        of_reason=Window(Count("pk"), partition_by=F("attention")),
    )
    return rows.filter(place__lte=most).order_by("attention", "pk")


def _grouped(kind: str, rows: Iterable[Any]) -> list[Group]:
    by_reason: dict[str, list[Any]] = {}
    for row in rows:
        by_reason.setdefault(row.attention, []).append(row)
    return [
        _group(
            kind,
            reason,
            found[0].of_reason,
            rows=[_row(row) for row in found[:SHOWN]],
            ids=[str(row.public_id) for row in found],
        )
        for reason, found in by_reason.items()
    ]


def _group(kind: str, reason: str, number: int, rows: Sequence[Row] = (), ids: Sequence[str] = ()) -> Group:
    known = Attention(reason)
    mend = _mend(kind, known)
    return Group(
        kind=kind,
        reason=reason,
        what=str(_WHAT[kind]),
        why=str(known.label),
        do=str(_DO.get(known, "")),
        count=number,
        rows=list(rows),
        mend=mend,
        ids=list(ids) if mend else [],
        place=_place(kind, known),
    )


def _mend(kind: str, reason: Attention) -> Mend | None:
    if reason is Attention.FORM:
        return None  # only its number mends it: it is told on the shipment's page
    if kind in {model.KIND for model in RETRIED}:
        return Mend("fulfillment:retry", _("Retry"), RETRY, "row")
    if kind == "unreadable":
        return Mend("orders:looked_at", _("I have looked"), LOOKED_AT, "unreadable")
    if reason is Attention.ODD_MOVE:
        return Mend("orders:looked_at", _("I have looked"), LOOKED_AT, "shipment")
    return None


def _place(kind: str, reason: Attention) -> Place | None:
    if reason is Attention.PULL:
        return Place("fulfillment:pulls", _("Scan what is pulled"), "barcode_scanner")
    if kind == "connection":
        return Place("sellers:connection", _("Renew the connection"), "link")
    return None


def _row(row: Any) -> Row:
    if isinstance(row, Shipment):
        return Row(says=row.attention_says, shipment=row, public_id=str(row.public_id))
    if isinstance(row, PrintJob):
        return Row(
            says=row.says, public_id=str(row.public_id), name=_("Print job of %(count)d") % {"count": row.asked_for}
        )
    return Row(says=row.says, shipment=row.shipment, public_id=str(row.public_id))


def _unreadable(seller: Seller) -> list[Group]:
    rows = Unreadable.objects.filter(seller=seller).annotate(total=Window(Count("pk")))
    read = list(rows.order_by("-last_seen_at", "-pk")[:MENDED_AT_ONCE])
    if not read:
        return []
    shown = [
        Row(
            says=f"{row.says} ({row.path})",
            name=row.flipkart_shipment_id or _("without an id"),
            public_id=str(row.public_id),
        )
        for row in read[:SHOWN]
    ]
    ids = [str(row.public_id) for row in read]
    return [_group("unreadable", Attention.UNREADABLE, read[0].total, rows=shown, ids=ids)]
