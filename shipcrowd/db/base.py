"""Django's PostgreSQL backend with two log-ins: the app's always, the owner's for migrate, flush and test databases.

`ENGINE = "shipcrowd.db"`. Where the settings name a folder in `EMBEDDED`, the first connection starts the server in it:
`check`, `--help` and `collectstatic` start none.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError
from django.db.backends.postgresql import base, creation, operations

from shipcrowd.db import embedded


class NoOwner(ImproperlyConfigured):
    """This machine does not know the owner's log-in."""

    def __init__(self) -> None:
        super().__init__("The owner's log-in is missing: set DATABASE_OWNER_URL (role shipcrowd_owner).")


class NotReached(OperationalError):
    """No connection came about; the text is one line for a person."""


class DatabaseOperations(operations.DatabaseOperations):
    """A flush passes the triggers that keep append-only tables from being emptied, in its own transaction."""

    def execute_sql_flush(self, sql_list: Iterable[str]) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute("select tgrelid::regclass::text from pg_trigger where tgname = 'append_only' order by 1")
            tables = [table for (table,) in cursor.fetchall()]
        super().execute_sql_flush(
            [
                *(f"alter table {table} disable trigger append_only" for table in tables),
                *sql_list,
                *(f"alter table {table} enable trigger append_only" for table in tables),
            ]
        )


class DatabaseCreation(creation.DatabaseCreation):
    """Test databases of an embedded server carry the number of their process: several runs may share the server."""

    def create_test_db(self, *args: Any, **kwargs: Any) -> str:
        # Never serialized: outside of a seller's scope there is nothing to read, and tests start from empty tables.
        return super().create_test_db(*args, **{**kwargs, "serialize": False})

    def _get_test_db_name(self) -> str:
        stem = self._stem()
        return f"{stem}_{os.getpid()}" if self.connection.settings_dict.get("EMBEDDED") else stem

    def _create_test_db(self, verbosity: int, autoclobber: bool, keepdb: bool = False) -> str:
        if self.connection.settings_dict.get("EMBEDDED"):
            self._drop_left_behind()
        name: str = super()._create_test_db(verbosity, autoclobber, keepdb)  # type: ignore[misc]  # private in the stubs
        return name

    def _drop_left_behind(self) -> None:
        """Test databases of runs that were killed before they could drop them."""
        with self.connection._nodb_cursor() as cursor:
            cursor.execute(r"select datname from pg_database where datname ~ ('^' || %s || '_\d+$')", [self._stem()])
            for (name,) in cursor.fetchall():
                if not Path("/proc", name.rpartition("_")[2]).exists():
                    cursor.execute(f"drop database if exists {self.connection.ops.quote_name(name)}")

    def _stem(self) -> str:
        name: str = super()._get_test_db_name()  # type: ignore[misc]  # private in the stubs
        return name


class DatabaseWrapper(base.DatabaseWrapper):
    ops_class = DatabaseOperations
    creation_class = DatabaseCreation

    def get_connection_params(self) -> dict[str, Any]:
        if folder := self.settings_dict.get("EMBEDDED"):
            try:
                self.settings_dict["HOST"] = embedded.ensure(folder)
            except embedded.EmbeddedError as error:
                raise OperationalError(str(error)) from error
        parameters: dict[str, Any] = super().get_connection_params()
        return parameters

    def connect(self) -> None:
        """Raises NotReached."""
        try:
            super().connect()
        except (OperationalError, psycopg.OperationalError) as error:  # Django's is of the embedded server
            raise NotReached(f"The database cannot be reached: {' '.join(str(error).split())}") from error

    @contextmanager
    def as_owner(self) -> Iterator[None]:
        """Inside, this connection is the owner's, without the app's time limits: a migration takes what it takes.

        Raises NoOwner where settings.DATABASE_OWNER is empty.
        """
        if self.in_atomic_block:
            raise RuntimeError("a transaction is open: it would be lost with the app's connection")
        ours = self.settings_dict
        owners = self._owner_settings()
        self._reconnect_with(owners)
        try:
            yield
        finally:
            self._reconnect_with(ours)

    @contextmanager
    def _nodb_cursor(self) -> Iterator[Any]:
        """Creates and drops test databases, which is the owner's right."""
        ours, self.settings_dict = self.settings_dict, self._owner_settings()
        try:
            with super()._nodb_cursor() as cursor:
                yield cursor
        finally:
            self.settings_dict = ours

    def _owner_settings(self) -> dict[str, Any]:
        if not settings.DATABASE_OWNER:
            raise NoOwner
        return {**self.settings_dict, **settings.DATABASE_OWNER}

    def _reconnect_with(self, settings_dict: dict[str, Any]) -> None:
        self.close()
        if self.settings_dict["OPTIONS"].get("pool"):
            self.close_pool()
        self.settings_dict = settings_dict
