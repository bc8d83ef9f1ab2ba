"""Cancelling by the seller, forms and their acknowledgement (wire.md 3.5, 3.7)."""

from collections.abc import Mapping
from typing import Any

from shipcrowd.simulator.accounts import Account, Refusal
from shipcrowd.simulator.faults import Fault
from shipcrowd.simulator.official.asked import Asked, checked_ids, rows
from shipcrowd.simulator.official.packing import MOST, check_location, each, known, shipment_id_of
from shipcrowd.simulator.official.rows import encode_form
from shipcrowd.simulator.world import World

REASONS = ("cannot_procure_item", "not_enough_inventory", "b2b_order")
MOST_FORMS = 100


def cancel(world: World, account: Account, asked: Asked, fault: Fault | None) -> dict[str, Any]:
    """Each shipment's groups, before it is packed. Raises ApiError."""
    wanted = {shipment_id_of(row, at): row for at, row in enumerate(rows(asked.body, "shipments", most=MOST))}

    def do(shipment_id: str) -> None:
        row = wanted[shipment_id]
        check_location(known(world, account, shipment_id), row.get("locationId"))
        if row.get("reason") not in REASONS:
            raise Refusal("EMPTY_OR_INVALID_REASON_FOR_CANCELLATION", f"reason must be of {', '.join(REASONS)}")
        groups = row.get("cancellationGroupIds")
        world.cancel_groups(account, shipment_id, groups if isinstance(groups, list) else [])

    return each(world, account, list(wanted), fault, "cancel", do)


def forms(world: World, account: Account, asked: Asked, fault: Fault | None) -> dict[str, Any]:  # noqa: ARG001 - the shape of every handler
    """The forms of each shipment with their status; by GET as by POST. Raises ApiError."""
    with world.lock:
        found = world.visible(account, checked_ids(asked.ids, most=MOST_FORMS))
        return {
            "shipments": [
                {
                    "shipmentId": shipment.official_id,
                    "forms": [encode_form(form, with_status=True) for form in shipment.forms],
                }
                for shipment in found
            ]
        }


def acknowledge_forms(world: World, account: Account, asked: Asked, fault: Fault | None) -> dict[str, Any]:
    """Each shipment's numbers; what failed for want of them is packed on. Raises ApiError."""
    wanted = {shipment_id_of(row, at): row for at, row in enumerate(rows(asked.body, "shipments", most=MOST))}

    def do(shipment_id: str) -> None:
        known(world, account, shipment_id)
        world.acknowledge(account, shipment_id, _numbers(wanted[shipment_id]))

    return each(world, account, list(wanted), fault, "acknowledge_forms", do)


def _numbers(row: Mapping[str, Any]) -> dict[str, str]:
    said = row.get("forms")
    numbers = {
        form.get("name"): form.get("ackNumber")
        for form in (said if isinstance(said, list) else ())
        if isinstance(form, dict)
    }
    if not all(isinstance(name, str) and isinstance(number, str) and number for name, number in numbers.items()):
        raise Refusal("INVALID_FORM", "a form is told by its name and its number")
    return {str(name): str(number) for name, number in numbers.items()}
