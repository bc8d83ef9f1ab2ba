"""What PostgreSQL's own catalogue says of the fences: asked of every table, so that a new one cannot be forgotten."""

import pytest
from django.apps import apps
from django.db import Error, connection, transaction

from shipcrowd.tenancy import APP_ROLE, OPS_ROLE, OWNER_ROLE, SellersKey
from tests import factories

pytestmark = pytest.mark.django_db

# Tables without a seller: Django's and django-q2's own, people, the sign of life of workers. A new one is named here.
NOBODYS = {
    "auth_group",
    "auth_group_permissions",
    "auth_permission",
    "axes_accessattempt",
    "axes_accessattemptexpiration",
    "axes_accessfailurelog",
    "axes_accesslog",
    "django_admin_log",
    "django_content_type",
    "django_migrations",
    "django_q_ormq",
    "django_q_schedule",
    "django_q_task",
    "django_session",
    "sellers_user",
    "sellers_user_groups",
    "sellers_user_user_permissions",
    "shipcrowd_workermark",
}
# The audit is read by ops and by the seller it is about; its own policies stand in its migration.
AUDIT = "shipcrowd_auditentry"

DOORS = {
    ("sellers_seller", "door_user"),
    ("sellers_seller", "door_slug"),
    ("sellers_seller", "door_due"),
    ("sellers_member", "door_user"),
    ("sellers_invitation", "door_invitation"),
    ("sellers_connectattempt", "door_connect"),
    ("sellers_facility", "door_location"),
    ("sellers_connection", "door_account"),
    ("sellers_alert", "door_due"),
    ("sellers_watch", "door_due"),
    ("orders_pollcursor", "door_due"),
    ("orders_followcursor", "door_due"),
    ("orders_lookup", "door_due"),
    ("fulfillment_labelrequest", "door_due"),
    ("fulfillment_dispatch", "door_due"),
    ("fulfillment_sellercancellation", "door_due"),
    ("fulfillment_formacknowledgement", "door_due"),
    ("fulfillment_printjob", "door_due"),
    ("fulfillment_prefetch", "door_due"),
    ("fulfillment_handover", "door_due"),
    ("fulfillment_golivecheck", "door_due"),
    ("shipcrowd_turn", "door_due"),
}


def rows(sql: str, *parameters: object) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


def tables() -> set[str]:
    return {name for (name,) in rows("select tablename from pg_tables where schemaname = 'public'")}


def fenced() -> set[str]:
    return tables() - NOBODYS - {AUDIT}


def test_the_tests_themselves_run_as_the_app_role():
    assert rows("select current_user, session_user") == [(APP_ROLE, APP_ROLE)]
    assert rows("select 1 from pg_tables where schemaname = 'public' and tableowner = current_user") == []
    assert rows("select rolsuper, rolbypassrls, rolcreaterole from pg_roles where rolname = current_user") == [
        (False, False, False)
    ]


def test_the_app_role_may_become_ops_but_does_not_hold_its_rights():
    """Else the policy for ops would hold for the app too."""
    assert rows(
        "select pg_has_role(current_user, %s, 'SET'), pg_has_role(current_user, %s, 'USAGE')", OPS_ROLE, OPS_ROLE
    ) == [(True, False)]
    assert rows("select pg_has_role(current_user, %s, 'MEMBER')", OWNER_ROLE) == [(False,)]


def test_every_table_of_a_seller_is_fenced_and_forced():
    secured = {
        name
        for (name,) in rows(
            "select relname from pg_class where relkind = 'r' and relrowsecurity and relforcerowsecurity "
            "and relnamespace = 'public'::regnamespace"
        )
    }

    assert secured == fenced() | {AUDIT}


def test_every_fenced_table_carries_its_seller():
    with_seller = {
        name
        for (name,) in rows(
            "select table_name from information_schema.columns "
            "where table_schema = 'public' and column_name = 'seller_id' and is_nullable = 'NO'"
        )
    }

    assert with_seller == fenced() - {"sellers_seller"}


