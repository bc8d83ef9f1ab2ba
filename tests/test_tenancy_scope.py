"""Scopes, doors and the audit: what one sees inside, after an error, nested, and through a door."""

import threading

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from sellers.models import Facility, Member, MemberFacility, Role, Seller
from shipcrowd import audit, tenancy
from shipcrowd.audit.models import AuditEntry
from shipcrowd.db import roles
from shipcrowd.tenancy import (
    EVERYONE,
    NoScope,
    OtherScope,
    current_scope,
    everyone_scope,
    require_scope,
    scoped_on_commit,
    seller_scope,
    through_door,
)
from tests import factories
from tests.factories import as_ops


def in_the_database() -> tuple[str, str]:
    """The scope's setting and the role, as PostgreSQL has them now."""
    with connection.cursor() as cursor:
        cursor.execute("select coalesce(current_setting('shipcrowd.sellers', true), ''), current_user")
        return cursor.fetchone()


def names() -> list[str]:
    return [row.name for row in Facility.objects.order_by("pk")]


def write_and_fail(seller: Seller, write) -> None:
    with seller_scope(seller):
        write()
        raise RuntimeError


def place(seller: Seller, name: str) -> Facility:
    return factories.facility(seller, name=name)


# --- What one sees ---------------------------------------------------------------------------------------------------


def test_a_scope_sees_its_seller_only(seller, other_seller):
    place(seller, "mine")
    place(other_seller, "theirs")

    with seller_scope(seller):
        assert names() == ["mine"]
    with seller_scope(other_seller.pk):
        assert names() == ["theirs"]
    with seller_scope(seller, other_seller):
        assert names() == ["mine", "theirs"]
    with everyone_scope("a test"):
        assert names() == ["mine", "theirs"]


@pytest.mark.parametrize(
    "ask",
    [
        lambda rows: list(rows.all()),
        lambda rows: rows.count(),
        lambda rows: rows.exists(),
        lambda rows: rows.first(),
        lambda rows: rows.filter(pk=1).update(name="x"),
        lambda rows: rows.filter(pk=1).delete(),
        lambda rows: rows.bulk_create([]),
        lambda rows: rows.aggregate(),
        lambda rows: next(rows.all().iterator(), None),
        lambda rows: rows.values_list("pk").first(),
        lambda rows: rows.in_bulk([1]),
        lambda rows: bool(rows.all()),
        lambda rows: rows.get(pk=1),
    ],
)
def test_a_query_without_a_scope_raises_where_the_database_would_show_nothing(db, ask):
    """trust.md 26b"""
    with pytest.raises(NoScope):
        ask(Facility.objects)


def test_without_a_scope_the_database_shows_and_takes_nothing(seller):
    place(seller, "mine")

    with connection.cursor() as cursor:
        cursor.execute("select count(*) from sellers_facility")
        assert cursor.fetchone() == (0,)
        cursor.execute("update sellers_facility set name = 'taken'")
        assert cursor.rowcount == 0
    assert [row.name for row in as_ops(Facility)] == ["mine"]


@pytest.mark.parametrize("value", ["*", "", "everyone", "{}", "1,2", " "])
def test_a_scope_that_sql_sets_by_itself_reaches_no_further_than_ids(seller, value):
    """trust.md 54d: everybody's rows need the other role; a text that is no list of ids is an error, and never all."""
    place(seller, "mine")

    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("select set_config('shipcrowd.sellers', %s, true)", [value])
            cursor.execute("select count(*) from sellers_facility where seller_id = %s", [seller.pk])
            seen = cursor.fetchone()[0]
    except DatabaseError:
        seen = 0
    assert seen == (1 if str(seller.pk) in value.split(",") else 0)


def test_a_row_for_another_seller_is_not_written(seller, other_seller):
    with pytest.raises(DatabaseError, match="row-level security"), seller_scope(seller):
        Facility.objects.create(seller=other_seller, flipkart_location_id="L", name="theirs")

    assert as_ops(Facility) == []


