"""The console: one page that shows what is and what happened, with a form for each power of guide 8.2 and a fault."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from markupsafe import Markup, escape
from werkzeug.exceptions import Forbidden
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from shipcrowd.simulator import control
from shipcrowd.simulator.accounts import IST, Account, Item, Refusal, Shipment, State
from shipcrowd.simulator.faults import KINDS, OPERATIONS, Fault
from shipcrowd.simulator.page import is_foreign, page
from shipcrowd.simulator.world import PACKAGING_POLICIES, SHIPMENT_TYPES, TIERS

if TYPE_CHECKING:
    from shipcrowd.simulator.app import Simulator

SHIPMENTS_SHOWN = 60
CALLS_SHOWN = 40
#: Which buttons a shipment has in which state.
BUTTONS: dict[State, tuple[str, ...]] = {
    State.APPROVED: ("ready", "pack", "form", "serials", "parcels", "cancel-item", "cancel"),
    State.READY_TO_PACK: ("pack", "form", "serials", "parcels", "cancel-item", "cancel"),
    State.PACKING_IN_PROGRESS: ("cancel",),
    State.FORM_FAILED: ("cancel",),
    State.PACKED: ("cancel-item", "cancel"),
    State.READY_TO_DISPATCH: ("pickup", "ship", "cancel"),
    State.PICKUP_COMPLETE: ("ship",),
    State.SHIPPED: ("deliver", "return"),
    State.DELIVERED: ("return",),
    State.RETURN_REQUESTED: ("return",),
    State.CANCELLED: (),
    State.RETURNED: (),
}


def respond(simulator: "Simulator", request: Request) -> Response:
    """GET shows the page (`account`, `state`, `id` narrow the shipments); POST does what `do` names and comes back."""
    if request.method == "GET":
        return page("Console", _body(simulator, request), status=200)
    if is_foreign(request):
        raise Forbidden
    try:
        said = _do(simulator, request)
    except (Refusal, ValueError, KeyError) as error:
        said = f"Not done: {error}"
    return redirect(f"/?{urlencode({'said': said})}", 303)


def _do(simulator: "Simulator", request: Request) -> str:
    """One press of a button, in words. Raises Refusal, ValueError, KeyError."""
    asked = {name: value for name, value in request.form.items() if value}
    world = simulator.world
    match asked.pop("do"):
        case "create":
            return _create(simulator, asked)
        case "day":
            made = world.add_day(control.account_in(world, asked), int(asked.get("count", 40)))
            return f"{len(made)} shipments of a fresh day"
        case "power":
            control.use_power(world, asked["shipment"], asked["power"], {})
            return f"{asked['shipment']}: {asked['power']}"
        case "dates":
            times = {name: _from_ist(asked.get(name)) for name in ("dispatchAfter", "dispatchBy")}
            control.use_power(world, asked["shipment"], "dates", times)
            return f"{asked['shipment']}: dispatch dates changed"
        case "fault":
            return _switch_on(simulator, asked)
        case "clear":
            simulator.faults.clear()
            return "All faults are off"
        case "revoke":
            simulator.oauth.revoke(control.account_in(world, asked))
            return "The grant is withdrawn"
        case "seller":
            return f"{world.add_seller(asked['name'], facilities=int(asked.get('facilities', 1))).name} has an account"
        case unknown:
            raise KeyError(unknown)


def _create(simulator: "Simulator", asked: dict[str, str]) -> str:
    now = simulator.clock()
    times = {}
    if "late" in asked:
        times = {"orderedAt": (now - timedelta(days=3)).isoformat(), "approvedAt": now.isoformat()}
    payment = {"prepaid": False, "cod": True}.get(asked.get("payment", ""))
    wanted = {**asked, **times, "cod": payment, "held": "held" in asked}
    made = control.add_shipments(simulator.world, wanted)
    return f"{len(made)} shipments, {made[0]} the first"


def _switch_on(simulator: "Simulator", asked: dict[str, str]) -> str:
    options = {"seconds": float(asked["seconds"])} if "seconds" in asked else {}
    times = None if "lasting" in asked else int(asked.get("times", 1))
    account = asked.get("account", "")
    simulator.faults.set(asked["operation"], asked["kind"], times, account=account, **options)
    return f"{asked['kind']} on {asked['operation']}"


def _body(simulator: "Simulator", request: Request) -> Markup:
    said = request.args.get("said", "")
    accounts = list(simulator.world.accounts.values())
    return Markup("{}{}<div class=grid>{}{}{}</div>{}{}").format(
        Markup("<p class=note role=status>{}</p>").format(said) if said else "",
        _accounts(accounts),
        _create_form(accounts),
        _fault_form(simulator, accounts),
        _dates_form(),
        _shipments(simulator, accounts, request),
        _ledger(simulator),
    )


def _accounts(accounts: Sequence[Account]) -> Markup:
    shown = [state for state in State if any(account.index[state] for account in accounts)]
    rows = [
        [
            Markup("<b>{}</b><br><small>{} · {}</small>").format(account.name, account.account_id, account.place.city),
            Markup("<br>").join(
                Markup("<small>{} {}</small>").format(f.facility_id, f.name) for f in account.facilities
            ),
            Markup("<details><summary>{}</summary><code>{}</code></details>").format(
                account.client_id, account.client_secret
            ),
            *(len(account.index[state]) for state in shown),
            Markup(
                '<form method=post><input type=hidden name=account value="{}">'
                "<button name=do value=revoke>Withdraw grant</button></form>"
            ).format(account.account_id),
        ]
        for account in accounts
    ]
    names = [str(state).replace("_", " ").capitalize() for state in shown]
    return Markup(
        "<section><h2>Seller accounts</h2><div class=scroll>{}</div>"
        "<form method=post class=row><label>Name<input name=name required></label><label>Facilities"
        "<input name=facilities type=number value=1 min=1 max=18></label>"
        "<button name=do value=seller>Add account</button>"
        "</form></section>"
    ).format(
        _table(["Account", "Facilities", "Client id (secret)", *names, ""], rows, numbers=range(3, 3 + len(shown)))
    )


def _create_form(accounts: Sequence[Account]) -> Markup:
    skus = list(dict.fromkeys(goods.sku for account in accounts for goods in account.goods))
    facilities = [facility.facility_id for account in accounts for facility in account.facilities]
    return Markup(
        "<section><h2>Create test orders</h2><form method=post class=row>{}"
        "<label>How many<input name=count type=number value=10 min=1 max=5000></label>"
        "<label>Payment<select name=payment><option>mixed<option>prepaid<option>cod</select></label>"
        "{}{}<label>Items each<input name=items type=number value=1 min=1 max=6></label>"
        "<label>Pieces each<input name=quantity type=number value=1 min=1 max=99></label>"
        "<label>Parcels<input name=parcels type=number value=1 min=1 max=5></label>{}{}{}"
        "<label>Form wanted<input name=form placeholder=none></label>"
        "<label><span>Replacement</span><input type=checkbox name=replacement value=1></label>"
        "<label><span>Approved late</span><input type=checkbox name=late value=1></label>"
        "<label><span>On hold</span><input type=checkbox name=held value=1></label>"
        "<button class=main name=do value=create>Create</button><button name=do value=day>A fresh day</button>"
        "</form></section>"
    ).format(
        _choice("Seller", "account", [(account.account_id, account.name) for account in accounts]),
        _choice("SKU", "sku", [("", "each in turn"), *((sku, sku) for sku in skus)]),
        _choice("Facility", "facility", [("", "each in turn"), *((f, f) for f in facilities)]),
        _choice("Type", "type", [(name, name.lower()) for name in SHIPMENT_TYPES]),
        _choice("Tier", "tier", [(name, name.lower()) for name in TIERS]),
        _choice("Packaging", "packaging", [(name, name.replace("_", " ").lower()) for name in PACKAGING_POLICIES]),
    )


def _fault_form(simulator: "Simulator", accounts: Sequence[Account]) -> Markup:
    on = [
        [
            fault.operation,
            fault.kind,
            "until cleared" if fault.left is None else fault.left,
            fault.account,
            _options(fault),
        ]
        for fault in simulator.faults.switched_on
    ]
    return Markup(
        "<section><h2>Faults</h2><form method=post class=row>{}{}{}"
        "<label>Times<input name=times type=number value=1 min=1></label>"
        "<label>Seconds<input name=seconds type=number step=any placeholder=40></label>"
        "<label><span>Until cleared</span><input type=checkbox name=lasting value=1></label>"
        "<button class=main name=do value=fault>Switch on</button>"
        "<button name=do value=clear>All off</button></form>{}{}"
        "</section>"
    ).format(
        _choice("Operation", "operation", [(name, name) for name in (*OPERATIONS, "*")]),
        _choice("Fault", "kind", [(name, name.replace("_", " ")) for name in KINDS]),
        _choice("Seller", "account", [("", "any"), *((account.account_id, account.name) for account in accounts)]),
        _table(["Operation", "Fault", "Times left", "Account", "Options"], on) if on else Markup("<p>All off.</p>"),
        Markup("<p>At random: {} of all calls.</p>").format(f"{simulator.faults.random_share:.0%}")
        if simulator.faults.random_share
        else "",
    )


def _dates_form() -> Markup:
    return Markup(
        "<section><h2>Change dispatch dates</h2><form method=post class=row>"
        "<label>Shipment<input name=shipment required placeholder=SHIP…></label>"
        "<label>After (IST)<input name=dispatchAfter type=datetime-local></label>"
        "<label>By (IST)<input name=dispatchBy type=datetime-local></label>"
        "<button name=do value=dates>Change</button></form></section>"
    )


def _shipments(simulator: "Simulator", accounts: Sequence[Account], request: Request) -> Markup:
    wanted = {name: request.args.get(name, "") for name in ("account", "state", "id")}
    with simulator.world.lock:
        found = [
            (account, shipment)
            for account in accounts
            if wanted["account"] in ("", account.account_id)
            for shipment in reversed(account.shipments.values())
            if wanted["state"] in ("", shipment.state) and wanted["id"].upper() in _ids(shipment)
        ]
        rows = [_shipment_row(account, shipment) for account, shipment in found[:SHIPMENTS_SHOWN]]
    return Markup(
        '<section><h2>Shipments</h2><form class=row>{}{}<label>Any id<input name=id value="{}"></label>'
        "<button>Show</button></form><p><small>{} of {} shown</small></p><div class=scroll>{}</div></section>"
    ).format(
        _choice("Seller", "account", [("", "all"), *((a.account_id, a.name) for a in accounts)], wanted["account"]),
        _choice("State", "state", [("", "all"), *((s, s) for s in State)], wanted["state"]),
        wanted["id"],
        len(rows),
        len(found),
        _table(
            ["Shipment", "Seller", "Facility", "Items", "Payment", "State", "Dispatch window (IST)", "What happens"],
            rows,
        ),
    )


def _shipment_row(account: Account, shipment: Shipment) -> list[object]:
    powers = ("release" if shipment.is_on_hold else "hold", *BUTTONS[shipment.state])
    buttons = Markup(" ").join(Markup("<button name=power value={}>{}</button>").format(p, p) for p in powers)
    return [
        Markup("{}<br><small>{} {}<br>{}</small>").format(
            shipment.shipment_id, shipment.order_id, shipment.tracking_id, shipment.official_id
        ),
        account.name,
        shipment.facility.facility_id,
        Markup("<br>").join(_item_words(item) for item in shipment.items),
        Markup("{}<br><small>{}</small>").format("COD" if shipment.is_cod else "Prepaid", _extras(shipment)),
        Markup("{}{}").format(shipment.state, Markup("<br><b class=bad>on hold</b>") if shipment.is_on_hold else ""),
        f"{_ist(shipment.dispatch_after_at)} to {_ist(shipment.dispatch_by_at)}",
        Markup(
            "<form method=post><input type=hidden name=do value=power>"
            '<input type=hidden name=shipment value="{}">{}</form>'
        ).format(shipment.shipment_id, buttons),
    ]


def _ids(shipment: Shipment) -> str:
    named = (shipment.shipment_id, shipment.official_id, shipment.order_id, *shipment.tracking_ids)
    return " ".join(named).upper()


def _item_words(item: Item) -> str:
    gone = f" ({item.cancelled} cancelled)" if item.cancelled else ""
    return f"{item.quantity} × {item.goods.sku}{gone}"


def _extras(shipment: Shipment) -> str:
    """What only the published format tells, where it is out of the ordinary."""
    words = [f"{shipment.parcels} parcels"] if shipment.parcels > 1 else []
    words += [name.lower() for name in (shipment.shipment_type,) if name != "NORMAL"]
    words += ["express tier"] if shipment.service_tier == "EXPRESS" else []
    words += ["replacement"] if shipment.is_replacement else []
    words += [f"{form.name}: {form.ack_number or 'wanted'}" for form in shipment.forms]
    return ", ".join(words)


def _ledger(simulator: "Simulator") -> Markup:
    calls = simulator.ledger.calls
    effects = [effect for effect in simulator.ledger.effects if effect.kind != "create"]
    doubled = [i for i, count in Counter(simulator.ledger.dispatches).items() if count > 1]
    counts = Counter(effect.kind for effect in simulator.ledger.effects)
    last_calls = [
        [_ist(c.at, "%H:%M:%S"), c.operation, c.account, c.status or "no answer", c.fault] for c in calls[::-1]
    ]
    last_effects = [[_ist(e.at, "%H:%M:%S"), e.kind, e.account, e.shipment_id] for e in effects[::-1]]
    return Markup(
        "<section><h2>Ledger</h2><p>{} · {} calls · dispatched twice: {}</p><div class=grid>"
        "<div class=scroll>{}</div><div class=scroll>{}</div></div></section>"
    ).format(
        ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items())) or "nothing happened yet",
        len(calls),
        ", ".join(doubled) or "none",
        _table(["At", "Effect", "Account", "Shipment"], last_effects[:CALLS_SHOWN]),
        _table(["At", "Call", "Account", "Answer", "Fault"], last_calls[:CALLS_SHOWN]),
    )


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]], numbers: Iterable[int] = ()) -> Markup:
    right = frozenset(numbers)

    def cells(tag: str, row: Sequence[object]) -> Markup:
        return Markup().join(
            Markup("<{} class={}>{}</{}>").format(tag, "n" if at in right else "w", cell, tag)
            for at, cell in enumerate(row)
        )

    body = Markup().join(Markup("<tr>{}</tr>").format(cells("td", row)) for row in rows)
    return Markup("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(cells("th", heads), body)


def _choice(label: str, name: str, options: Iterable[tuple[str, str]], chosen: str = "") -> Markup:
    listed = Markup().join(
        Markup('<option value="{}"{}>{}</option>').format(value, Markup(" selected") if value == chosen else "", words)
        for value, words in options
    )
    return Markup("<label>{}<select name={}>{}</select></label>").format(label, name, listed)


def _options(fault: Fault) -> str:
    return ", ".join(f"{escape(name)} {value}" for name, value in fault.options.items())


def _ist(moment: datetime, form: str = "%d %b %H:%M") -> str:
    return f"{moment.astimezone(IST):{form}}"


def _from_ist(text: str | None) -> str:
    return datetime.fromisoformat(text).replace(tzinfo=IST).isoformat() if text else ""
