"""The list as CSV, and ids that are looked up at Flipkart."""

import csv
import io

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from orders import exporting
from orders.models import LookUp, Shipment
from orders.queries import Filters
from sellers.models import Role
from shipcrowd.audit.models import AuditEntry
from shipcrowd.tenancy import seller_scope
from shipcrowd.work import State
from tests import factories
from tests.browsing import logged_in, words
from tests.factories import as_ops, run_due_work

pytestmark = pytest.mark.django_db


@pytest.fixture
def packer(connected):
    return logged_in(factories.member(connected.seller, Role.STAFF))


def rows(answer) -> list[dict[str, str]]:
    text = b"".join(answer.streaming_content).decode()
    assert text[0] == exporting.BYTE_ORDER_MARK
    return list(csv.DictReader(io.StringIO(text[1:])))


# --- CSV -------------------------------------------------------------------------------------------------------------


def test_the_csv_holds_what_the_list_shows_and_nothing_of_anybody_else(packer, connected, other_seller):
    seller = connected.seller
    mine = factories.shipment(seller, sku="MUG", tracking_id="EK1")
    factories.shipment(seller, sku="CAP")
    factories.shipment(other_seller, sku="MUG")

    found = rows(packer.get(f"/s/{seller.slug}/shipments.csv", {"stage": "all", "sku": "MUG", "facility": ""}))

    assert [(row["Shipment"], row["SKU × quantity"], row["AWB"]) for row in found] == [
        (mine.flipkart_shipment_id, "MUG × 1", "EK1")
    ]
    assert ("exported shipments", seller.pk) in [(e.did, e.about_id) for e in as_ops(AuditEntry)]


def test_a_shipment_in_several_parcels_shows_all_their_tracking_ids(packer, connected):
    several = {"tracking_id": "EK1", "tracking_ids": ["EK1", "EK2", "EK3"], "is_multi_parcel": True}
    factories.shipment(connected.seller, **several)
    place = f"/s/{connected.seller.slug}/shipments"

    (row,) = rows(packer.get(f"{place}.csv", {"stage": "all", "facility": ""}))
    listed = packer.get(f"{place}/", {"stage": "all", "facility": ""})

    assert row["AWB"] == "EK1 EK2 EK3"
    assert "EK1 +2" in words(listed)
    assert 'title="EK1 EK2 EK3"' in listed.content.decode()


def test_the_csv_comes_in_chunks_each_in_a_scope_of_its_own(connected, monkeypatch):
    monkeypatch.setattr(exporting, "CHUNK", 2)
    made = [factories.shipment(connected.seller) for _ in range(5)]

    text = list(exporting.lines(seller=connected.seller, filters=Filters(), now=timezone.now()))

    assert len(text) == 4  # the head, then 2, 2, 1
    ids = [row["Shipment"] for row in csv.DictReader(io.StringIO("".join(text)[1:]))]
    assert sorted(ids) == sorted(row.flipkart_shipment_id for row in made)


def test_a_csv_that_an_error_ends_says_in_its_last_line_that_it_is_not_whole(packer, connected, monkeypatch):
    monkeypatch.setattr(exporting, "CHUNK", 2)
    for _ in range(5):
        factories.shipment(connected.seller)
    address = f"/s/{connected.seller.slug}/shipments.csv?stage=all"
    whole = [row["Shipment"] for row in rows(packer.get(address))]
    with factories.ops(), connection.cursor() as cursor:  # a time that Python cannot hold
        broken = "update orders_shipment set read_began_at = 'infinity' where flipkart_shipment_id = %s"
        cursor.execute(broken, [whole[-1]])

    found = rows(packer.get(address))

    assert [row["Shipment"] for row in found[:-1]] == whole[:2]
    assert found[-1]["Shipment"].startswith("THIS FILE IS NOT WHOLE")


def test_a_chunk_takes_as_many_statements_with_100_rows_as_with_one(connected):
    def statements() -> int:
        with CaptureQueriesContext(connection) as asked:
            list(exporting.lines(seller=connected.seller, filters=Filters(), now=timezone.now()))
        return len(asked)

    factories.shipment(connected.seller)
    with_one = statements()
    for _ in range(99):
        factories.shipment(connected.seller)

    assert statements() == with_one


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", " =1", "'=1", '"=1', "\u00a0+1", "=cmd|' /C calc'!A0"],
)
def test_what_a_spreadsheet_would_run_is_text(cell):
    assert exporting.defused(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["MUG-1", "OD431", "", "899.00", "Classic = Black", "5 - 6"])
def test_what_is_harmless_stays_as_it_is(cell):
    assert exporting.defused(cell) == cell


