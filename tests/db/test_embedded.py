"""The embedded PostgreSQL under every kind of death: data stays, processes and sockets do not."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from shipcrowd.db import embedded
from tests.db.servers import HOUSE, User, servers_of, until


@pytest.fixture
def folder(made_once: Path, tmp_path: Path) -> Iterator[Path]:
    """A folder with spaces in its path and a server's data in it, used by nobody."""
    place = tmp_path / "a place, with spaces"
    shutil.copytree(made_once, place, symlinks=True)
    restore_owner(made_once / "postgres", place / "postgres")
    yield place
    until(lambda: servers_of(place) == [], within=60)


@pytest.fixture(scope="module")
def made_once(tmp_path_factory) -> Path:
    """initdb takes a second: once for all."""
    place = tmp_path_factory.mktemp("made once")
    user = User(place)
    user.host()
    user.gone()
    until(lambda: servers_of(place) == [], within=60)
    return place


def restore_owner(like: Path, data: Path) -> None:
    """A copy belongs to us; the server's user must own its data."""
    if os.geteuid() == 0:
        for path in (data, *data.rglob("*")):
            os.chown(path, like.stat().st_uid, like.stat().st_gid)


def server_of(folder: Path) -> int:
    return int(json.loads((folder / "ready.json").read_text())["pid"])


def keeper_of(folder: Path) -> int:
    """The parent of the server."""
    fields = Path("/proc", str(server_of(folder)), "stat").read_text().rpartition(")")[2].split()
    return int(fields[1])


def query(host: str, sql: str) -> object:
    with psycopg.connect(host=host, user="shipcrowd_owner", dbname="shipcrowd", autocommit=True) as connection:
        cursor = connection.execute(sql)
        return cursor.fetchone()[0] if cursor.description else None


@pytest.mark.slow
def test_a_second_start_finds_the_data_of_the_first(folder):
    first = User(folder)
    query(first.host(), "create table kept as select 42 as answer")
    first.gone(signal.SIGTERM)
    until(lambda: servers_of(folder) == [], within=60)

    second = User(folder)
    assert query(second.host(), "select answer from kept") == 42
    second.gone()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_however_the_only_user_ends_nothing_stays_behind(folder, number):
    user = User(folder)
    socket_folder = Path(user.host())
    assert len(servers_of(folder)) > 2

    user.gone(number)

    until(lambda: servers_of(folder) == [], within=60)
    assert not socket_folder.exists()


@pytest.mark.slow
def test_the_server_stays_while_one_of_two_users_lives(folder):
    first, second = User(folder), User(folder)
    host = first.host()
    assert second.host() == host

    first.gone()

    assert query(host, "select 1") == 1
    second.gone()


@pytest.mark.slow
def test_a_killed_keeper_takes_the_server_along_and_the_next_connection_starts_both(folder):
    users = [User(folder) for _ in range(5)]
    (gone,) = {user.host() for user in users}
    query(gone, "create table kept as select 42 as answer")
    server = server_of(folder)

    os.kill(keeper_of(folder), signal.SIGKILL)
    until(lambda: not Path("/proc", str(server)).exists(), within=60)

    for user in users:
        user.ask_again()
    (host,) = {user.host() for user in users}
    assert host != gone
    assert query(host, "select answer from kept") == 42
    assert not Path(gone).exists()
    for user in users:
        user.gone()


@pytest.mark.slow
def test_a_crash_of_all_three_at_once_is_recovered_from(folder):
    user = User(folder)
    query(user.host(), "create table kept as select 42 as answer")
    for pid in (keeper_of(folder), server_of(folder)):
        os.kill(pid, signal.SIGKILL)
    user.gone()

    second = User(folder)
    assert query(second.host(), "select answer from kept") == 42
    second.gone()


