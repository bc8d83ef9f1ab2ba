"""A browser without a screen for tests of pages: log-in, words on a page, and how many statements it took."""

from html import unescape

from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import strip_tags

from sellers.models import User


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def words(response: HttpResponse) -> str:
    """What a person reads on the page, in one line."""
    return " ".join(unescape(strip_tags(response.content.decode().replace("<", " <"))).split())


def statements(client: Client, address: str) -> int:
    """How many statements the page takes, begin and commit included."""
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return len(captured)
