"""The ops' workbench: who may open it, what it never shows, and what it changes."""

import pytest

from sellers.models import Member, Seller, User
from shipcrowd import audit
from shipcrowd.audit.models import AuditEntry
from shipcrowd.tenancy import seller_scope
from tests import factories
from tests.browsing import statements, words

pytestmark = pytest.mark.django_db

PAGES = (
    "/admin/",
    "/admin/orders/shipment/",
    "/admin/sellers/connection/",
    "/admin/sellers/seller/",
    "/admin/sellers/user/",
    "/admin/sellers/member/",
    "/admin/shipcrowd/auditentry/",
)


@pytest.mark.parametrize("page", PAGES)
def test_ops_open_every_page_and_a_sellers_owner_none(ops, owner, connected, page):
    factories.shipment(connected.seller)

    assert ops.get(page).status_code == 200
    assert owner.get(page).status_code == 302


@pytest.mark.parametrize("page", [*PAGES, "/admin/sellers/", "/admin/sellers/seller/add/"])
def test_sending_switched_off_is_said_on_every_page_of_the_admin(ops, settings, page):
    settings.SENDING = False

    assert words(ops.get(page)).count("Sending is off") == 1


def test_a_connection_is_looked_at_without_its_secrets(ops, connected):
    page = ops.get(f"/admin/sellers/connection/{connected.connection.pk}/change/")

    assert "Connected" in words(page)
    assert connected.account.client_secret not in page.content.decode()
    assert 'name="client_secret"' not in page.content.decode()


def test_a_shipment_is_found_by_the_beginning_of_any_id_across_sellers(ops, seller, other_seller):
    factories.shipment(seller, flipkart_shipment_id="SHIPAA1", tracking_id="FMPP777")
    factories.shipment(other_seller, flipkart_shipment_id="SHIPBB1")

    for wanted, found, hidden in (("shipaa", "SHIPAA1", "SHIPBB1"), ("FMPP7", "SHIPAA1", "SHIPBB1")):
        page = words(ops.get("/admin/orders/shipment/", {"q": wanted}))
        assert found in page
        assert hidden not in page


def test_looks_at_all_sellers_do_not_hide_what_was_done(ops, seller, owner):
    with seller_scope(seller):
        audit.record(None, "set shipments aside", seller=seller)
    ops.get("/admin/sellers/connection/")  # a look

    def shown(**asked) -> tuple[bool, bool]:
        rows = ops.get("/admin/shipcrowd/auditentry/", asked).context["cl"].result_list
        did = {row.did for row in rows}
        return "set shipments aside" in did, audit.LOOKED_AT_EVERYONE in did

    assert [shown(), shown(looks="with"), shown(looks="only")] == [(True, False), (True, True), (False, True)]


def test_ops_make_a_seller_and_its_address_stays_as_it_is(ops):
    ops.post("/admin/sellers/seller/add/", {"name": "Asha Textiles", "slug": "asha"})
    made = factories.as_ops(Seller, slug="asha")[0]

    ops.post(f"/admin/sellers/seller/{made.pk}/change/", {"name": "Asha & Daughters", "slug": "other"})

    assert [(row.name, row.slug) for row in factories.as_ops(Seller, pk=made.pk)] == [("Asha & Daughters", "asha")]


def test_ops_who_are_no_superuser_neither_make_superusers_nor_touch_other_ops(ops):
    other, packer = factories.user(is_staff=True), factories.user()
    wanted = {"username": packer.username, "is_active": "on", "is_staff": "on", "is_superuser": "on"}

    ops.post(f"/admin/sellers/user/{packer.pk}/change/", wanted)
    of_other = ops.post(f"/admin/sellers/user/{other.pk}/change/", {"username": "taken", "is_active": "on"})
    password = ops.post(f"/admin/sellers/user/{other.pk}/password/", {"password1": "x" * 20, "password2": "x" * 20})

    changed = User.objects.get(pk=packer.pk)
    assert (changed.is_staff, changed.is_superuser) == (False, False)
    assert (of_other.status_code, password.status_code) == (403, 403)
    assert User.objects.get(pk=other.pk).username == other.username