@pytest.mark.slow
@pytest.mark.parametrize(
    "left_behind", ["", "\n\n", "{own}\n/somewhere\n"], ids=["empty", "blank", "of another program"]
)
def test_a_pid_file_that_is_empty_or_of_another_program_does_not_hinder(folder, left_behind):
    (folder / "postgres" / "postmaster.pid").write_text(left_behind.format(own=os.getpid()))

    user = User(folder)

    assert query(user.host(), "select 1") == 1
    user.gone()


@pytest.mark.slow
def test_who_lets_go_may_remove_the_folder_once_nobody_else_uses_it(folder):
    embedded.ensure(folder)
    other = User(folder)
    other.host()

    assert not embedded.let_go(folder, within=0.5)
    other.gone()
    assert embedded.let_go(folder)
    assert not (folder / "postgres" / "postmaster.pid").exists()


# The keeper, that sleeps after it gave up each of its locks.
SLOW_KEEPER = """
import os, time
from shipcrowd.db import keeper
close = os.close
def close_slowly(descriptor):
    path = os.readlink(f"/proc/self/fd/{descriptor}")
    close(descriptor)
    if path.endswith(("users.lock", "keeper.lock")):
        time.sleep(1)
os.close = close_slowly
keeper.main()
"""


@pytest.mark.slow
def test_who_comes_while_a_keeper_is_stopping_gets_the_next_server(folder):
    users = embedded.lock(folder / "users.lock", fcntl.LOCK_SH)
    keeper = subprocess.Popen(
        [sys.executable, "-c", SLOW_KEEPER, str(folder)], cwd=HOUSE, stdout=subprocess.PIPE, text=True
    )
    with keeper.stdout:
        assert keeper.stdout.readline().strip() == embedded.READY
    gone = Path(json.loads((folder / "ready.json").read_text())["host"])
    os.close(users)
    until(lambda: not gone.exists(), within=60)

    user = User(folder)

    host = user.host()
    assert Path(host) != gone
    assert query(host, "select 1") == 1
    keeper.wait()
    user.gone()


@pytest.mark.slow
def test_a_keeper_that_is_told_to_stop_sends_nobody_to_its_server_any_more(folder):
    user = User(folder)
    gone = user.host()

    os.kill(keeper_of(folder), signal.SIGTERM)
    until(lambda: not (folder / "ready.json").exists(), within=60)
    user.ask_again()
    second = User(folder)

    host = user.host()
    assert second.host() == host != gone
    assert query(host, "select 1") == 1
    for one in (user, second):
        one.gone()


@pytest.mark.slow
def test_six_at_once_share_one_server(folder):
    users = [User(folder) for _ in range(6)]

    hosts = {user.host() for user in users}

    assert len(hosts) == 1
    assert query(hosts.pop(), "select 1") == 1
    for user in users:
        user.gone()


@pytest.mark.slow
def test_data_made_by_half_is_made_anew(tmp_path):
    half = tmp_path / "postgres.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18")

    user = User(tmp_path)

    assert query(user.host(), "select 1") == 1
    user.gone()
    until(lambda: servers_of(tmp_path) == [], within=60)


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root passes a closed folder; others keep theirs open to themselves")
def test_a_closed_parent_folder_is_passed_and_stays_closed(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)

    user = User(closed / "inside")
    assert query(user.host(), "select 1") == 1

    assert closed.stat().st_mode & 0o777 == 0o700
    user.gone()
    until(lambda: servers_of(closed / "inside") == [], within=60)


def refusal(folder: Path) -> str:
    with pytest.raises(embedded.EmbeddedError) as refused:
        embedded.ensure(folder)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_data_of_another_version_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("15\n")

    assert "was made by PostgreSQL 15, and this is 18: move it away" in refusal(tmp_path)


def test_a_folder_that_is_no_data_folder_is_refused_and_left_alone(tmp_path):
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "letters.txt").write_text("mine")

    assert "is no data folder of PostgreSQL: remove it" in refusal(tmp_path)
    assert (tmp_path / "postgres" / "letters.txt").read_text() == "mine"


def test_a_file_in_the_place_of_the_folder_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "taken").write_text("")

    assert "cannot be used" in refusal(tmp_path / "taken")