def test_a_row_is_not_moved_to_another_seller(seller, other_seller):
    mine = place(seller, "mine")

    with pytest.raises(DatabaseError, match="row-level security"), seller_scope(seller):
        Facility.objects.filter(pk=mine.pk).update(seller=other_seller)


@pytest.mark.django_db(transaction=True)
def test_a_reference_to_another_sellers_row_is_refused():
    """trust.md 54a: and an id that exists looks like one that does not."""
    seller, other = factories.seller(), factories.seller()
    user, theirs = factories.member(seller, Role.OWNER), place(other, "theirs")

    for facility_id in (theirs.pk, 10**9):
        with pytest.raises(IntegrityError, match="of_seller"), seller_scope(seller):
            MemberFacility.objects.create(seller=seller, member=Member.objects.get(user=user), facility_id=facility_id)


def test_the_tests_run_as_the_app(db):
    assert in_the_database()[1] == "shipcrowd_app"


# --- Begin, end, nesting ---------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_scope_ends_with_its_transaction_however_it_ends():
    """trust.md 52a, 54"""
    seller = factories.seller()

    with seller_scope(seller):
        assert in_the_database() == (str(seller.pk), "shipcrowd_app")
    assert (current_scope(), in_the_database()[0]) == (None, "")

    with pytest.raises(RuntimeError, match="ours"), seller_scope(seller):
        raise RuntimeError("ours")
    assert (current_scope(), in_the_database()[0]) == (None, "")

    with pytest.raises(DatabaseError, match="division"), seller_scope(seller), connection.cursor() as cursor:
        cursor.execute("select 1/0")
    assert (current_scope(), in_the_database()[0]) == (None, "")


@pytest.mark.django_db(transaction=True)
def test_everyones_scope_ends_with_its_transaction_however_it_ends():
    with everyone_scope("a test"):
        assert in_the_database()[1] == "shipcrowd_ops"
        assert current_scope() == EVERYONE
    assert in_the_database()[1] == "shipcrowd_app"

    with pytest.raises(DatabaseError, match="division"), everyone_scope("a test"), connection.cursor() as cursor:
        cursor.execute("select 1/0")
    assert (current_scope(), in_the_database()[1]) == (None, "shipcrowd_app")


def test_the_same_seller_nested_is_a_savepoint(seller):
    with seller_scope(seller):
        place(seller, "kept")
        with pytest.raises(RuntimeError):
            write_and_fail(seller, lambda: place(seller, "taken back"))
        assert in_the_database()[0] == str(seller.pk)
        assert names() == ["kept"]


def test_other_sellers_nested_are_an_error(seller, other_seller):
    with seller_scope(seller):
        for inner in (lambda: seller_scope(other_seller), lambda: seller_scope(seller, other_seller)):
            with pytest.raises(OtherScope), inner():
                pass
        with pytest.raises(OtherScope), everyone_scope("a test"):
            pass
        assert in_the_database() == (str(seller.pk), "shipcrowd_app")
    with everyone_scope("a test"), pytest.raises(OtherScope), seller_scope(seller):
        pass


def test_a_use_case_asks_for_its_scope(seller, other_seller):
    with pytest.raises(NoScope):
        require_scope(seller)
    with seller_scope(seller):
        require_scope(seller)
        require_scope(seller.pk)
        with pytest.raises(NoScope):
            require_scope(other_seller)
    with everyone_scope("a test"):
        require_scope(seller)


@pytest.mark.django_db(transaction=True)
def test_what_follows_a_commit_has_a_scope_of_its_own():
    """trust.md 26b"""
    seller, seen = factories.seller(), []

    with seller_scope(seller):
        place(seller, "mine")
        scoped_on_commit(lambda: seen.extend(names()))
        assert seen == []

    assert seen == ["mine"]
    with pytest.raises(NoScope):
        scoped_on_commit(lambda: None)


