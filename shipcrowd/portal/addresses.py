"""Addresses and what comes with them: what no request may hold, and what is said where nothing can be opened."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import render
from django.views.defaults import bad_request


def utf8_without_nulls(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Answers 400 to another charset than UTF-8, and to a NUL in the address.

    Django reads no form in another charset, and raises where nothing makes an answer of it any more; browsers send
    UTF-8, as the pages are. PostgreSQL's text cannot hold a NUL; forms refuse it themselves.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if (request.encoding or "utf-8").lower() != "utf-8":
            return bad_request(request, ValueError("another charset than UTF-8"))
        if "\0" in request.path or any("\0" in word for pair in request.GET.lists() for word in (pair[0], *pair[1])):
            return bad_request(request, ValueError("a NUL in the address"))
        return get_response(request)

    return middleware


def words_for_what_buttons_send(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Django answers an empty page to who opens an address that only buttons send to: from a bookmark, say."""

    def middleware(request: HttpRequest) -> HttpResponse:
        answer = get_response(request)
        if not isinstance(answer, HttpResponseNotAllowed) or request.method != "GET":
            return answer
        page = render(request, "405.html", status=answer.status_code)
        page["Allow"] = answer["Allow"]
        return page

    return middleware
