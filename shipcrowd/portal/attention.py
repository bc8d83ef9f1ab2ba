"""What needs a person, of one seller: grouped by what it is and why, in plain words, with the button that mends it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connection, models
from django.db.models import Count, F, Q, Window
from django.db.models.functions import RowNumber
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fulfillment.models import Dispatch, LabelRequest, PrintJob
from orders.models import PollCursor, Shipment, Unreadable
from sellers.models import Connection, Seller, Standing
from shipcrowd.work import Attention, WorkRow

SHOWN = 25  # rows of a group; its count says how many there are
FAILURES_SHOWN = 3  # polls that failed in a row before a person is told: fewer mend themselves

_WORK: tuple[type[WorkRow], ...] = (LabelRequest, Dispatch, PrintJob)
_WHAT = {
    LabelRequest.KIND: gettext_lazy("Labels"),
    Dispatch.KIND: gettext_lazy("Ready to dispatch"),
    PrintJob.KIND: gettext_lazy("Print jobs"),
    "shipments": gettext_lazy("Shipments"),
}
_DO = {
    Attention.REFUSED: gettext_lazy("Read Flipkart's reason beside each. Once it is mended there, press Retry."),
    Attention.LATE: gettext_lazy("It is still being tried. If the parcel must leave now, look in Flipkart's own panel."),
    Attention.GIVEN_UP: gettext_lazy("Tried until it made no sense any more. Press Retry to begin again."),
    Attention.BAD_PAPER: gettext_lazy("Flipkart's file cannot be printed. Retry fetches it anew; else print it in their panel."),
    Attention.RECONNECT: gettext_lazy("An owner renews the connection; then press Retry."),
    Attention.PULL: gettext_lazy("The buyer cancelled after the label: take the parcel out of the stack before pickup."),
    Attention.PARKED: gettext_lazy("Left undone when the connection was cut. Press Retry if it is still wanted."),
    Attention.UNREADABLE: gettext_lazy("Look it up in Flipkart's panel. It goes away once a later read succeeds."),
    Attention.UNKNOWN_STATE: gettext_lazy("Nothing is done to it here until its state is known. Handle it in Flipkart's panel."),
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
    """Rows of one kind that want a person for one reason; `count` may be more than the rows that are shown."""

    kind: str
    reason: str
    what: str
    why: str
    do: str
    count: int
    can_retry: bool
    rows: list[Row]


def count(seller: Seller) -> int:
    """How many things need a person, in one statement."""
    parts = [model.objects.filter(seller=seller).exclude(attention="") for model in (*_WORK, Shipment)]
    parts.append(Unreadable.objects.filter(seller=seller))
    parts.append(Connection.objects.filter(seller=seller, standing=Standing.RECONNECT))
    one = [part.order_by().values(one=models.Value(1)) for part in parts]
    return one[0].union(*one[1:], all=True).count()


def groups(seller: Seller) -> list[Group]:
    """Everything that needs a person, the largest group first; two statements fewer than there are tables."""
    found: list[Group] = []
    for model in _WORK:
        found += _of_work(seller, model)
    found += _of_shipments(seller)
    found += _unreadable(seller)
    return sorted(found, key=lambda group: -group.count)


def connection_words(seller: Seller) -> tuple[Connection | None, PollCursor | None]:
    """The seller's connection and how its polling goes; both None before the first Connect."""
    row = Connection.objects.filter(seller=seller).first()
    return row, PollCursor.objects.filter(seller=seller).first() if row else None


def _of_work(seller: Seller, model: type[WorkRow]) -> list[Group]:
    rows = _numbered(model.objects.filter(seller=seller).exclude(attention=""))
    if model is not PrintJob:
        rows = rows.select_related("shipment")
    return _grouped(model.KIND, rows, can_retry=True)


def _of_shipments(seller: Seller) -> list[Group]:
    return _grouped("shipments", _numbered(Shipment.objects.filter(seller=seller).exclude(attention="")), can_retry=False)


def _numbered(rows: models.QuerySet[Any]) -> models.QuerySet[Any]:
    """The first rows of each reason, each with how many there are of it."""
    return (
        rows.annotate(
            place=Window(RowNumber(), partition_by=F("attention"), order_by=F("pk").asc()),
            of_reason=Window(Count("pk"), partition_by=F("attention")),
        )
        .filter(place__lte=SHOWN)
        .order_by("attention", "pk")
    )


def _grouped(kind: str, rows: Iterable[Any], *, can_retry: bool) -> list[Group]:
    by_reason: dict[str, list[Any]] = {}
    for row in rows:
        by_reason.setdefault(row.attention, []).append(row)
    return [
        Group(
            kind=kind,
            reason=reason,
            what=str(_WHAT[kind]),
            why=str(Attention(reason).label),
            do=str(_DO.get(Attention(reason), "")),
            count=of_reason[0].of_reason,
            can_retry=can_retry,
            rows=[_row(row) for row in of_reason],
        )
        for reason, of_reason in by_reason.items()
    ]


def _row(row: Any) -> Row:
    if isinstance(row, Shipment):
        return Row(says=row.attention_says, shipment=row)
    if isinstance(row, PrintJob):
        return Row(says=row.says, public_id=str(row.public_id), name=_("Print job of %(count)d") % {"count": row.asked_for})
    return Row(says=row.says, shipment=row.shipment, public_id=str(row.public_id))


def _unreadable(seller: Seller) -> list[Group]:
    rows = Unreadable.objects.filter(seller=seller).annotate(total=Window(Count("pk"))).order_by("-last_seen_at", "-pk")[:SHOWN]
    read = list(rows)
    if not read:
        return []
    return [
        Group(
            kind="unreadable",
            reason=Attention.UNREADABLE,
            what=_("What Flipkart sent"),
            why=str(Attention.UNREADABLE.label),
            do=str(_DO[Attention.UNREADABLE]),
            count=read[0].total,  # type: ignore[attr-defined]  # annotated above
            can_retry=False,
            rows=[Row(says=f"{row.says} ({row.path})", name=row.flipkart_shipment_id or _("without an id")) for row in read],
        )
    ]
