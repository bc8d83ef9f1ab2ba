"""The sealed column: bound to its row, opened by any key that is known, rotated beside people at work."""

import base64
import logging
import os
import threading
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from sellers.access_tokens import remember
from sellers.models import Connection, Seller
from shipcrowd import encryption
from shipcrowd.encryption import CannotOpen, Sealed, SealedAtSaveOnly, open_sealed, seal, sealed_for
from shipcrowd.flipkart.types import Token
from shipcrowd.tenancy import everyone_scope, seller_scope
from tests import factories
from tests.factories import as_ops, ops, reload

OLD, NEW = base64.b64encode(b"o" * 32).decode(), base64.b64encode(b"n" * 32).decode()
OLD_ID, NEW_ID = encryption.key_id(b"o" * 32), encryption.key_id(b"n" * 32)


@pytest.fixture(autouse=True)
def old_key(settings) -> None:
    settings.ENCRYPTION_KEYS = [OLD]


def a_connection(of: Seller, secret: str = "planted-secret-1") -> Connection:
    with seller_scope(of):
        return Connection.objects.create(
            seller=of, environment="simulator", wire="guide", client_id="app", client_secret=secret, access_token="t-1"
        )


def in_the_table(row: Connection, column: str = "client_secret") -> bytes | None:
    with ops(), connection.cursor() as cursor:
        cursor.execute(f"select {column} from sellers_connection where id = %s", [row.pk])
        value = cursor.fetchone()[0]
        return None if value is None else bytes(value)


# --- Sealing ---------------------------------------------------------------------------------------------------------


@given(text=st.text(), bound_to=st.text(alphabet=st.characters(codec="utf-8")))
def test_what_is_sealed_comes_back(text, bound_to):
    encryption.settings.ENCRYPTION_KEYS = [OLD]

    try:
        text.encode()
    except UnicodeEncodeError:
        return
    assert open_sealed(seal(text, bound_to=bound_to), bound_to=bound_to) == text


def test_the_same_text_never_looks_the_same_twice():
    assert seal("secret", bound_to="a") != seal("secret", bound_to="a")


@pytest.mark.parametrize("place", range(37))
def test_a_changed_byte_is_noticed_wherever_it_is(place):
    sealed = bytearray(seal("four", bound_to="row"))
    assert len(sealed) == 1 + 4 + 12 + 4 + 16
    sealed[place] ^= 1

    with pytest.raises(CannotOpen):
        open_sealed(bytes(sealed), bound_to="row")


@pytest.mark.parametrize("length", range(37))
def test_a_value_that_was_cut_is_refused(length):
    with pytest.raises(CannotOpen):
        open_sealed(bytes(seal("four", bound_to="row"))[:length], bound_to="row")


def test_a_value_without_its_key_is_refused_and_names_the_key(settings):
    sealed = seal("secret", bound_to="row")
    settings.ENCRYPTION_KEYS = [NEW]

    with pytest.raises(CannotOpen) as refused:
        open_sealed(sealed, bound_to="row")

    assert OLD_ID.hex() in str(refused.value)
    assert "secret" not in str(refused.value)


def test_the_newest_key_seals_and_older_ones_open(settings):
    sealed = seal("secret", bound_to="row")
    settings.ENCRYPTION_KEYS = [NEW, OLD]

    assert open_sealed(sealed, bound_to="row") == "secret"
    assert seal("secret", bound_to="row")[1:5] == NEW_ID


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        (["not base64!"], "ENCRYPTION_KEYS: key 1 is not base64."),
        ([OLD, base64.b64encode(b"short").decode()], "ENCRYPTION_KEYS: key 2 has 5 bytes, wanted are 32."),
        ([""], "ENCRYPTION_KEYS: key 1 has 0 bytes, wanted are 32."),
    ],
)
def test_a_wrong_key_is_told_by_its_place_and_not_by_its_value(settings, keys, says):
    settings.ENCRYPTION_KEYS = keys

    with pytest.raises(ValueError) as wrong:
        encryption.known_keys()

    assert str(wrong.value) == says
    assert wrong.value.__cause__ is None


# --- The column ------------------------------------------------------------------------------------------------------


def test_the_table_holds_no_plain_text(seller):
    row = a_connection(seller)

    assert b"planted" not in in_the_table(row)
    assert reload(row).client_secret == "planted-secret-1"


