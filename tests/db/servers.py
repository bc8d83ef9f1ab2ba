"""Embedded servers of tests: a process that uses one, and what runs for a folder."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from shipcrowd.db import embedded

HOUSE = Path(embedded.__file__).resolve().parents[2]

# Starts the server, says where its socket is, and then does what it is told on its standard input.
USER = """
import signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
from shipcrowd.db import embedded
print(embedded.ensure(sys.argv[1]), flush=True)
for line in sys.stdin:
    print(embedded.ensure(sys.argv[1]), flush=True)
"""


class User:
    """A process that uses the server of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER, str(folder)],
            cwd=HOUSE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def host(self) -> str:
        said = self.process.stdout.readline().strip()
        assert said, self.process.stderr.read()
        return said

    def ask_again(self) -> None:
        """As if for its next connection; `host` has the answer."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def gone(self, number: signal.Signals = signal.SIGKILL) -> None:
        self.process.send_signal(number)
        self.process.communicate()


def servers_of(folder: Path) -> list[int]:
    """Processes of PostgreSQL that work in the folder, and its keepers."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            command = (place / "cmdline").read_bytes().split(b"\0")
            at_home = Path(place / "cwd").readlink() == folder / "postgres"
        except OSError:
            continue
        if at_home or (b"shipcrowd.db.keeper" in command and str(folder).encode() in command):
            found.append(int(place.name))
    return found


def until(what: Callable[[], object], *, within: float) -> None:
    give_up_at = time.monotonic() + within
    while not what():
        assert time.monotonic() < give_up_at, f"not within {within} s"
        time.sleep(0.02)
