"""Pack and dispatch: a status for each row, and HTTP 200 even where all of them failed (wire.md 3.4, 3.6)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from shipcrowd.simulator.accounts import Account, Refusal, Shipment
from shipcrowd.simulator.api import unlucky
from shipcrowd.simulator.faults import Fault
from shipcrowd.simulator.official.asked import IST, Asked, mapping, refused, rows, texts
from shipcrowd.simulator.world import World

MOST = 25
SIZES = ("length", "breadth", "height", "weight")
#: In the style of the codes that are known (wire.md 3.4); what the real one says is not recorded anywhere.
NO_SERIALS = "INVALID_REQUEST_SERIAL_NUMBER"


def generate_labels(world: World, account: Account, asked: Asked, fault: Fault | None) -> dict[str, Any]:
    """Each shipment into packing, if what is said of it is complete and true. Raises ApiError."""
    parcels = {shipment_id_of(row, at): row for at, row in enumerate(rows(asked.body, "shipments", most=MOST))}
    takes = timedelta(seconds=fault.seconds(30)) if fault and fault.kind == "late_labels" else None

    def do(shipment_id: str) -> None:
        shipment = known(world, account, shipment_id)
        _check_parcel(world, shipment, parcels[shipment_id])
        sizes = _checked_sizes(shipment, parcels[shipment_id].get("subShipments"))
        serials = _checked_serials(shipment, parcels[shipment_id].get("serialNumbers"))
        world.begin_packing(account, shipment_id, takes=takes, serials=serials, sizes=sizes)

    return each(world, account, list(parcels), fault, "generate_labels", do)


def dispatch(world: World, account: Account, asked: Asked, fault: Fault | None) -> dict[str, Any]:
    """Each shipment of the location ready to dispatch, once its papers were downloaded. Raises ApiError."""
    body = mapping(asked.body, "")
    shipment_ids = texts(body.get("shipmentIds"), "shipmentIds")
    location = body.get("locationId")
    if not 1 <= len(shipment_ids) <= MOST:
        raise refused("shipmentIds", f"must hold 1 to {MOST} ids")
    if not isinstance(location, str) or not location:
        raise refused("locationId", "must be a text")

    def do(shipment_id: str) -> None:
        check_location(known(world, account, shipment_id), location)
        world.dispatch(account, shipment_id, papers_first=True)

    return each(world, account, shipment_ids, fault, "dispatch", do)


def each(
    world: World,
    account: Account,
    shipment_ids: Sequence[str],
    fault: Fault | None,
    operation: str,
    do: Callable[[str], None],
) -> dict[str, Any]:
    """Do one thing for each id; a row for every one of them, unless a fault forgets some or adds others."""
    kind = fault.kind if fault else ""
    options = fault.options if fault else {}
    # Pack, form and cancel rows say `status`, as the documents do; dispatch says the other word, as the live ones do.
    word = "processingStatus" if operation == "dispatch" else "status"
    found: list[dict[str, Any]] = []
    for shipment_id in shipment_ids:
        try:
            if kind == "silent" and operation == "generate_labels" and shipment_id in unlucky(shipment_ids):
                continue
            if kind == "partial" and shipment_id in unlucky(shipment_ids):
                code = str(options.get("code", "DEPENDENT_SYSTEM_CALL_FAILED"))
                world.refuse(operation, account, shipment_id, Refusal(code, "try again later"))
            do(shipment_id)
            if kind == "silent" and shipment_id in unlucky(shipment_ids):
                continue
            found.append(_outcome(shipment_id, word))
        except Refusal as refusal:
            found.append(_outcome(shipment_id, word, refusal))
    if kind == "contradicting":
        found.append(_outcome(shipment_ids[0], word))
        found.append(_outcome(shipment_ids[0], word, Refusal("INTERNAL_SERVER_ERROR", "unknown")))
    if kind == "foreign_ids":
        foreign: Iterable[str] = options.get("ids", ["00000000-0000-4000-8000-000000000000"])
        found += [_outcome(one, word, Refusal("INVALID_SHIPMENTS", "no such shipment")) for one in foreign]
    return {"shipments": found}


def _outcome(shipment_id: str, word: str, refusal: Refusal | None = None) -> dict[str, Any]:
    if refusal is None:
        return {"shipmentId": shipment_id, word: "SUCCESS"}
    return {"shipmentId": shipment_id, word: "FAILURE", "errorCode": refusal.code, "errorMessage": str(refusal)}


def shipment_id_of(row: Mapping[str, Any], at: int) -> str:
    shipment_id = row.get("shipmentId")
    if not isinstance(shipment_id, str) or not shipment_id:
        raise refused(f"shipments[{at}].shipmentId", "must be a text")
    return shipment_id


def known(world: World, account: Account, shipment_id: str) -> Shipment:
    """Raises Refusal for what this account does not have, by the id of this format only."""
    with world.lock:
        found = next(iter(world.visible(account, [shipment_id])), None)
    if found is None or found.official_id != shipment_id:
        raise Refusal("INVALID_SHIPMENTS", "no such shipment")
    return found


def check_location(shipment: Shipment, location: object) -> None:
    if location != shipment.facility.official_id:
        raise Refusal("INVALID_LOCATION", "the shipment leaves from another location")


def _check_parcel(world: World, shipment: Shipment, row: Mapping[str, Any]) -> None:
    """What pack wants to be told (wire.md 3.4). Raises Refusal."""
    check_location(shipment, row.get("locationId"))
    _check_taxes(shipment, row.get("taxItems"))
    _check_invoices(world, shipment, row.get("invoices"))


def _checked_sizes(shipment: Shipment, said: Any) -> list[dict[str, float]]:
    """Of each parcel, in their order. Raises Refusal."""
    rows = said if isinstance(said, list) else []
    told = {str(_get(part, "subShipmentId")): _get(part, "dimensions") for part in rows}
    parcels = [f"SS-{at + 1}" for at in range(shipment.parcels)]
    if told.keys() != set(parcels) or len(rows) != len(parcels):
        raise Refusal("INVALID_SUB_SHIPMENT", "each sub-shipment must be named once")
    sizes = [{name: _get(told[one], name) for name in SIZES} for one in parcels]
    if not all(_is_number(value) and value > 0 for size in sizes for value in size.values()):
        raise Refusal("INVALID_DIMENSIONS", "length, breadth, height and weight must be told")
    return sizes


def _check_taxes(shipment: Shipment, said: Any) -> None:
    wanted = {shipment.official_item_id(item): item.shown for item in shipment.live_items}
    told: dict[object, object] = {}
    for tax in said if isinstance(said, list) else ():
        told[_get(tax, "orderItemId")] = _get(tax, "quantity")
        rate = _get(tax, "taxRate")
        if not _is_number(rate) or not 0 <= rate <= 100:
            raise Refusal("INVALID_REQUEST_TAX", "taxRate must be from 0 to 100")
    if told != wanted or len(said) != len(wanted):
        raise Refusal("INVALID_REQUEST_ITEM_ID", "every item must be named once, with all its pieces")


def _check_invoices(world: World, shipment: Shipment, said: Any) -> None:
    if not isinstance(said, list) or not said:
        raise Refusal("INVALID_INVOICE", "an invoice must be told")
    for invoice in said:
        try:
            day = date.fromisoformat(str(_get(invoice, "invoiceDate"))[:10])
        except ValueError:
            raise Refusal("INVALID_REQUEST_DATE_FORMAT", "invoiceDate must be a day") from None
        ordered, today = (at.astimezone(IST).date() for at in (shipment.ordered_at, world.clock()))
        if _get(invoice, "orderId") != shipment.order_id or not ordered <= day <= today:
            raise Refusal("INVALID_INVOICE", "an invoice is of its order, from the day it was placed until today")


def _checked_serials(shipment: Shipment, said: Any) -> dict[str, list[list[str]]]:
    """By item: a list for each piece, of one number or more. Raises Refusal for what is missing, odd or said twice."""
    told: dict[str, list[list[str]]] = {}
    for row in said if isinstance(said, list) else ():
        numbers = _get(row, "serialNumbers")
        if not isinstance(numbers, list) or not all(isinstance(piece, list) and piece for piece in numbers):
            raise Refusal(NO_SERIALS, "serialNumbers must hold a list for each piece")
        told[str(_get(row, "orderItemId"))] = numbers
    pieces = {shipment.official_item_id(item): item.shown for item in shipment.live_items}
    wanted = {shipment.official_item_id(item) for item in shipment.live_items if item.wants_serials}
    everything = [number for numbers in told.values() for piece in numbers for number in piece]
    is_right = wanted <= told.keys() <= pieces.keys() and all(len(told[one]) == pieces[one] for one in told)
    if not is_right or not all(isinstance(number, str) and number for number in everything):
        raise Refusal(NO_SERIALS, "the serial numbers of every piece must be told")
    if len(set(everything)) != len(everything):
        raise Refusal(NO_SERIALS, "a serial number is of one piece")
    return told


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
