"""What no address of the portal may hold."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.views.defaults import bad_request


def no_nulls(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """A NUL in an address is answered 400, once for all views: PostgreSQL's text cannot hold one. Forms refuse it."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if "\0" in request.path or any("\0" in word for pair in request.GET.lists() for word in (pair[0], *pair[1])):
            return bad_request(request, ValueError("a NUL in the address"))
        return get_response(request)

    return middleware
