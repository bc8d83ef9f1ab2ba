"""The watchdog of `manage.py worker`: starts the clusters and the bell, and starts anew what falls silent.

A worker that is killed while idle may die holding the lock of its cluster's queue; the cluster then hangs for good and
looks healthy from inside (CPython issue 85880). So each cluster runs in a session of its own, leaves a sign of life for
every heartbeat that passed through its own queues and workers, and silence ends in SIGKILL for the whole session.
Nothing here knows django-q2, and only `release` needs the database: an outage does not end the watchdog.
"""

import contextlib
import ctypes
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LOOK_SECONDS = 0.5
BOOT_SECONDS = 30.0  # from start to the first sign of life, on a busy machine
GRACE_SECONDS = 8.0  # to finish the call in hand; below the 10 s that docker and systemd's examples give us
LONGEST_PAUSE = 30.0  # before what keeps ending is started once more

FOLDER = "SHIPCROWD_SIGNS"  # the environment's name of the folder for signs of life
LIFE = "life"  # the sign that something has passed through all of a cluster
PR_SET_PDEATHSIG = 1
_TIME = struct.Struct("<d")  # by the clock that all processes of a machine share, and that nobody sets


@dataclass(frozen=True, slots=True)
class Watched:
    """One process to keep alive: what `manage.py` is called with, and how long one of its tasks may take."""

    name: str
    arguments: tuple[str, ...]
    longest_task: float = 0.0
    environment: dict[str, str] = field(default_factory=dict)


def supervise(
    watched: Sequence[Watched],
    *,
    manage: Path,
    given_up_after: float,
    release: Callable[[Collection[int]], None],
    say: Callable[[str], None],
) -> None:
    """Runs them until SIGTERM, SIGINT or SIGHUP, and leaves no process behind.

    `release` gets the numbers of the queue's rows that a killed process had taken and not finished.
    """
    stopping: list[int] = []
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(name, lambda number, _frame: stopping.append(number))
    _forget_the_dead()
    root = Path(tempfile.mkdtemp(prefix=f"shipcrowd-signs-{os.getpid()}-"))
    running = [Running(each, root / each.name, manage) for each in watched]
    try:
        for each in running:
            each.start()
        say(f"The worker runs: {', '.join(each.name for each in watched)}.")
        while not stopping:
            time.sleep(LOOK_SECONDS)
            for each in running:
                if (because := each.why_dead(given_up_after)) and not stopping:
                    say(f"{each.watched.name} {because}: started anew.")
                    release(each.kill())
                    each.start_later()
                each.start_if_due()
        _stop(running)
    finally:
        for each in running:
            each.kill()
        shutil.rmtree(root, ignore_errors=True)
    say("The worker has stopped.")


def _stop(running: "Sequence[Running]") -> None:
    """SIGTERM lets each finish the call in hand; what still runs after the grace is killed."""
    give_up_at = time.monotonic() + GRACE_SECONDS
    for each in running:
        each.ask_to_stop()
    while time.monotonic() < give_up_at and any(each.is_running for each in running):
        time.sleep(0.05)


class Running:
    """A watched process and its signs of life."""

    def __init__(self, watched: Watched, folder: Path, manage: Path) -> None:
        self.watched, self.folder, self._manage = watched, folder, manage
        self.restarts = 0
        self._failed_starts = 0  # one after the other
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = self._start_at = 0.0

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "taken").mkdir(parents=True)
        (self.folder / "busy").mkdir()
        (self.folder / "restarts").write_text(str(self.restarts))
        self._started_at = time.monotonic()
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, str(self._manage), *self.watched.arguments, "--skip-checks", "--parent", str(os.getpid())],
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches the watchdog alone, and one signal ends all of a cluster
            env={**os.environ, **self.watched.environment, FOLDER: str(self.folder)},
        )

    def start_later(self) -> None:
        """At once what had come as far as a sign of life; after growing pauses what ends before, again and again."""
        self.restarts += 1
        self._failed_starts = 0 if (self.folder / LIFE).exists() else self._failed_starts + 1
        pause = min(LONGEST_PAUSE, 0.5 * 2 ** min(self._failed_starts - 1, 10)) if self._failed_starts else 0.0
        self._start_at = time.monotonic() + pause

    def start_if_due(self) -> None:
        if self._process is None and time.monotonic() >= self._start_at:
            self.start()

    def why_dead(self, given_up_after: float) -> str:
        """Empty while all is well, or while a pause before the next start lasts."""
        if self._process is None:
            return ""
        if not self.is_running:
            return f"ended with {self._process.returncode}"
        silence = silent_for(self.folder, self._started_at, self.watched.longest_task)
        return f"was silent for {silence:.0f} s" if silence > given_up_after else ""

    def ask_to_stop(self) -> None:
        if self._process is not None and self.is_running:
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> list[int]:
        """Ends the whole session; the numbers of the queue's rows that it had taken and not finished."""
        if self._process is None:
            return []
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None
        return [int(entry.name) for entry in (self.folder / "taken").iterdir()]