def test_an_empty_secret_is_no_secret(seller):
    row = a_connection(seller, secret="")

    assert in_the_table(row) is None
    assert reload(row).client_secret == ""


def test_saving_something_else_leaves_the_sealed_value_as_it_is(seller):
    row = a_connection(seller)
    before = in_the_table(row)

    with seller_scope(seller):
        found = Connection.objects.get(pk=row.pk)
        found.says = "hello"
        found.save()

    assert in_the_table(row) == before


def test_a_row_opens_its_secret_only_when_asked(seller, settings):
    row = a_connection(seller)
    settings.ENCRYPTION_KEYS = [NEW]

    found = reload(row)

    assert found.client_id == "app"
    with pytest.raises(CannotOpen):
        _ = found.client_secret


def test_a_deferred_secret_is_read_when_asked(seller):
    row = a_connection(seller)

    with ops():
        assert Connection.objects.defer("client_secret").get(pk=row.pk).client_secret == "planted-secret-1"


def test_a_value_copied_to_another_sellers_row_is_refused(seller, other_seller):
    """trust.md 67"""
    mine, theirs = a_connection(seller), a_connection(other_seller, "planted-secret-2")

    with ops(), connection.cursor() as cursor:
        cursor.execute(
            "update sellers_connection set client_secret = "
            "(select client_secret from sellers_connection where id = %s) where id = %s",
            [theirs.pk, mine.pk],
        )

    with pytest.raises(CannotOpen) as refused:
        _ = reload(mine).client_secret
    assert "planted" not in str(refused.value)


def test_a_value_copied_to_another_column_is_refused(seller):
    """trust.md 67"""
    row = a_connection(seller)

    with ops(), connection.cursor() as cursor:
        cursor.execute("update sellers_connection set access_token = client_secret where id = %s", [row.pk])

    with pytest.raises(CannotOpen):
        _ = reload(row).access_token


def test_update_refuses_plain_text_and_takes_what_was_sealed_for_the_row(seller):
    row = a_connection(seller)

    with pytest.raises(SealedAtSaveOnly), seller_scope(seller):
        Connection.objects.filter(pk=row.pk).update(client_secret="plain")
    with seller_scope(seller):
        Connection.objects.filter(pk=row.pk).update(client_secret=sealed_for(row, "client_secret", "another"))

    assert reload(row).client_secret == "another"


def test_bulk_create_seals_too(seller):
    with seller_scope(seller):
        (row,) = Connection.objects.bulk_create(
            [Connection(seller=seller, environment="simulator", wire="guide", client_secret="planted-secret-3")]
        )

    assert b"planted" not in in_the_table(row)
    assert reload(row).client_secret == "planted-secret-3"


def test_nothing_that_is_printed_shows_a_secret(seller, caplog):
    """trust.md 66"""
    row = a_connection(seller)

    with caplog.at_level(logging.DEBUG):
        printed = f"{row!r} {row} {row.__dict__!r} {Sealed(b'planted')!r}"
        logging.getLogger("test").debug("%r %s", row, row)

    assert "planted" not in printed
    assert "planted" not in caplog.text


# --- Rotation --------------------------------------------------------------------------------------------------------


def rotate(**options) -> str:
    out = StringIO()
    call_command("rotate_keys", stdout=out, **options)
    return out.getvalue()


def kill_in_the_middle_of_a_batch(model, field, after) -> None:
    with everyone_scope("the kill takes back its own batch only"):
        encryption.seal_anew(model, field, after=after, limit=2)
        raise KeyboardInterrupt


def sealed_by(row: Connection, column: str = "client_secret") -> bytes:
    return in_the_table(row, column)[1:5]


def test_rotation_seals_every_column_of_every_seller_anew(settings, seller, other_seller):
    rows = [a_connection(seller, "planted-a"), a_connection(other_seller, "planted-b")]
    settings.ENCRYPTION_KEYS = [NEW, OLD]

    said = rotate(batch=1)

    assert [reload(row).client_secret for row in rows] == ["planted-a", "planted-b"]
    assert {sealed_by(row, column) for row in rows for column in ("client_secret", "access_token")} == {NEW_ID}
    assert said.splitlines() == [
        "4 values sealed anew.",
        f"key {NEW_ID.hex()} (newest): 4 values",
        f"key {OLD_ID.hex()} (old): 0 values",
    ]
    settings.ENCRYPTION_KEYS = [NEW]
    assert [reload(row).client_secret for row in rows] == ["planted-a", "planted-b"]


