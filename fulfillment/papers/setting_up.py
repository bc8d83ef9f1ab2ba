"""A page that shows whether a printer prints at actual size and sharp enough: rulers, a frame, a barcode."""

import io

from reportlab.lib.units import inch, mm
from reportlab.pdfgen.canvas import Canvas

from . import bars
from .layout import Size

EDGE = 6.0  # what every label keeps free
SAYS = "SHIPCROWD-1234567890"


def printer_test_pdf(sheet: Size) -> bytes:
    width, height = sheet
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=sheet, invariant=True)
    canvas.setTitle("Test page")
    canvas.setLineWidth(0.5)
    canvas.rect(EDGE, EDGE, width - 2 * EDGE, height - 2 * EDGE)
    left, top = 24.0, height - 40
    canvas.setFont("Helvetica-Bold", 14)
    canvas.drawString(left, top, "Shipcrowd test page")
    canvas.setFont("Helvetica", 8)
    for number, line in enumerate(
        (
            f"{width / inch:.2f} x {height / inch:.2f} inches. Print at 100 %, without margins.",
            "The frame must be whole on all four sides,",
            "and the ruler below must be as long as a real one.",
        )
    ):
        canvas.drawString(left, top - 16 - number * 11, line)
    _ruler(canvas, left, top - 80, length=int((width - 2 * left) // mm))
    bars.draw(canvas, SAYS, left, top - 180, width=width - 2 * left, height=56, narrowest=0.0)
    canvas.setFont("Helvetica", 8)
    canvas.drawString(left, top - 192, f"A scanner must read {SAYS} here.")
    for number, thickness in enumerate((0.25, 0.5, 1.0, 2.0)):
        canvas.setLineWidth(thickness)
        canvas.line(left, top - 212 - number * 9, width - left, top - 212 - number * 9)
    canvas.drawString(left, top - 256, "Each of the four lines must be black and unbroken.")
    canvas.showPage()
    canvas.save()
    return out.getvalue()


def _ruler(canvas: Canvas, x: float, y: float, *, length: int) -> None:
    """Millimetres, a number each centimetre."""
    canvas.setFont("Helvetica", 6)
    canvas.line(x, y, x + length * mm, y)
    for at in range(length + 1):
        tall = 10 if at % 10 == 0 else 7 if at % 5 == 0 else 4
        canvas.line(x + at * mm, y, x + at * mm, y - tall)
        if at % 10 == 0:
            canvas.drawCentredString(x + at * mm, y - 17, str(at))
