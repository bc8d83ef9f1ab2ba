"""What a fault does to an answer in the published format that was otherwise right."""

from collections.abc import Sequence
from typing import Any

from shipcrowd.simulator.api import unlucky
from shipcrowd.simulator.faults import Fault

#: Operations whose rows are what was asked for, and the field of one that goes missing unless another is named.
ROWS = {
    "search": "dispatchByDate",
    "shipments": "dispatchByDate",
    "shipping_details": "shipmentId",
    "forms": "shipmentId",
}
#: What goes missing of other answers: their rows.
WHOLE = {"handover_counts": "resultManifestDetails", "invoices": "invoices", "sandbox": "orderId"}


def has_met(operation: str, fault: Fault, answer: Any) -> bool:
    """Whether the fault could show at all."""
    if fault.kind in ("not_a_pdf", "cut_pdf"):
        return isinstance(answer, bytes)
    if fault.kind in ("shifting_page", "repeat_on_two_pages", "foreign_next_page"):
        return bool(answer["hasMore"])
    if fault.kind in ("unknown_state", "missing_field") and operation in ROWS:
        return bool(answer["shipments"])
    return True


def spoil(operation: str, fault: Fault, answer: Any, shipment_ids: Sequence[str]) -> Any:
    """The answer as the fault leaves it; the answer itself where the fault is of another sort."""
    if isinstance(answer, bytes):
        return _spoil_paper(fault, answer)
    rows: list[dict[str, Any]] = answer.get("shipments", answer.get("resultManifestDetails", []))
    at = int(fault.options.get("row", 0))
    if fault.kind == "missing_field":
        name = fault.options.get("field", ROWS.get(operation, WHOLE.get(operation, "shipments")))
        is_of_row = operation in ROWS or "row" in fault.options
        (rows[at] if is_of_row and at < len(rows) else answer).pop(name, None)
    if fault.kind == "unknown_state" and at < len(rows):
        rows[at]["orderItems"][0]["status"] = fault.options.get("word", "TELEPORTED")
    if fault.kind in ("partial", "silent") and operation in ROWS:
        lost = unlucky(shipment_ids)
        answer["shipments"] = [row for row in rows if row["shipmentId"] not in lost]
    return answer


def _spoil_paper(fault: Fault, pdf: bytes) -> bytes:
    if fault.kind == "not_a_pdf":
        return b'{"errorCode":"DEPENDENT_SYSTEM_CALL_FAILED","errorMessage":"try again later"}'
    if fault.kind == "cut_pdf":
        return pdf[: int(len(pdf) * float(fault.options.get("keep", 0.5)))]
    return pdf
