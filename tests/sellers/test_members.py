"""The people of a seller: invited, added, promoted, removed; and what nobody may do to a seller."""

import re
import threading
import time
from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.core import mail
from django.db import connection
from django.db.models.functions import Now
from django.test import Client

from sellers import members
from sellers.members import MayNot
from sellers.models import Invitation, Member, MemberFacility, Role, User
from shipcrowd.audit.models import AuditEntry
from shipcrowd.tenancy import seller_scope
from tests import factories
from tests.factories import as_ops, reload

PASSWORD = "a long enough password"


@pytest.fixture
def owner(seller) -> User:
    return factories.member(seller, Role.OWNER)


@pytest.fixture
def browser(client: Client, owner) -> Client:
    client.force_login(owner)
    return client


def browser_of(user: User) -> Client:
    browser = Client()
    browser.force_login(user)
    return browser


def invite(browser: Client, seller, role: str = "staff", email: str = "") -> str:
    """The path of the link that the page shows."""
    answer = browser.post(f"/s/{seller.slug}/members/invite/", {"role": role, "email": email})
    found = re.search(r'value="http://testserver(/invitation/[^"]+)"', answer.content.decode())
    assert found, answer.content.decode()
    return found[1]


def roles(seller) -> dict[str, str]:
    with factories.ops():
        return {row.user.username: row.role for row in Member.objects.filter(seller=seller).select_related("user")}


def act(browser: Client, seller, user: User, what: str, **values: object):
    return browser.post(f"/s/{seller.slug}/members/{user.username}/{what}/", values)


# --- By a link -------------------------------------------------------------------------------------------------------


def test_a_new_person_joins_by_a_copied_link(browser, seller):
    link, packer = invite(browser, seller), Client()
    assert "Warehouse staff" in packer.get(link).content.decode()

    answer = packer.post(link, {"username": "ravi", "password1": PASSWORD, "password2": PASSWORD})

    assert answer["Location"] == f"/s/{seller.slug}/"
    assert roles(seller)["ravi"] == "staff"
    assert packer.get(f"/s/{seller.slug}/facilities/").status_code == 200  # logged in
    assert "joined this seller" in [line.did for line in as_ops(AuditEntry, about=seller)]


def test_somebody_who_is_here_already_joins_another_seller(browser, seller, other_seller):
    packer = factories.member(other_seller, Role.STAFF)
    link = invite(browser, seller, role="viewer")

    answer = browser_of(packer).post(link)

    assert answer.status_code == 302
    assert roles(seller)[packer.username] == "viewer"
    assert roles(other_seller) == {packer.username: "staff"}


def test_the_links_secret_is_kept_as_a_digest_only(browser, seller):
    secret = invite(browser, seller).split("/")[2]

    assert len(secret) == 43
    assert not [row for row in as_ops(Invitation) if secret in str(vars(row))]


def test_a_wrong_password_on_the_way_to_a_link_does_not_keep_the_link(browser, seller):
    secret = invite(browser, seller).split("/")[2]

    where = f"/login/?next=/invitation/{secret}/"
    Client().post(where, {"username": "ravi", "password": "wrong", "next": f"/invitation/{secret}/"})

    (attempt,) = AccessAttempt.objects.all()
    assert secret not in str(vars(attempt))


def test_a_link_works_once(browser, seller):
    """trust.md 58"""
    link = invite(browser, seller)
    Client().post(link, {"username": "ravi", "password1": PASSWORD, "password2": PASSWORD})

    answer = Client().post(link, {"username": "second", "password1": PASSWORD, "password2": PASSWORD})

    assert answer.status_code == 404
    assert "has ended" in answer.content.decode()
    assert not User.objects.filter(username="second").exists()


def test_a_link_ends_after_72_hours(browser, seller):
    link = invite(browser, seller)
    (row,) = as_ops(Invitation)
    assert row.expires_at - row.invited_at == timedelta(hours=72)
    with seller_scope(seller):
        Invitation.objects.update(expires_at=Now() - timedelta(seconds=1))

    assert Client().get(link).status_code == 404


def test_a_link_that_was_withdrawn_opens_nothing(browser, seller):
    link = invite(browser, seller)
    (row,) = as_ops(Invitation)

    browser.post(f"/s/{seller.slug}/invitations/{row.public_id}/withdraw/")

    assert Client().get(link).status_code == 404


