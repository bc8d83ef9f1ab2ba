"""Papers as PDF: all shipments of a call merged, a page a parcel (wire.md 3.5)."""

import io
from collections.abc import Sequence

import pikepdf

from shipcrowd.simulator import documents
from shipcrowd.simulator.accounts import Account, Refusal, Shipment
from shipcrowd.simulator.faults import Fault
from shipcrowd.simulator.official.asked import Asked, checked_ids
from shipcrowd.simulator.world import World

MOST_LABELS = 100


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
