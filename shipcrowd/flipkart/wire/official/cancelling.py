"""Cancelling by the seller, and the forms a state wants. Source: wire.md 3.5 and 3.7."""

from collections.abc import Sequence

from shipcrowd.flipkart.types import Acknowledgement, Cancellation, FormsPage, RowOutcome, ShipmentForms, Unreadable
from shipcrowd.flipkart.wire.official.packing import decode_outcomes
from shipcrowd.flipkart.wire.official.shipments import PREFIX, form_of, rows_of
from shipcrowd.flipkart.wire.official.shipping import by_ids
from shipcrowd.flipkart.wire.values import checked_ids, id_of, read_errors, root_of, unreadable
from shipcrowd.transport import Answer, Request
from shipcrowd.transport.errors import UnexpectedPayload

MOST_CANCELLED = 25
MOST_FORMS = 100
MOST_ACKNOWLEDGED = 25


def encode_cancel(cancellations: Sequence[Cancellation]) -> Request:
    """An effect: the items of these groups are cancelled; all of a group or none. Raises ValueError for no group."""
    by_id = {one.flipkart_shipment_id: one for one in cancellations}
    body = {"shipments": [_cancellation(by_id[one]) for one in checked_ids(list(by_id), MOST_CANCELLED)]}
    return Request("POST", f"{PREFIX}/v3/shipments/cancel", operation="cancel", json=body, read_errors=read_errors)


def decode_cancel(answer: Answer, shipment_ids: Sequence[str]) -> tuple[RowOutcome, ...]:
    return decode_outcomes(answer, shipment_ids, operation="cancel")


def encode_forms(shipment_ids: Sequence[str]) -> Request:
    """By POST as the document has it; newer pages say GET (wire.md 3.5)."""
    return by_ids("POST", shipment_ids, "/forms", operation="forms", limit=MOST_FORMS)


def decode_forms(answer: Answer) -> FormsPage:
    """The forms of each shipment; a row that cannot be read is kept apart."""
    found: dict[str, ShipmentForms] = {}
    holes: list[Unreadable] = []
    for row in rows_of(root_of(answer, "forms"), answer):
        try:
            shipment_id = id_of(row.get("shipmentId"))
            forms = row.get("forms")
            found[shipment_id] = ShipmentForms(
                flipkart_shipment_id=shipment_id,
                forms=tuple(form_of(form) for form in (() if forms.is_absent else forms.rows())),
            )
        except UnexpectedPayload as error:
            holes.append(unreadable(row, error))
    return FormsPage(shipments=tuple(found.values()), unreadable=tuple(holes))


def encode_acknowledge_forms(acknowledgements: Sequence[Acknowledgement]) -> Request:
    """An effect: what waited for these forms is packed on. Raises ValueError for one that names no form."""
    by_id = {one.flipkart_shipment_id: one for one in acknowledgements}
    body = {"shipments": [_acknowledgement(by_id[one]) for one in checked_ids(list(by_id), MOST_ACKNOWLEDGED)]}
    path = f"{PREFIX}/v3/shipments/forms/updateAck"
    return Request("POST", path, operation="acknowledge_forms", json=body, read_errors=read_errors)


def decode_acknowledge_forms(answer: Answer, shipment_ids: Sequence[str]) -> tuple[RowOutcome, ...]:
    return decode_outcomes(answer, shipment_ids, operation="acknowledge_forms")


def _cancellation(one: Cancellation) -> dict[str, object]:
    if not one.cancellation_group_ids or not one.flipkart_location_id:
        raise ValueError("a cancellation names its location and at least one group")
    return {
        "shipmentId": one.flipkart_shipment_id,
        "locationId": one.flipkart_location_id,
        "cancellationGroupIds": list(dict.fromkeys(one.cancellation_group_ids)),
        "reason": one.reason.value,
    }


def _acknowledgement(one: Acknowledgement) -> dict[str, object]:
    if not one.numbers or not all(number.form and number.number for number in one.numbers):
        raise ValueError("an acknowledgement names its forms, each with a number")
    forms = [{"name": number.form, "ackNumber": number.number} for number in one.numbers]
    return {"shipmentId": one.flipkart_shipment_id, "forms": forms}
