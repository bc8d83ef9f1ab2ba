"""The papers of each shipment out of the one PDF that Flipkart's published format sends for many.

What cannot be told apart is asked for in smaller batches; what cannot be told even alone is kept whole, for a person.
"""

from collections.abc import Sequence

from fulfillment.models import LabelRequest
from fulfillment.papers.checking import split_in_child
from fulfillment.papers.splitting import Owner
from fulfillment.papers.types import PaperRefused
from orders.models import Shipment
from shipcrowd.flipkart.types import Papers


class CannotBeTold(Exception):
    """Whose the pages are cannot be told; a smaller batch may say more."""


def apart(rows: Sequence[LabelRequest], merged: bytes) -> dict[str, Papers]:
    """By Flipkart's shipment id. Raises CannotBeTold for several shipments, and ChildFailed; no scope is open."""
    try:
        _, found = split_in_child(merged, [_owner(row.shipment) for row in rows])
    except PaperRefused as error:
        if len(rows) > 1:
            raise CannotBeTold(error.reason) from error
        (shipment_id,) = (row.shipment.flipkart_shipment_id for row in rows)
        return {shipment_id: _unusable(shipment_id, error.reason, whole=merged)}
    papers = {
        shipment_id: Papers(flipkart_shipment_id=shipment_id, label=part, invoice_below=True)
        for shipment_id, part in found.parts.items()
    }
    # All of it is this one's where nothing else was asked for: a person sees what came, and what did not.
    whole = merged if len(rows) == 1 else None
    for shipment_id, reason in found.troubles.items():
        papers[shipment_id] = _unusable(shipment_id, reason, whole=whole)
    return papers


def _unusable(shipment_id: str, why: str, *, whole: bytes | None) -> Papers:
    return Papers(flipkart_shipment_id=shipment_id, unsplit=whole, notes=(f"label: {why}",))


def _owner(shipment: Shipment) -> Owner:
    known = shipment.tracking_ids or ([shipment.tracking_id] if shipment.tracking_id else [])
    return Owner(shipment.flipkart_shipment_id, shipment.flipkart_order_id, tuple(known))
