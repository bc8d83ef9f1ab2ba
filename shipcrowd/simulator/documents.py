"""The papers the simulator hands out: the A4 page with label and tax invoice, an invoice of its own, a manifest."""

import io
from dataclasses import dataclass
from datetime import datetime, timedelta

from reportlab.pdfgen.canvas import Canvas

from shipcrowd.simulator.world import Account, Shipment


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """What stands on the papers of one shipment, copied so that it can be drawn without the world's lock."""

    tracking_id: str
    order_id: str


def paper_for(account: Account, shipment: Shipment, now: datetime) -> Paper:
    return Paper(tracking_id=shipment.tracking_id, order_id=shipment.order_id)


def render_label(paper: Paper) -> bytes:
    return _page(paper, "Tax Invoice")


def render_invoice(paper: Paper) -> bytes:
    return _page(paper, "Tax Invoice")


def render_manifest(paper: Paper) -> bytes:
    return _page(paper, "Manifest")


def _page(paper: Paper, title: str) -> bytes:
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(595, 842))
    canvas.drawString(200, 700, f"{title} {paper.order_id} {paper.tracking_id}")
    canvas.save()
    return out.getvalue()
