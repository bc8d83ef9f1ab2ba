"""Every page that there is, in a real browser: what the resolver knows and `tests/matrix.py` can fill with rows.

A new route needs its line there, or the matrix's own test fails; so no page is forgotten here.
"""

from contextlib import closing
from urllib.parse import urlencode

import pytest
from django.test import override_settings

from shipcrowd import transport
from shipcrowd.simulator import Simulator, mounted
from tests import matrix
from tests.browser.conftest import NARROW, WIDE
from tests.browser.walking import troubles
from tests.conftest import SIMULATOR
from tests.matrix import ANONYMOUS, OPS, OWN, OWNER, ROUTES, AdminPage, Outside, Route

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def world(db):
    simulator = Simulator(calls_per_minute=None)
    transport.mount(SIMULATOR, mounted(simulator))
    yield matrix.make_world(simulator)
    transport.mount(SIMULATOR, None)


def looks(route: Route) -> str | None:
    """Who opens it: one that it answers with a page."""
    asked = (OPS,) if isinstance(route, AdminPage) else (ANONYMOUS, OPS) if isinstance(route, Outside) else (OWNER,)
    return next((role for role in asked if route.expected(role, OWN, "GET") == 200), None)


def opens_each(person, world, routes, *, seen) -> tuple[int, str]:
    """Opens each route of these that is a page, as somebody who may: how many, and what is wrong, a line each."""
    opened, lines = 0, []
    for route in routes:
        role = looks(route)
        if role is None:
            continue
        with override_settings(**route.settings):
            address = with_query(route, world)
            if not is_page(world.client(role), address):
                continue
            person.becomes(world.sessions[role])
            person.opens(address)
            wrong = troubles(person, f"every-{route.name.replace(':', '-')}-{seen}")
        # What the browser would like better in a form is no complaint about Django's own.
        heard = [one for one in person.complaints if not (isinstance(route, AdminPage) and "[DOM]" in one)]
        lines += [f"{route.name}: {' '.join(one.split())}" for one in wrong + heard]
        person.complaints.clear()
        opened += 1
    return opened, "\n".join(lines)


def with_query(route: Route, world) -> str:
    asks = route.names_rows or isinstance(route, AdminPage)
    query = urlencode(matrix.sent(route, world.rows, OWN), doseq=True) if asks else ""
    return f"{route.address(world.rows, OWN)}{'?' if query else ''}{query}"


def is_page(client, address: str) -> bool:
    """Neither a file nor an answer to a script."""
    answer = client.get(address)
    with closing(answer):
        return answer["Content-Type"].startswith("text/html") and b"<html" in b"".join(answer)


@pytest.mark.parametrize(("width", "scheme"), [(WIDE, "light"), (NARROW, "dark")])
def test_every_page_of_the_portal_fits_and_complains_of_nothing(person, world, width, scheme):
    person.sees(width, scheme)

    routes = [route for route in ROUTES if not isinstance(route, AdminPage)]
    opened, wrong = opens_each(person, world, routes, seen=f"{width}-{scheme}")

    assert opened > 20
    assert wrong == ""


def test_every_page_of_the_admin_fits_and_complains_of_nothing(person, world):
    person.sees(WIDE, "light")

    # The queue's own tables are drawn by django-q2's own admin.
    routes = [route for route in ROUTES if isinstance(route, AdminPage) and not route.name.startswith("admin:django_q")]
    opened, wrong = opens_each(person, world, routes, seen="light")

    assert opened > 20
    assert wrong == ""
