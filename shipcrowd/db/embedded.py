"""The PostgreSQL of demo and tests: `ensure(folder)` starts it where it does not run, and holds it while we live.

Every process that connects holds a shared lock on `users.lock` in the folder; the kernel drops it however the process
ends, and forks inherit it. One keeper process (`keeper.py`) runs PostgreSQL as its child while anybody holds that lock.
No Django here: the demo calls it before there are settings.
"""

import contextlib
import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import quote

HOUSE = Path(__file__).resolve().parents[2]
READY = "ready"  # the keeper's first line when all is well; any other line says what is not
NAME = "shipcrowd"
WAIT_SECONDS = 60.0  # for another keeper to be ready or gone

_held: dict[Path, tuple[int, str]] = {}  # folder: (the shared lock's descriptor, the socket's folder)
_starting = threading.Lock()


class EmbeddedError(RuntimeError):
    """The embedded PostgreSQL cannot start; the text is one sentence for a person, with what to do."""


def ensure(folder: str | Path) -> str:
    """The folder of the server's socket (libpq's `host`), after starting the server where it does not run.

    Looks whether the keeper lives at each call, since anybody may kill it. Raises EmbeddedError.
    """
    folder = Path(folder).absolute()
    with _starting:
        # Both: a new keeper may be starting at this moment, for somebody else, and is not ready.
        if folder in _held and _keeper_lives(folder) and _host(folder) == _held[folder][1]:
            return _held[folder][1]
        try:
            return _ensure(folder)
        except OSError as error:
            raise EmbeddedError(
                f"{error.filename or folder} cannot be used ({error.strerror}): start as the user it belongs to, "
                "or make room, or name another folder in SHIPCROWD_EMBEDDED."
            ) from error


def url(folder: str | Path, *, user: str = "shipcrowd_app", database: str = NAME) -> str:
    """A DATABASE_URL for programs that know nothing of the folder: the server lives as long as we do, not they."""
    return f"postgres://{user}@/{quote(database)}?host={quote(ensure(folder))}"


def let_go(folder: str | Path, *, within: float = 30.0) -> bool:
    """We no longer use the server; our connections to it are closed before.

    True once it has stopped, so that the folder may be removed; False where somebody else uses it still.
    """
    folder = Path(folder).absolute()
    with _starting:
        if folder in _held:
            os.close(_held.pop(folder)[0])
    give_up_at = time.monotonic() + within
    while _keeper_lives(folder):
        if time.monotonic() > give_up_at:
            return False
        time.sleep(0.05)
    return True


def _ensure(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    # Waits while a keeper is stopping: it then holds this lock alone.
    users = _held[folder][0] if folder in _held else lock(folder / "users.lock", fcntl.LOCK_SH)
    start = lock(folder / "start.lock", fcntl.LOCK_EX)
    try:
        host = _host_of_keeper(folder)
    except BaseException:
        if folder not in _held:
            os.close(users)
        raise
    finally:
        os.close(start)
    _held[folder] = users, host
    return host


def _host_of_keeper(folder: Path) -> str:
    """Of the keeper that lives, or else of a new one. The caller holds `start.lock`, so nobody else starts one.

    Waits for one that is not ready: it is stopping although it has users, because its server was told to, or it is
    still starting for somebody who was killed meanwhile.
    """
    give_up_at = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < give_up_at:
        if not _keeper_lives(folder):
            _start_keeper(folder)
        host = _host(folder)
        if host is not None:
            return host
        time.sleep(0.05)
    raise EmbeddedError(f"{folder}/ready.json is gone: end the process that keeps {folder}, and start again.")


def _start_keeper(folder: Path) -> None:
    no_longer_ready(folder)
    # From the house's folder with -m: run as a file, our queue.py would stand in for the standard library's.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    with (folder / "keeper.log").open("ab") as log:
        keeper = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "shipcrowd.db.keeper", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            cwd=HOUSE,
            env=environment,
            text=True,
        )
    assert keeper.stdout is not None  # noqa: S101 - asked for above
    with keeper.stdout:
        said = keeper.stdout.readline().strip()
    if said != READY:
        keeper.wait()
        raise EmbeddedError(said or f"The embedded PostgreSQL did not start: {folder}/keeper.log says why.")
    keeper.returncode = 0  # it outlives us; without this Python would warn that a child still runs


def no_longer_ready(folder: Path) -> None:
    """What is left of a keeper's word: where its socket was, for the next one to tidy up."""
    with contextlib.suppress(FileNotFoundError):
        (folder / "ready.json").replace(folder / "before.json")


def _host(folder: Path) -> str | None:
    try:
        host: str = json.loads((folder / "ready.json").read_text())["host"]
    except FileNotFoundError:
        return None
    return host


def _keeper_lives(folder: Path) -> bool:
    # Shared, so that two who look at the same time do not take each other for the keeper.
    probe = lock_now(folder / "keeper.lock", fcntl.LOCK_SH)
    if probe is None:
        return True
    os.close(probe)
    return False


def lock(path: Path, how: int) -> int:
    """A descriptor that holds the lock until it is closed, by us or by the kernel; waits for it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, how)
    return descriptor


def lock_now(path: Path, how: int) -> int | None:
    """As `lock`, but None where somebody else holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
