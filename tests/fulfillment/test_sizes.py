"""Package sizes: entered by hand or as lines of a spreadsheet, all right or none, and given out as they were."""

import csv
import io
from datetime import timedelta
from decimal import Decimal
from html import unescape

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from fulfillment import labels, sizes
from fulfillment.models import PackageSize
from sellers.models import Role, WireName
from shipcrowd.audit.models import AuditEntry
from shipcrowd.flipkart.types import Dimensions
from shipcrowd.tenancy import seller_scope
from tests import factories
from tests.browsing import logged_in, words
from tests.factories import as_ops

BOX = Dimensions(length=Decimal(30), breadth=Decimal(20), height=Decimal(5), weight=Decimal("0.4"))
SMALL = Dimensions(length=Decimal("9.5"), breadth=Decimal(6), height=Decimal("2.25"), weight=Decimal("0.085"))


def sides(most: int, places: int):
    return st.decimals(min_value=Decimal(1).scaleb(-places), max_value=most, places=places)


skus = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=40)
known = st.dictionaries(
    skus,
    st.builds(Dimensions, length=sides(500, 2), breadth=sides(500, 2), height=sides(500, 2), weight=sides(300, 3)),
    min_size=1,
    max_size=8,
)


# --- Lines of a spreadsheet ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "TS-BLK-M,30,20,5,0.4\nBOTTLE,9.5,6,2.25,0.085",
        "sku,length_cm,breadth_cm,height_cm,weight_kg\r\nTS-BLK-M,30,20,5,0.4\r\nBOTTLE,9.5,6,2.25,0.085\r\n",
        "\ufeffSKU\tL\tB\tH\tkg\nTS-BLK-M\t30\t20\t5\t0.4\n\nBOTTLE\t9.5\t6\t2.25\t0.085\n",
        'TS-BLK-M;"30";20;5;0.400\n BOTTLE ; 9.50 ; 6 ; 2.25 ; 0.085 \n;;;;',
    ],
    ids=["plain", "with a head", "copied from a spreadsheet", "semicolons"],
)
def test_lines_are_read_however_the_spreadsheet_writes_them(text):
    found = sizes.read(text)

    assert (found.sizes, found.wrong) == ({"TS-BLK-M": BOX, "BOTTLE": SMALL}, ())


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("A,30,20,5", "line 2: wants 5 columns (sku, length_cm, breadth_cm, height_cm, weight_kg), has 4"),
        ("A,30,20,5,0.4,red", "line 2: wants 5 columns (sku, length_cm, breadth_cm, height_cm, weight_kg), has 6"),
        (",30,20,5,0.4", "line 2: sku: must be 1 to 128 characters"),
        (f"{'A' * 129},30,20,5,0.4", "line 2: sku: must be 1 to 128 characters"),
        *(
            (
                f"A,30,{text},5,0.4",
                "line 2: breadth_cm: must be more than 0 and at most 500, with at most 2 decimals",
            )
            for text in ("0", "-1", "501", "2.125", "wide", "NaN", "Infinity", "1e999999", "")
        ),
        ("A,30,20,5,400", "line 2: weight_kg: must be more than 0 and at most 300, with at most 3 decimals"),
        ("OTHER,30,20,5,0.4", "line 2: OTHER stands there twice"),
    ],
)
def test_a_line_that_is_wrong_is_named_and_nothing_is_taken(line, wrong):
    found = sizes.read(f"OTHER,1,1,1,1\n{line}\nLAST,1,1,1,1")

    assert (found.sizes, found.wrong) == ({}, [wrong])


def test_what_is_no_table_at_all_is_said_to_be_none():
    assert (
        sizes.read("A\x00,1,1,1,1\n" + '"' + "x" * 200_000).wrong[0].startswith("these are no lines of a spreadsheet")
    )
    assert sizes.read("A,1,1,1,1\n" * 20_001).wrong == ["more than 20000 lines: send them in parts"]


# --- Entering --------------------------------------------------------------------------------------------------------


@pytest.fixture
def client(packer):
    return logged_in(packer)


def at(seller, path: str = "") -> str:
    return f"/s/{seller.slug}/sizes/{path}"


def stored(seller) -> dict[str, Dimensions]:
    return {row.sku: row.dimensions for row in as_ops(PackageSize, seller=seller)}


def test_one_size_is_entered_and_entered_again(seller, client, packer):
    for weight in ("0.4", "0.45"):
        form = {"sku": "TS-BLK-M", "length": "30", "breadth": "20", "height": "5", "weight": weight}
        answer = client.post(at(seller, "enter/"), form, follow=True)

    assert "The size of TS-BLK-M is entered." in words(answer)
    assert {sku: size.weight for sku, size in stored(seller).items()} == {"TS-BLK-M": Decimal("0.450")}
    assert [(row.entered_by_id) for row in as_ops(PackageSize)] == [packer.pk]
    assert [(entry.by_id, entry.rows) for entry in as_ops(AuditEntry, did="entered package sizes")] == [
        (packer.pk, ["TS-BLK-M"])
    ] * 2


