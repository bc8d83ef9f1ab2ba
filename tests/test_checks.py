"""What is refused before anything serves or touches data, each in one plain sentence."""

import base64
import os
import subprocess
import sys

import pytest
from django.core.checks import run_checks
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from sellers.models import Connection
from shipcrowd import checks, encryption
from shipcrowd.settings import BASE_DIR
from shipcrowd.tenancy import seller_scope

pytestmark = pytest.mark.slow  # most start manage.py in a process of its own

KEY = base64.b64encode(b"k" * 32).decode()
WHOLE = {
    "SECRET_KEY": "s" * 60,
    "ENCRYPTION_KEYS": KEY,
    "DATABASE_URL": "postgres://shipcrowd_app@127.0.0.1:1/shipcrowd",
    "PUBLIC_URL": "https://portal.example.com",
    "ALLOWED_HOSTS": "portal.example.com",
}


def manage(*argv: str, **environment: str) -> tuple[int, list[str]]:
    """Exit code and lines of error of manage.py."""
    ran = run(str(BASE_DIR / "manage.py"), *argv, **environment)
    return ran.returncode, ran.stderr.splitlines()


def run(*argv: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Python in a process of its own, with this environment and no other."""
    return subprocess.run(
        [sys.executable, *argv],
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"} | environment,
        cwd=BASE_DIR,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("command", [["migrate"], ["runserver"], ["check", "--deploy"], ["rotate_keys"], ["worker"]])
def test_commands_that_touch_data_name_each_missing_setting_in_a_line(command):
    assert manage(*command) == (
        checks.REFUSED,
        [
            "SECRET_KEY is missing: set at least 50 random characters.",
            "ENCRYPTION_KEYS is missing: set one or more keys of 32 random bytes in base64, the newest first.",
            "DATABASE_URL is missing: set postgres://shipcrowd_app:password@host/shipcrowd.",
            "PUBLIC_URL is missing: set where people reach the portal, as https://portal.example.com.",
            "ALLOWED_HOSTS is missing: set the host names of the portal, separated by commas.",
        ],
    )


@pytest.mark.parametrize(
    "command", [["help"], ["--version"], ["migrate", "--help"], ["roles"], ["makemigrations", "--check"]]
)
def test_commands_that_touch_nothing_need_no_setting(command):
    assert manage(*command)[0] == 0


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY is missing: set at least 50 random characters."),
        ({"ENCRYPTION_KEYS": "not base64!"}, "ENCRYPTION_KEYS: key 1 is not base64."),
        ({"ENCRYPTION_KEYS": f"{KEY},c2hvcnQ="}, "ENCRYPTION_KEYS: key 2 has 5 bytes, wanted are 32."),
        (
            {"FLIPKART": "production"},
            "FLIPKART_WIRE is missing: with production say official (guide is for simulators only).",
        ),
    ],
)
def test_a_wrong_setting_is_one_line(environment, says):
    assert manage("migrate", **WHOLE | environment) == (checks.REFUSED, [says])


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("FLIPKART", "sandbux", "none of the words it can be: write simulator or sandbox or production"),
        ("LEASE_SECONDS", "abc", "no number: write one from 0 to 1000000000, as 90"),
        ("POLL_EVERY_SECONDS", "1e300", "no number: write one from 0 to 1000000000, as 300"),
        ("QUOTA_BURST", "1.5", "no whole number: write one from 0 to 1000000000, as 20"),
        ("LOG_LEVEL", "FOO", "none of the words it can be: write DEBUG or INFO or WARNING or ERROR or CRITICAL"),
        ("PUBLIC_URL", "https://[bad", "no web address: write one as https://name.example.com"),
        ("EMAIL_URL", "smtp://u:secret@h:port", "no mail server: write smtp+tls://user:password@host:587"),
    ],
)
@pytest.mark.parametrize("command", [["migrate"], ["check"]])
def test_a_setting_that_cannot_be_read_is_one_line_without_what_was_written(command, name, value, says):
    assert manage(*command, **WHOLE | {name: value}) == (
        checks.REFUSED,
        [f"A setting cannot be read: {name} is {says}."],
    )


def test_the_web_server_ends_on_a_setting_that_cannot_be_read():
    ran = run("-m", "gunicorn", "shipcrowd.wsgi", "--bind", "127.0.0.1:0", LEASE_SECONDS="abc", HOME="/")

    assert ran.returncode == checks.REFUSED
    assert [line for line in ran.stderr.splitlines() if "LEASE_SECONDS" in line] == [
        "A setting cannot be read: LEASE_SECONDS is no number: write one from 0 to 1000000000, as 90."
    ]
    assert "Traceback" not in ran.stderr


def test_the_description_of_the_api_is_written_without_any_setting(tmp_path):
    assert manage("spectacular", "--file", str(tmp_path / "api.yaml"), "--validate") == (0, [])

    assert (tmp_path / "api.yaml").read_text().startswith("openapi: 3.")


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("DATABASE_URL", "nonsense"),
        ("DATABASE_URL", "postgres://shipcrowd_app:secret@host:99999/shipcrowd"),
        ("DATABASE_OWNER_URL", "mysql://shipcrowd_owner:secret@host/shipcrowd"),
        ("DATABASE_OWNER_URL", "postgres://"),
    ],
)
def test_what_is_no_address_of_postgresql_is_one_line_without_its_password(name, url):
    says = f"{name} names no database of PostgreSQL: write postgres://user:password@host/name."

    assert manage("migrate", **WHOLE | {name: url}) == (checks.REFUSED, [f"A setting cannot be read: {says}"])


@pytest.mark.parametrize("command", [["migrate"], ["rotate_keys"], ["worker"]])
def test_a_database_that_cannot_be_reached_is_one_line(command):
    code, lines = manage(*command, **WHOLE, DATABASE_OWNER_URL="postgres://shipcrowd_owner@127.0.0.1:1/shipcrowd")

    assert (code, len(lines)) == (checks.REFUSED, 1)
    assert lines[0].startswith("The database cannot be reached: ")


@pytest.mark.parametrize(
    ("argv", "needs_none"),
    [
        (["manage.py"], True),
        (["manage.py", "check"], True),
        (["manage.py", "check", "--deploy"], False),
        (["manage.py", "makemigrations"], False),
        (["manage.py", "makemigrations", "--check", "--dry-run"], True),
        (["manage.py", "spectacular", "--fail-on-warn"], True),
        (["manage.py", "simulator", "--port", "1"], True),
        (["manage.py", "demo"], True),
        (["manage.py", "worker", "-h"], True),
        (["manage.py", "worker"], False),
        (["manage.py", "shell"], False),
        (["manage.py", "setup"], False),
    ],
)
def test_which_commands_need_settings(argv, needs_none):
    assert checks.needs_no_settings(argv) is needs_none


# --- Before web and worker begin -------------------------------------------------------------------------------------


def refused(capsys) -> list[str]:
    with pytest.raises(SystemExit) as ended:
        checks.at_start()
    assert ended.value.code == checks.REFUSED
    return capsys.readouterr().err.splitlines()


def test_everything_is_as_it_must_be(db, capsys):
    checks.at_start()

    assert capsys.readouterr().err == ""


@pytest.mark.django_db(transaction=True)
def test_the_owner_does_not_serve(capsys):
    """trust.md 54c"""
    with connection.as_owner():
        lines = refused(capsys)

    assert lines == [
        "The database role shipcrowd_owner owns tables: DATABASE_URL must name shipcrowd_app, not the owner."
    ]


@pytest.mark.django_db(transaction=True)
def test_a_role_that_holds_the_rights_of_ops_does_not_serve():
    with connection.cursor() as cursor:
        cursor.execute("set role shipcrowd_ops")
        try:
            assert list(checks.role_problems()) == [
                "The database role shipcrowd_ops has the rights of shipcrowd_ops: run the SQL of manage.py roles again."
            ]
        finally:
            cursor.execute("set role none")


def test_a_database_without_the_newest_migration_is_refused(db, capsys):
    newest = MigrationRecorder.Migration.objects.filter(app="fulfillment").latest("name")
    newest.delete()

    assert refused(capsys) == ["The database is not up to date (1 migrations wait): run manage.py migrate."]


def test_a_key_that_is_in_use_and_not_there_is_named(seller, settings, capsys):
    """trust.md 68"""
    with seller_scope(seller):
        Connection.objects.create(seller=seller, environment="simulator", wire="guide", client_secret="planted-secret")
    old = encryption.key_id(encryption.known_keys()[0]).hex()
    settings.ENCRYPTION_KEYS = [KEY]

    lines = refused(capsys)

    assert lines == [f"Sealed values need keys that are not in ENCRYPTION_KEYS (key id {old}): add them again."]
    settings.ENCRYPTION_KEYS = [KEY, base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()]
    checks.at_start()


def test_a_setting_that_is_missing_is_refused_at_the_start_too(db, settings, capsys):
    settings.PUBLIC_URL = ""

    assert refused(capsys) == [
        "PUBLIC_URL is missing: set where people reach the portal, as https://portal.example.com."
    ]


# --- manage.py check --deploy ----------------------------------------------------------------------------------------


@pytest.fixture
def production(settings):
    """The settings of a portal that may serve."""
    settings.EMBEDDED_DATA, settings.FLIPKART, settings.DEBUG = "", "production", False
    settings.PUBLIC_URL, settings.ALLOWED_HOSTS = "https://portal.example.com", ["portal.example.com"]
    settings.HTTPS, settings.TRUSTED_PROXIES = True, ["10.0.0.1"]
    return settings


def found() -> list[str]:
    return [
        message.id
        for message in run_checks(tags=["security"], include_deployment_checks=True)
        if "shipcrowd" in message.id
    ]


def test_production_settings_pass(production):
    assert found() == []


@pytest.mark.parametrize(
    ("name", "value", "ids"),
    [
        ("EMBEDDED_DATA", ".data", ["shipcrowd.E001"]),
        ("FLIPKART", "simulator", ["shipcrowd.E002"]),
        ("PUBLIC_URL", "http://portal.example.com", ["shipcrowd.E003"]),
        ("ALLOWED_HOSTS", ["*"], ["shipcrowd.E004"]),
        ("TRUSTED_PROXIES", [], ["shipcrowd.W001"]),
    ],
)
def test_what_belongs_to_the_demo_does_not_pass(production, name, value, ids):
    """trust.md 80 and 84"""
    setattr(production, name, value)

    assert found() == ids
