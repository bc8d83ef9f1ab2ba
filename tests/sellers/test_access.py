"""Who gets into a seller's pages, and what a failed page leaves behind."""

from urllib.parse import quote

import pytest
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db import connection
from django.http import Http404, HttpResponse
from django.template.response import SimpleTemplateResponse
from django.test import Client, RequestFactory

from sellers.access import ScopeMiddleware, give_reason, member_required, memberships, seller_by_slug
from sellers.models import Facility, Role, Seller
from shipcrowd.audit.models import AuditEntry
from shipcrowd.tenancy import current_scope, seller_scope
from tests import factories
from tests.factories import as_ops


@pytest.fixture
def ops_person(db):
    return factories.user(is_staff=True, is_superuser=True)


def through(view, user, seller: Seller, method: str = "get", session: dict | None = None):
    """The answer of `view` as the middleware calls it."""
    request = getattr(RequestFactory(), method)(f"/s/{seller.slug}/something/")
    request.user, request.session, request.resolver_match = user, session if session is not None else {}, None
    return ScopeMiddleware(lambda _request: HttpResponse()).process_view(request, view, (), {"slug": seller.slug})


def writes(seller: Seller) -> None:
    Facility.objects.create(seller=seller, flipkart_location_id="L1", name="left behind")


@pytest.mark.parametrize("least", list(Role))
@pytest.mark.parametrize("role", list(Role))
def test_a_page_opens_from_its_least_role_on(seller, role, least):
    rank = [Role.VIEWER, Role.STAFF, Role.OWNER]
    view = member_required(least)(lambda request: HttpResponse(request.role))
    user = factories.member(seller, role)

    if rank.index(role) >= rank.index(least):
        assert through(view, user, seller).content.decode() == role
    else:
        with pytest.raises(PermissionDenied, match="Your role in this seller does not allow that"):
            through(view, user, seller)


def test_a_page_sees_its_seller_and_no_other(seller, other_seller):
    factories.facility(other_seller)
    mine = factories.facility(seller)
    view = member_required(Role.VIEWER)(lambda _request: HttpResponse(repr([f.pk for f in Facility.objects.all()])))

    assert through(view, factories.member(seller), seller).content.decode() == repr([mine.pk])
    assert current_scope() is None


def test_a_page_is_drawn_inside_the_scope(seller):
    """trust.md 52b"""
    factories.facility(seller)
    view = member_required(Role.VIEWER)(
        lambda _request: SimpleTemplateResponse(_Counts(), {"rows": Facility.objects.all()})
    )

    assert through(view, factories.member(seller), seller).content == b"1"


class _Counts:
    def render(self, context, _request=None) -> str:
        return str(len(context["rows"]))


def test_a_page_that_fails_leaves_nothing_behind(seller):
    @member_required(Role.VIEWER)
    def broken(request):
        writes(request.seller)
        raise RuntimeError("broken")

    @member_required(Role.VIEWER)
    def answers_500(request):
        writes(request.seller)
        return HttpResponse(status=500)

    owner = factories.member(seller)
    with pytest.raises(RuntimeError):
        through(broken, owner, seller)
    assert through(answers_500, owner, seller).status_code == 500

    assert as_ops(Facility) == []


def test_a_page_without_a_role_is_refused(seller):
    def forgotten(_request, **_kwargs):
        return HttpResponse()

    with pytest.raises(ImproperlyConfigured):
        through(forgotten, factories.member(seller), seller)


def test_a_write_past_the_fence_is_a_404_and_stands_in_the_audit(seller, other_seller):
    """trust.md 53"""
    view = member_required(Role.VIEWER)(lambda _request: writes(other_seller))

    with pytest.raises(Http404):
        through(view, factories.member(seller), seller)

    assert as_ops(Facility) == []
    assert "was stopped by the fence" in [line.did for line in as_ops(AuditEntry)]


@pytest.mark.parametrize("slug", ["other", "no-such-seller"])
def test_a_strangers_seller_looks_like_one_that_does_not_exist(client, seller, other_seller, slug):
    """trust.md 53"""
    client.force_login(factories.member(seller))
    there = client.get(f"/s/{other_seller.slug}/facilities/")
    nowhere = client.get("/s/no-such-seller/facilities/")

    assert (there.status_code, nowhere.status_code) == (404, 404)
    assert there.content.replace(other_seller.slug.encode(), b"") == nowhere.content.replace(b"no-such-seller", b"")


