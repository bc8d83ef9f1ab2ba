"""Flipkart's sandbox under its own paths: test orders, and what buyers and couriers do, by order item (wire.md 7)."""

from collections.abc import Callable, Mapping
from typing import Any

from shipcrowd.simulator.accounts import Account, Refusal, State
from shipcrowd.simulator.api import ApiError
from shipcrowd.simulator.faults import Fault
from shipcrowd.simulator.official.asked import Asked, mapping, moment, refused
from shipcrowd.simulator.places import Goods
from shipcrowd.simulator.world import World

_POWERS: dict[str, Callable[[World, str], None]] = {
    "on_hold": lambda world, shipment_id: world.hold(shipment_id),
    "un_hold": lambda world, shipment_id: world.release(shipment_id),
    "pick_up_complete": lambda world, shipment_id: world.pick_up(shipment_id),
    "shipped": lambda world, shipment_id: world.ship(shipment_id),
    "delivered": lambda world, shipment_id: world.deliver(shipment_id),
}


def sandbox(world: World, account: Account, asked: Asked, fault: Fault | None) -> dict[str, Any]:  # noqa: ARG001 - the shape of every handler
    """One of the sandbox's operations, named by the end of its path. Raises ApiError."""
    body = mapping(asked.body, "")
    try:
        if asked.name == "test_orders":
            return _order(world, account, body)
        item_id = body.get("orderItemId")
        if not isinstance(item_id, str):
            raise refused("orderItemId", "must be a text")
        with world.lock:
            shipment, _ = account.shipment_of_item(item_id)
            _happen(world, shipment.shipment_id, shipment.state, asked.name, body)
        return {"response": "SUCCESS"}
    except Refusal as refusal:
        raise ApiError(422, refusal.code, str(refusal)) from refusal


def _order(world: World, account: Account, body: Mapping[str, Any]) -> dict[str, Any]:
    """One shipment with an item for each listing."""
    facility = next((f for f in account.facilities if f.official_id == body.get("locationId")), None)
    said = body.get("orderItems")
    if facility is None:
        raise refused("locationId", "names no location of this account")
    if not isinstance(said, list) or not said:
        raise refused("orderItems", "must name at least one listing")
    goods = [_goods(account, line) for line in said]
    (made,) = world.add_shipments(
        account,
        1,
        items=len(said),
        facility=facility.facility_id,
        ordered_at=world.clock(),
        shipment_type=str(body.get("shipmentType", "NORMAL")),
    )
    with world.lock:
        shipment = account.shipments[made]
        for item, line, listed in zip(shipment.items, said, goods, strict=True):
            item.goods, item.quantity = listed, int(line.get("quantity", 1))
    return {
        "orderId": shipment.order_id,
        "orderItems": [
            {
                "orderItemId": shipment.official_item_id(item),
                "listingId": line["listingId"],
                "quantity": item.quantity,
            }
            for item, line in zip(shipment.items, said, strict=True)
        ],
    }


def _goods(account: Account, line: Any) -> Goods:
    listing_id = str(mapping(line, "orderItems").get("listingId", ""))
    found = next((goods for goods in account.goods if listing_id.startswith(f"LST{goods.fsn}")), None)
    if found is None:
        raise refused("orderItems", "names a listing that does not exist")
    return found


def _happen(world: World, shipment_id: str, state: State, name: str, body: Mapping[str, Any]) -> None:
    if name in _POWERS:
        _POWERS[name](world, shipment_id)
    elif name == "update_dispatch_slot":
        world.change_dispatch_dates(
            shipment_id,
            dispatch_after=moment(body.get("dispatch_after_date"), "dispatch_after_date"),
            dispatch_by=moment(body.get("dispatch_by_date"), "dispatch_by_date"),
        )
    elif name == "create_returns" and body.get("returnType") in ("courier", "customer"):
        if state == State.RETURN_REQUESTED:
            raise Refusal("INVALID_ITEM_STATE", "a return is on its way already")
        world.send_back(shipment_id)
    elif name == "return_events" and body.get("eventType") == "complete":
        if state != State.RETURN_REQUESTED:
            raise Refusal("INVALID_ITEM_STATE", "no return is on its way")
        world.send_back(shipment_id)
    else:
        raise refused("body", "asks for something that cannot be done here")