def test_a_size_that_cannot_be_is_answered_beside_its_field(seller, client):
    form = {"sku": "TS-BLK-M", "length": "30", "breadth": "0", "height": "5.123", "weight": "400"}

    answer = client.post(at(seller, "enter/"), form)

    assert (answer.status_code, stored(seller)) == (200, {})
    assert set(answer.context["one"].errors) == {"breadth", "height", "weight"}


@pytest.mark.parametrize("content", [b"TS\0BLK,30,20,5,0.4", b"TS-BLK\xff,30,20,5,0.4"])
def test_a_file_that_is_no_text_is_refused(seller, client, content):
    answer = client.post(at(seller, "lines/"), {"file": SimpleUploadedFile("sizes.csv", content)})

    assert "This is no text: save the table as CSV (UTF-8)." in words(answer)
    assert stored(seller) == {}


@pytest.mark.parametrize("sent", ["lines", "file"])
def test_many_are_entered_pasted_or_as_a_file(seller, client, sent):
    text = "sku,l,b,h,w\nTS-BLK-M,30,20,5,0.4\nBOTTLE,9.5,6,2.25,0.085"
    value = text if sent == "lines" else SimpleUploadedFile("sizes.csv", text.encode("utf-8-sig"))

    answer = client.post(at(seller, "lines/"), {sent: value}, follow=True)

    assert "2 sizes entered" in words(answer)
    assert stored(seller) == {"TS-BLK-M": BOX, "BOTTLE": SMALL}


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ({"lines": "A,1,1,1,1\nB,1,1"}, "line 2: wants 5 columns"),
        ({"lines": ""}, "There is no line to enter."),
        ({"lines": "sku,l,b,h,w"}, "There is no line to enter."),
        ({"file": SimpleUploadedFile("sizes.xlsx", b"PK\x03\x04\xff\xfe")}, "This is no text"),
        ({"file": SimpleUploadedFile("sizes.csv", b"A,1,1,1,1\n" * 100_001)}, "This file is too large"),
        ({"lines": "\n".join("A,1" for _ in range(30))}, "and 20 lines more"),
    ],
)
def test_what_is_wrong_with_many_is_said_and_none_is_entered(seller, client, sent, says):
    answer = client.post(at(seller, "lines/"), sent)

    assert says in words(answer)
    assert (answer.status_code, stored(seller)) == (200, {})


def test_a_viewer_sees_them_and_cannot_enter_any(seller):
    with seller_scope(seller):
        PackageSize.objects.create(seller=seller, sku="TS-BLK-M", length=30, breadth=20, height=5, weight="0.4")
    client = logged_in(factories.member(seller, Role.VIEWER))

    page = client.get(at(seller))

    assert "TS-BLK-M" in words(page)
    assert "/sizes/lines/" not in page.content.decode()
    assert client.post(at(seller, "enter/"), {"sku": "A"}).status_code == 403


# --- Given out -------------------------------------------------------------------------------------------------------


@given(known)
def test_a_table_that_is_given_out_is_taken_back_as_it_was(found):
    out = io.StringIO()
    csv.writer(out).writerows(
        (sizes.defused(sku), size.length, size.breadth, size.height, size.weight) for sku, size in found.items()
    )

    assert sizes.read(",".join(sizes.HEAD) + "\r\n" + out.getvalue()).sizes == found


def test_the_csv_is_no_formula_and_holds_one_sellers_own(seller, other_seller, client):
    for owner, sku in ((seller, "=HYPERLINK(1)"), (seller, "TS-BLK-M"), (other_seller, "THEIRS")):
        with seller_scope(owner):
            PackageSize.objects.create(seller=owner, sku=sku, length=30, breadth=20, height=5, weight="0.4")

    answer = client.get(f"/s/{seller.slug}/sizes.csv")

    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    assert text.splitlines() == [
        "sku,length_cm,breadth_cm,height_cm,weight_kg",
        "'=HYPERLINK(1),30.00,20.00,5.00,0.400",
        "TS-BLK-M,30.00,20.00,5.00,0.400",
    ]
    assert set(sizes.read(text).sizes) == {"=HYPERLINK(1)", "TS-BLK-M"}


# --- What must be measured first -------------------------------------------------------------------------------------


