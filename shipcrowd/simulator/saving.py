"""The whole world to a file and back, so that a restarted simulator finds it again."""

import contextlib
import json
import os
import threading
import time
from dataclasses import asdict, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from shipcrowd.simulator.accounts import Account, Facility, Form, Item, Shipment, State
from shipcrowd.simulator.app import Simulator
from shipcrowd.simulator.places import Goods, Place

VERSION = 2
SHORTEST_PAUSE_S = 1.0
#: A large world is saved less often, so that saving never takes more than a tenth of the time.
PAUSE_FOR_EACH_SECOND_OF_SAVING = 10


class StateFile:
    """Saves `simulator` to `path` after changes, at most once a second, and when it is closed."""

    def __init__(self, simulator: Simulator, path: Path) -> None:
        self._simulator = simulator
        self._path = path
        self._stop = threading.Event()
        self._saved_changes = simulator.changes
        self._thread = threading.Thread(target=self._run, name="simulator-state", daemon=True)

    def __enter__(self) -> "StateFile":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        save(self._simulator, self._path)

    def _run(self) -> None:
        pause = SHORTEST_PAUSE_S
        while not self._stop.wait(pause):
            changes = self._simulator.changes
            if changes == self._saved_changes:
                continue
            began = time.monotonic()
            # A full disk must not end the simulation; the next second tries again.
            with contextlib.suppress(OSError):
                save(self._simulator, self._path)
                self._saved_changes = changes
            pause = max(SHORTEST_PAUSE_S, (time.monotonic() - began) * PAUSE_FOR_EACH_SECOND_OF_SAVING)


def save(simulator: Simulator, path: Path) -> None:
    """Write everything to `path`, whole or not at all."""
    with simulator.world.lock:
        saved = {
            "version": VERSION,
            "made": simulator.world.made,
            "accounts": [_save_account(account) for account in simulator.world.accounts.values()],
            "ledger": simulator.ledger.saved(),
            "oauth": simulator.oauth.saved(),
        }
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    beside.write_text(json.dumps(saved), "utf-8")
    beside.replace(path)


def restore(simulator: Simulator, path: Path) -> bool:
    """Fill an empty simulator from `path`; False where there is no file. Raises ValueError for one that is not ours."""
    try:
        saved = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return False
    except ValueError:
        saved = None
    if not isinstance(saved, dict) or saved.get("version") != VERSION:
        raise ValueError(f"{path} is not a saved simulator of this version: remove it to begin anew")
    world = simulator.world
    with world.lock:
        world.made = saved["made"]
        for row in saved["accounts"]:
            account = _restore_account(row)
            world.accounts[account.account_id] = account
        world.draw_anew()
        simulator.ledger.restore(saved["ledger"])
        simulator.oauth.restore(saved["oauth"])
    return True


def _save_account(account: Account) -> dict[str, Any]:
    plain = ("account_id", "name", "client_id", "client_secret", "gstin", "place", "street", "goods")
    return {
        **{name: getattr(account, name) for name in plain},
        "facilities": [asdict(facility) for facility in account.facilities],
        "shipments": [_save_shipment(shipment) for shipment in account.shipments.values()],
    }


def _save_shipment(shipment: Shipment) -> dict[str, Any]:
    row = _save(shipment)
    row["facility"] = shipment.facility.facility_id
    row["items"] = [_save(item) for item in shipment.items]
    row["forms"] = [_save(form) for form in shipment.forms]
    return row


def _save(thing: Shipment | Item | Form) -> dict[str, Any]:
    values = {column.name: getattr(thing, column.name) for column in fields(thing)}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}


def _restore_account(row: dict[str, Any]) -> Account:
    rows = row.pop("shipments")
    account = Account(
        **{
            **row,
            "place": Place(*row["place"]),
            "goods": [Goods(*goods) for goods in row["goods"]],
            "facilities": [Facility(**{**f, "place": Place(*f["place"])}) for f in row["facilities"]],
        }
    )
    facilities = {facility.facility_id: facility for facility in account.facilities}
    for saved in rows:
        shipment = _restore_shipment(saved, facilities)
        account.add(shipment)
        account.index[shipment.state].append(shipment.key)
    for keys in account.index.values():
        keys.sort()
    return account


def _restore_shipment(row: dict[str, Any], facilities: dict[str, Facility]) -> Shipment:
    return Shipment(
        **{
            **_with_times(row),
            "state": State(row["state"]),
            "place": Place(*row["place"]),
            "facility": facilities[row["facility"]],
            "items": [Item(**{**_with_times(item), "goods": Goods(*item["goods"])}) for item in row["items"]],
            "forms": [Form(**form) for form in row["forms"]],
        }
    )


def _with_times(row: dict[str, Any]) -> dict[str, Any]:
    times = {name for name, value in row.items() if name.endswith(("_at", "_until")) and value is not None}
    return {name: datetime.fromisoformat(value) if name in times else value for name, value in row.items()}
