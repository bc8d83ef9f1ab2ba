"""10,000 requests of 20 sellers over 8 threads and 4 connections, with exceptions thrown at random (trust 54)."""

import json
import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.handlers.base import BaseHandler
from django.db import connection, connections
from django.test import RequestFactory

from orders.models import Order
from sellers.models import Seller, User
from shipcrowd.tenancy import seller_scope
from tests import factories

REQUESTS, SELLERS, THREADS, CONNECTIONS = 10_000, 20, 8, 4


@pytest.fixture
def pooled(transactional_db):
    """Threads that share four connections: what one leaves behind, the next would see."""
    kept = connections.settings["default"]
    connection.close()
    connections.settings["default"] = kept | {
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": False,
        "OPTIONS": kept["OPTIONS"] | {"pool": {"min_size": 1, "max_size": CONNECTIONS, "timeout": 60}},
    }
    yield
    connections.create_connection("default").close_pool()
    connections.settings["default"] = kept


@pytest.mark.slow
def test_no_foreign_row_is_ever_seen_and_what_failed_left_nothing(pooled, settings):
    settings.ROOT_URLCONF = "tests.tenancy.urls"
    settings.MIDDLEWARE = ["sellers.access.ScopeMiddleware"]
    handler = BaseHandler()
    handler.load_middleware()
    people = [(row, factories.member(row)) for row in (factories.seller() for _ in range(SELLERS))]
    for row, _person in people:
        with seller_scope(row):
            Order.objects.create(seller=row, flipkart_order_id=f"first of {row.pk}")
    ids = [row.pk for row, _person in people]

    def visit(number: int) -> tuple[int, int, str, int, list[int]]:
        dice = random.Random(number)
        seller, person = dice.choice(people)
        kind = dice.choice(["read"] * 6 + ["kept", "fails", "refused", "stream", "smuggle"])
        status, seen = _ask(handler, seller, person, kind, number, dice.choice(ids))
        connection.close()
        return number, seller.pk, kind, status, seen

    with ThreadPoolExecutor(THREADS) as threads:
        answers = list(threads.map(visit, range(REQUESTS), chunksize=50))

    foreign = [answer for answer in answers if set(answer[4]) - {answer[1]}]
    assert foreign == []
    assert sum(len(answer[4]) for answer in answers) > REQUESTS / 2  # the reads did see their own rows
    written = {row.flipkart_order_id for row in factories.as_ops(Order)}
    assert written == {f"first of {pk}" for pk in ids} | {
        f"{number}-kept" for number, _pk, kind, status, _seen in answers if kind == "kept" and status == 201
    } | {f"smuggled by {pk}" for number, pk, kind, status, _seen in answers if kind == "smuggle" and status == 201}
    assert {status for _n, _pk, kind, status, _s in answers if kind in ("fails", "refused")} == {500}
    assert {status for _n, _pk, kind, status, _s in answers if kind == "kept"} == {201}


def _ask(
    handler: BaseHandler, seller: Seller, person: User, kind: str, number: int, other: int
) -> tuple[int, list[int]]:
    """The status, and the sellers of the rows that were shown."""
    where = {"kept": f"write/{number}-kept", "fails": f"write/{number}-fails", "refused": f"write/{number}-refused"}
    where |= {"smuggle": f"smuggle/{other}"}
    request = RequestFactory(raise_request_exception=False).get(f"/s/{seller.slug}/{where.get(kind, kind)}/")
    request.user = person
    answer = handler.get_response(request)
    if answer.status_code != 200:
        return answer.status_code, []
    if kind == "stream":
        return 200, [int(line.split()[0]) for line in b"".join(answer.streaming_content).decode().splitlines()]
    return 200, [row[0] for row in json.loads(answer.content)["rows"]]


@pytest.mark.slow
def test_a_streamed_page_shows_its_rows(transactional_db, settings):
    """trust 52b: without a scope of its own the body would be empty, without a word."""
    settings.ROOT_URLCONF = "tests.tenancy.urls"
    settings.MIDDLEWARE = ["sellers.access.ScopeMiddleware"]
    handler = BaseHandler()
    handler.load_middleware()
    seller = factories.seller()
    person = factories.member(seller)
    with seller_scope(seller):
        Order.objects.create(seller=seller, flipkart_order_id="streamed")

    assert _ask(handler, seller, person, "stream", 0, 0) == (200, [seller.pk])
