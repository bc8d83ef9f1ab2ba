"""`manage.py demo` as a person starts it: what it says, what it finds again, and that nothing of it stays behind.

Three starts in one folder, since each is a dozen processes: the first day, the next, and one that is given up half-way.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from shipcrowd.portal.demo_environment import free_port
from shipcrowd.portal.visitor import Visitor
from shipcrowd.settings import BASE_DIR
from shipcrowd.simulator import Simulator
from shipcrowd.simulator.saving import restore
from tests.db.servers import servers_of, until
from tests.overheard import OVERHEARD

pytestmark = pytest.mark.slow

START_SECONDS = 180.0  # on a machine that has other things to do
SELLER = "/s/asha-textiles/shipments/"


class Demo:
    """`manage.py demo` in a folder, and every process that came of it."""

    seen: frozenset[str] = frozenset()  # shipments of its list

    def __init__(self, place: Path, name: str, *arguments: str, port: int | None = None) -> None:
        self.place, self.folder, self.temporary = place, place / name, place / "temporary"
        self.port, self.simulator_port = port or free_port(), free_port()
        self.temporary.mkdir(exist_ok=True)
        self._run = f"DEMO_TEST={uuid.uuid4().hex}"  # inherited by all that it starts, except by PostgreSQL
        mark, _, value = self._run.partition("=")
        self._words = place / f"words {value}"
        ports = ("--port", str(self.port), "--simulator-port", str(self.simulator_port))
        with self._words.open("wb") as words:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "demo", "--folder", str(self.folder), *ports, *arguments],
                cwd=BASE_DIR,
                env={"PATH": os.environ["PATH"], "TMPDIR": str(self.temporary), mark: value},
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def says(self) -> str:
        return self._words.read_text()

    def wait_until_it_says(self, words: str) -> None:
        until(lambda: words in self.says or self.process.poll() is not None, within=START_SECONDS)
        assert words in self.says

    def left(self) -> list[int]:
        """Whatever still runs of it, however it was orphaned."""
        marked = [int(place.name) for place in Path("/proc").glob("[0-9]*") if self._is_ours(place)]
        return marked + servers_of(self.folder / "postgres")

    def end(self, number: signal.Signals) -> None:
        """Asks it once, and waits until it is gone."""
        if self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(timeout=60)

    def kill(self) -> None:
        for pid in self.left():
            with contextlib.suppress(ProcessLookupError):  # ended by the death of its parent
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def visit(self) -> Visitor:
        """The owner at the list of shipments, logged in with what the demo printed."""
        visitor = Visitor(re.search(r"Shipcrowd is at (\S+)", self.says)[1])
        visitor.open("/login/")
        password = re.search(r"password of all +(\S+)", self.says)[1]
        visitor.submit(visitor.page.form_with("password"), username="asha", password=password)
        visitor.open(SELLER)
        return visitor

    def ordered(self) -> list[int]:
        """How many shipments each seller has had, by the simulator's own count."""
        world = requests.get(f"http://127.0.0.1:{self.simulator_port}/control/world", timeout=10).json()
        return [sum(account["shipments"].values()) for account in world["accounts"]]

    def _is_ours(self, place: Path) -> bool:
        try:
            return self._run.encode() in (place / "environ").read_bytes().split(b"\0")
        except OSError:
            return False


def shipments(visitor: Visitor) -> frozenset[str]:
    """Those of the list's first page."""
    return frozenset(re.findall(r"SHIP\d+", visitor.open(SELLER).text))


@pytest.fixture(scope="module")
def first_day(tmp_path_factory) -> Iterator[Demo]:
    demo = Demo(tmp_path_factory.mktemp("demo"), "a folder with spaces")
    try:
        demo.wait_until_it_says("Ctrl-C ends the demo.")
        visitor = demo.visit()
        until(lambda: shipments(visitor), within=60)
        demo.seen = shipments(visitor)
        yield demo
    finally:
        demo.kill()


@pytest.fixture(scope="module")
def next_day(first_day: Demo) -> Iterator[Demo]:
    first_day.end(signal.SIGINT)
    demo = Demo(first_day.place, first_day.folder.name)
    try:
        demo.wait_until_it_says("Ctrl-C ends the demo.")
        yield demo
    finally:
        demo.kill()


def test_it_says_where_it_is_and_who_may_log_in(first_day):
    assert f"Shipcrowd is at http://127.0.0.1:{first_day.port}/" in first_day.says
    for line in (r"seller's owner +asha, bharat", r"warehouse staff +packer", r"platform ops +ops"):
        assert re.search(line, first_day.says)
    assert first_day.ordered() == [60, 60]


