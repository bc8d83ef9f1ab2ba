"""Papers to check, cut and print: the simulator's, which look like Flipkart's, and pages drawn for one purpose."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pikepdf
import pypdfium2
from PIL import Image
from reportlab.pdfgen.canvas import Canvas

from fulfillment.papers.types import Box
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


def drawn(draw: Callable[[Canvas], None], *, size: tuple[float, float] = (595, 842)) -> bytes:
    """A page on which `draw` draws."""
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=size, invariant=True)
    draw(canvas)
    canvas.showPage()
    canvas.save()
    return out.getvalue()


def with_content(content: bytes, *, size: tuple[float, float] = (595, 842), **resources: object) -> bytes:
    """A page with exactly this content; Helvetica is /F1."""
    with pikepdf.Pdf.new() as file:
        page = file.add_blank_page(page_size=size).obj
        font = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
        page.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=font), **resources)
        page.Contents = file.make_stream(content)
        return saved(file)


def saved(file: pikepdf.Pdf, **options: object) -> bytes:
    out = io.BytesIO()
    file.save(out, **options)
    return out.getvalue()


def changed(pdf: bytes, change: Callable[[pikepdf.Pdf], None]) -> bytes:
    with pikepdf.open(io.BytesIO(pdf)) as file:
        change(file)
        return saved(file)


def pixels(pdf: bytes, *, page: int = 0, scale: float = 4, box: Box | None = None) -> Image.Image:
    """What shows on the page, or in a box of it (points from the lower left corner), in grey."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        width, height = document[page].get_size()
        crop = (box.left, box.bottom, width - box.right, height - box.top) if box else (0, 0, 0, 0)
        return document[page].render(scale=scale, crop=crop).to_pil().convert("L")
    finally:
        document.close()


def text_of(pdf: bytes, page: int = 0) -> str:
    document = pypdfium2.PdfDocument(pdf)
    try:
        return document[page].get_textpage().get_text_range()
    finally:
        document.close()


def unpacked(pdf: bytes) -> bytes:
    """Every byte of the file with its streams unpacked: what somebody could find who looks for it."""
    with pikepdf.open(io.BytesIO(pdf)) as file:
        pieces = [thing.unparse(resolved=True) for thing in file.objects if not isinstance(thing, pikepdf.Stream)]
        for thing in file.objects:
            if isinstance(thing, pikepdf.Stream):
                pieces += [thing.stream_dict.unparse(resolved=True), thing.read_bytes()]
        return b"\n".join(pieces)
