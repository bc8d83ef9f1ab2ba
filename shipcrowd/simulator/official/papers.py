"""Papers as PDF: all shipments of a call merged, a page a parcel (wire.md 3.5)."""

import io
from collections.abc import Sequence
from typing import Any

import pikepdf

from shipcrowd.simulator import documents
from shipcrowd.simulator.accounts import Account, Refusal, Shipment
from shipcrowd.simulator.faults import Fault
from shipcrowd.simulator.official.asked import Asked, checked_ids
from shipcrowd.simulator.world import World

MOST_LABELS = 100
MOST_LABELS_ONLY = 50


def download_labels(world: World, account: Account, asked: Asked, fault: Fault | None) -> bytes | dict[str, str]:
    """Label and tax invoice of each, in the order asked; an errorCode with HTTP 200 where one of them is not ready.

    Raises ApiError.
    """
    if fault and fault.kind == "late_labels":
        return {"errorCode": "DEPENDENT_SYSTEM_CALL_FAILED", "errorMessage": "the label is not there yet"}
    try:
        with world.lock:
            found = world.fetch_papers(account, checked_ids(asked.ids, most=MOST_LABELS))
            papers = pages_of(account, found)
    except Refusal as refusal:
        return {"errorCode": refusal.code, "errorMessage": str(refusal)}
    # Drawn outside of the lock: milliseconds a page.
    return merged([documents.render_label(paper) for paper in papers])


def download_labels_only(world: World, account: Account, asked: Asked, fault: Fault | None) -> bytes | dict[str, str]:
    """The labels without invoices; printed again (`reprint=true`) they mark nothing. Raises ApiError."""
    del fault
    try:
        with world.lock:
            shipment_ids = checked_ids(asked.ids, most=MOST_LABELS_ONLY)
            fetched = [shipment.papers_fetched for shipment in world.visible(account, shipment_ids)]
            found = world.fetch_papers(account, shipment_ids)
            if asked.query.get("reprint") == "true":
                for shipment, was_fetched in zip(found, fetched, strict=True):
                    shipment.papers_fetched = was_fetched
            papers = pages_of(account, found)
    except Refusal as refusal:
        return {"errorCode": refusal.code, "errorMessage": str(refusal)}
    return merged([documents.render_label_only(paper) for paper in papers])


def invoices(world: World, account: Account, asked: Asked, fault: Fault | None) -> bytes | dict[str, Any]:
    """The tax invoices, as JSON or as PDF: what the call accepts decides. Raises ApiError."""
    del fault
    try:
        with world.lock:
            found = world.fetch_papers(account, checked_ids(asked.ids, most=MOST_LABELS))
            papers = [documents.paper_for(account, shipment) for shipment in found]
    except Refusal as refusal:
        return {"errorCode": refusal.code, "errorMessage": str(refusal)}
    if "application/pdf" in asked.accept:
        return merged([documents.render_invoice(paper) for paper in papers])
    return {"invoices": [_invoice(shipment, paper) for shipment, paper in zip(found, papers, strict=True)]}


def _invoice(shipment: Shipment, paper: documents.Paper) -> dict[str, Any]:
    return {
        "shipmentId": shipment.official_id,
        "orderId": shipment.order_id,
        "invoiceDate": f"{paper.invoiced_at:%Y-%m-%d}",
        "invoiceNumber": paper.invoice_number,
        "orderItems": [
            {
                "orderItemId": shipment.official_item_id(item),
                "invoiceAmount": float(line.total),
                "taxRate": float(item.goods.gst_rate),
                "serialNumbers": item.serial_numbers,
                "taxDetails": _taxes(item.goods.gst_rate, within=paper.is_within_state),
            }
            for item, line in zip(shipment.live_items, paper.lines, strict=True)
        ],
    }


def _taxes(rate: int, *, within: bool) -> dict[str, float]:
    half = rate / 2
    return {
        "cgstRate": half if within else 0.0,
        "sgstRate": half if within else 0.0,
        "igstRate": 0.0 if within else float(rate),
    }


def pages_of(account: Account, shipments: Sequence[Shipment]) -> list[documents.Paper]:
    return [paper for shipment in shipments for paper in documents.papers_for(account, shipment)]


def merged(pdfs: Sequence[bytes]) -> bytes:
    """One PDF of all pages; the same pages are the same bytes."""
    whole = pikepdf.Pdf.new()
    for pdf in pdfs:
        with pikepdf.open(io.BytesIO(pdf)) as one:
            whole.pages.extend(one.pages)
    out = io.BytesIO()
    whole.save(out, deterministic_id=True, compress_streams=True)
    return out.getvalue()
