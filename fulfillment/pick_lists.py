"""Pick lists: what to fetch for chosen shipments, by place and SKU, also before there are labels."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from django.db.models import Count, Max, Sum
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from fulfillment.models import PrintJobLine, PrintStack
from fulfillment.papers.bars import Bars, code128
from fulfillment.papers.layout import A4_SHEET, THERMAL_SHEET
from fulfillment.papers.pick_sheets import Row, pick_list_pdf
from orders import queries as orders
from orders import rules
from orders.models import Shipment, ShipmentItem
from orders.outcome import by_reason
from orders.rules import in_indian_words
from sellers.models import Seller
from shipcrowd.flipkart.types import State
from shipcrowd.tenancy import require_scope

SHEETS = {"a4": A4_SHEET, "4x6": THERMAL_SHEET}


@dataclass(frozen=True, slots=True)
class Pick:
    """One SKU to fetch; `bars` is its barcode, None where it cannot be written as one."""

    sku: str
    title: str
    quantity: int
    shipments: int
    bars: Bars | None


@dataclass(frozen=True, slots=True)
class PickList:
    """`places` are facilities with what lies there; `left_out` has Flipkart's shipment ids by reason."""

    places: list[tuple[str, list[Pick]]]
    shipments: int
    left_out: list[tuple[str, list[str]]]

    @property
    def pieces(self) -> int:
        return sum(pick.quantity for _place, picks in self.places for pick in picks)

    @property
    def skus(self) -> int:
        return sum(len(picks) for _place, picks in self.places)


def of_shipments(*, seller: Seller, shipment_ids: Collection[int]) -> PickList:
    """What these shipments take. Of those that must not leave nothing is fetched: they are named with their reason."""
    require_scope(seller)
    return _list(seller, list(orders.chosen(seller, shipment_ids)))


def of_stack(stack: PrintStack) -> PickList:
    """What one stack takes: what is printed in it, or what is to be while it is laid out."""
    lines = PrintJobLine.objects.filter(seller_id=stack.seller_id, stack=stack, left_out="", first_page_is_out=False)
    shipments = Shipment.objects.filter(seller_id=stack.seller_id, pk__in=lines.values("shipment_id"))
    return _list(stack.job.seller, list(shipments.order_by("pk")))


def as_pdf(found: PickList, *, title: str, now: datetime, sheet: str) -> bytes:
    """On paper; `sheet` is one of SHEETS."""
    pieces = ngettext("%(count)d piece", "%(count)d pieces", found.pieces) % {"count": found.pieces}
    parcels = ngettext("%(count)d parcel", "%(count)d parcels", found.shipments) % {"count": found.shipments}
    places = [
        (place, [Row(pick.sku, pick.title, pick.quantity, pick.shipments) for pick in picks])
        for place, picks in found.places
    ]
    facts = _("%(pieces)s for %(parcels)s, %(at)s")
    words = _("Left out, %(why)s: %(count)d (%(ids)s)")
    left_out = [words % {"why": why, "count": len(ids), "ids": ", ".join(ids[:8])} for why, ids in found.left_out]
    return pick_list_pdf(
        title=title,
        facts=facts % {"pieces": pieces, "parcels": parcels, "at": in_indian_words(now)},
        places=places,
        left_out=left_out,
        sheet=SHEETS[sheet],
    )


def _list(seller: Seller, shipments: Sequence[Shipment]) -> PickList:
    against = {shipment.pk: rules.why_not_fetch(shipment) for shipment in shipments}
    wanted = [shipment.pk for shipment in shipments if against[shipment.pk] is None]
    left_out = by_reason((shipment, reason) for shipment in shipments if (reason := against[shipment.pk]))
    rows = (
        ShipmentItem.objects.filter(seller=seller, shipment_id__in=wanted)
        .exclude(state_word=State.CANCELLED)
        .values("shipment__facility__name", "shipment__facility_id", "sku")
        .annotate(pieces=Sum("quantity"), parcels=Count("shipment_id", distinct=True), words=Max("title"))
        .order_by("shipment__facility__name", "shipment__facility_id", "sku")
        .values_list("shipment__facility__name", "shipment__facility_id", "sku", "words", "pieces", "parcels")
    )
    places = [
        (name or "", [Pick(*row[2:], code128(row[2])) for row in of_place])
        for (name, _facility), of_place in groupby(rows, lambda row: row[:2])
    ]
    return PickList(places=places, shipments=len(wanted), left_out=left_out)