def test_what_waits_for_a_size_is_named_most_shipments_first(db, flipkart):
    seller = factories.connected_seller(flipkart, wire=WireName.OFFICIAL).seller
    for sku, count in (("RARE", 1), ("OFTEN", 3), ("KNOWN", 2)):
        for _ in range(count):
            factories.shipment(seller, sku=sku)
    factories.shipment(seller, sku="PACKED", state="PACKED")
    with seller_scope(seller):
        sizes.enter(seller=seller, sizes={"KNOWN": BOX}, by=factories.user(), now=timezone.now())

        assert sizes.wanted(seller, most=10) == [("OFTEN", 3, None), ("RARE", 1, None)]
        assert sizes.wanted(seller, most=1) == [("OFTEN", 3, None)]

    page = words(logged_in(factories.member(seller)).get(at(seller)))
    assert "OFTEN 3 shipments cannot be packed without it" in page


def test_where_flipkart_does_not_ask_nothing_must_be_measured(seller, client):
    factories.shipment(seller, sku="OFTEN")

    page = words(client.get(at(seller)))

    assert "does not ask for sizes" in page
    assert "OFTEN" not in page


LAST = {"length": "30", "breadth": "20", "height": "4", "weight": "0.35"}
OTHER = {"length": "90", "breadth": "80", "height": "70", "weight": "9"}


def packed(seller, sku: str, sizes_told, **values) -> None:
    factories.shipment(seller, sku=sku, state="PACKED", packed_sizes=sizes_told, **values)


def test_what_one_piece_was_last_packed_as_is_suggested_and_nothing_is_packed_by_it(db, flipkart, other_seller):
    seller = factories.connected_seller(flipkart, wire=WireName.OFFICIAL).seller
    ago = timezone.now() - timedelta(days=2)
    waiting = factories.shipment(seller, sku="SHIRT")
    packed(seller, "SHIRT", [OTHER], ordered_at=ago)
    packed(seller, "SHIRT", [LAST], ordered_at=ago + timedelta(hours=1))
    # Of several pieces, of several parcels, of nothing told, of somebody else's: none of them is the size of one.
    packed(seller, "SHIRT", [OTHER], quantity=2)
    packed(seller, "SHIRT", [OTHER, OTHER])
    packed(seller, "SHIRT", [])
    packed(seller, "SHIRT", None)
    packed(other_seller, "SHIRT", [OTHER])
    client = logged_in(factories.member(seller, Role.STAFF))

    with seller_scope(seller):
        (found,) = sizes.wanted(seller, most=10)
        assert labels.preview(seller=seller, shipment_ids=[waiting.pk], now=timezone.now()).accepted == 0
    page = client.get(at(seller))

    assert found.last == Dimensions(**{name: Decimal(text) for name, text in LAST.items()})
    assert "last packed as 30 × 20 × 4 cm, 0.35 kg" in words(page)
    assert "SHIRT,30,20,4,0.35\n" in unescape(page.content.decode())
    opened = client.get(at(seller), dict(sku="SHIRT", **LAST)).context["one"]
    assert opened["length"].value() == "30"


def test_what_must_be_measured_is_a_table_to_fill_in_and_send_back(db, flipkart):
    seller = factories.connected_seller(flipkart, wire=WireName.OFFICIAL).seller
    for sku in ("SHIRT", "MUG"):
        factories.shipment(seller, sku=sku)
    packed(seller, "SHIRT", [LAST])
    client = logged_in(factories.member(seller, Role.STAFF))

    table = b"".join(client.get(at(seller)[:-1] + ".csv", {"wanted": "1"}).streaming_content).decode()

    assert table.splitlines() == [f"\ufeff{','.join(sizes.HEAD)}", "MUG,,,,", "SHIRT,30,20,4,0.35"]
    assert list(sizes.read(table).wrong) == [
        "line 2: length_cm: must be more than 0 and at most 500, with at most 2 decimals"
    ]
    assert set(sizes.read(table.replace("MUG,,,,", "MUG,12,12,10,0.4")).sizes) == {"MUG", "SHIRT"}


@pytest.mark.parametrize("path", ["labels/request/", "print/label-and-print/"])
def test_where_sizes_are_missing_the_consequences_lead_to_all_of_them_at_once(db, flipkart, path):
    seller = factories.connected_seller(flipkart, wire=WireName.OFFICIAL).seller
    place = factories.facility(seller)
    shipments = [
        factories.shipment(seller, sku=sku, facility=place, parcels=[{"id": "SS-1", "packages": []}])
        for sku in ("SHIRT", "MUG")
    ]
    client = logged_in(factories.member(seller, Role.STAFF))

    page = client.post(f"/s/{seller.slug}/{path}", {"shipment": [str(one.public_id) for one in shipments]})

    outcome = page.context["outcome"]
    assert (outcome.accepted, outcome.first, outcome.wants_sizes) == (0, 0, True)
    assert "1 no package size for SKU MUG: enter it first" in words(page)
    assert f'href="{at(seller)}"' in page.content.decode().split("Enter the sizes that are missing")[0]
