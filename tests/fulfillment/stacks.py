"""Printed stacks as people and scanners see them."""

import re
from collections import Counter

import pypdfium2
import zxingcpp

from fulfillment.models import PrintJob, PrintJobLine, PrintStack
from shipcrowd import files
from tests import factories
from tests.factories import reload


def pdf_of(stack: PrintStack) -> bytes:
    stack = reload(stack)
    return files.read_checked(stack.storage_key, stack.sha256)


def sizes(stack: PrintStack) -> set[tuple[float, float]]:
    """Of its pages, in points."""
    with pypdfium2.PdfDocument(pdf_of(stack)) as pdf:
        return {page.get_size() for page in pdf}


def barcodes(stack: PrintStack, *, scale: float = 3) -> list[set[str]]:
    """What a scanner reads on each page."""
    with pypdfium2.PdfDocument(pdf_of(stack)) as pdf:
        return [{code.text for code in zxingcpp.read_barcodes(page.render(scale=scale).to_pil())} for page in pdf]


def codes(stack: PrintStack, *, scale: float) -> list[Counter[tuple[str, str]]]:
    """Each barcode that a scanner reads on each page: its kind, and its text up to the first comma or bar."""
    with pypdfium2.PdfDocument(pdf_of(stack)) as pdf:
        read = [zxingcpp.read_barcodes(page.render(scale=scale).to_pil()) for page in pdf]
    return [Counter((code.format.name, re.split("[,|]", code.text)[0]) for code in found) for found in read]


def texts(stack: PrintStack) -> list[str]:
    with pypdfium2.PdfDocument(pdf_of(stack)) as pdf:
        return [page.get_textpage().get_text_bounded() for page in pdf]


def left_out(job: PrintJob) -> dict[str, str]:
    """Why, by Flipkart's shipment id."""
    with factories.ops():
        lines = PrintJobLine.objects.filter(job=job).exclude(left_out="").select_related("shipment")
        return {line.shipment.flipkart_shipment_id: line.left_out for line in lines}
