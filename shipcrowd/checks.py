"""What must be true before anything serves or touches data; each refusal is one plain sentence.

`refuse_without_settings()` looks at the environment before Django starts, `at_start()` at the database before web or
worker begin, `refuse_without_database()` stands round each command, and `manage.py check --deploy` looks at settings
that must not reach production.
"""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004 - Django's own name
from django.core.exceptions import ImproperlyConfigured

# Commands that neither serve nor touch data. `demo` makes its own settings.
NEED_NO_SETTINGS = frozenset(
    {"collectstatic", "compilemessages", "demo", "help", "makemessages", "roles", "simulator", "spectacular", "version"}
)
OLDEST_POSTGRES = 150_000
# gunicorn ends on this code (its WORKER_BOOT_ERROR); any other would make it start the worker again and again.
REFUSED = 3


def refuse_without_settings(argv: Sequence[str]) -> None:
    """Ends the process with one line for each setting that is missing, for commands that need them."""
    refuse_wrong_settings()
    if not needs_no_settings(argv) and (problems := missing_settings()):
        _refuse(problems)


def refuse_wrong_settings() -> None:
    """Reads settings.py, and ends the process with one line where the environment holds what cannot be read."""
    try:
        settings.DATABASES  # noqa: B018 - the first look reads them all
    except ImproperlyConfigured as error:
        _refuse([f"A setting cannot be read: {' '.join(str(error).split())}."])


def needs_no_settings(argv: Sequence[str]) -> bool:
    command, options = (argv[1] if len(argv) > 1 else "help"), set(argv[2:])
    if command in NEED_NO_SETTINGS or {"--help", "-h", "--version"} & {command, *options}:
        return True
    return (command == "check" and "--deploy" not in options) or (command == "makemigrations" and "--check" in options)


def missing_settings() -> list[str]:
    """One sentence for each setting without which nothing may serve, in the order of settings.py."""
    found = [
        (
            settings.SECRET_KEY_IS_SET and os.environ.get("SECRET_KEY") != "",  # settings.py makes one up
            "SECRET_KEY is missing: set at least 50 random characters.",
        ),
        (not _wrong_keys(), _wrong_keys()),
        (
            settings.DATABASE_URL or settings.EMBEDDED_DATA,
            "DATABASE_URL is missing: set postgres://shipcrowd_app:password@host/shipcrowd.",
        ),
        (
            settings.PUBLIC_URL,
            "PUBLIC_URL is missing: set where people reach the portal, as https://portal.example.com.",
        ),
        (
            settings.DEBUG or settings.ALLOWED_HOSTS,
            "ALLOWED_HOSTS is missing: set the host names of the portal, separated by commas.",
        ),
        (
            settings.FLIPKART_WIRE,
            f"FLIPKART_WIRE is missing: with {settings.FLIPKART} say official (guide is for simulators only).",
        ),
    ]
    return [sentence for is_there, sentence in found if not is_there]


def _wrong_keys() -> str:
    from shipcrowd import encryption  # noqa: PLC0415 - app loading: it holds a model field

    if not settings.ENCRYPTION_KEYS:
        return "ENCRYPTION_KEYS is missing: set one or more keys of 32 random bytes in base64, the newest first."
    try:
        encryption.known_keys()
    except ValueError as error:
        return str(error)
    return ""


@contextmanager
def refuse_without_database(argv: Sequence[str]) -> Iterator[None]:
    """Ends the process with one line where a command cannot reach the database; `--traceback` shows all of it."""
    from shipcrowd.db.base import NotReached  # noqa: PLC0415 - app loading

    try:
        yield
    except NotReached as error:
        if "--traceback" in argv:
            raise
        _refuse([str(error)])


# --- Before web and worker begin -------------------------------------------------------------------------------------


def at_start() -> None:
    """Ends the process unless settings, database role, schema and keys are as they must be."""
    from shipcrowd.db.base import NotReached  # noqa: PLC0415 - app loading: manage.py imports this module first

    if problems := missing_settings():
        _refuse(problems)
    try:
        problems = list(_database_problems())
    except NotReached as error:
        problems = [str(error)]
    if problems:
        _refuse(problems)