def test_ops_add_a_log_in_on_the_page_for_it_and_none_without_a_name(ops):
    page = ops.get("/admin/sellers/user/add/").content.decode()
    assert all(f'name="{field}"' in page for field in ("username", "password1", "password2"))

    sent = {"username": "meena", "usable_password": "true", "password1": "a long one 77", "password2": "a long one 77"}
    assert ops.post("/admin/sellers/user/add/", sent).status_code == 302
    assert ops.post("/admin/sellers/user/add/", {}).status_code == 200

    assert sorted(User.objects.values_list("username", flat=True)) == ["meena", "ops"]
    assert User.objects.get(username="meena").check_password("a long one 77")


def test_what_ops_do_with_a_sellers_members_stands_in_its_history(ops, owner, seller):
    person = factories.user()

    ops.post("/admin/sellers/member/add/", {"seller": seller.pk, "user": person.pk, "role": "staff"})
    member = factories.as_ops(Member, user=person)[0]
    ops.post(f"/admin/sellers/member/{member.pk}/change/", {"role": "viewer"})
    ops.post(f"/admin/sellers/member/{member.pk}/delete/", {"post": "yes"})

    told = [(entry.by.username, entry.did) for entry in factories.as_ops(AuditEntry, about=seller)]
    did = ["added a member: staff", "changed a member's role to viewer", "removed a member"]
    assert sorted(told) == [("ops", one) for one in did]
    assert all(one.capitalize() in words(owner.get(f"/s/{seller.slug}/history/")) for one in did)


@pytest.mark.parametrize("key", ["x", "²", "9" * 30, "-1", ""])
def test_a_seller_that_is_none_is_refused_beside_its_field(ops, key):
    page = "/admin/sellers/member/add/"

    assert ops.get(page, {"seller": key, "user": key}).status_code == 200
    assert ops.post(page, {"seller": key, "user": key, "role": "staff"}).status_code == 200
    assert factories.as_ops(Member) == []


def test_many_members_removed_at_once_stand_in_the_history_too(ops, seller, other_seller):
    for each in (seller, other_seller):
        factories.member(each)
    keys = [member.pk for member in factories.as_ops(Member)]

    ops.post("/admin/sellers/member/", {"action": "delete_selected", "_selected_action": keys, "post": "yes"})

    assert factories.as_ops(Member) == []
    assert [len(factories.as_ops(AuditEntry, about=each)) for each in (seller, other_seller)] == [1, 1]


def test_a_log_in_that_ops_change_is_told_to_each_seller_that_the_person_works_for(ops, seller, other_seller):
    person = factories.member(seller)
    factories.join(other_seller, person)
    sent = {"username": "renamed", "is_active": "on"}

    ops.post(f"/admin/sellers/user/{person.pk}/change/", sent)
    ops.post(f"/admin/sellers/user/{person.pk}/change/", sent)  # nothing is different now
    new = {"password1": "a long one 77", "password2": "a long one 77", "usable_password": "true"}
    ops.post(f"/admin/sellers/user/{person.pk}/password/", new)

    assert User.objects.get(pk=person.pk).check_password("a long one 77")
    for each in (seller, other_seller):
        told = {(entry.by.username, entry.did) for entry in factories.as_ops(AuditEntry, about=each)}
        assert told == {("ops", "changed the log-in of a member"), ("ops", "set the password of a member")}
        assert len(factories.as_ops(AuditEntry, about=each)) == 2


def test_the_list_of_shipments_takes_as_many_statements_with_40_rows_as_with_one(ops, seller):
    factories.shipment(seller)
    with_one = statements(ops, "/admin/orders/shipment/")

    for _ in range(39):
        factories.shipment(factories.seller())

    assert statements(ops, "/admin/orders/shipment/") == with_one
