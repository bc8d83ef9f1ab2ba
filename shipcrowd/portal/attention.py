"""What needs a person, of one seller: grouped by what it is and why, in plain words, with the button that mends it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.db.models import Count, F, Window
from django.db.models.functions import RowNumber
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fulfillment import pulling
from fulfillment.models import Dispatch, LabelRequest, PrintJob
from orders.models import PollCursor, Shipment, Unreadable
from sellers.models import Connection, Seller, Standing
from shipcrowd.work import Attention, WorkRow

SHOWN = 25  # rows of a group; its count says how many there are
RETRIED_AT_ONCE = 500  # by one press; the next press takes the next
FAILURES_SHOWN = 3  # polls that failed in a row before a person is told: fewer mend themselves

_WORK: tuple[type[WorkRow], ...] = (LabelRequest, Dispatch, PrintJob)
_WHAT = {
    LabelRequest.KIND: gettext_lazy("Labels"),
    Dispatch.KIND: gettext_lazy("Ready to dispatch"),
    PrintJob.KIND: gettext_lazy("Print jobs"),
    "shipments": gettext_lazy("Shipments"),
    "unreadable": gettext_lazy("What Flipkart sent"),
}
_DO = {
    Attention.REFUSED: gettext_lazy("Read Flipkart's reason beside each. Once it is mended there, press Retry."),
    Attention.LATE: gettext_lazy(
        "It is still being tried. If the parcel must leave now, look in Flipkart's own panel."
    ),
    Attention.GIVEN_UP: gettext_lazy("Tried until it made no sense any more. Press Retry to begin again."),
    Attention.BAD_PAPER: gettext_lazy(
        "Flipkart's file cannot be printed. Retry fetches it anew; else print it in their panel."
    ),
    Attention.RECONNECT: gettext_lazy("An owner renews the connection; then press Retry."),
    Attention.PULL: gettext_lazy(
        "Take the parcel out of its stack before the pickup, then scan it on the page “Pull parcels”."
    ),
    Attention.PARKED: gettext_lazy("Left undone when the connection was cut. Press Retry if it is still wanted."),
    Attention.UNREADABLE: gettext_lazy("Look it up in Flipkart's panel. It goes away once a later read succeeds."),
    Attention.UNKNOWN_STATE: gettext_lazy(
        "Nothing is done to it here until its state is known. Handle it in Flipkart's panel."
    ),
    Attention.ODD_MOVE: gettext_lazy("Compare it with Flipkart's panel before you pack it."),
    Attention.BROKEN: gettext_lazy("A mistake of ours, tried again by itself. Tell the platform if it stays."),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One thing. `shipment` is empty where it is not about one; `public_id` is the work row's, for Retry."""

    says: str
    shipment: Shipment | None = None
    public_id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Rows of one kind that want a person for one reason: `count` of them, of which `rows` are shown.

    `retries` are the work rows' public ids for one press of Retry; empty where a retry mends nothing.
    """

    kind: str
    reason: str
    what: str
    why: str
    do: str
    count: int
    rows: list[Row]
    retries: list[str]


def count(seller: Seller) -> int:
    """How many things need a person, in one statement."""
    tables: tuple[type[models.Model], ...] = (*_WORK, Shipment)
    parts: list[models.QuerySet[Any]] = [
        model._default_manager.filter(seller=seller).exclude(attention="") for model in tables
    ]
    parts.append(Unreadable.objects.filter(seller=seller))
    parts.append(Connection.objects.filter(seller=seller, standing=Standing.RECONNECT))
    one = [part.order_by().values(one=models.Value(1)) for part in parts]
    return int(one[0].union(*one[1:], all=True).count())


def summary(seller: Seller) -> list[Group]:
    """The groups with their counts alone, the largest first, in one statement."""
    tables: list[tuple[str, type[models.Model]]] = [*((model.KIND, model) for model in _WORK), ("shipments", Shipment)]
    parts: list[models.QuerySet[Any, Any]] = [
        model._default_manager.filter(seller=seller)
        .exclude(attention="")
        .order_by()
        .annotate(kind=models.Value(kind, output_field=models.CharField()))
        .values("kind", "attention")
        .annotate(n=Count("pk"))
        .values_list("kind", "attention", "n")
        for kind, model in tables
    ]
    unreadable = Unreadable.objects.filter(seller=seller).order_by()
    kind = models.Value("unreadable", output_field=models.CharField())
    reason = models.Value(Attention.UNREADABLE.value, output_field=models.CharField())
    parts.append(
        unreadable.annotate(kind=kind, attention=reason)
        .values("kind", "attention")
        .annotate(n=Count("pk"))
        .values_list("kind", "attention", "n")
    )
    found = [_group(kind, reason, number) for kind, reason, number in parts[0].union(*parts[1:], all=True) if number]
    return sorted(found, key=lambda group: (-group.count, group.kind, group.reason))


def groups(seller: Seller) -> list[Group]:
    """Everything that needs a person, the largest group first, with its rows; one statement a table."""
    found: list[Group] = []
    for model in _WORK:
        found += _of_work(seller, model)
    found += _of_shipments(seller)
    found += _unreadable(seller)
    return sorted(found, key=lambda group: (-group.count, group.kind, group.reason))


def connection_words(seller: Seller) -> tuple[Connection | None, PollCursor | None]:
    """The seller's connection and how its polling goes; both None before the first Connect."""
    row = Connection.objects.filter(seller=seller).first()
    return row, PollCursor.objects.filter(seller=seller).first() if row else None


