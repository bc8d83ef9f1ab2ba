"""What stands ready for the courier, and its manifest (wire.md 3.5)."""

from collections import Counter
from datetime import datetime, time
from typing import Any

from shipcrowd.simulator import documents
from shipcrowd.simulator.accounts import IST, Account, Shipment, State
from shipcrowd.simulator.faults import Fault
from shipcrowd.simulator.official.asked import Asked, mapping, moment, refused, wire_time
from shipcrowd.simulator.official.papers import merged, pages_of
from shipcrowd.simulator.world import World

#: As captured (wire.md 3.5): written otherwise than the vendor's name in a shipment.
VENDOR_GROUP = "Ekart Logistics"
#: Every day's pick-up, Indian time.
PICKED_UP = (time(15), time(17))


def handover_counts(world: World, account: Account, asked: Asked, fault: Fault | None) -> dict[str, Any]:  # noqa: ARG001 - the shape of every handler
    """Shipments of a location that are ready to dispatch, multi-parcel ones apart. Raises ApiError."""
    location = asked.query.get("locationId", "")
    if not location:
        raise refused("locationId", "must be said")
    with world.lock:
        counts = Counter(shipment.parcels > 1 for shipment in _ready(account, location))
        after, before = (_today(world.clock(), at) for at in PICKED_UP)
    return {
        "resultManifestDetails": [
            {
                "vendorGroupCode": VENDOR_GROUP,
                "count": count,
                "isMps": is_mps,
                "pickUpDate": {"after": wire_time(after), "before": wire_time(before)},
                "otc": {"code": f"{1000 + count}"},
            }
            for is_mps, count in sorted(counts.items())
        ]
    }


def manifest(world: World, account: Account, asked: Asked, fault: Fault | None) -> bytes | dict[str, str]:  # noqa: ARG001
    """The hand-over list, a page a shipment; either spelling of its parameters. Raises ApiError."""
    params = mapping(mapping(asked.body, "").get("params"), "params")
    if params.get("vendorGroupCode") != VENDOR_GROUP:
        raise refused("params.vendorGroupCode", "names no courier of this account")
    is_mps = bool(params.get("isMps", params.get("is_mps", False)))
    window = params.get("pickUpDate", params.get("pickupDate"))
    if window is None and is_mps:
        raise refused("params.pickUpDate", "must be said for multi-parcel shipments")
    for name in ("after", "before", "from", "to"):
        moment(mapping(window or {}, "params.pickUpDate").get(name), f"params.pickUpDate.{name}")
    with world.lock:
        ready = [s for s in _ready(account, str(params.get("locationId", ""))) if (s.parcels > 1) == is_mps]
        papers = pages_of(account, ready)
    if not papers:
        return {"errorCode": "INVALID_SHIPMENTS", "errorMessage": "nothing stands ready"}
    return merged([documents.render_manifest(paper) for paper in papers])


def _ready(account: Account, location: str) -> list[Shipment]:
    ready = (account.by_number[key.number] for key in account.index[State.READY_TO_DISPATCH])
    return [shipment for shipment in ready if location in ("", shipment.facility.official_id)]


def _today(now: datetime, at: time) -> datetime:
    return datetime.combine(now.astimezone(IST).date(), at, IST)
