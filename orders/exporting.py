"""The shipments list as CSV: streamed page by page, each read in a short scope of its own, without personal data.

A spreadsheet takes a cell that begins with = + - @ for a formula: such text gets an apostrophe in front (ASVS 1.2.10).
"""

import csv
import logging
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol

from django.db.models import Prefetch, prefetch_related_objects
from django.utils import timezone
from django.utils.translation import gettext as _

from orders import display, queries
from orders.models import Shipment, ShipmentItem
from orders.queries import Filters
from sellers.models import Seller
from shipcrowd.tenancy import seller_scope

log = logging.getLogger(__name__)

CHUNK = 500
# So that a spreadsheet reads UTF-8, and not the letters of Western Europe.
BYTE_ORDER_MARK = "\ufeff"
_STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def lines(*, seller: Seller, filters: Filters, now: datetime) -> Iterator[str]:
    """The head and a line for each shipment that `filters` let through, in the list's order. Outside of any scope.

    The answer has begun when an error comes, and nothing else can tell that it ends too early: its last line does.
    """
    writer = csv.writer(_Echo())
    yield BYTE_ORDER_MARK + writer.writerow(_head())
    try:
        yield from _chunks(writer, seller=seller, filters=filters, now=now)
    except Exception as error:  # noqa: BLE001 - whatever it is; its text may hold a name, and is not logged
        log.error("an export of seller %s ended with %s", seller.pk, type(error).__name__)
        yield writer.writerow([_("THIS FILE IS NOT WHOLE: an error of ours ended it here. Export it again.")])


def _chunks(writer: "_Writer", *, seller: Seller, filters: Filters, now: datetime) -> Iterator[str]:
    after = ""
    while True:
        with seller_scope(seller):
            page = queries.page(seller, filters, now, after=after, size=CHUNK)
            items = Prefetch("items", ShipmentItem.objects.order_by("pk"))
            prefetch_related_objects(list(page.shipments), items, "label_requests")
            rows = [_row(shipment) for shipment in page.shipments]
        yield "".join(writer.writerow([defused(cell) for cell in row]) for row in rows)
        after = page.after
        if not after:
            return


def defused(cell: str) -> str:
    """`cell` as text for a spreadsheet, whatever it begins with. Pure."""
    begins = cell.lstrip(" \"'\u00a0\u200b\ufeff")
    return f"'{cell}" if begins.startswith(_STARTS_FORMULA) or cell.startswith(_STARTS_FORMULA) else cell


def _head() -> list[str]:
    return [
        _("Shipment"),
        _("Order"),
        _("Ordered"),
        _("Dispatch by"),
        _("State"),
        _("On hold"),
        _("Facility"),
        _("SKU × quantity"),
        _("Pieces"),
        _("Payment"),
        _("Cash to collect"),
        _("Total"),
        _("Courier"),
        _("AWB"),
        _("Invoice"),
        _("Label"),
        _("Attention"),
    ]


def _row(shipment: Shipment) -> Sequence[str]:
    items = "; ".join(f"{item.sku} × {item.quantity}" for item in display.to_pack(shipment.items.all()))
    return [
        shipment.flipkart_shipment_id,
        shipment.flipkart_order_id,
        _time(shipment.ordered_at),
        _time(shipment.dispatch_by_at),
        shipment.state_word,
        _("yes") if shipment.is_on_hold else "",
        shipment.facility.name if shipment.facility else "",
        items,
        str(shipment.quantity),
        str(shipment.get_payment_type_display()),
        "" if shipment.cod_amount is None else str(shipment.cod_amount),
        "" if shipment.total_price is None else str(shipment.total_price),
        shipment.courier,
        " ".join(shipment.parcel_ids),
        shipment.invoice_number,
        display.label(shipment).says,
        shipment.attention_says,
    ]


def _time(at: datetime | None) -> str:
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M}" if at else ""


class _Writer(Protocol):
    def writerow(self, row: Sequence[str], /) -> str: ...


class _Echo:
    """csv writes into a file; this one hands the line back."""

    def write(self, line: str) -> str:
        return line
