"""What stands on the tax invoices that Flipkart made. Source: wire.md 3.5."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from shipcrowd.flipkart.times import INDIAN_TIME
from shipcrowd.flipkart.types import Download, InvoiceFacts, InvoiceItem, InvoicesPage, Unreadable
from shipcrowd.flipkart.wire.official.papers import PDF, pdf_of
from shipcrowd.flipkart.wire.official.shipping import by_ids
from shipcrowd.flipkart.wire.values import id_of, read_errors, root_of, time_of, unreadable
from shipcrowd.transport import Answer, Request
from shipcrowd.transport.errors import Refused, UnexpectedPayload
from shipcrowd.transport.json_body import Node

MOST_INVOICES = 100

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")


def encode_invoices(shipment_ids: Sequence[str]) -> Request:
    """As JSON: what a call accepts decides in which form they come."""
    return by_ids("GET", shipment_ids, "/invoices", operation="invoices", limit=MOST_INVOICES)


def decode_invoices(answer: Answer) -> InvoicesPage:
    """A row that cannot be read is kept apart."""
    root = root_of(answer, "invoices")
    if isinstance(root.value, dict) and root.get("invoices").is_absent and (errors := read_errors(answer.body)):
        raise Refused("invoices", status=answer.status, code=errors[0].code, rows=errors)
    found: list[InvoiceFacts] = []
    holes: list[Unreadable] = []
    for row in root.get("invoices").rows():
        try:
            found.append(_invoice(row))
        except UnexpectedPayload as error:
            holes.append(unreadable(row, error))
    return InvoicesPage(invoices=tuple(found), unreadable=tuple(holes))


def encode_download_invoices(shipment_ids: Sequence[str]) -> Request:
    request = by_ids("GET", shipment_ids, "/invoices", operation="download_invoices", limit=MOST_INVOICES)
    return replace(request, accept=PDF)


def decode_download_invoices(answer: Answer) -> Download:
    return Download(merged=pdf_of(answer, "download_invoices"))


def _invoice(row: Node) -> InvoiceFacts:
    return InvoiceFacts(
        flipkart_shipment_id=id_of(row.get("shipmentId")),
        flipkart_order_id=id_of(row.get("orderId")),
        invoice_number=row.get("invoiceNumber").required_text(),
        invoice_date=_day(row.get("invoiceDate")),
        items=tuple(_item(item) for item in row.get("orderItems").rows()),
    )


def _item(node: Node) -> InvoiceItem:
    taxes = node.get("taxDetails")
    cgst, sgst, igst = (
        (None, None, None)
        if taxes.is_absent
        else (taxes.get("cgstRate").percent(), taxes.get("sgstRate").percent(), taxes.get("igstRate").percent())
    )
    return InvoiceItem(
        flipkart_order_item_id=id_of(node.get("orderItemId")),
        amount=node.get("invoiceAmount").rupees(),
        tax_rate=node.get("taxRate").percent(),
        cgst_rate=cgst,
        sgst_rate=sgst,
        igst_rate=igst,
    )


def _day(node: Node) -> date | None:
    """A day, or the day in India of a moment: both are printed."""
    if node.is_absent:
        return None
    text = node.word()
    try:
        if _DAY.match(text):
            return date.fromisoformat(text)
    except ValueError:
        text = ""
    at = time_of(node) if text else node.fail("not a day")
    return None if at is None else at.astimezone(INDIAN_TIME).date()
