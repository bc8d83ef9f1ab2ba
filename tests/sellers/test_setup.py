"""manage.py setup: the first operator and the first seller, asked by flags."""

import re
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from sellers.models import Member, Seller, User
from tests.factories import as_ops, user

pytestmark = pytest.mark.django_db


def set_up(**options: object) -> str:
    out = StringIO()
    call_command("setup", no_input=True, stdout=out, **options)
    return out.getvalue()


def test_the_first_operator_gets_a_one_time_password():
    said = set_up(operator="ops")

    password = re.search(r"One-time password: (\S+)", said)[1]
    browser = Client()
    assert browser.post("/login/", {"username": "ops", "password": password}).status_code == 302
    assert browser.get("/admin/")["Location"] == "/password/"
    assert User.objects.get(username="ops").is_staff


def test_a_password_may_come_by_the_environment(monkeypatch):
    monkeypatch.setenv("SETUP_PASSWORD", "a long enough password")

    assert "password" not in set_up(operator="ops")

    assert User.objects.get(username="ops").check_password("a long enough password")


@pytest.mark.parametrize(
    ("options", "password"), [({"operator": "ops"}, "short"), ({"operator": "with space"}, ""), ({}, "")]
)
def test_what_cannot_be_is_one_sentence_and_makes_nobody(monkeypatch, options, password):
    monkeypatch.setenv("SETUP_PASSWORD", password)

    with pytest.raises(CommandError):
        set_up(**options)

    assert not User.objects.exists()


def test_the_first_seller_comes_with_a_link_for_its_owner():
    said = set_up(operator="ops", seller="Asha Textiles")

    link = re.search(r"http://testserver(/invitation/\S+)", said)[1]
    password = "a long enough password"
    Client().post(link, {"username": "asha", "password1": password, "password2": password})
    assert [(row.name, row.slug) for row in as_ops(Seller)] == [("Asha Textiles", "asha-textiles")]
    assert [row.role for row in as_ops(Member)] == ["owner"]


def test_a_second_setup_finds_everything_again():
    set_up(operator="ops", seller="Asha Textiles")

    said = set_up(operator="ops", seller="Asha Textiles")

    assert said.splitlines() == ["The operator ops is there already.", "The seller asha-textiles is there already."]
    assert len(as_ops(Seller)) == 1


def test_a_members_name_is_not_made_an_operator():
    somebody = user()

    with pytest.raises(CommandError, match="somebody else's"):
        set_up(operator=somebody.username)

    somebody.refresh_from_db()
    assert not somebody.is_staff


def test_a_seller_whose_name_makes_no_address_needs_one():
    with pytest.raises(CommandError, match="--slug"):
        set_up(operator="ops", seller="आशा")
    assert not User.objects.exists()

    set_up(operator="ops", seller="आशा", slug="asha")
    assert [row.slug for row in as_ops(Seller)] == ["asha"]


def test_a_long_name_makes_an_address_that_can_be_kept():
    set_up(operator="ops", seller="Shri Lakshmi Narayan Textiles and Garments Private Limited")

    assert [row.slug for row in as_ops(Seller)] == ["shri-lakshmi-narayan-textiles-and-garments-private"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"seller": "Asha " * 21}, "The seller's name has 104 characters: up to 100 can be kept."),
        ({"seller": "Asha", "slug": "a" * 51}, "up to 50 plain letters"),
        ({"seller": "Asha", "slug": "asha textiles"}, "up to 50 plain letters"),
        ({"seller": "  ", "slug": "asha"}, "Say the seller's name"),
    ],
)
def test_a_seller_that_cannot_be_kept_is_one_sentence_and_makes_nobody(options, says):
    with pytest.raises(CommandError, match=says):
        set_up(operator="ops", **options)

    assert not User.objects.exists()
    assert not as_ops(Seller)
