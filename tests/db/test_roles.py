"""`manage.py roles`: what it prints goes through a real psql, as an administrator's superuser, and again."""

import io
import subprocess
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.core.management import call_command

from shipcrowd.db.keeper import binaries
from tests.db.servers import User, servers_of, until

pytestmark = pytest.mark.slow

DATABASE = "an administrator's database"


@pytest.fixture(scope="module")
def host(tmp_path_factory) -> Iterator[str]:
    """A server of its own: the script would take the right to create databases from the owner of the tests."""
    folder = tmp_path_factory.mktemp("roles")
    user = User(folder)
    yield user.host()
    user.gone()
    until(lambda: servers_of(folder) == [], within=60)


def psql(host: str, script: str, *, database: str = "postgres", **variables: str) -> str:
    options = [part for name, value in variables.items() for part in ("-v", f"{name}={value}")]
    done = subprocess.run(
        [binaries() / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", *options, "-h", host,
         "-U", "postgres", database],
        input=script,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def script(monkeypatch):
    monkeypatch.setitem(settings.DATABASES["default"], "NAME", DATABASE)
    printed = io.StringIO()
    call_command("roles", stdout=printed)
    return printed.getvalue()


def test_the_script_makes_roles_and_database_and_may_run_again(host, script):
    psql(host, script)
    psql(host, script, owner_password="it's long", app_password="$$ and 'quoted'")

    owner = psql(
        host, f"select datdba::regrole from pg_database where datname = '{DATABASE.replace(chr(39), chr(39) * 2)}'"
    )
    assert owner == "shipcrowd_owner"
    rights = "rolcanlogin, rolinherit, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb"
    assert psql(
        host, f"select rolname, {rights} from pg_roles where rolname like 'shipcrowd%' order by 1"
    ).splitlines() == [
        "shipcrowd_app|t|f|f|f|f|f",
        "shipcrowd_ops|f|t|f|f|f|f",
        "shipcrowd_owner|t|t|f|f|f|f",
    ]
    assert psql(host, "select pg_has_role('shipcrowd_app', 'shipcrowd_ops', 'set')") == "t"
    assert psql(host, "select pg_has_role('shipcrowd_app', 'shipcrowd_ops', 'usage')") == "f"
    assert psql(host, "select unnest(rolconfig) from pg_roles where rolname = 'shipcrowd_app' order by 1") == (
        "idle_in_transaction_session_timeout=60s\nlock_timeout=5s\nstatement_timeout=15s"
    )


def test_what_only_postgresql_16_can_parse_is_hidden_from_15(script):
    assert "execute 'grant shipcrowd_ops to shipcrowd_app with inherit false, set true'" in script


def test_strangers_do_not_connect_and_the_app_makes_no_tables(host, script):
    psql(host, script)

    assert (
        psql(host, "select has_database_privilege('public', current_database(), 'connect')", database=DATABASE) == "f"
    )
    assert psql(host, "select has_schema_privilege('shipcrowd_app', 'public', 'create')", database=DATABASE) == "f"
    assert psql(host, "select has_schema_privilege('shipcrowd_owner', 'public', 'create')", database=DATABASE) == "t"
