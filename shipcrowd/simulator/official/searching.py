"""Search by filter with its pages of twenty, and shipments by id (wire.md 3.1 to 3.3)."""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from shipcrowd.simulator.accounts import Account, Item, Refusal, Shipment, State
from shipcrowd.simulator.api import ApiError
from shipcrowd.simulator.faults import Fault
from shipcrowd.simulator.official.asked import Asked, checked_ids, flag, mapping, moment, refused, texts
from shipcrowd.simulator.official.rows import changed_at, encode_cancelled_row, encode_row, encode_shipping
from shipcrowd.simulator.world import World

PAGE = 20
MOST_IDS = 100
STATES = {
    "preDispatch": frozenset({"APPROVED", "PACKING_IN_PROGRESS", "FORM_FAILED", "PACKED", "READY_TO_DISPATCH"}),
    "postDispatch": frozenset({"PICKUP_COMPLETE", "SHIPPED", "DELIVERED"}),
    "cancelled": frozenset({"CANCELLED"}),
}
DATES = ("orderDate", "dispatchAfterDate", "dispatchByDate", "modifiedDate", "cancellationDate")
SORTS = frozenset({"dispatchByDate", "orderDate", "modifiedDate", "dispatchAfterDate"})
CANCELLERS = {f"{who}Cancellation": who for who in ("seller", "buyer", "marketplace")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a search asks for, in values that a token can carry."""

    type: str
    states: list[str]
    dates: dict[str, list[str | None]]
    skus: list[str]
    location: str
    shipment_types: list[str]
    tiers: list[str]
    cancelled_by: str
    is_held: bool
    sort_field: str
    is_descending: bool


@dataclass(slots=True)
class _Found:
    shipment: Shipment
    row: dict[str, Any]
    cancelled_at: datetime | None = None


def search(world: World, account: Account, asked: Asked, fault: Fault | None) -> dict[str, Any]:
    """A page of what is found now: pages are numbered, so what changes between two of them moves the others.

    Raises ApiError.
    """
    if asked.method == "GET":
        filter_, start, page_number = _read_token(asked.query.get("next_token", ""))
    else:
        filter_, start, page_number = _read_filter(asked.body), 0, 1
    if fault and fault.kind == "no_cancelled_search" and filter_.type == "cancelled":
        # As was seen at Flipkart for some of them (wire.md 10).
        raise ApiError(int(fault.options.get("status", 400)), "NOT_SUPPORTED", "this cancellation type does not work")
    with world.lock:
        found = _find(world, account, filter_)
    page = found[start : start + PAGE]
    has_more = len(found) > start + PAGE
    following = start + PAGE
    if fault and fault.kind == "repeat_on_two_pages":
        following -= 1
    if fault and fault.kind == "shifting_page":
        following += 1
    answer: dict[str, Any] = {"hasMore": has_more, "shipments": [one.row for one in page]}
    if has_more:
        answer["nextPageUrl"] = _next_url(filter_, following, page_number + 1, account)
    if fault and fault.kind == "repeating_marker" and page:
        answer |= {"hasMore": True, "nextPageUrl": _next_url(filter_, start, page_number, account)}
    if fault and fault.kind == "has_more_without_marker":
        answer |= {"hasMore": True, "nextPageUrl": fault.options.get("url")}
    if fault and fault.kind == "foreign_next_page" and has_more:
        answer["nextPageUrl"] = fault.options.get("prefix", "https://attacker.invalid") + answer["nextPageUrl"]
    return answer


def shipments(world: World, account: Account, asked: Asked, fault: Fault | None) -> dict[str, Any]:  # noqa: ARG001 - the shape of every handler
    """The order view, by one of three kinds of ids; what is not this account's is left out. Raises ApiError."""
    kinds = [name for name in ("shipmentIds", "orderItemIds", "orderIds") if asked.query.get(name)]
    if len(kinds) != 1:
        raise refused("shipmentIds", "or orderItemIds or orderIds: exactly one of them")
    ids = checked_ids(tuple(asked.query[kinds[0]].split(",")), most=MOST_IDS)
    with world.lock:
        if kinds[0] == "orderIds":
            ids = [one.shipment_id for one in account.shipments.values() if one.order_id in ids]
        if kinds[0] == "orderItemIds":
            ids = [shipment.shipment_id for shipment in _with_items(account, ids)]
        found = world.visible(account, ids)
        return {"shipments": [encode_row(shipment) for shipment in found]}


def shipping_details(world: World, account: Account, asked: Asked, fault: Fault | None) -> dict[str, Any]:  # noqa: ARG001
    """The shipping view. Raises ApiError."""
    with world.lock:
        found = world.visible(account, checked_ids(asked.ids, most=MOST_IDS))
        return {"shipments": [encode_shipping(account, shipment) for shipment in found]}


def _with_items(account: Account, item_ids: Sequence[str]) -> list[Shipment]:
    found = {}
    for item_id in item_ids:
        with suppress(Refusal):
            shipment, _ = account.shipment_of_item(item_id)
            found[shipment.number] = shipment
    return list(found.values())


def _find(world: World, account: Account, filter_: Filter) -> list[_Found]:
    now = world.clock()
    world.settle()
    candidates = _cancelled(account, filter_) if filter_.type == "cancelled" else _alive(account, filter_)
    found = [one for one in candidates if one.shipment.approved_at <= now and _matches(one, filter_)]
    found.sort(key=lambda one: one.shipment.number)
    found.sort(key=lambda one: _date(one, filter_.sort_field) or now, reverse=filter_.is_descending)
    return found


def _alive(account: Account, filter_: Filter) -> Iterator[_Found]:
    states = [State(word) for word in filter_.states]
    states += [State.READY_TO_PACK] if State.APPROVED in states else []
    for state in states:
        for key in account.index[state]:
            shipment = account.by_number[key.number]
            # Nothing is held once it has left, and held ones do not show unless asked for (wire.md 3.1).
            if filter_.type == "postDispatch" or shipment.is_on_hold == filter_.is_held:
                yield _Found(shipment, encode_row(shipment))


def _cancelled(account: Account, filter_: Filter) -> Iterator[_Found]:
    for shipment in account.shipments.values():
        gone: list[Item] = [i for i in shipment.items if i.cancelled and i.cancelled_by == filter_.cancelled_by]
        if gone:
            at = max((item.cancelled_at for item in gone if item.cancelled_at), default=None)
            yield _Found(shipment, encode_cancelled_row(shipment, gone), at)


def _matches(one: _Found, filter_: Filter) -> bool:
    shipment = one.shipment
    return (
        filter_.location in ("", shipment.facility.official_id)
        and shipment.shipment_type in filter_.shipment_types
        and shipment.service_tier in filter_.tiers
        and (not filter_.skus or any(item.goods.sku in filter_.skus for item in shipment.items))
        and all(_within(_date(one, name), span) for name, span in filter_.dates.items())
    )


def _date(one: _Found, name: str) -> datetime | None:
    shipment = one.shipment
    dates: dict[str, datetime | None] = {
        "orderDate": shipment.ordered_at,
        "dispatchAfterDate": shipment.dispatch_after_at,
        "dispatchByDate": shipment.dispatch_by_at,
        "modifiedDate": changed_at(shipment),
        "cancellationDate": one.cancelled_at,
    }
    return dates[name]


def _within(at: datetime | None, span: list[str | None]) -> bool:
    since, until = (datetime.fromisoformat(text) if text else None for text in span)
    return at is not None and (since is None or at >= since) and (until is None or at <= until)


# The filter and the token that carries it


def _read_filter(body: Any) -> Filter:
    body = mapping(body, "")
    asked = mapping(body.get("filter"), "filter")
    kind = asked.get("type")
    if kind not in STATES:
        raise refused("filter.type", f"must be of {', '.join(STATES)}")
    pagination = mapping(body.get("pagination", {}), "pagination")
    page_size = pagination.get("pageSize", PAGE)
    if not isinstance(page_size, int) or isinstance(page_size, bool) or page_size < 1:
        raise refused("pagination.pageSize", "must be a whole number from 1 on")
    states = texts(asked.get("states", []), "filter.states", among=STATES[kind])
    if not states:
        raise refused("filter.states", "must name at least one")
    if kind == "cancelled" and asked.get("cancellationType") not in CANCELLERS:
        raise refused("filter.cancellationType", f"must be of {', '.join(CANCELLERS)}")
    if kind != "preDispatch" and "hold" in asked:
        raise refused("filter.hold", "is for preDispatch only")
    sort = mapping(body.get("sort", {}), "sort")
    if sort.get("field", "orderDate") not in SORTS or sort.get("order", "asc") not in ("asc", "desc"):
        raise refused("sort", "must be by a known date, asc or desc")
    return Filter(
        type=kind,
        states=states,
        dates={name: _read_span(asked[name], f"filter.{name}") for name in DATES if name in asked},
        skus=texts(asked.get("sku", []), "filter.sku"),
        location=str(asked.get("locationId", "")),
        # Left out, only these: who does not ask for the others does not see them (wire.md 3.1, the captured token).
        shipment_types=texts(asked.get("shipmentTypes", ["NORMAL"]), "filter.shipmentTypes", among=_TYPES),
        tiers=texts(asked.get("dispatchServiceTiers", sorted(_TIERS)), "filter.dispatchServiceTiers", among=_TIERS),
        cancelled_by=CANCELLERS.get(asked.get("cancellationType", ""), ""),
        is_held=flag(asked.get("hold", False), "filter.hold"),
        sort_field=sort.get("field", "orderDate"),
        is_descending=sort.get("order") == "desc",
    )


_TYPES = frozenset({"NORMAL", "EXPRESS", "SELF"})
_TIERS = frozenset({"EXPRESS", "REGULAR"})


def _read_span(value: Any, path: str) -> list[str | None]:
    span = mapping(value, path)
    times = [moment(span.get(name), f"{path}.{name}") for name in ("from", "to")]
    return [at.isoformat() if at else None for at in times]


def _next_url(filter_: Filter, start: int, page_number: int, account: Account) -> str:
    """As Flipkart writes it: without /sellers, and with a token that holds a token."""
    inner = {
        "params": {**asdict(filter_), "from": start, "size": PAGE},
        "pagination": {"page_num": page_number, "page_size": PAGE},
        "sort": [],
    }
    outer = {
        "filterType": filter_.type,
        "sellerId": account.account_id,
        "token": _encode(inner),
        "view": "order_api.v3.shipment",
        "template": "oapi_pre_dispatch",
    }
    return f"/v3/shipments/filter?next_token={_encode(outer)}"


def _read_token(token: str) -> tuple[Filter, int, int]:
    try:
        inner = _decode(_decode(token)["token"])
        params: dict[str, Any] = dict(inner["params"])
        start, _size = params.pop("from"), params.pop("size")
        return Filter(**params), int(start), int(inner["pagination"]["page_num"])
    except (binascii.Error, ValueError, KeyError, TypeError):
        raise refused("next_token", "is not one of ours") from None


def _encode(value: Mapping[str, Any]) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _decode(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), validate=True))
    return found
