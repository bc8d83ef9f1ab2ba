"""What a fault does to an answer that was otherwise right: rows lost, fields lost, papers that are none."""

import base64
from collections.abc import Sequence
from typing import Any

from shipcrowd.simulator.api import unlucky
from shipcrowd.simulator.faults import Fault

#: Where an answer keeps its rows.
ROWS = {
    "search": "shipments",
    "shipments": "shipments",
    "shipping_details": "shippingDetails",
    "download_labels": "labelResponses",
}
#: The field that goes missing unless another is named.
MISSING = {
    "search": "dispatchByDate",
    "shipments": "dispatchByDate",
    "shipping_details": "shipmentId",
    "download_labels": "shipmentId",
    "generate_labels": "status",
    "dispatch": "successful",
    "token": "access_token",
}
GATEWAY_PAGE = (
    "<!DOCTYPE html><html><head><title>Gateway</title></head><body><h1>Temporarily unavailable</h1></body></html>"
)


def has_met(operation: str, fault: Fault, answer: dict[str, Any]) -> bool:
    """Whether the fault could show at all: no page can shift where there is one, no label be cut that is not there."""
    if fault.kind in ("not_a_pdf", "cut_pdf"):
        return any(row.get("label") for row in answer["labelResponses"])
    if fault.kind in ("shifting_page", "repeat_on_two_pages", "foreign_next_page"):
        return bool(answer["hasMore"])
    if fault.kind in ("unknown_state", "missing_field") and operation in ROWS:
        return bool(answer[ROWS[operation]])
    return True


def spoil(operation: str, fault: Fault, answer: dict[str, Any], shipment_ids: Sequence[str]) -> dict[str, Any]:
    """The answer as the fault leaves it; the answer itself where the fault is of another sort."""
    rows: list[dict[str, Any]] = answer.get(ROWS.get(operation, ""), [])
    at = int(fault.options.get("row", 0))
    if fault.kind == "missing_field":
        name = fault.options.get("field", MISSING[operation])
        (rows[at] if at < len(rows) else answer).pop(name, None)
    if fault.kind == "unknown_state" and at < len(rows):
        rows[at]["state"] = fault.options.get("word", "TELEPORTED")
    if fault.kind in ("partial", "silent") and operation in ROWS:
        lost = unlucky(shipment_ids)
        answer[ROWS[operation]] = [row for row in rows if row["shipmentId"] not in lost]
    if fault.kind in ("not_a_pdf", "cut_pdf"):
        for row in rows:
            _spoil_papers(row, fault)
    return answer


def _spoil_papers(row: dict[str, Any], fault: Fault) -> None:
    paper = row.get(fault.options.get("paper", "label"))
    if not paper:
        return
    if fault.kind == "not_a_pdf":
        spoilt = b'{"errorCode":"DEPENDENT_SYSTEM_CALL_FAILED","errorMessage":"try again later"}'
    else:
        pdf = base64.b64decode(paper["base64String"])
        spoilt = pdf[: int(len(pdf) * float(fault.options.get("keep", 0.5)))]
    paper["base64String"] = base64.b64encode(spoilt).decode()