def test_memberships_are_ones_own(seller, other_seller):
    mine, theirs = factories.member(seller, Role.STAFF), factories.member(other_seller)

    assert [(m.seller.pk, m.role) for m in memberships(mine)] == [(seller.pk, Role.STAFF)]
    assert [m.seller.pk for m in memberships(theirs)] == [other_seller.pk]
    assert memberships(factories.user()) == []


@pytest.mark.parametrize("slug", ["", "no-such", "x" * 500, "'; --", "%"])
def test_a_slug_that_is_none_finds_no_seller(seller, slug):
    assert seller_by_slug(slug) is None


def test_ops_look_at_a_seller_and_write_only_with_a_reason(ops_person, seller):
    look = member_required(Role.VIEWER)(lambda request: HttpResponse(f"{request.role} {request.is_ops}"))
    change = member_required(Role.OWNER)(lambda _request: HttpResponse("changed"))
    session: dict = {}

    assert through(look, ops_person, seller).content == b"viewer True"
    refused = through(change, ops_person, seller, "post", session)
    assert (refused.status_code, refused["Location"]) == (302, f"/sellers/{seller.slug}/reason/")

    request = RequestFactory().post("/")
    request.user, request.session = ops_person, session
    give_reason(request, seller, "asked by phone")

    assert through(change, ops_person, seller, "post", session).content == b"changed"
    (line,) = [line for line in as_ops(AuditEntry, about=seller) if line.why == "asked by phone"]
    assert line.by_id == ops_person.pk


def test_ops_who_made_themselves_a_member_still_need_a_reason(seller):
    ops_person = factories.user(is_staff=True)
    factories.join(seller, ops_person)
    look = member_required(Role.VIEWER)(lambda request: HttpResponse(f"{request.role} {request.is_ops}"))
    change = member_required(Role.OWNER)(lambda _request: HttpResponse("changed"))

    assert through(look, ops_person, seller).content == b"viewer True"
    assert through(change, ops_person, seller, "post")["Location"] == f"/sellers/{seller.slug}/reason/"


def test_ops_who_mistype_an_address_are_told_that_it_is_none(client, ops_person):
    client.force_login(ops_person)

    assert client.get("/s/no-such-seller/facilities/").status_code == 404


def test_a_reason_is_for_one_seller_and_one_hour(ops_person, seller, other_seller):
    change = member_required(Role.OWNER)(lambda _request: HttpResponse("changed"))
    request = RequestFactory().post("/")
    request.user, request.session = ops_person, {}
    give_reason(request, seller, "asked by phone")

    assert through(change, ops_person, other_seller, "post", request.session).status_code == 302
    reason, until = request.session["ops_reasons"][seller.slug]
    request.session["ops_reasons"][seller.slug] = [reason, until.replace(until[:4], "2020")]
    assert through(change, ops_person, seller, "post", request.session).status_code == 302


def test_a_member_is_no_ops(seller):
    assert Client().get("/admin/").status_code == 302
    browser = Client()
    browser.force_login(factories.member(seller, Role.OWNER))
    assert browser.get("/admin/").status_code == 302


def test_the_way_back_after_the_log_in_keeps_the_question(client, seller):
    answer = client.get(f"/s/{seller.slug}/facilities/?a=1&b=//evil")

    assert answer["Location"] == f"/login/?next={quote(f'/s/{seller.slug}/facilities/?a=1&b=//evil', safe='/')}"


def test_after_a_page_the_database_sees_nothing(client, seller):
    client.force_login(factories.member(seller))
    client.get(f"/s/{seller.slug}/facilities/")

    with connection.cursor() as cursor:
        cursor.execute("select count(*) from sellers_member")
        assert cursor.fetchone() == (0,)


def test_the_scope_of_a_page_ends_with_it(seller):
    with seller_scope(seller):
        assert current_scope() == (seller.pk,)
    assert current_scope() is None
