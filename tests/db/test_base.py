"""The database backend: who the tests run as, what the owner may, and how test databases come and go."""

import pytest
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection, transaction

from shipcrowd.db.base import NoOwner


def value(sql: str) -> object:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def test_tests_run_as_the_app_that_owns_nothing(db):
    assert value("select current_user") == "shipcrowd_app"
    assert value("select count(*) from pg_tables where tableowner = 'shipcrowd_app'") == 0
    assert (
        value("select rolsuper or rolbypassrls or rolcreatedb from pg_roles where rolname = 'shipcrowd_app'") is False
    )


def test_the_app_may_become_ops_and_has_none_of_its_rights_before(db):
    assert value("select pg_has_role('shipcrowd_app', 'shipcrowd_ops', 'usage')") is False

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("set local role shipcrowd_ops")
        assert value("select current_user") == "shipcrowd_ops"


def test_app_and_ops_may_read_and_write_every_table_and_empty_none(db):
    rights = "has_table_privilege(r.rolname, t.schemaname || '.' || quote_ident(t.tablename), '{}')"
    tables = (
        "select count(*) from pg_tables t, pg_roles r where t.schemaname = 'public' "
        "and t.tableowner = 'shipcrowd_owner' and r.rolname in ('shipcrowd_app', 'shipcrowd_ops') and "
    )
    assert value(tables + "true") > 0
    assert value(tables + f"not {rights.format('select')}") == 0
    assert value(tables + rights.format("truncate")) == 0


def test_the_app_cannot_empty_a_table(db):
    with (
        pytest.raises(ProgrammingError, match="permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("truncate django_q_ormq")


def test_the_owner_is_the_owner_without_a_time_limit_and_then_the_app_again(transactional_db):
    assert value("show statement_timeout") == "15s"

    with connection.as_owner():
        assert value("select current_user") == "shipcrowd_owner"
        assert value("show statement_timeout") == "0"

    assert value("select current_user") == "shipcrowd_app"


def test_the_owner_does_not_come_in_the_middle_of_a_transaction(db):
    with pytest.raises(RuntimeError, match="transaction"), connection.as_owner():
        pass


@pytest.mark.parametrize("command", ["migrate", "flush"])
def test_without_the_owners_login_one_sentence_says_what_to_set(transactional_db, settings, command):
    settings.DATABASE_OWNER = {}

    with pytest.raises(CommandError, match="set DATABASE_OWNER_URL"):
        call_command(command, interactive=False, verbosity=0)
    with pytest.raises(NoOwner), connection.as_owner():
        pass

    assert value("select current_user") == "shipcrowd_app"


def test_flush_empties_append_only_tables_and_leaves_their_trigger_in_force(transactional_db):
    with connection.as_owner(), connection.cursor() as cursor:
        cursor.execute(
            "create function refuse() returns trigger language plpgsql as "
            "$$ begin raise exception 'append only'; end $$"
        )
        cursor.execute(
            "create trigger append_only before update or delete or truncate on django_q_task "
            "for each statement execute function refuse()"
        )
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "insert into django_q_task (id, name, func, started, stopped, success, attempt_count) "
                "values ('1', 'n', 'f', now(), now(), true, 1)"
            )

        call_command("flush", interactive=False, verbosity=0)

        assert value("select count(*) from django_q_task") == 0
        assert (
            value(
                "select tgenabled from pg_trigger where tgrelid = 'django_q_task'::regclass and tgname = 'append_only'"
            )
            == "O"
        )
    finally:
        with connection.as_owner(), connection.cursor() as cursor:
            cursor.execute("drop trigger append_only on django_q_task")
            cursor.execute("drop function refuse()")
