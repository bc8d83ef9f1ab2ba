"""The processes that the demo starts; none outlives it, be it ended by Ctrl-C, SIGTERM or a closed terminal."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

GRACE = 10.0  # seconds between asking a process to end and ending it
_PR_SET_PDEATHSIG = 1


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

    def start(self, name: str, *arguments: str) -> None:
        with (self._logs / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(  # noqa: S603 - our own commands
                [sys.executable, *arguments],
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

    def wait_for_port(self, port: int, *, seconds: float = 30.0) -> None:
        deadline = time.monotonic() + seconds
        while not port_answers(port):
            self.check()
            if time.monotonic() > deadline:
                raise Ended(
                    f"Nothing answers at port {port} after {seconds:.0f} seconds; see the logs in {self._logs}."
                )
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


def port_answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _tail(log: Path, lines: int = 8) -> str:
    return "\n".join(f"  {line}" for line in log.read_text(errors="replace").splitlines()[-lines:])
