"""The simulator on a socket and as a process: drops, signals, its file."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import requests

from shipcrowd.simulator import Simulator, State, running
from shipcrowd.simulator.saving import StateFile, restore, save
from tests.simulator.calling import Caller, StandingClock


def test_a_socket_answers_as_the_mounted_one_does(simulator, account):
    ids = simulator.world.add_shipments(account, 3)

    with running(simulator) as base:
        caller = Caller(simulator, account, base)
        assert [row["shipmentId"] for row in caller.search().json()["shipments"]] == ids
        assert caller.generate_labels(ids).json()["status"] == "SUCCESS"


@pytest.mark.parametrize(("kind", "happened"), [("drop_before", 0), ("drop_after", 1)])
def test_a_dropped_connection_ends_without_an_answer(simulator, account, kind, happened):
    """trust.md 1 and 2."""
    ids = simulator.world.add_shipments(account, 1, states=State.PACKED)

    with running(simulator) as base:
        caller = Caller(simulator, account, base)
        simulator.faults.set("dispatch", kind)
        with pytest.raises(requests.exceptions.ConnectionError):
            caller.dispatch(ids)
        assert len(simulator.ledger.dispatches) == happened
        assert caller.search().status_code == 200


def test_a_slow_answer_runs_into_the_time_out_of_a_socket(simulator, account):
    with running(simulator) as base:
        caller = Caller(simulator, account, base)
        simulator.faults.set("search", "slow", seconds=0.5)
        with pytest.raises(requests.exceptions.ReadTimeout):
            caller.session.post(f"{base}/v3/orders/search", json={}, timeout=0.1)


def test_many_threads_dispatch_each_shipment_once(simulator, account):
    ids = simulator.world.add_shipments(account, 25, states=State.PACKED)
    simulator.quota.limit = None

    with running(simulator) as base, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: Caller(simulator, account, base).dispatch(ids).json(), range(16)))

    assert sorted(i for answer in answers for i in answer["successful"]) == sorted(simulator.ledger.dispatches)
    assert sorted(simulator.ledger.dispatches) == sorted(ids)
    assert len(simulator.ledger.attempts_of("dispatch")) == 16 * 25


def test_a_saved_world_is_found_again(simulator, account, caller, clock, tmp_path):
    simulator.world.add_day(account, 40)
    ids = simulator.world.add_shipments(account, 2, items=2)
    caller.generate_labels(ids)
    simulator.world.hold(ids[1])
    save(simulator, tmp_path / "world.json")

    again = Simulator(clock=clock, seed=7)
    assert restore(again, tmp_path / "world.json")
    assert again.oauth.given == simulator.oauth.given
    found = Caller(again, again.world.accounts[account.account_id])
    found.session.headers["Authorization"] = caller.session.headers["Authorization"]

    assert found.search().json() == caller.search().json()
    assert again.ledger.labels == ids
    clock.moves(seconds=5)
    assert found.download_labels(ids).json() == caller.download_labels(ids).json()
    assert found.dispatch(ids[:1]).json()["successful"] == ids[:1]
    assert set(again.world.add_shipments(found.account, 3)).isdisjoint(account.shipments)


def test_after_a_restart_new_accounts_and_new_people_are_new(simulator, account, clock, tmp_path):
    first_day = simulator.world.add_day(account, 40)
    save(simulator, tmp_path / "world.json")
    again = Simulator(clock=clock, seed=7)
    restore(again, tmp_path / "world.json")
    found = again.world.accounts[account.account_id]

    second_day = again.world.add_day(found, 40)
    newcomer = again.world.add_seller("Malabar Home")

    assert newcomer.client_id != found.client_id
    assert newcomer.client_secret != found.client_secret
    people = [[found.shipments[i].buyer_name for i in day] for day in (first_day, second_day)]
    assert people[0] != people[1]


def test_no_file_is_an_empty_world_and_a_strange_one_is_refused(tmp_path):
    assert not restore(Simulator(), tmp_path / "none.json")
    (tmp_path / "strange.json").write_text('{"version": 0}')
    with pytest.raises(ValueError, match="not a saved simulator"):
        restore(Simulator(), tmp_path / "strange.json")


def test_the_file_follows_changes_and_the_end(simulator, account, caller, tmp_path):
    path = tmp_path / "deep" / "world.json"
    with StateFile(simulator, path):
        caller.search()
        deadline = time.monotonic() + 60
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert json.loads(path.read_text())["accounts"][0]["shipments"] == []
        (shipment_id,) = simulator.world.add_shipments(account, 1)

    assert [row["shipment_id"] for row in json.loads(path.read_text())["accounts"][0]["shipments"]] == [shipment_id]
    assert [file.name for file in path.parent.iterdir()] == ["world.json"]


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "shipcrowd.simulator", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_process_prints_its_address_keeps_its_world_and_stops_when_told(tmp_path, number):
    path = tmp_path / "a path with spaces" / "world.json"
    arguments = ("--port", "0", "--state", str(path), "--seller", "Asha Textiles", "--seller", "Malabar Home")
    process = start(*arguments, "--day", "20")
    address = process.stdout.readline().split()[-1]
    world = requests.get(f"{address}control/world", timeout=60).json()
    began = time.monotonic()
    os.kill(process.pid, number)

    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 0
    assert time.monotonic() - began < 30
    assert [sum(account["shipments"].values()) for account in world["accounts"]] == [20, 20]

    again = start(*arguments)
    address = again.stdout.readline().split()[-1]
    assert requests.get(f"{address}control/world", timeout=60).json() == world
    again.terminate()
    again.communicate(timeout=60)


def test_a_port_in_use_is_one_sentence_and_exit_code_one():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start("--port", str(port))
        out, err = process.communicate(timeout=60)

    assert (process.returncode, out) == (1, "")
    assert err == f"Cannot listen on 127.0.0.1:{port} (Address already in use): choose another with --port.\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["--port", "70000"],
            "Cannot listen on 127.0.0.1:70000 (port must be 0-65535): choose another with --port.",
        ),
        (
            ["--port", "0", "--state", "/proc/none/world.json"],
            "/proc/none cannot be used (No such file or directory): make room, or choose another with --state.",
        ),
        (
            ["--port", "0", "--state", "/dev/null"],
            "/dev/null is not a saved simulator of this version: remove it to begin anew",
        ),
    ],
)
def test_what_hinders_its_start_is_one_sentence(arguments, says):
    process = start(*arguments)
    out, err = process.communicate(timeout=60)

    assert (process.returncode, out, err) == (1, "", f"{says}\n")


def test_a_world_that_cannot_be_kept_at_the_end_is_one_sentence(tmp_path):
    folder = tmp_path / "world"
    process = start("--port", "0", "--state", str(folder / "world.json"))
    process.stdout.readline()
    (folder / "world.json").unlink()
    folder.rmdir()
    folder.touch()
    process.terminate()

    assert process.communicate(timeout=60)[1] == (
        f"{folder} cannot be used (File exists): make room, or choose another with --state.\n"
    )
    assert process.returncode == 1


def test_a_world_kept_over_night_still_knows_its_tokens_are_dead(tmp_path):
    clock = StandingClock()
    simulator = Simulator(clock=clock)
    caller = Caller(simulator, simulator.world.add_seller("Asha Textiles"))
    save(simulator, tmp_path / "world.json")
    clock.now += timedelta(hours=12)
    again = Simulator(clock=clock)
    restore(again, tmp_path / "world.json")

    assert again.oauth.account_of(caller.session.headers["Authorization"].removeprefix("Bearer ")) is None
