"""Pack and dispatch: many shipments in, a status for each out. Source: wire.md 3.4 and 3.6."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from shipcrowd.flipkart.types import Dimensions, Parcel, ParcelItem, RowOutcome
from shipcrowd.flipkart.wire.official.shipments import PREFIX, rows_of
from shipcrowd.flipkart.wire.values import checked_ids, once, outcome_of, read_errors, root_of
from shipcrowd.transport import Answer, Request
from shipcrowd.transport.errors import safe_code

MOST_PACKED = 25
MOST_DISPATCHED = 25

_VERDICTS = {"SUCCESS": True, "FAILURE": False}


def encode_generate_labels(parcels: Sequence[Parcel]) -> Request:
    """An effect: the shipments go into packing. Raises ValueError for a parcel that lacks what this call must say."""
    by_id = {parcel.flipkart_shipment_id: parcel for parcel in parcels}
    body = {"shipments": [_parcel(by_id[one]) for one in checked_ids(list(by_id), MOST_PACKED)]}
    path = f"{PREFIX}/v3/shipments/labels"
    return Request("POST", path, operation="generate_labels", json=body, read_errors=read_errors)


def decode_generate_labels(answer: Answer, shipment_ids: Sequence[str]) -> tuple[RowOutcome, ...]:
    """One outcome per id asked; ok means accepted: packing takes 5 to 10 s, and may end in FORM_FAILED."""
    return decode_outcomes(answer, shipment_ids, operation="generate_labels")


def encode_dispatch(shipment_ids: Sequence[str], location_id: str) -> Request:
    """An effect: the shipments, all of one location, become READY_TO_DISPATCH."""
    if not location_id:
        raise ValueError("a dispatch says the location that its shipments leave from")
    body = {"shipmentIds": checked_ids(shipment_ids, MOST_DISPATCHED), "locationId": location_id}
    path = f"{PREFIX}/v3/shipments/dispatch"
    return Request("POST", path, operation="dispatch", json=body, read_errors=read_errors)


def decode_dispatch(answer: Answer, shipment_ids: Sequence[str]) -> tuple[RowOutcome, ...]:
    return decode_outcomes(answer, shipment_ids, operation="dispatch")


def decode_outcomes(answer: Answer, shipment_ids: Sequence[str], *, operation: str) -> tuple[RowOutcome, ...]:
    """One outcome per id asked, in order: None where no row says what became of it, or where two rows disagree.

    HTTP 200 says nothing: every row may have failed. Rows of ids that nobody asked about are dropped.
    """
    said: dict[str, RowOutcome] = {}
    for row in rows_of(root_of(answer, operation), answer):
        shipment_id = row.value.get("shipmentId") if isinstance(row.value, dict) else None
        if isinstance(shipment_id, str):
            outcome = outcome_of(shipment_id, row.value, ok=_verdict(row.value))
            earlier = said.get(shipment_id, outcome)
            said[shipment_id] = outcome if earlier.ok is outcome.ok else RowOutcome(id=shipment_id, ok=None)
    return tuple(said.get(shipment_id) or RowOutcome(id=shipment_id, ok=None) for shipment_id in once(shipment_ids))


def _verdict(row: Mapping[str, Any]) -> bool | None:
    """`status` or `processingStatus`: the documents print either. None where neither says it, or both do, apart."""
    words = [word for word in (row.get("status"), row.get("processingStatus")) if word is not None]
    found = {_VERDICTS.get(word) if isinstance(word, str) else None for word in words}
    verdict = found.pop() if len(found) == 1 else None
    # A row that succeeded and names an error says two things.
    return None if verdict and safe_code(row.get("errorCode")) else verdict


def _parcel(parcel: Parcel) -> dict[str, Any]:
    """Sizes and taxes are never made up here: who has none does not ask."""
    sized = [(part, part.dimensions) for part in parcel.sub_shipments]
    lacking = {
        "location": not parcel.flipkart_location_id,
        "items": not parcel.items,
        "invoices": not parcel.invoices,
        "sizes": not sized or any(size is None for _, size in sized),
    }
    if any(lacking.values()):
        raise ValueError(f"a parcel without {', '.join(name for name, lacks in lacking.items() if lacks)}")
    body: dict[str, Any] = {
        "shipmentId": parcel.flipkart_shipment_id,
        "locationId": parcel.flipkart_location_id,
        "taxItems": [_tax_item(item) for item in parcel.items],
        "invoices": [
            {"orderId": invoice.flipkart_order_id, "invoiceDate": invoice.invoice_date.isoformat()}
            | ({"invoiceNumber": invoice.invoice_number} if invoice.invoice_number else {})
            for invoice in parcel.invoices
        ],
        "subShipments": [
            {"subShipmentId": part.flipkart_sub_shipment_id, "dimensions": _dimensions(size)}
            for part, size in sized
            if size is not None
        ],
    }
    if serials := [_serial_numbers(item) for item in parcel.items if item.serial_numbers]:
        body["serialNumbers"] = serials
    return body


def _tax_item(item: ParcelItem) -> dict[str, Any]:
    said: dict[str, Any] = {
        "orderItemId": item.flipkart_order_item_id,
        "quantity": item.quantity,
        "taxRate": _number(item.tax_rate),
    }
    if item.purchase_price is not None:
        said["purchasePrice"] = _number(item.purchase_price)
    return said


def _serial_numbers(item: ParcelItem) -> dict[str, Any]:
    return {
        "orderItemId": item.flipkart_order_item_id,
        "serialNumbers": [list(numbers) for numbers in item.serial_numbers],
    }


def _dimensions(size: Dimensions) -> dict[str, float]:
    return {
        "length": _number(size.length),
        "breadth": _number(size.breadth),
        "height": _number(size.height),
        "weight": _number(size.weight),
    }


def _number(value: Decimal) -> float:
    return int(value) if value == value.to_integral_value() else float(value)