# --- Signs of life: written by the watched, read by watchdog and bell ------------------------------------------------


def is_watched() -> bool:
    return FOLDER in os.environ


def show_life() -> None:
    """Something has just passed through all of this cluster, or the bell has come round."""
    if is_watched():
        _write_time(Path(os.environ[FOLDER], LIFE))


def task_begins() -> None:
    """This process is busy from now on, and may keep others waiting for `longest_task`."""
    if is_watched():
        _write_time(Path(os.environ[FOLDER], "busy", str(os.getpid())))


def task_ends() -> None:
    if is_watched():
        Path(os.environ[FOLDER], "busy", str(os.getpid())).unlink(missing_ok=True)


def note_taken(number: int) -> None:
    """This row of the queue is in our cluster's hands."""
    if is_watched():
        Path(os.environ[FOLDER], "taken", str(number)).touch(mode=0o600)


def note_finished(number: int) -> None:
    if is_watched():
        Path(os.environ[FOLDER], "taken", str(number)).unlink(missing_ok=True)


def silent_for(folder: Path, started_at: float, longest_task: float) -> float:
    """Seconds without a sign of life; none while a living process is in a task that may still run."""
    now = time.monotonic()
    for busy in (folder / "busy").iterdir():
        if now - _time_in(busy, default=float("-inf")) < longest_task and Path("/proc", busy.name).exists():
            return 0.0
    return max(0.0, now - _time_in(folder / LIFE, default=started_at + BOOT_SECONDS))


def restarts_of_the_living(folder: Path, watched: Collection[Watched], within: float) -> dict[str, int]:
    """How often each was started anew, of those beside `folder` that are not silent."""
    living: dict[str, int] = {}
    for each in watched:
        beside = folder.parent / each.name
        with contextlib.suppress(OSError, ValueError):  # it is being started anew at this moment
            if silent_for(beside, float("-inf"), each.longest_task) < within:
                living[each.name] = int((beside / "restarts").read_text())
    return living


def end_with_parent(parent: int) -> None:
    """The kernel kills this process when `parent` is gone, and likewise every process that it forks from now on."""
    _die_after(parent)
    me = os.getpid()

    def in_child() -> None:
        nonlocal me
        forked_by, me = me, os.getpid()
        _die_after(forked_by)

    os.register_at_fork(after_in_child=in_child)  # the kernel does not hand the wish down


def _die_after(parent: int) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it went before we could ask
        os._exit(1)


def _write_time(sign: Path) -> None:
    descriptor = os.open(sign, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.pwrite(descriptor, _TIME.pack(time.monotonic()), 0)
    finally:
        os.close(descriptor)


def _time_in(sign: Path, *, default: float) -> float:
    try:
        at: float = _TIME.unpack(sign.read_bytes())[0]
    except (FileNotFoundError, struct.error):  # not made, not yet written, or taken away between two looks
        return default
    return at


def _forget_the_dead() -> None:
    """Folders of watchdogs that were killed."""
    for folder in Path(tempfile.gettempdir()).glob("shipcrowd-signs-*"):
        pid = folder.name.split("-")[2]
        if pid.isdecimal() and not Path("/proc", pid).exists():
            shutil.rmtree(folder, ignore_errors=True)