def test_a_hostile_sku_comes_out_as_text_and_the_buyer_does_not_come_out_at_all(packer, connected):
    seller = connected.seller
    row = factories.shipment(seller, sku="=HYPERLINK(1)")
    with seller_scope(seller):
        row.items.update(sku="=HYPERLINK(1)")

    (found,) = rows(packer.get(f"/s/{seller.slug}/shipments.csv", {"stage": "all", "facility": ""}))

    assert found["SKU × quantity"] == "'=HYPERLINK(1) × 1"
    assert not {"Name", "Phone", "Address", "Buyer"} & set(found)


def test_a_viewer_takes_no_csv_and_a_wrong_filter_says_so(packer, connected):
    viewer = logged_in(factories.member(connected.seller, Role.VIEWER))

    assert viewer.get(f"/s/{connected.seller.slug}/shipments.csv").status_code == 403
    wrong = packer.get(f"/s/{connected.seller.slug}/shipments.csv", {"due": "someday"})
    assert (wrong.status_code, b"date" in wrong.content) == (400, True)


# --- Looking up at Flipkart ------------------------------------------------------------------------------------------


def test_an_id_that_is_not_here_is_looked_up_and_leads_to_its_shipment(packer, connected, flipkart):
    (shipment_id,) = flipkart.world.add_shipments(connected.account, 1)
    address = f"/s/{connected.seller.slug}/shipments/"

    nothing = packer.get(address, {"q": shipment_id.lower()})
    assert f"Look {shipment_id.lower()} up at Flipkart" in words(nothing)
    asked = packer.post(f"{address}look-up/", {"q": shipment_id.lower()})
    assert "Asking Flipkart" in words(packer.get(asked.url))
    run_due_work()

    (found,) = as_ops(Shipment)
    assert found.flipkart_shipment_id == shipment_id
    assert packer.get(asked.url).url == f"{address}{found.public_id}/"


def test_an_id_that_nobody_knows_says_so(packer, connected):
    asked = packer.post(f"/s/{connected.seller.slug}/shipments/look-up/", {"q": "SHIP404"})
    run_due_work()

    assert "Flipkart knows no shipment by this id" in words(packer.get(asked.url))
    assert b"hx-trigger" not in packer.get(asked.url).content


def test_when_flipkart_does_not_answer_it_is_asked_again_and_then_given_up(packer, connected, flipkart):
    flipkart.faults.set("shipments", "server_error", times=None)
    asked = packer.post(f"/s/{connected.seller.slug}/shipments/look-up/", {"q": "SHIP1"})

    run_due_work()
    assert "Flipkart did not answer; asked again" in words(packer.get(asked.url))
    for _ in range(2):
        factories.wake(LookUp)
        run_due_work()

    assert [row.state for row in as_ops(LookUp)] == [State.GIVEN_UP]
    assert "Flipkart did not answer: shipments: their server failed" in words(packer.get(asked.url))


def test_a_refusal_that_speaks_of_no_shipment_is_not_taken_for_one(packer, connected, flipkart):
    flipkart.faults.set("shipments", "html", status=400)
    (shipment_id,) = flipkart.world.add_shipments(connected.account, 1)
    asked = packer.post(f"/s/{connected.seller.slug}/shipments/look-up/", {"q": shipment_id})

    run_due_work()
    assert [row.state for row in as_ops(LookUp)] == [State.DUE]
    factories.wake(LookUp)
    run_due_work()

    (found,) = as_ops(Shipment)
    assert packer.get(asked.url).url.endswith(f"/{found.public_id}/")


def test_a_look_up_that_flipkart_forbids_counts_against_the_connection(packer, connected, flipkart):
    flipkart.faults.set("shipments", "forbidden")
    packer.post(f"/s/{connected.seller.slug}/shipments/look-up/", {"q": "SHIP1"})

    run_due_work()

    assert factories.reload(connected.connection).forbidden_in_a_row == 1


@pytest.mark.parametrize("text", ["", "a b", "../../etc", "x,y", "'; drop table", "é"])
def test_what_is_no_id_is_not_asked_for(packer, connected, text):
    page = packer.post(f"/s/{connected.seller.slug}/shipments/look-up/", {"q": text}, follow=True)

    assert "This is no shipment id of Flipkart's." in words(page)
    assert as_ops(LookUp) == []


def test_another_sellers_shipment_is_not_found_by_looking_it_up(packer, connected, flipkart):
    other = factories.connected_seller(flipkart)
    (theirs,) = flipkart.world.add_shipments(other.account, 1)

    asked = packer.post(f"/s/{connected.seller.slug}/shipments/look-up/", {"q": theirs})
    run_due_work()

    assert "Flipkart knows no shipment by this id" in words(packer.get(asked.url))
    assert as_ops(Shipment) == []