def test_a_link_that_was_sent_to_an_address_is_for_that_address(browser, seller):
    """trust.md 58"""
    link = invite(browser, seller, email="ravi@example.com")
    stranger, ravi = factories.user(email="other@example.com"), factories.user(email="Ravi@Example.com")

    refused = browser_of(stranger).post(link)

    assert "sent to another e-mail address" in refused.content.decode()
    assert stranger.username not in roles(seller)
    assert browser_of(ravi).post(link).status_code == 302


@pytest.mark.parametrize("secret", ["x", "x" * 3000, "..%2F..", "’"])
def test_a_made_up_link_is_a_friendly_404(db, secret):
    assert Client().get(f"/invitation/{secret}/").status_code == 404


@pytest.mark.parametrize(
    "values",
    [
        {"username": "", "password1": PASSWORD, "password2": PASSWORD},
        {"username": "ravi", "password1": PASSWORD, "password2": "another long password"},
        {"username": "ravi", "password1": "short", "password2": "short"},
        {"username": "ravi kumar<", "password1": PASSWORD, "password2": PASSWORD},
        {"username": "OWNER-NAME", "password1": PASSWORD, "password2": PASSWORD},
    ],
)
def test_what_cannot_be_leaves_the_link_open(browser, owner, seller, values):
    link, before = invite(browser, seller), User.objects.count()
    if values["username"] == "OWNER-NAME":
        values = values | {"username": owner.username.upper()}

    answer = Client().post(link, values)

    assert (answer.status_code, User.objects.count()) == (200, before)
    assert answer.context["form"].errors
    assert Client().get(link).status_code == 200


def test_an_invitation_is_mailed_where_mail_is_set_up(browser, seller, settings):
    """trust.md 84: its address comes from PUBLIC_URL."""
    settings.EMAIL_IS_SET, settings.ALLOWED_HOSTS = True, ["*"]

    answer = browser.post(
        f"/s/{seller.slug}/members/invite/", {"role": "staff", "email": "ravi@example.com"}, HTTP_HOST="evil.example"
    )

    (message,) = mail.outbox
    assert message.to == ["ravi@example.com"]
    assert "http://testserver/invitation/" in message.body
    assert "evil" not in message.body + answer.content.decode()
    assert "It was mailed" in answer.content.decode()


def test_a_mail_that_cannot_be_sent_leaves_the_link_to_copy(browser, seller, settings):
    settings.EMAIL_IS_SET = True
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1

    answer = browser.post(f"/s/{seller.slug}/members/invite/", {"role": "staff", "email": "ravi@example.com"})

    assert "It was not mailed" in answer.content.decode()
    assert "/invitation/" in answer.content.decode()


