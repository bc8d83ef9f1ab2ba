"""The people of the demo, at its first start and at a later one, whatever somebody tried out in between."""

from collections.abc import Callable

import pytest
from django.test import Client

from sellers import members
from sellers.models import Member, Role, User
from shipcrowd.portal.demo import OPS, PACKER, make_people
from shipcrowd.tenancy import seller_scope
from tests.browsing import logged_in
from tests.factories import as_ops, ops

pytestmark = pytest.mark.django_db
PASSWORD = "amber-banyan-cedar-delta"
SELLER = "/s/asha-textiles"


def asha() -> Member:
    with ops():
        return Member.objects.select_related("user", "seller").get(user__username="asha")


def log_in(username: str, password: str = PASSWORD) -> Client:
    browser = Client()
    browser.post("/login/", {"username": username, "password": password})
    return browser


def may_connect(browser: Client) -> bool:
    """What only the owner may, and the demo does as the owner."""
    answer = browser.get(f"{SELLER}/connection/")
    return answer.status_code == 200 and f'action="{SELLER}/connect/"' in answer.content.decode()


def one_time_password() -> None:
    member = asha()
    with seller_scope(member.seller):
        members.new_password(member, by=member.user)


def another_password() -> None:
    user = asha().user
    user.set_password("another long password")
    user.save()


def a_viewer() -> None:
    with ops():
        Member.objects.filter(pk=asha().pk).update(role=Role.VIEWER)


def no_longer_active() -> None:
    User.objects.filter(username="asha").update(is_active=False)


def locked_out() -> None:
    for _ in range(10):
        log_in("asha", "wrong")


def removed() -> None:
    with ops():
        Member.objects.filter(pk=asha().pk).delete()


def test_the_first_start_makes_them():
    make_people(PASSWORD)

    assert may_connect(log_in("asha"))
    assert log_in(OPS).get("/admin/").status_code == 200
    assert sorted((row.user.username, row.role) for row in as_ops(Member)) == [
        ("asha", Role.OWNER),
        ("bharat", Role.OWNER),
        (PACKER, Role.STAFF),
        (PACKER, Role.STAFF),
    ]


@pytest.mark.parametrize(
    "happens", [one_time_password, another_password, a_viewer, no_longer_active, locked_out, removed]
)
def test_a_later_start_puts_right_what_somebody_tried_out(happens: Callable[[], None]):
    make_people(PASSWORD)
    happens()
    assert not may_connect(log_in("asha"))

    make_people(PASSWORD)

    assert may_connect(log_in("asha"))


def test_ops_are_ops_again():
    make_people(PASSWORD)
    User.objects.filter(username=OPS).update(is_staff=False, is_superuser=False)

    make_people(PASSWORD)

    assert log_in(OPS).get("/admin/").status_code == 200


def test_a_later_start_leaves_browsers_logged_in():
    make_people(PASSWORD)
    browser = logged_in(asha().user)

    make_people(PASSWORD)

    assert may_connect(browser)
