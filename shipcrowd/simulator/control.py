"""The powers of guide 8.2, and the switches, over HTTP: JSON under /control/ (our own: the guide has no API for them).

GET  world                     accounts, facilities, SKUs, shipments by state; secrets only with ?secrets=1
POST sellers                   {"name", "facilities"}
POST shipments                 {"account", "count", "cod", "states", "items", "quantity", "sku", "facility", "held",
                                "dispatchAfter", "dispatchBy", "orderedAt", "approvedAt", "parcels", "type", "tier",
                                "packaging", "replacement", "form"}
POST day                       {"account" (else every one), "count"}
POST shipments/<id>/<power>    ready, pack, hold, release, pickup, ship, deliver, cancel, return,
                               dates {"dispatchAfter", "dispatchBy"}, cancel {"by"}, cancel-item {"line", "pieces",
                               "by"}, form {"name"}, serials {"line"}, parcels {"count"}, packaging {"policy"}
POST packing                   {"shortest", "longest"}: seconds that packing takes in the published format
GET  shipments/<id>            one shipment as the simulator knows it
POST faults                    {"operation", "kind", "times", "account", …options}; DELETE clears all
POST chaos                     {"share", "kinds", "seed"}
GET  ledger                    every effect, attempt, call and grant
POST revoke                    {"account"}: its tokens and codes are dead; kill-tokens: access tokens only
POST secret                    {"account"}: a regenerated client secret
POST quota                     {"limit"}: calls a minute, null for none
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import BadRequest, Forbidden, NotFound
from werkzeug.wrappers import Request, Response

from shipcrowd.simulator.accounts import Account, Refusal, Shipment
from shipcrowd.simulator.page import is_foreign
from shipcrowd.simulator.world import World

if TYPE_CHECKING:
    from shipcrowd.simulator.app import Simulator

#: More than this in one request is a slip of the finger.
MOST_AT_ONCE = 50_000


def respond(simulator: "Simulator", request: Request, path: str) -> Response:
    """One control call. What the world refuses is 409 with its code, what cannot be read 400 with the reason."""
    if is_foreign(request):
        raise Forbidden
    try:
        asked = _read(request)
        return _json(_do(simulator, request.method, path.strip("/").split("/"), asked, request))
    except Refusal as refusal:
        return _json({"errors": [{"code": refusal.code, "message": str(refusal)}]}, 409)
    except (ValueError, TypeError, KeyError) as error:
        return _json({"errors": [{"code": "BAD_REQUEST", "message": str(error)}]}, 400)


def use_power(world: World, shipment_id: str, power: str, asked: dict[str, Any]) -> None:
    """One of guide 8.2's powers over a shipment. Raises Refusal; KeyError for a power that is not there."""
    if power == "dates":
        world.change_dispatch_dates(
            shipment_id,
            dispatch_after=read_time(asked.get("dispatchAfter")),
            dispatch_by=read_time(asked.get("dispatchBy")),
        )
        return
    powers: dict[str, Callable[[str], None]] = {
        "cancel": lambda one: world.cancel(one, by=str(asked.get("by") or "buyer")),
        "cancel-item": lambda one: world.cancel_item(
            one,
            int(asked.get("line", 1)),
            pieces=int(asked["pieces"]) if asked.get("pieces") else None,
            by=str(asked.get("by") or "buyer"),
        ),
        "form": lambda one: world.want_form(one, str(asked.get("name") or "e-Way Bill")),
        "serials": lambda one: world.want_serials(one, int(asked.get("line", 1))),
        "parcels": lambda one: world.send_in_parcels(one, int(asked.get("count", 2))),
        "packaging": lambda one: world.set_packaging(one, str(asked.get("policy"))),
        "ready": world.make_ready,
        "pack": world.pack_outside,
        "hold": world.hold,
        "release": world.release,
        "pickup": world.pick_up,
        "ship": world.ship,
        "deliver": world.deliver,
        "return": world.send_back,
    }
    powers[power](shipment_id)


def add_shipments(world: World, asked: dict[str, Any]) -> list[str]:
    """Create test orders as the JSON or the form of the console asks. Raises Refusal, ValueError."""
    count = int(asked.get("count", 1))
    if not 1 <= count <= MOST_AT_ONCE:
        raise ValueError(f"count must be from 1 to {MOST_AT_ONCE}")
    return world.add_shipments(
        account_in(world, asked),
        count,
        cod=asked.get("cod", False),
        states=asked.get("states") or "APPROVED",
        items=int(asked.get("items", 1)),
        quantity=int(asked.get("quantity", 1)),
        sku=str(asked.get("sku") or ""),
        facility=str(asked.get("facility") or ""),
        held=bool(asked.get("held", False)),
        parcels=int(asked.get("parcels", 1)),
        shipment_type=str(asked.get("type") or "NORMAL"),
        tier=str(asked.get("tier") or "REGULAR"),
        packaging=str(asked.get("packaging") or "DEFAULT"),
        replacement=bool(asked.get("replacement", False)),
        form=str(asked.get("form") or ""),
        dispatch_after=read_time(asked.get("dispatchAfter")),
        dispatch_by=read_time(asked.get("dispatchBy")),
        ordered_at=read_time(asked.get("orderedAt")),
        approved_at=read_time(asked.get("approvedAt")),
        buyer_name=str(asked.get("buyerName") or ""),
        title=str(asked.get("title") or ""),
    )


