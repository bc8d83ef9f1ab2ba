"""The simulator on a socket: `serve` for a process of its own, `running` for a test."""

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from shipcrowd.simulator.app import Simulator
from shipcrowd.simulator.saving import StateFile, restore, save


class CannotListen(Exception):
    """Somebody else listens there, or nobody may; the text says so in one line."""


def serve(
    host: str = "127.0.0.1",
    port: int = 8001,
    *,
    state_path: Path | str | None = None,
    simulator: Simulator | None = None,
    sellers: Sequence[str] = (),
    day: int = 0,
) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code. Prints one line with the address, or why it cannot.

    With `state_path` the world is found again after a restart. `sellers` are made where they are missing (two
    facilities each); `day` shipments of a fresh day are added to every account at start, and older days have passed.
    """
    simulator = simulator or Simulator()
    try:
        if state_path is not None:
            restore(simulator, Path(state_path))
        server = _listen(simulator, host, port)
        if state_path is not None:
            save(simulator, Path(state_path))  # where that cannot be done, nobody wants to learn it at the end
    except (CannotListen, ValueError, OSError) as error:
        print(_in_words(error), file=sys.stderr)  # noqa: T201 - this is a command's own line
        return 1
    for name in sellers:
        if simulator.world.account_named(name) is None:
            simulator.world.add_seller(name, facilities=2)
    for account in simulator.world.accounts.values() if day else ():
        simulator.world.let_days_pass(account)
        simulator.world.add_day(account, day)
    _stop_on_signals(server)
    try:
        with StateFile(simulator, Path(state_path)) if state_path is not None else contextlib.nullcontext():
            print(f"Flipkart simulator at http://{host}:{server.port}/", flush=True)  # noqa: T201 - as above
            server.serve_forever(poll_interval=0.05)
            server.server_close()
    except OSError as error:  # the last save: the disk is full, or the folder is gone
        print(_in_words(error), file=sys.stderr)  # noqa: T201 - as above
        return 1
    return 0


def _in_words(error: Exception) -> str:
    if isinstance(error, OSError):
        what = error.filename or "The file of the world"
        return f"{what} cannot be used ({error.strerror}): make room, or choose another with --state."
    return str(error)


@contextlib.contextmanager
def running(simulator: Simulator, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """The simulator on a socket, in threads of this process; gives its base address. Port 0 is any free one."""
    server = _listen(simulator, host, port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{server.port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class SilentHandler(WSGIRequestHandler):
    """Logs no request, and a dropped call really ends the connection."""

    # Answers are one small packet: without this each waits 40 ms for the last one's acknowledgement.
    disable_nagle_algorithm = True

    def connection_dropped(self, error: BaseException, environ: object = None) -> None:
        self.close_connection = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """The ledger has it."""


def _listen(simulator: Simulator, host: str, port: int) -> BaseWSGIServer:
    # Bound here: werkzeug's own message is three lines long and ends the process.
    try:
        listening = socket.create_server((host, port), backlog=128)
    except (OSError, OverflowError) as error:
        # Python says the address once more in its own words, except for a name that nobody knows (a negative number).
        number = getattr(error, "errno", None) or 0
        reason = os.strerror(number) if number > 0 else f"{error}".removeprefix("bind(): ").rstrip(".")
        raise CannotListen(f"Cannot listen on {host}:{port} ({reason}): choose another with --port.") from error
    with listening:
        return make_server(
            host,
            listening.getsockname()[1],
            simulator,
            threaded=True,
            request_handler=SilentHandler,
            fd=listening.fileno(),
        )


def _stop_on_signals(server: BaseWSGIServer) -> None:
    def stop(_signal: int, _frame: object) -> None:
        # shutdown() waits for the loop that this very thread runs.
        threading.Thread(target=server.shutdown, daemon=True).start()

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
