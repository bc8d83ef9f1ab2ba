"""Processes that the demo starts: which of them listens, and what is said when one of them ends."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from shipcrowd.portal.demo_environment import free_port
from shipcrowd.portal.processes import Ended, Processes

LISTENS = "import socket, sys, time; at = socket.create_server(('127.0.0.1', int(sys.argv[1]))); time.sleep(60)"
SAYS_WHAT_IT_GOT = "import os; print(os.environ.get('SECRET_OF_A_TEST')); raise SystemExit(3)"


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    started = Processes(tmp_path)
    yield started
    started.stop()


def test_the_port_of_a_process_of_ours_is_waited_for(processes):
    port = free_port()
    processes.start("simulator", "-c", LISTENS, str(port))

    processes.wait_for_port("simulator", port)

    socket.create_connection(("127.0.0.1", port)).close()


def test_a_stranger_at_the_port_is_not_taken_for_ours(processes):
    """Ours needs a while to find its port taken, and the stranger answers all the time."""
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        processes.start("simulator", "-c", f"import time; time.sleep(0.5); {LISTENS}", str(port))

        with pytest.raises(Ended, match=r"(?s)The simulator ended \(1\).*Address already in use"):
            processes.wait_for_port("simulator", port)


def test_what_only_one_process_may_know_is_given_by_its_environment(processes, tmp_path):
    processes.start("simulator", "-c", SAYS_WHAT_IT_GOT, environment={"SECRET_OF_A_TEST": "not in its arguments"})

    with pytest.raises(Ended, match="not in its arguments"):
        processes.wait_for_port("simulator", free_port())