def test_each_fence_has_a_policy_for_each_role_that_holds_for_reading_and_for_writing():
    policies = rows(
        "select tablename, policyname, roles::text[], cmd, qual is not null, with_check is not null from pg_policies "
        "where schemaname = 'public' and policyname not like 'door%%' and tablename <> %s",
        AUDIT,
    )

    assert sorted(policies) == sorted(
        (table, name, [role], "ALL", True, True)
        for table in fenced()
        for name, role in (("app", APP_ROLE), ("ops", OPS_ROLE), ("owner", OWNER_ROLE))
    )


def test_the_apps_policy_parses_the_scope_once_a_statement():
    """Unwrapped it is parsed for each row: seconds over a thousand sellers."""
    conditions = {
        condition
        for pair in rows("select qual, with_check from pg_policies where policyname = 'app' and schemaname = 'public'")
        for condition in pair
    }

    assert conditions
    assert all("( SELECT (string_to_array(current_setting('shipcrowd.sellers'" in condition for condition in conditions)


def test_doors_are_named_and_show_without_letting_write():
    doors = rows("select tablename, policyname, cmd, roles::text[] from pg_policies where policyname like 'door%%'")

    assert {(table, name) for table, name, _cmd, _roles in doors} == DOORS
    assert {(cmd, tuple(roles)) for _table, _name, cmd, roles in doors} == {("SELECT", (APP_ROLE,))}


def test_every_reference_between_rows_of_a_seller_carries_the_seller():
    """trust 54a: a plain foreign key is checked past row-level security, and may point at another seller's row."""
    sellers_tables = fenced() - {"sellers_seller"}
    foreign_keys = rows(
        "select c.conrelid::regclass::text, c.confrelid::regclass::text, "
        "  array(select a.attname::text from unnest(c.conkey) k "
        "        join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k) "
        "from pg_constraint c where c.contype = 'f'"
    )
    between = [(child, columns) for child, parent, columns in foreign_keys if {child, parent} <= sellers_tables]
    declared = {
        (model._meta.db_table, field.column)
        for model in apps.get_models()
        for field in model._meta.local_fields
        if field.is_relation and field.related_model._meta.db_table in sellers_tables
    }

    assert all("seller_id" in columns for _child, columns in between)
    assert {(child, next(c for c in columns if c != "seller_id")) for child, columns in between} == declared


def test_models_refer_to_a_sellers_rows_by_the_key_that_carries_the_seller():
    plain = [
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.local_fields
        if field.is_relation and hasattr(field.related_model, "seller_id") and not isinstance(field, SellersKey)
    ]

    assert plain == []


def test_no_function_or_view_looks_past_the_fence():
    """trust 54c"""
    assert rows("select proname from pg_proc where prosecdef and pronamespace = 'public'::regnamespace") == []
    assert (
        rows("select relname from pg_class where relkind in ('v', 'm') and relnamespace = 'public'::regnamespace") == []
    )


@pytest.mark.parametrize("table", ["orders_shipment", "shipcrowd_auditentry", "sellers_seller"])
def test_the_app_role_cannot_empty_a_table(table):
    with pytest.raises(Error, match="permission denied"), transaction.atomic():
        rows(f"truncate {table} cascade")


def test_the_app_role_cannot_widen_its_own_sight():
    """trust 54d: the scope is a list of ids; there is no word for everybody."""
    factories.seller()

    with transaction.atomic():
        rows("select set_config('shipcrowd.sellers', '*', true)")
        with pytest.raises(Error, match="bigint"), transaction.atomic():
            rows("select count(*) from sellers_seller")


@pytest.mark.parametrize("sql", ["update shipcrowd_auditentry set did = 'nothing'", "delete from shipcrowd_auditentry"])
def test_nobody_rewrites_the_audit(sql):
    """trust 82"""
    with factories.ops(), pytest.raises(Error, match="append-only"), transaction.atomic():
        rows(sql + " returning 1")
