"""Answers of Flipkart's published format for tests: our own examples, and changed copies of them."""

import copy
from typing import Any

from tests.flipkart.rows import ABSENT, example

LOCATION = "LOC0f0e0d0c0b0a09080706050403020100"


def item(item_id: str = "43100000000000101", **changes: Any) -> dict[str, Any]:
    """An order item with another id; a field that is ABSENT is left out."""
    found = copy.deepcopy(example("official-filter.json")["shipments"][0]["orderItems"][0])
    found |= {"orderItemId": item_id, "quantity": 1, **changes}
    return {key: value for key, value in found.items() if value is not ABSENT}


def row(shipment_id: str = "S1", *items: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A shipment with these items, one if none is given."""
    found = copy.deepcopy(example("official-filter.json")["shipments"][0])
    found |= {"shipmentId": shipment_id, "orderItems": list(items or [item()]), **changes}
    return {key: value for key, value in found.items() if value is not ABSENT}


def page(*rows: Any, marker: str | None = None) -> dict[str, Any]:
    """A page of a search; with a marker there is more."""
    url = None if marker is None else f"/v3/shipments/filter?next_token={marker}"
    return {"shipments": list(rows), "hasMore": marker is not None, "nextPageUrl": url}
