"""Error pages: one look, a sentence, and what to do next."""

import pytest
from django.test import Client, RequestFactory
from django.views.defaults import bad_request, server_error

from tests.browsing import words


@pytest.mark.django_db
def test_a_page_that_is_not_there_says_what_to_do(client: Client, packer):
    for asked in (client, packer):
        answer = asked.get("/no/such/page")
        assert answer.status_code == 404
        assert "This page is not there" in words(answer)
        assert 'href="/"' in answer.content.decode()


@pytest.mark.django_db
def test_what_a_role_may_not_do_is_said_in_its_own_words(viewer, seller):
    answer = viewer.post(f"/s/{seller.slug}/fetch/")

    assert answer.status_code == 403
    assert "Your role in this seller does not allow that. Ask an owner." in words(answer)


@pytest.mark.django_db
def test_who_opens_what_only_a_button_sends_is_told_so(owner, seller):
    opened, put = (ask(f"/s/{seller.slug}/fetch/") for ask in (owner.get, owner.put))

    assert (opened.status_code, opened["Allow"]) == (405, "POST")
    assert "Nothing was done: open the page with the button" in words(opened)
    assert (put.status_code, put.content) == (405, b"")


@pytest.mark.django_db
def test_a_form_from_elsewhere_is_refused_with_a_way_on(packer, seller):
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = packer.cookies

    answer = strict.post(f"/s/{seller.slug}/fetch/")

    assert answer.status_code == 403
    assert "load the page again, and press once more" in words(answer)


@pytest.mark.django_db
@pytest.mark.parametrize("charset", ["latin-1", "utf-16", "utf-7"])
def test_another_charset_than_utf_8_is_not_understood(client: Client, charset):
    kind = f"application/x-www-form-urlencoded; charset={charset}"

    for method in ("POST", "GET"):
        answer = client.generic(method, "/login/?next=/", b"username=asha", content_type=kind)
        assert answer.status_code == 400
        assert "could not be understood" in words(answer)


def test_our_own_mistake_is_drawn_without_database_or_context():
    request = RequestFactory().get("/")

    for view, status, says in (
        (server_error, 500, "Something went wrong here"),
        (bad_request, 400, "could not be understood"),
    ):
        answer = view(request) if view is server_error else view(request, ValueError())
        assert answer.status_code == status
        assert says in words(answer)
        assert "shipcrowd.css" in answer.content.decode()
