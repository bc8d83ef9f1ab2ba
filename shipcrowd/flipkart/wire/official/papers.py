"""The papers of packed shipments, as PDF. Source: wire.md 3.5."""

from collections.abc import Sequence
from dataclasses import replace

from shipcrowd.flipkart.types import Download
from shipcrowd.flipkart.wire.official.shipping import by_ids
from shipcrowd.flipkart.wire.values import read_errors
from shipcrowd.transport import Answer, Request
from shipcrowd.transport.errors import Refused, UnexpectedPayload

MOST_PAPERS = 25  # a hundred are allowed; 20 to 25 are in use, and one that is not ready spoils the call for all

PDF = "application/pdf"
MOST_LABELS_ONLY = 50


def encode_download_labels(shipment_ids: Sequence[str]) -> Request:
    """Label and tax invoice of each, a page each, merged into one PDF."""
    request = by_ids("GET", shipment_ids, "/labels", operation="download_labels", limit=MOST_PAPERS)
    return replace(request, accept=PDF)


def decode_download_labels(answer: Answer, shipment_ids: Sequence[str]) -> Download:  # noqa: ARG001 - the pages say whose they are
    """The whole PDF as it came. Raises Refused with the code that stands in its place."""
    return Download(merged=pdf_of(answer, "download_labels"))


def encode_download_labels_only(shipment_ids: Sequence[str], *, reprint: bool) -> Request:
    """The label without its invoice. `reprint` says that it was printed before: then nothing is marked by it."""
    tail = "/labelOnly/pdf"
    request = by_ids("POST", shipment_ids, tail, operation="download_labels_only", limit=MOST_LABELS_ONLY)
    return replace(request, accept=PDF, query={"reprint": "true" if reprint else "false"})


def decode_download_labels_only(answer: Answer) -> Download:
    return Download(merged=pdf_of(answer, "download_labels_only"))


def pdf_of(answer: Answer, operation: str) -> bytes:
    """The body, if it is a PDF from beginning to end: also errors come with a good status, and PDFs come cut off."""
    if answer.body.startswith(b"%PDF"):
        if b"startxref" in answer.body:
            return answer.body
        raise UnexpectedPayload(operation, "a PDF that is cut off")
    errors = read_errors(answer.body)
    if errors:
        raise Refused(operation, status=answer.status, code=errors[0].code, rows=errors)
    raise UnexpectedPayload(operation, "neither a PDF nor an error that can be read")
