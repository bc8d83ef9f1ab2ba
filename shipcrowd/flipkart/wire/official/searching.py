"""Search by filter: which searches cover some states, a page of one, and the next page. Source: wire.md 3.1."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from shipcrowd.flipkart.times import format_time
from shipcrowd.flipkart.types import PaymentType, SearchAnswer, SearchPart, Span, State, Window
from shipcrowd.flipkart.wire.official.shipments import PREFIX, decode_rows
from shipcrowd.flipkart.wire.values import MARKER_LENGTH, ceiling, next_marker, read_errors, root_of
from shipcrowd.transport import Answer, Request
from shipcrowd.transport.errors import UnexpectedPayload

PAGE = 20  # wire.md 3.1: larger pages are not honoured as far as was seen

_PATH = f"{PREFIX}/v3/shipments/filter"
_TOKEN = "next_token"  # noqa: S105 - what markers of earlier versions are the value of
# A path below which pages are asked for, and what an address may be written in (no space, no fragment, no backslash).
_PAGES = re.compile(r"/v3/shipments/[A-Za-z0-9._~/-]+\Z")
_WRITTEN = re.compile(r"[!-\"$-\[\]-~]+\Z")
_BEFORE = (State.APPROVED, State.PACKING_IN_PROGRESS, State.FORM_FAILED, State.PACKED, State.READY_TO_DISPATCH)
_AFTER = (State.PICKUP_COMPLETE, State.SHIPPED, State.DELIVERED)
SEARCHABLE = frozenset({*_BEFORE, *_AFTER, State.CANCELLED})
# Asked by name: of a filter that is left out nobody says whether it means all of them (wire.md 10, the three searches).
_SHIPMENT_TYPES = ["NORMAL", "EXPRESS", "SELF"]
_WINDOWS = {Span.ORDERED: "orderDate", Span.CHANGED: "modifiedDate"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One search that must be made by itself; `tier` is what all that it finds has in common."""

    type: str
    states: tuple[State, ...]
    asks: Mapping[str, Any] = field(default_factory=dict)
    tier: str = ""


# In this order: a shipment's tier stays known when the search that tells it comes after the one that does not.
_PARTS = {
    "before dispatch": _Part(type="preDispatch", states=_BEFORE),
    "before dispatch, express": _Part(
        type="preDispatch", states=_BEFORE, asks={"dispatchServiceTiers": ["EXPRESS"]}, tier="EXPRESS"
    ),
    # `hold` is false unless asked: held shipments would be invisible.
    "before dispatch, held": _Part(type="preDispatch", states=_BEFORE, asks={"hold": True}),
    "after dispatch": _Part(type="postDispatch", states=_AFTER),
    **{
        f"cancelled by the {who}": _Part(
            type="cancelled", states=(State.CANCELLED,), asks={"cancellationType": f"{who}Cancellation"}
        )
        for who in ("seller", "buyer", "marketplace")
    },
}


def searches(states: Collection[State]) -> tuple[SearchPart, ...]:
    """The searches that cover `states`. What a cancelled one finds may live on in part: a rumour."""
    found = ((name, part, tuple(state for state in part.states if state in states)) for name, part in _PARTS.items())
    return tuple(
        SearchPart(name=name, states=known, is_rumour=part.type == "cancelled") for name, part, known in found if known
    )


def encode_search(
    *, part: SearchPart, window: Window, payment_type: PaymentType | None, skus: Sequence[str], marker: str | None
) -> Request:
    """A first page, or by GET the one that `marker` names: path and query as they came, below an address of ours.

    Raises ValueError for a part that is none, for naive times, and for a payment type, by which no search goes.
    """
    asks = _PARTS.get(part.name)
    if asks is None:
        raise ValueError(f"no search is named {part.name!r}")
    if payment_type is not None:
        raise ValueError("Flipkart's search cannot ask for a payment type")
    if marker is not None:
        return _next_page(marker)
    is_by_cancelling = asks.type == "cancelled" and window.of is Span.CHANGED
    span = "cancellationDate" if is_by_cancelling else _WINDOWS[window.of]
    filter_: dict[str, Any] = {
        "type": asks.type,
        "states": [state.value for state in part.states],
        "shipmentTypes": _SHIPMENT_TYPES,
        span: {"from": format_time(window.begins_at), "to": format_time(ceiling(window.ends_at))},
        **asks.asks,
    }
    if skus:
        filter_["sku"] = list(skus)
    body: dict[str, Any] = {"filter": filter_, "pagination": {"pageSize": PAGE}}
    if not is_by_cancelling:  # the one time that results cannot be sorted by
        body["sort"] = {"field": span, "order": "asc"}
    return Request("POST", _PATH, operation="search", json=body, read_errors=read_errors)


def _next_page(marker: str) -> Request:
    if not marker.startswith("/"):  # of a walk that an earlier version began; base64 of JSON never begins so
        return Request("GET", _PATH, operation="search", query={_TOKEN: marker}, read_errors=read_errors)
    path, _, query = marker.partition("?")
    return Request("GET", f"{PREFIX}{path}", operation="search", query=query, read_errors=read_errors)


def decode_search(answer: Answer, part: SearchPart) -> SearchAnswer:
    """A page, and the marker of the next: the path and query of its address, without what stands before them."""
    root = root_of(answer, "search")
    shipments, unreadable = decode_rows(root, answer)
    tier = _PARTS[part.name].tier
    found = SearchAnswer(
        shipments=tuple(replace(shipment, service_tier=tier) for shipment in shipments) if tier else shipments,
        unreadable=unreadable,
    )
    try:
        return replace(found, next_marker=next_marker(root, _marker_of))
    except UnexpectedPayload as error:
        # The rows are good: they are handed on, and then the walk ends with this.
        return replace(found, trouble=error.problem, trouble_path=error.path)


def _marker_of(next_page_url: str) -> str | None:
    """Path and query, not to be read or built (wire.md 3.1); None where they lead elsewhere than to shipments.

    The host is not looked at: it is ours to say. The path stands below /sellers, whether that is said or not.
    """
    if len(next_page_url) > MARKER_LENGTH or not _WRITTEN.match(next_page_url):
        return None
    try:
        parts = urlsplit(next_page_url)
    except ValueError:
        return None
    path = parts.path.removeprefix(PREFIX)
    if not _PAGES.match(path) or ".." in path or "//" in path:
        return None
    return f"{path}?{parts.query}" if parts.query else path