@pytest.mark.django_db(transaction=True)
def test_a_scope_belongs_to_its_thread():
    """trust.md 54"""
    seller, seen = factories.seller(), []

    def look() -> None:
        seen.append((current_scope(), in_the_database()[0]))
        connection.close()

    with seller_scope(seller):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join(timeout=20)

    assert seen == [(None, "")]


# --- Doors -----------------------------------------------------------------------------------------------------------


def test_a_door_shows_what_its_secret_opens_and_only_for_that_read(seller, other_seller):
    factories.member(other_seller)
    user = factories.member(seller)

    found = through_door("user", str(user.pk), lambda: [row.seller_id for row in Member.objects.all()])

    assert found == [seller.pk]
    assert current_scope() is None
    with pytest.raises(NoScope):
        Member.objects.count()
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from sellers_member")
        assert cursor.fetchone() == (0,)


def test_a_door_is_for_reading(seller):
    user = factories.member(seller)

    changed = through_door("user", str(user.pk), lambda: Member.objects.update(role=Role.VIEWER))

    assert changed == 0
    assert [row.role for row in as_ops(Member)] == [Role.OWNER]


def test_a_door_that_fails_is_closed_again(seller):
    user = factories.member(seller)

    def fails():
        raise RuntimeError

    with pytest.raises(RuntimeError):
        through_door("user", str(user.pk), fails)

    with connection.cursor() as cursor:
        cursor.execute("select count(*) from sellers_member")
        assert cursor.fetchone() == (0,)


def test_a_door_inside_a_scope_leaves_the_scope_as_it_was(seller, other_seller):
    user = factories.member(other_seller)
    factories.member(seller)

    with seller_scope(seller):
        through_door("user", str(user.pk), lambda: list(Member.objects.all()))
        assert [row.seller_id for row in Member.objects.all()] == [seller.pk]


@pytest.mark.parametrize("value", ["", "0", "-1"])
def test_a_door_opens_to_no_empty_secret(seller, value):
    factories.member(seller)

    assert through_door("user", value, lambda: list(Member.objects.all())) == []


def test_a_door_that_nobody_declared_opens_nothing(seller):
    factories.member(seller)

    assert through_door("no_such_door", "on", lambda: list(Member.objects.all())) == []


# --- The audit -------------------------------------------------------------------------------------------------------


def test_entering_everyones_scope_is_written_down(db):
    person = factories.user()

    with everyone_scope("looking for a lost parcel", by=person):
        pass

    (line,) = [line for line in as_ops(AuditEntry) if line.why == "looking for a lost parcel"]
    assert (line.by_id, line.did) == (person.pk, "entered everyone's scope")


def test_what_is_taken_back_leaves_no_line(seller):
    with pytest.raises(RuntimeError):
        write_and_fail(seller, lambda: audit.record(None, "did something", seller=seller))

    assert "did something" not in [line.did for line in as_ops(AuditEntry)]


def test_a_bulk_act_keeps_ids_and_their_number(seller):
    with seller_scope(seller):
        audit.record(None, "did much", seller=seller, rows=range(1000))

    (line,) = [line for line in as_ops(AuditEntry) if line.did == "did much"]
    assert (len(line.rows), line.row_count) == (audit.MOST_IDS, 1000)


@pytest.mark.parametrize("change", ["update shipcrowd_auditentry set did = 'x'", "delete from shipcrowd_auditentry"])
@pytest.mark.parametrize("everyone", [False, True])
def test_no_line_is_changed_or_removed(seller, change, everyone):
    """trust.md 82"""
    with seller_scope(seller):
        audit.record(None, "did something", seller=seller)

    scope = everyone_scope("a test") if everyone else seller_scope(seller)
    try:
        with scope, connection.cursor() as cursor:
            cursor.execute(change)
    except DatabaseError:
        pass

    assert [line.did for line in as_ops(AuditEntry, about=seller)] == ["did something"]


def test_the_roles_are_named_once(db):
    assert (roles.APP, roles.OPS, roles.OWNER) == (tenancy.APP_ROLE, tenancy.OPS_ROLE, tenancy.OWNER_ROLE)