def test_a_second_rotation_has_nothing_to_do(settings, seller):
    row = a_connection(seller)
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    rotate()
    before = in_the_table(row)

    assert rotate().startswith("0 values sealed anew.")
    assert in_the_table(row) == before


def test_a_rotation_that_was_killed_half_way_goes_on(settings, db):
    """trust.md 68: batches are committed one by one, and what is done is not done again."""
    rows = [a_connection(factories.seller(), f"planted-{n}") for n in range(5)]
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    model, field = next(pair for pair in encryption.sealed_columns() if pair[1].attname == "client_secret")
    with everyone_scope("the part before the kill"):
        found = encryption.seal_anew(model, field, after=None, limit=2)
    with pytest.raises(KeyboardInterrupt):
        kill_in_the_middle_of_a_batch(model, field, found.last)
    assert sorted(sealed_by(row) for row in rows).count(NEW_ID) == 2

    rotate(batch=2)

    assert {sealed_by(row) for row in rows} == {NEW_ID}
    assert [reload(row).client_secret for row in rows] == [f"planted-{n}" for n in range(5)]


def test_a_value_without_key_is_counted_and_left_alone(settings, seller, other_seller):
    """trust.md 68: an old key removed too early"""
    lost = a_connection(seller)
    settings.ENCRYPTION_KEYS = [base64.b64encode(os.urandom(32)).decode()]
    a_connection(other_seller)
    settings.ENCRYPTION_KEYS = [NEW, settings.ENCRYPTION_KEYS[0]]
    before = in_the_table(lost)

    with pytest.raises(CommandError, match="2 values cannot be opened"):
        rotate()

    assert in_the_table(lost) == before


@pytest.mark.django_db(transaction=True)
def test_a_token_that_is_stored_meanwhile_is_not_overwritten(settings):
    """trust.md 68: the row that a refresh holds is passed over, and taken at the next look."""
    row = a_connection(factories.seller())
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    holds, may_commit = threading.Event(), threading.Event()

    def refresh() -> None:
        try:
            with seller_scope(row.seller_id):
                held = Connection.objects.select_for_update().get(pk=row.pk)
                holds.set()
                may_commit.wait(timeout=20)
                remember(held, Token(access_token="t-2", refresh_token=None, expires_in=timedelta(days=60)))
                held.save()
        finally:
            connection.close()

    thread = threading.Thread(target=refresh)
    thread.start()
    assert holds.wait(timeout=20)
    with pytest.raises(CommandError, match="2 values were held by others"):
        rotate()
    may_commit.set()
    thread.join(timeout=20)
    rotate()

    found = reload(row)
    assert (found.access_token, found.client_secret) == ("t-2", "planted-secret-1")
    assert {sealed_by(row), sealed_by(row, "access_token")} == {NEW_ID}


@pytest.mark.django_db(transaction=True)
def test_two_rotations_and_many_refreshes_side_by_side_lose_nothing(settings):
    """trust.md 68"""
    rows = [a_connection(factories.seller(), f"planted-{n}") for n in range(12)]
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    start = threading.Barrier(3)

    def rotating() -> None:
        start.wait(timeout=20)
        try:
            rotate(batch=3)
        except CommandError:
            pass  # "held by others": the last one below says the end
        finally:
            connection.close()

    def refreshing() -> None:
        start.wait(timeout=20)
        try:
            for number in range(36):
                row = rows[number % len(rows)]
                with seller_scope(row.seller_id), transaction.atomic():
                    held = Connection.objects.select_for_update().get(pk=row.pk)
                    remember(held, Token(access_token=f"t-{number}", refresh_token=None, expires_in=timedelta(days=60)))
                    held.save()
        finally:
            connection.close()

    threads = [threading.Thread(target=target) for target in (rotating, rotating, refreshing)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    rotate()

    found = as_ops(Connection)
    assert {(row.client_secret, row.access_token) for row in found} == {
        (f"planted-{n}", f"t-{24 + n}") for n in range(len(rows))
    }
    assert {sealed_by(row) for row in rows} == {NEW_ID}