def _database_problems() -> Iterable[str]:
    wrong_role = list(role_problems())
    if wrong_role:
        yield from wrong_role  # and nothing more: the wrong role cannot even look
    elif pending := pending_migrations():
        yield f"The database is not up to date ({pending} migrations wait): run manage.py migrate."
    else:
        yield from key_problems()


def role_problems() -> Iterable[str]:
    """What is wrong with the role that this process runs as: the fence between sellers holds for no other."""
    from django.db import connection  # noqa: PLC0415 - app loading

    with connection.cursor() as cursor:
        cursor.execute(
            "select current_user, current_setting('server_version_num')::int, rolsuper, rolbypassrls, "
            "exists (select from pg_class where relnamespace = 'public'::regnamespace "
            "and relkind in ('r', 'p', 'v', 'm') and pg_has_role(current_user, relowner, 'USAGE')), "
            "exists (select from pg_roles where rolname = 'shipcrowd_ops') "
            "from pg_roles where rolname = current_user"
        )
        role, version, is_superuser, bypasses, owns, ops_exists = cursor.fetchone()
        is_ops = False
        if ops_exists:
            cursor.execute("select pg_has_role(current_user, 'shipcrowd_ops', 'USAGE')")
            (is_ops,) = cursor.fetchone()
    if version < OLDEST_POSTGRES:
        yield f"PostgreSQL 15 or newer is needed; this one says {version // 10_000}."
    if not ops_exists:
        yield "The role shipcrowd_ops is missing: run the SQL of manage.py roles."
    if is_superuser:
        yield f"The database role {role} is a superuser: DATABASE_URL must name shipcrowd_app."
    elif bypasses:
        yield f"The database role {role} may bypass row-level security: DATABASE_URL must name shipcrowd_app."
    elif owns:
        yield f"The database role {role} owns tables: DATABASE_URL must name shipcrowd_app, not the owner."
    elif is_ops:
        yield f"The database role {role} has the rights of shipcrowd_ops: run the SQL of manage.py roles again."


def pending_migrations() -> int:
    from django.db import connection  # noqa: PLC0415 - app loading
    from django.db.migrations.executor import MigrationExecutor  # noqa: PLC0415 - app loading

    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def key_problems() -> Iterable[str]:
    """Keys that seal something in the database and are not among ENCRYPTION_KEYS."""
    from shipcrowd import encryption  # noqa: PLC0415 - app loading
    from shipcrowd.tenancy import everyone_scope  # noqa: PLC0415 - app loading

    with everyone_scope("start: which keys are in use"):
        used = encryption.keys_in_use()
    known = {encryption.key_id(key) for key in encryption.known_keys()}
    missing = sorted(key_id.hex() for key_id in used if key_id not in known)
    if missing:
        yield f"Sealed values need keys that are not in ENCRYPTION_KEYS (key id {', '.join(missing)}): add them again."


def _refuse(problems: Iterable[str]) -> NoReturn:
    for sentence in problems:
        sys.stderr.write(f"{sentence}\n")
    raise SystemExit(REFUSED)


# --- manage.py check --deploy ----------------------------------------------------------------------------------------


@register(Tags.security, deploy=True)
def nothing_of_the_demo(**_kwargs: Any) -> list[CheckMessage]:
    """Settings of demo and tests that must not reach production."""
    found: list[CheckMessage] = []
    if settings.EMBEDDED_DATA:
        found.append(Error("SHIPCROWD_EMBEDDED is set: it is the database of demo and tests.", id="shipcrowd.E001"))
    if settings.FLIPKART == "simulator" and not settings.DEBUG:
        found.append(Error("FLIPKART=simulator: sellers would connect to nothing.", id="shipcrowd.E002"))
    if not settings.PUBLIC_URL.startswith("https://"):
        found.append(Error("PUBLIC_URL must start with https://.", id="shipcrowd.E003"))
    if "*" in settings.ALLOWED_HOSTS:
        found.append(Error("ALLOWED_HOSTS holds *: a forged Host would be believed.", id="shipcrowd.E004"))
    if settings.HTTPS and not settings.TRUSTED_PROXIES:
        found.append(
            Warning(
                "TRUSTED_PROXIES is empty: behind a proxy that ends TLS every request would be sent to https again.",
                id="shipcrowd.W001",
            )
        )
    return found
