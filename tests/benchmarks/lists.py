"""`lists`: what a page of the portal costs when the history is a hundred times as long.

20 sellers with 300 open shipments each, first with 10,000 shipments in all, then with 1,000,000: the rest has left.
Asked through the real views as a packer, under row-level security. The ratio is that of the time spent in SQL;
differences under 0.2 ms count as none.
"""

import json
import re
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.benchmarks.apart import measured

SELLERS, OPEN = 20, 300
SIZES = (10_000, 1_000_000)
BLOCKS, A_BLOCK = 8, 5
NOISE_MS = 0.2
RARE = "RARE-SKU"


def run() -> dict[str, object]:
    """Flat figures for each view: growth of its SQL time (`_ratio`) and of the whole view, its statements."""
    return measured(__name__)


def main() -> None:
    import django  # noqa: PLC0415 - settings come from the environment that run() made

    django.setup()
    from django.conf import settings  # noqa: PLC0415
    from django.core.management import call_command  # noqa: PLC0415

    settings.ALLOWED_HOSTS = ["testserver"]
    views: dict[int, Views] = {}
    for size in SIZES:
        with database_of(size):
            call_command("migrate", verbosity=0)
            views[size] = make_views(size)
    measured = {size: {name: Timed() for name in views[size]} for size in SIZES}
    # In turn, a few answers each: what else the machine does meanwhile falls on both.
    for _ in range(BLOCKS):
        for size in SIZES:
            with database_of(size):
                for name, ask in views[size].items():
                    measured[size][name].take(ask)
    print(json.dumps(figures_of(measured[SIZES[0]], measured[SIZES[1]])))


def figures_of(small: dict[str, "Timed"], large: dict[str, "Timed"]) -> dict[str, object]:
    figures: dict[str, object] = {"rows": SIZES[1], "sellers": SELLERS, "open_each": OPEN}
    for name, before in small.items():
        after = large[name]
        is_noise = after.sql_ms - before.sql_ms < NOISE_MS
        figures |= {
            f"{name}_ratio": 1.0 if is_noise else round(after.sql_ms / before.sql_ms, 2),
            f"{name}_view_growth": round(after.view_ms / before.view_ms, 2),
            f"{name}_statements": after.statements,
            f"{name}_sql_ms": round(after.sql_ms, 2),
            f"{name}_view_ms": round(after.view_ms, 1),
        }
    return figures


@contextmanager
def database_of(size: int) -> Iterator[None]:
    """Django's connection leads to the database that holds so many shipments, made where it is missing."""
    from django.db import connection  # noqa: PLC0415 - after django.setup()

    name = f"lists_{size}"
    with connection.as_owner(), connection._nodb_cursor() as cursor:
        cursor.execute("select 1 from pg_database where datname = %s", [name])
        if cursor.fetchone() is None:
            cursor.execute(f"create database {name}")
    connection.close()
    usual, connection.settings_dict["NAME"] = connection.settings_dict["NAME"], name
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = usual


# --- What is measured ------------------------------------------------------------------------------------------------


Views = dict[str, Callable[[], Any]]


def make_views(size: int) -> Views:
    """The rows, and what is asked for once they are there."""
    sellers = make_sellers()
    fill_up_to(size, sellers)
    new, closed = sparse_facilities(sellers[0])
    browser, address = browser_of(sellers[0])
    listed = f"{address}shipments/"
    paths = {
        "home": address,
        "list": f"{listed}?stage=all&facility=",
        "next_page": next_page(browser, f"{listed}?stage=all&facility="),
        "stage": f"{listed}?stage=to_label&facility=",
        "filter": f"{listed}?stage=handed_over&payment=COD&facility=",
        "rare_filter": f"{listed}?stage=all&sku={RARE}&facility=",
        "new_facility": f"{listed}?stage=handed_over&facility={new.public_id}",
        "closed_facility": f"{listed}?stage=all&facility={closed.public_id}",
        "scan": f"{listed}?q={a_tracking_id(sellers[0])[-7:]}",
    }
    return {name: partial(browser.get, path) for name, path in paths.items()}