def test_no_secret_of_its_stands_in_a_command_line(first_day):
    secrets = json.loads((first_day.folder / "secrets.json").read_text()).values()
    commands = [command(pid) for pid in first_day.left()]

    assert any("simulator" in line for line in commands)
    assert [line for line in commands for secret in secrets if secret in line] == []


def test_a_second_one_in_the_same_folder_is_refused_in_one_sentence(first_day):
    second = Demo(first_day.place, first_day.folder.name)
    second.process.wait(timeout=60)

    assert second.says == (
        f"CommandError: A demo already runs in {first_day.folder} (process {first_day.process.pid}). "
        "Stop it, or choose another folder with --folder.\n"
    )
    assert first_day.process.poll() is None


def test_a_port_in_use_is_one_sentence(first_day, tmp_path):
    second = Demo(tmp_path, "another", port=first_day.port)
    second.process.wait(timeout=60)

    assert re.fullmatch(
        rf"CommandError: Port {first_day.port} is in use: stop what uses it, or choose another: "
        r"manage.py demo --port \d+\n",
        second.says,
    )
    assert second.left() == []


def test_ctrl_c_leaves_no_process_behind_and_nothing_outside_of_its_folder(first_day):
    sockets = Path(json.loads((first_day.folder / "postgres" / "ready.json").read_text())["host"])
    assert sockets.exists()
    assert len(first_day.left()) > 20

    first_day.end(signal.SIGINT)

    assert (first_day.process.returncode, first_day.left()) == (0, [])
    assert not sockets.exists()
    assert list(first_day.temporary.iterdir()) == []
    assert first_day.says.endswith("Stopped.\n")


def test_a_second_start_finds_its_data_again_and_adds_a_fresh_day(first_day, next_day):
    assert "Asha Textiles: fetching the fresh day" in next_day.says
    assert next_day.ordered() == [120, 120]

    visitor = next_day.visit()
    until(lambda: shipments(visitor) - first_day.seen, within=60)
    known = min(first_day.seen)
    assert known in visitor.open(f"{SELLER}?q={known}").text


def test_what_its_processes_logged_holds_no_secret_of_two_days(next_day):
    simulator = Simulator()
    restore(simulator, next_day.folder / "simulator.json")

    OVERHEARD.plant_words(json.loads((next_day.folder / "secrets.json").read_text()).values())
    OVERHEARD.plant(simulator)
    for log in (next_day.folder / "logs").iterdir():
        OVERHEARD.hear(log.read_text())

    assert len(simulator.oauth.given) > 2 * len(next_day.ordered())  # a code and its tokens for each seller
    assert OVERHEARD.spoken() == set()


def test_sigterm_leaves_no_process_behind(next_day):
    next_day.end(signal.SIGTERM)

    assert (next_day.process.returncode, next_day.left()) == (0, [])


def test_a_terminal_that_is_closed_while_it_starts_leaves_no_process_behind(next_day):
    next_day.end(signal.SIGTERM)
    demo = Demo(next_day.place, next_day.folder.name)
    try:
        until(lambda: any("gunicorn" in command(pid) for pid in demo.left()), within=START_SECONDS)

        demo.end(signal.SIGHUP)

        assert (demo.process.returncode, demo.left()) == (0, [])
        assert "Ctrl-C ends the demo." not in demo.says
    finally:
        demo.kill()


def command(pid: int) -> str:
    try:
        return Path("/proc", str(pid), "cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


@pytest.mark.parametrize(
    ("folder", "arguments", "says"),
    [
        ("a file", [], "a file cannot be used (File exists): move it away, or choose another folder with --folder."),
        (
            "a file/below",
            [],
            "a file/below cannot be used (Not a directory): choose another folder with --folder.",
        ),
        (
            "a file in it",
            [],
            "a file in it/logs cannot be used (File exists): move it away, or choose another folder with --folder.",
        ),
        (
            "without secrets",
            [],
            "without secrets/secrets.json is gone, and what it sealed with it. Remove the folder {} to begin anew.",
        ),
        (
            "any",
            ["--port", "70000"],
            "argument --port: 70000 is no port: choose a number from 1 to 65535, best above 1023.",
        ),
    ],
)
def test_what_hinders_its_start_is_one_sentence(tmp_path, folder, arguments, says):
    (tmp_path / "a file").touch()
    (tmp_path / "a file in it").mkdir()
    (tmp_path / "a file in it" / "logs").touch()
    (tmp_path / "without secrets" / "postgres" / "postgres").mkdir(parents=True)

    demo = Demo(tmp_path, folder, *arguments)
    demo.process.wait(timeout=60)

    assert demo.process.returncode != 0
    assert demo.says.splitlines()[-1].endswith(says.format(tmp_path / folder))
    assert "Traceback" not in demo.says