def _of_work(seller: Seller, model: type[WorkRow]) -> list[Group]:
    rows = _numbered(model._default_manager.filter(seller=seller).exclude(attention=""), RETRIED_AT_ONCE)
    return _grouped(model.KIND, rows if model is PrintJob else rows.select_related("shipment"), can_retry=True)


def _of_shipments(seller: Seller) -> list[Group]:
    rows = list(_numbered(Shipment.objects.filter(seller=seller).exclude(attention=""), SHOWN))
    places = pulling.places(seller.pk, [row for row in rows if row.attention == Attention.PULL])
    for row in rows:
        # Where a person must look for it: not for another page, and not for the row.
        row.attention_says = "; ".join(filter(None, (row.attention_says, row.tracking_id, places.get(row.pk, ""))))
    return _grouped("shipments", rows, can_retry=False)


def _numbered(rows: models.QuerySet[Any], most: int) -> models.QuerySet[Any]:
    """The first rows of each reason, each with how many there are of it."""
    rows = rows.annotate(
        place=Window(RowNumber(), partition_by=F("attention"), order_by=F("pk").asc()),
        of_reason=Window(Count("pk"), partition_by=F("attention")),
    )
    return rows.filter(place__lte=most).order_by("attention", "pk")


def _grouped(kind: str, rows: Iterable[Any], *, can_retry: bool) -> list[Group]:
    by_reason: dict[str, list[Any]] = {}
    for row in rows:
        by_reason.setdefault(row.attention, []).append(row)
    return [
        _group(
            kind,
            reason,
            found[0].of_reason,
            rows=[_row(row) for row in found[:SHOWN]],
            retries=[str(row.public_id) for row in found] if can_retry else [],
        )
        for reason, found in by_reason.items()
    ]


def _group(kind: str, reason: str, number: int, rows: Sequence[Row] = (), retries: Sequence[str] = ()) -> Group:
    known = Attention(reason)
    return Group(
        kind=kind,
        reason=reason,
        what=str(_WHAT[kind]),
        why=str(known.label),
        do=str(_DO.get(known, "")),
        count=number,
        rows=list(rows),
        retries=list(retries),
    )


def _row(row: Any) -> Row:
    if isinstance(row, Shipment):
        return Row(says=row.attention_says, shipment=row)
    if isinstance(row, PrintJob):
        return Row(
            says=row.says, public_id=str(row.public_id), name=_("Print job of %(count)d") % {"count": row.asked_for}
        )
    return Row(says=row.says, shipment=row.shipment, public_id=str(row.public_id))


def _unreadable(seller: Seller) -> list[Group]:
    rows = Unreadable.objects.filter(seller=seller).annotate(total=Window(Count("pk")))
    read = list(rows.order_by("-last_seen_at", "-pk")[:SHOWN])
    if not read:
        return []
    shown = [Row(says=f"{row.says} ({row.path})", name=row.flipkart_shipment_id or _("without an id")) for row in read]
    return [_group("unreadable", Attention.UNREADABLE, read[0].total, rows=shown)]
