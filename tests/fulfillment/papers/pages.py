"""Label pages to cut and print: the simulator's, which look like Flipkart's."""

from dataclasses import dataclass
from datetime import UTC, datetime

from shipcrowd.simulator import Simulator, State, documents


@dataclass(frozen=True, slots=True)
class LabelPage:
    """An A4 page with label and tax invoice, and what stands on it."""

    pdf: bytes
    invoice_pdf: bytes
    tracking_id: str
    invoice_number: str
    order_id: str


def label_pages(count: int, *, cod: bool | None = None) -> list[LabelPage]:
    simulator = Simulator(clock=lambda: datetime(2026, 3, 5, 6, 30, tzinfo=UTC), seed=7)
    account = simulator.world.add_seller("Kalakriti Home")
    pages = []
    for shipment_id in simulator.world.add_shipments(account, count, cod=cod, states=State.PACKED):
        paper = documents.paper_for(account, simulator.world.find(shipment_id, account)[1])
        pages.append(
            LabelPage(
                documents.render_label(paper),
                documents.render_invoice(paper),
                paper.tracking_id,
                paper.invoice_number,
                paper.order_id,
            )
        )
    return pages