def account_in(world: World, asked: dict[str, Any]) -> Account:
    """The account named by id or by name. Raises Refusal."""
    wanted = str(asked.get("account", ""))
    account = world.accounts.get(wanted) or world.account_named(wanted)
    if account is None:
        raise Refusal("UNKNOWN", f"no seller account {wanted!r}")
    return account


def read_time(text: Any) -> datetime | None:
    """An ISO time; without a zone it is UTC. None for nothing. Raises ValueError."""
    if not text:
        return None
    moment = datetime.fromisoformat(str(text))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _do(simulator: "Simulator", method: str, steps: list[str], asked: dict[str, Any], request: Request) -> Any:
    world = simulator.world
    match (method, *steps):
        case ("GET", "world"):
            return describe_world(world, secrets="secrets" in request.args)
        case ("GET", "ledger"):
            return simulator.ledger.saved()
        case ("GET", "shipments", shipment_id):
            return _describe_shipment(*world.find(shipment_id))
        case ("POST", "sellers"):
            account = world.add_seller(str(asked["name"]), facilities=int(asked.get("facilities", 1)))
            return _describe_account(account, secrets=True)
        case ("POST", "shipments"):
            return {"shipmentIds": add_shipments(world, asked)}
        case ("POST", "day"):
            accounts = [account_in(world, asked)] if asked.get("account") else list(world.accounts.values())
            count = int(asked.get("count", 40))
            return {"shipmentIds": [i for account in accounts for i in world.add_day(account, count)]}
        case ("POST", "shipments", shipment_id, power):
            use_power(world, shipment_id, power, asked)
            return _describe_shipment(*world.find(shipment_id))
        case _:
            return _switch(simulator, method, steps, asked)


def _switch(simulator: "Simulator", method: str, steps: list[str], asked: dict[str, Any]) -> Any:
    """Faults, tokens and the quota."""
    match (method, *steps):
        case ("POST", "faults"):
            simulator.faults.set(asked.pop("operation"), asked.pop("kind"), **asked)
        case ("DELETE", "faults"):
            simulator.faults.clear()
        case ("POST", "chaos"):
            simulator.faults.randomly(**asked)
        case ("POST", "revoke"):
            simulator.oauth.revoke(account_in(simulator.world, asked))
        case ("POST", "kill-tokens"):
            simulator.oauth.kill_tokens(account_in(simulator.world, asked) if asked.get("account") else None)
        case ("POST", "secret"):
            return {"clientSecret": simulator.world.regenerate_secret(account_in(simulator.world, asked))}
        case ("POST", "quota"):
            simulator.quota.limit = None if asked["limit"] is None else int(asked["limit"])
        case ("POST", "packing"):
            simulator.world.take_to_pack(float(asked["shortest"]), float(asked["longest"]))
        case _:
            raise NotFound
    return {"done": True}


def describe_world(world: World, *, secrets: bool) -> dict[str, Any]:
    with world.lock:
        return {"accounts": [_describe_account(account, secrets=secrets) for account in world.accounts.values()]}


def _describe_account(account: Account, *, secrets: bool) -> dict[str, Any]:
    described: dict[str, Any] = {
        "accountId": account.account_id,
        "name": account.name,
        "clientId": account.client_id,
        "facilities": [
            {"facilityId": f.facility_id, "locationId": f.official_id, "facilityName": f.name}
            for f in account.facilities
        ],
        "skus": [goods.sku for goods in account.goods],
        "shipments": {str(state): count for state, count in account.counts().items()},
    }
    return described | {"clientSecret": account.client_secret} if secrets else described


def _describe_shipment(account: Account, shipment: Shipment) -> dict[str, Any]:
    return {
        "accountId": account.account_id,
        "shipmentId": shipment.shipment_id,
        "officialId": shipment.official_id,
        "items": [
            {
                "orderItemId": shipment.official_item_id(item),
                "sku": item.goods.sku,
                "quantity": item.quantity,
                "cancelled": item.cancelled,
            }
            for item in shipment.items
        ],
        "parcels": shipment.parcels,
        "packagingPolicy": shipment.packaging_policy,
        "forms": [{"name": form.name, "ackNumber": form.ack_number} for form in shipment.forms],
        "state": str(shipment.state),
        "hold": shipment.is_on_hold,
        "trackingId": shipment.tracking_id,
        "dispatchAfterDate": shipment.dispatch_after_at.isoformat(),
        "dispatchByDate": shipment.dispatch_by_at.isoformat(),
    }


def _read(request: Request) -> dict[str, Any]:
    raw = request.get_data()
    asked = json.loads(raw) if raw else {}
    if not isinstance(asked, dict):
        raise BadRequest
    return asked


def _json(answer: Any, status: int = 200) -> Response:
    return Response(json.dumps(answer), status, content_type="application/json")