@dataclass
class Timed:
    """Milliseconds of a view's answers; the first of a block are left out: they fill caches that are usually full."""

    sql: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    statements: int = 0

    def take(self, ask: Callable[[], Any]) -> None:
        for _ in range(2):
            assert ask().status_code in (200, 302)
        for _ in range(A_BLOCK):
            with timed_sql() as spent:
                begins = time.perf_counter()
                ask()
                self.whole.append((time.perf_counter() - begins) * 1000)
            self.sql.append(sum(spent) * 1000)
            self.statements = len(spent)

    @property
    def sql_ms(self) -> float:
        return statistics.median(self.sql)

    @property
    def view_ms(self) -> float:
        return statistics.median(self.whole)


@contextmanager
def timed_sql() -> Iterator[list[float]]:
    """The seconds of each statement, rows fetched: psycopg has them all when execute returns."""
    from django.db import connection  # noqa: PLC0415 - after django.setup()

    spent: list[float] = []

    def timed(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        begins = time.perf_counter()
        try:
            return execute(sql, parameters, many, context)
        finally:
            spent.append(time.perf_counter() - begins)

    with connection.execute_wrapper(timed):
        yield spent


def next_page(browser: Any, path: str) -> str:
    """Where a page in the middle of a list is."""
    for _ in range(3):
        (link,) = re.findall(r'href="([^"]+)" rel="next"', browser.get(path).content.decode())
        path = unescape(link)
    assert "after" in parse_qs(urlsplit(path).query)
    return path


# --- Rows ------------------------------------------------------------------------------------------------------------


def make_sellers() -> list[Any]:
    """20 sellers with two facilities, a connection, and 300 shipments that are work of the house."""
    from tests import factories  # noqa: PLC0415 - after django.setup()

    sellers = [factories.seller(slug=f"seller-{number}", name=f"Seller {number}") for number in range(SELLERS)]
    for seller in sellers:
        for _ in range(2):
            factories.facility(seller, pickup_times=[["14:00"]] * 7)
        connect(seller)
    return sellers


def sparse_facilities(seller: Any) -> tuple[Any, Any]:
    """One that was just opened, and handed over the last 100; one that was closed long ago, after the first 100."""
    from django.db import connection  # noqa: PLC0415 - after django.setup()

    from orders.models import Shipment  # noqa: PLC0415
    from shipcrowd.tenancy import seller_scope  # noqa: PLC0415
    from tests import factories  # noqa: PLC0415

    new, closed = factories.facility(seller), factories.facility(seller)
    with seller_scope(seller):
        left = Shipment.objects.filter(seller=seller, is_open=False)
        for place, order in ((new, "-ordered_at"), (closed, "ordered_at")):
            keys = list(left.order_by(order).values_list("pk", flat=True)[:100])
            Shipment.objects.filter(pk__in=keys).update(facility=place)
    with connection.as_owner(), connection.cursor() as cursor:
        cursor.execute("vacuum analyze orders_shipment")
    return new, closed


def connect(seller: Any) -> None:
    from django.utils import timezone  # noqa: PLC0415

    from orders.models import PollCursor  # noqa: PLC0415
    from sellers.models import Connection, Quota  # noqa: PLC0415
    from shipcrowd.tenancy import seller_scope  # noqa: PLC0415

    with seller_scope(seller):
        row = Connection.objects.create(seller=seller, environment="simulator", wire="guide", standing="connected")
        Quota.objects.create(seller=seller, connection=row, left=20)
        PollCursor.objects.create(seller=seller, connection=row, last_good_at=timezone.now())


def browser_of(seller: Any) -> tuple[Any, str]:
    from sellers.models import Role  # noqa: PLC0415
    from tests import factories  # noqa: PLC0415
    from tests.browsing import logged_in  # noqa: PLC0415

    return logged_in(factories.member(seller, Role.STAFF)), f"/s/{seller.slug}/"


def a_tracking_id(seller: Any) -> str:
    from orders.models import Shipment  # noqa: PLC0415
    from shipcrowd.tenancy import seller_scope  # noqa: PLC0415

    with seller_scope(seller):
        rows = Shipment.objects.filter(seller=seller).exclude(tracking_id="").order_by("pk")
        found: str = rows.values_list("tracking_id", flat=True)[100]
    return found


def fill_up_to(size: int, sellers: list[Any]) -> None:
    """Adds history; in SQL, for a million rows would take Python an hour."""
    from django.db import connection  # noqa: PLC0415

    with connection.as_owner(), connection.cursor() as cursor:
        cursor.execute("set statement_timeout = 0")
        for seller in sellers:
            cursor.execute("select count(*) from orders_shipment where seller_id = %s", [seller.pk])
            there = cursor.fetchone()[0]
            cursor.execute(FILL, {"seller": seller.pk, "from": there + 1, "until": size // SELLERS, "open": OPEN})
            cursor.execute(ITEMS, {"seller": seller.pk, "rare": RARE})
        cursor.execute("vacuum analyze")


# Numbers grow into the past, a parcel each 40 minutes, so that the smaller size covers the two weeks of the chart: the
# first 300 are open, every fortieth of the rest was cancelled.
FILL = """
with made as materialized (
    select n, now() - n * interval '40 minutes' as ordered_at,
        'OD' || %(seller)s || lpad((n::bigint * 618033988749 %% 1000000000000000)::text, 15, '0') as order_id,
        'FMPP' || %(seller)s || lpad((n::bigint * 7919 %% 10000000000)::text, 10, '0') as tracking_id,
        case
            when n <= %(open)s * 2 / 3 then 'APPROVED' when n <= %(open)s then 'PACKED'
            when n %% 40 = 0 then 'CANCELLED' when n < 400 then 'SHIPPED' else 'DELIVERED'
        end as state
    from generate_series(%(from)s::int, %(until)s::int) n
),
orders as (
    insert into orders_order (seller_id, flipkart_order_id, ordered_at)
    select %(seller)s, order_id, ordered_at from made returning id, flipkart_order_id
)
insert into orders_shipment (
    seller_id, public_id, order_id, facility_id, flipkart_shipment_id, flipkart_order_id, ordered_at, state, state_word,
    is_on_hold, dispatch_after_at, dispatch_by_at, payment_type, tracking_id, courier, invoice_number, sku, sku_count,
    quantity, read_began_at, forms, parcels, tracking_ids, labelled_outside, label_stored_at, printed_at, dispatched_at,
    was_dispatched_late, attention, attention_says
)
select %(seller)s, gen_random_uuid(), o.id, f.ids[1 + n %% 2], 'SHIP' || %(seller)s || lpad(n::text, 9, '0'),
    o.flipkart_order_id, m.ordered_at, m.state, m.state, false, m.ordered_at, m.ordered_at + interval '36 hours',
    case when n %% 5 < 2 then 'COD' else 'PREPAID' end,
    case when m.state = 'APPROVED' then '' else m.tracking_id end, 'EKART',
    case when m.state = 'APPROVED' then '' else 'FAX' || %(seller)s || n end, 'SKU-' || (n %% 400), 1, 1, now(),
    '[]', '[]', '[]', false,
    case when m.state = 'APPROVED' then null else m.ordered_at end,
    case when m.state in ('APPROVED', 'PACKED') then null else m.ordered_at end,
    case when m.state in ('SHIPPED', 'DELIVERED') then m.ordered_at + interval '1 day' end,
    case when m.state in ('SHIPPED', 'DELIVERED') then n %% 200 = 0 end, '', ''
from made m
join orders o on o.flipkart_order_id = m.order_id
cross join (select array_agg(id order by id) as ids from sellers_facility where seller_id = %(seller)s) f
order by n
"""

ITEMS = """
insert into orders_shipmentitem (
    seller_id, shipment_id, flipkart_order_item_id, sku, fsn, hsn, title, quantity, total_price, state_word
)
select s.seller_id, s.id, '001',
    case when right(s.flipkart_shipment_id, 9)::int %% 20011 = 350 then %(rare)s else s.sku end,
    '', '6109', 'T-Shirt', 1, 899, s.state_word
from orders_shipment s
where s.seller_id = %(seller)s
    and not exists (select from orders_shipmentitem i where i.seller_id = s.seller_id and i.shipment_id = s.id)
"""


if __name__ == "__main__":
    main()
