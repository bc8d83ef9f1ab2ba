"""Answers of the guide's format for tests: its own examples (with invented persons), and changed copies of them."""

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shipcrowd.flipkart.types import Parcel
from shipcrowd.transport import Answer

EXAMPLES = Path(__file__).parent / "examples"
ABSENT = object()


def example(name: str) -> Any:
    """The guide's example of that section, as values."""
    return json.loads((EXAMPLES / name).read_text())


def answer(value: Any) -> Answer:
    """`value` as an answer; bytes go as they are."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Answer(200, {}, body)


def row(shipment_id: str = "SHIP1", item_id: str = "001", **changes: Any) -> dict[str, Any]:
    """The guide's row with other ids; a field that is ABSENT is left out."""
    shipment = copy.deepcopy(example("guide-2.1-search.json")["shipments"][0])
    shipment |= {"shipmentId": shipment_id, "orderItemId": item_id, **changes}
    return {key: value for key, value in shipment.items() if value is not ABSENT}


def parcels(shipment_ids: Sequence[str]) -> list[Parcel]:
    """Requests to pack that say nothing but which shipment, as the guide's format sends them."""
    return [Parcel(flipkart_shipment_id=shipment_id) for shipment_id in shipment_ids]


def page(*rows: Any, marker: str | None = None) -> dict[str, Any]:
    """A page of a search; with a marker there is more."""
    url = None if marker is None else f"/v3/orders/search?marker={marker}"
    return {"shipments": list(rows), "hasMore": marker is not None, "nextPageUrl": url}
