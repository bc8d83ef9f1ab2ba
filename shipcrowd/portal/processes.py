"""The processes that the demo starts; none outlives it, be it ended by Ctrl-C, SIGTERM or a closed terminal."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

GRACE = 10.0  # seconds between asking a process to end and ending it
_PR_SET_PDEATHSIG = 1
_LOCALHOST, _LISTENING = "0100007F", "0A"  # as /proc/net/tcp writes 127.0.0.1 and TCP_LISTEN


class Stopped(Exception):
    """Somebody asked the demo to end."""


class Ended(Exception):
    """A process that should run has ended; the text says which, and where its words are."""


class Processes:
    """Children in sessions of their own, so that Ctrl-C reaches the demo alone and they end in order."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        logs.mkdir(parents=True, exist_ok=True)

    def start(self, name: str, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        """`environment` is added to our own, for what no other user of this machine may read in `ps`."""
        with (self._logs / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(  # noqa: S603 - our own commands
                [sys.executable, *arguments],
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - the demo has one thread when it starts its children
            )

    def check(self) -> None:
        """Raises Ended when one of them is gone."""
        for name, process in self._running.items():
            if process.poll() is not None:
                log = self._logs / f"{name}.log"
                raise Ended(f"The {name} ended ({process.returncode}). Its last words are in {log}:\n{_tail(log)}")

    def wait_for_port(self, name: str, port: int, *, seconds: float = 30.0) -> None:
        """Until this process of ours listens at the port. Raises Ended, also when a stranger answers there meanwhile:
        the demo would hand its passwords to somebody else's server.
        """
        deadline = time.monotonic() + seconds
        while not _listens(self._running[name].pid, port):
            self.check()
            if time.monotonic() > deadline:
                raise Ended(f"The {name} does not listen at port {port} after {seconds:.0f} seconds; see {self._logs}.")
            time.sleep(0.05)

    def stop(self) -> None:
        """Asks all to end, waits, and ends what is left, with everything below it."""
        for process in self._running.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        for process in self._running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, deadline - time.monotonic()))
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._running.clear()


@contextlib.contextmanager
def stopping_on_signals() -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP become Stopped, once: a second one does not disturb the ending."""

    def stop(_number: int, _frame: object) -> None:
        for number in signals:
            signal.signal(number, signal.SIG_IGN)
        raise Stopped

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, stop) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _listens(pid: int, port: int) -> bool:
    """Whether this very process has a socket that listens at 127.0.0.1:`port`, by what Linux says of both."""
    try:
        rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
        sockets = {
            f"socket:[{row[9]}]" for row in rows if row[1] == f"{_LOCALHOST}:{port:04X}" and row[3] == _LISTENING
        }
        return bool(sockets) and any(str(file.readlink()) in sockets for file in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False  # it has ended, or closed a file meanwhile: whoever waits looks again


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _tail(log: Path, lines: int = 8) -> str:
    return "\n".join(f"  {line}" for line in log.read_text(errors="replace").splitlines()[-lines:])