@pytest.mark.django_db(transaction=True)
def test_two_who_use_one_link_at_once_do_not_both_join(flipkart):
    """trust.md 58"""
    seller = factories.seller()
    with seller_scope(seller):
        invitation, _link = members.invite(seller=seller, by=factories.user(), role=Role.STAFF)
    start, outcomes = threading.Barrier(4), []

    def join(user: User) -> None:
        start.wait(timeout=20)
        try:
            outcomes.append(members.accept(invitation, user=user))
        except MayNot as error:
            outcomes.append(str(error))
        finally:
            connection.close()

    threads = [threading.Thread(target=join, args=[factories.user()]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    assert len(as_ops(Member, seller=seller)) == 1
    assert len([outcome for outcome in outcomes if isinstance(outcome, str)]) == 3


# --- By a one-time password ------------------------------------------------------------------------------------------


def add(browser: Client, seller, username: str = "packer1") -> str:
    """The one-time password that the page shows."""
    answer = browser.post(f"/s/{seller.slug}/members/add/", {"username": username, "role": "staff"})
    password = answer.context.get("one_time_password", "")
    assert password in answer.content.decode()
    return password


def log_in(username: str, password: str) -> tuple[Client, int]:
    browser = Client()
    return browser, browser.post("/login/", {"username": username, "password": password}).status_code


def test_a_packer_without_e_mail_logs_in_once_and_chooses_a_password(browser, seller):
    password = add(browser, seller)
    assert re.fullmatch(r"[a-z2-9]{5}(-[a-z2-9]{5}){2}", password)

    packer, status = log_in("packer1", password)

    assert status == 302
    assert packer.get(f"/s/{seller.slug}/facilities/")["Location"] == "/password/"
    packer.post("/password/", {"old_password": password, "new_password1": PASSWORD, "new_password2": PASSWORD})
    assert packer.get(f"/s/{seller.slug}/facilities/").status_code == 200
    assert log_in("packer1", password)[1] == 200  # refused
    assert log_in("packer1", PASSWORD)[1] == 302


def test_a_one_time_password_ends_after_72_hours(browser, seller):
    password = add(browser, seller)
    with seller_scope(seller):
        Invitation.objects.update(expires_at=Now() - timedelta(seconds=1))

    answer = Client().post("/login/", {"username": "packer1", "password": password})

    assert answer.status_code == 200
    assert "This one-time password has ended" in answer.content.decode()


def test_a_one_time_password_is_no_invitation(browser, seller):
    password = add(browser, seller)
    user = User.objects.get(username="packer1")

    assert Client().get(f"/invitation/password:{user.pk}:{password}/").status_code == 404
    assert browser.get(f"/s/{seller.slug}/members/").context["invitations"] == []


def test_a_user_name_that_is_taken_is_not_taken_over(browser, seller, other_seller):
    theirs = factories.member(other_seller, Role.OWNER)

    answer = browser.post(f"/s/{seller.slug}/members/add/", {"username": theirs.username.upper(), "role": "staff"})

    assert "Somebody has this user name already" in answer.content.decode()
    assert reload(theirs).check_password(PASSWORD)
    assert theirs.username not in roles(seller)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", ["add", "join"])
def test_of_two_who_take_one_user_name_at_once_the_second_is_told_so(flipkart, way):
    """Both forms have found it free; the second waits for the first one's transaction, and is refused in words."""
    seller, other = factories.seller(), factories.seller()
    browser, path = Client(), f"/s/{seller.slug}/members/add/"
    values = {"username": "packer1", "role": "staff", "password1": PASSWORD, "password2": PASSWORD}
    if way == "add":
        browser = browser_of(factories.member(seller, Role.OWNER))
    else:
        path = invite(browser_of(factories.member(seller, Role.OWNER)), seller)
    answers = []

    def press() -> None:
        try:
            answers.append(browser.post(path, values))
        finally:
            connection.close()

    second = threading.Thread(target=press)
    with seller_scope(other):
        members.add_person(seller=other, by=factories.user(), username="packer1", role=Role.STAFF)
        second.start()
        until_somebody_waits()
    second.join(timeout=30)

    assert answers[0].status_code == 200
    assert "Somebody has this user name already" in answers[0].content.decode()
    assert "packer1" not in roles(seller)


def until_somebody_waits() -> None:
    deadline = time.monotonic() + 20
    waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    with connection.cursor() as cursor:
        while time.monotonic() < deadline:
            cursor.execute("select pg_stat_clear_snapshot()")
            cursor.execute(waiting)
            if cursor.fetchone()[0]:
                return
    raise AssertionError("nobody waits")


def test_who_pressed_add_twice_is_told_how_to_come_by_a_password(browser, seller, other_seller):
    add(browser, seller)

    answer = browser.post(f"/s/{seller.slug}/members/add/", {"username": "packer1", "role": "staff"})

    assert "If you have just added them, press “One-time password” in their line." in answer.content.decode()
    theirs = factories.member(other_seller, Role.OWNER)
    elsewhere = browser.post(f"/s/{seller.slug}/members/add/", {"username": theirs.username, "role": "staff"})
    assert "They work here already" not in elsewhere.content.decode()


def test_an_owner_gives_a_new_password_to_somebody_who_forgot_theirs(browser, seller):
    packer = factories.member(seller, Role.STAFF)

    password = act(browser, seller, packer, "password").context["one_time_password"]

    assert log_in(packer.username, PASSWORD)[1] == 200
    assert log_in(packer.username, password)[1] == 302
    assert reload(packer).must_change_password


@pytest.mark.parametrize("is_ops", [False, True])
def test_nobody_takes_over_a_person_who_works_elsewhere_too(browser, seller, other_seller, is_ops):
    packer = factories.member(seller, Role.STAFF, is_staff=is_ops)
    if not is_ops:
        with seller_scope(other_seller):
            Member.objects.create(seller=other_seller, user=packer, role=Role.OWNER)

    act(browser, seller, packer, "password")

    assert reload(packer).check_password(PASSWORD)


# --- Roles and leaving -----------------------------------------------------------------------------------------------


def test_an_owner_changes_a_role(browser, seller):
    packer = factories.member(seller, Role.STAFF)

    act(browser, seller, packer, "role", role="owner")

    assert roles(seller)[packer.username] == "owner"


@pytest.mark.parametrize("role", ["admin", "", "OWNER"])
def test_a_role_that_does_not_exist_changes_nothing(browser, seller, role):
    packer = factories.member(seller, Role.STAFF)

    act(browser, seller, packer, "role", role=role)

    assert roles(seller)[packer.username] == "staff"


@pytest.mark.parametrize(
    ("what", "values"), [("remove", {}), ("role", {"role": "viewer"}), ("role", {"role": "staff"})]
)
def test_the_last_owner_stays(browser, owner, seller, what, values):
    """trust.md 58"""
    answer = browser.post(f"/s/{seller.slug}/members/{owner.username}/{what}/", values, follow=True)

    assert "A seller needs an owner" in answer.content.decode()
    assert roles(seller) == {owner.username: "owner"}


def test_one_of_two_owners_may_go(browser, owner, seller):
    other = factories.member(seller, Role.OWNER)

    act(browser, seller, owner, "remove")

    assert roles(seller) == {other.username: "owner"}


@pytest.mark.django_db(transaction=True)
def test_two_owners_who_remove_each_other_at_once_leave_one(flipkart):
    """trust.md 58"""
    for _round in range(5):
        seller = factories.seller()
        owners = [factories.member(seller, Role.OWNER) for _ in range(2)]
        start = threading.Barrier(2)

        def remove(by: User, whom: User, seller=seller, start=start) -> None:
            start.wait(timeout=20)
            try:
                with seller_scope(seller):
                    members.remove(Member.objects.get(seller=seller, user=whom), by=by)
            except (MayNot, Member.DoesNotExist):
                pass
            finally:
                connection.close()

        threads = [threading.Thread(target=remove, args=pair) for pair in (owners, owners[::-1])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=30)

        assert len(as_ops(Member, seller=seller)) == 1


def test_who_was_removed_is_out_at_the_next_request(browser, seller):
    """trust.md 59"""
    packer = factories.member(seller, Role.STAFF)
    theirs = browser_of(packer)
    assert theirs.get(f"/s/{seller.slug}/facilities/").status_code == 200

    act(browser, seller, packer, "remove")

    assert theirs.get(f"/s/{seller.slug}/facilities/").status_code == 404


@pytest.mark.parametrize("role", [Role.STAFF, Role.VIEWER])
def test_people_are_an_owners_business(seller, owner, role):
    """trust.md 58: a viewer makes nobody an owner, least of all themselves."""
    person = factories.member(seller, role)
    theirs = browser_of(person)

    answers = [
        theirs.get(f"/s/{seller.slug}/members/"),
        theirs.post(f"/s/{seller.slug}/members/invite/", {"role": "owner"}),
        theirs.post(f"/s/{seller.slug}/members/add/", {"username": "new", "role": "owner"}),
        act(theirs, seller, person, "role", role="owner"),
        act(theirs, seller, owner, "remove"),
        act(theirs, seller, owner, "password"),
    ]

    assert {answer.status_code for answer in answers} == {403}
    assert roles(seller) == {owner.username: "owner", person.username: role}
    assert as_ops(Invitation) == []


def test_members_of_another_seller_are_not_there(browser, seller, other_seller):
    """trust.md 53"""
    theirs = factories.member(other_seller, Role.STAFF)
    with seller_scope(other_seller):
        invitation, _link = members.invite(seller=other_seller, by=theirs, role=Role.STAFF)

    for what in ("role", "remove", "password", "facilities"):
        assert act(browser, seller, theirs, what, role="viewer").status_code == 404
    assert browser.post(f"/s/{seller.slug}/invitations/{invitation.public_id}/withdraw/").status_code == 404
    assert theirs.username not in browser.get(f"/s/{seller.slug}/members/").content.decode()
    assert roles(other_seller) == {theirs.username: "staff"}


def test_a_members_own_places(browser, seller, other_seller):
    packer, place = factories.member(seller, Role.STAFF), factories.facility(seller)
    foreign = factories.facility(other_seller)

    act(browser, seller, packer, "facilities", facilities=[str(place.public_id)])
    assert [row.facility_id for row in as_ops(MemberFacility)] == [place.pk]

    for wrong in (str(foreign.public_id), "nonsense"):
        act(browser, seller, packer, "facilities", facilities=[wrong])
        assert [row.facility_id for row in as_ops(MemberFacility)] == [place.pk]

    act(browser, seller, packer, "facilities")
    assert as_ops(MemberFacility) == []


@pytest.mark.parametrize("username", ["a\0b", "", "a b/c"])
def test_a_user_name_that_none_can_have_is_refused_beside_its_field(browser, seller, username):
    answer = browser.post(f"/s/{seller.slug}/members/add/", {"username": username, "role": "staff"})

    assert answer.status_code == 200
    assert list(answer.context["add_form"].errors) == ["username"]
