"""Pick lists: every piece once, by place and SKU, on screen and on paper, with bars that a scanner reads."""

import pypdfium2
import pytest
import zxingcpp
from django.utils import timezone

from fulfillment import pick_lists
from fulfillment.models import PrintStack
from fulfillment.options import Options
from fulfillment.papers.bars import code128
from fulfillment.papers.pick_sheets import Row, pick_list_pdf
from fulfillment.papers.setting_up import SAYS
from fulfillment.pick_lists import SHEETS, PickList
from orders.models import Shipment, ShipmentItem
from orders.states import State
from sellers.models import Role
from shipcrowd.tenancy import seller_scope
from tests import factories
from tests.browsing import logged_in, statements, words
from tests.fulfillment.warehouse import ask_labels, ask_print, drain, only, take_in, work_on


def pages(pdf: bytes) -> list[str]:
    with pypdfium2.PdfDocument(pdf) as file:
        return [page.get_textpage().get_text_bounded() for page in file]


def scanned(pdf: bytes, *, scale: float = 300 / 72) -> list[str]:
    """Barcodes of all pages, from above."""
    found = []
    with pypdfium2.PdfDocument(pdf) as file:
        for page in file:
            codes = zxingcpp.read_barcodes(page.render(scale=scale).to_pil())
            found += [code.text for code in sorted(codes, key=lambda code: code.position.top_left.y)]
    return found


def more(shipment: Shipment, sku: str, quantity: int) -> None:
    """One more item of it."""
    with seller_scope(shipment.seller_id):
        ShipmentItem.objects.create(
            seller_id=shipment.seller_id, shipment=shipment, flipkart_order_item_id=sku, sku=sku, quantity=quantity
        )


def of(seller, shipments) -> PickList:
    with seller_scope(seller):
        return pick_lists.of_shipments(seller=seller, shipment_ids=[shipment.pk for shipment in shipments])


def listed(found: PickList) -> list[tuple[str, str, int, int]]:
    return [(place, pick.sku, pick.quantity, pick.shipments) for place, picks in found.places for pick in picks]


def test_pieces_and_parcels_are_summed_by_place_and_sku_also_before_there_are_labels(seller):
    pune, agra = factories.facility(seller, name="Pune"), factories.facility(seller, name="Agra")
    one = factories.shipment(seller, facility=pune, sku="B")
    two = factories.shipment(seller, facility=pune, sku="A")
    three = factories.shipment(seller, facility=agra, sku="A")
    more(one, "A", 3)
    more(one, "C", 1)

    found = of(seller, [one, two, three])

    assert listed(found) == [("Agra", "A", 1, 1), ("Pune", "A", 4, 2), ("Pune", "B", 1, 1), ("Pune", "C", 1, 1)]
    assert (found.pieces, found.skus, found.shipments) == (7, 4, 3)


def test_of_what_must_not_leave_nothing_is_fetched_and_it_is_named(seller):
    good = factories.shipment(seller)
    held = factories.shipment(seller, is_on_hold=True)
    gone = factories.shipment(seller, state=State.CANCELLED)
    aside = factories.shipment(seller, set_aside_at=timezone.now(), set_aside_reason="short")
    pull = factories.shipment(seller, attention="pull", attention_says="cancelled")

    found = of(seller, [good, held, gone, aside, pull])

    assert found.pieces == 1
    assert dict(found.left_out) == {
        "on hold at Flipkart": [held.flipkart_shipment_id],
        "cancelled": [gone.flipkart_shipment_id],
        "set aside: short": [aside.flipkart_shipment_id],
        "must be pulled: cancelled": [pull.flipkart_shipment_id],
    }


def test_another_sellers_shipments_are_not_fetched(seller, other_seller):
    theirs = factories.shipment(other_seller, sku="THEIRS")

    assert listed(of(seller, [theirs])) == []


@pytest.mark.parametrize("sheet", SHEETS)
def test_the_paper_has_a_barcode_for_each_row_in_its_order(sheet):
    rows = [Row(f"SKU-{number:03}", "A shirt", number + 1, 1) for number in range(30)]

    pdf = pick_list_pdf(title="Pick list", facts="x", places=[("Pune", rows)], left_out=["1 held"], sheet=SHEETS[sheet])

    assert scanned(pdf, scale=203 / 72 if sheet == "4x6" else 300 / 72) == [row.sku for row in rows]
    assert "Pune" in pages(pdf)[0]
    assert "1 held" in pages(pdf)[-1]


@pytest.mark.parametrize("sku", ["आर्डर", "X" * 120, "", "A\nB"])
def test_a_sku_that_no_scanner_could_read_has_no_bars_and_loses_no_row(sku):
    pdf = pick_list_pdf(
        title="Pick list", facts="x", places=[("", [Row(sku, "t" * 300, 7, 2)])], left_out=[], sheet=SHEETS["4x6"]
    )

    assert scanned(pdf) == []
    assert "7" in pages(pdf)[0]
    assert "2 parcels" in pages(pdf)[0]


def test_bars_on_the_screen_are_those_of_the_paper():
    bars = code128("TS-BLK-M")

    assert bars.path.count("M") == len(bars.bars)
    assert bars.bars[0][0] == 10  # the quiet zone
    assert bars.bars[-1][0] + bars.bars[-1][1] == bars.width - 10


# --- Pages -----------------------------------------------------------------------------------------------------------


def test_the_lists_button_leads_to_an_address_that_shows_the_same_again(seller, packer):
    chosen = [factories.shipment(seller, sku=sku) for sku in ("A", "B")]
    client = logged_in(packer)

    page = client.post(
        f"/s/{seller.slug}/shipments/act/",
        {"act": "pick_list", "shipment": [str(s.public_id) for s in chosen]},
        follow=True,
    )
    address, _status = page.redirect_chain[-1]
    again = client.get(address)

    assert words(page) == words(again)
    assert "2 pieces, 2 SKUs, 2 parcels" in words(page)
    assert page.content.decode().count('<svg class="sc-bars"') == 2


def test_all_that_match_are_fetched_with_the_lists_filters(seller, packer):
    for _ in range(3):
        factories.shipment(seller, sku="A")
    factories.shipment(seller, sku="B", state=State.PACKED, label_stored_at=timezone.now())
    client = logged_in(packer)

    address = f"/s/{seller.slug}/pick-list/?all_matching=1&query=stage%3Dto_label%26facility%3D"
    found = client.get(address).context["found"]
    pdf = client.get(address.replace("pick-list/", "pick-list.pdf"))

    assert listed(found) == [("", "A", 3, 3)]
    assert scanned(pdf.content) == ["A"]


@pytest.mark.slow
def test_five_thousand_shipments_are_one_list(seller, packer):
    with seller_scope(seller):
        order = factories.shipment(seller).order
        Shipment.objects.filter(seller=seller).delete()
        now = timezone.now()
        made = Shipment.objects.bulk_create(
            Shipment(
                seller=seller,
                order=order,
                flipkart_order_id=f"OD{number}",
                flipkart_shipment_id=f"S{number}",
                ordered_at=now,
                read_began_at=now,
                state=State.APPROVED,
                state_word="APPROVED",
                sku=f"SKU-{number % 40}",
                sku_count=1,
                quantity=1,
            )
            for number in range(5000)
        )
        ShipmentItem.objects.bulk_create(
            ShipmentItem(seller=seller, shipment=row, flipkart_order_item_id="1", sku=row.sku, quantity=1)
            for row in made
        )

    address = f"/s/{seller.slug}/pick-list/?all_matching=1&query=stage%3Dto_label%26facility%3D"
    page = logged_in(packer).get(address)

    assert "5000 pieces, 40 SKUs, 5000 parcels" in words(page)


def test_more_than_fits_an_address_goes_by_all_that_match(seller, packer):
    chosen = [factories.shipment(seller) for _ in range(61)]

    page = logged_in(packer).post(
        f"/s/{seller.slug}/pick-list/", {"shipment": [str(s.public_id) for s in chosen]}, follow=True
    )

    assert "Choose at most 60, or all that match." in words(page)


def test_each_stack_has_a_pick_list_of_its_own_with_its_packers_name(seller, account, flipkart, packer, clock):
    skus = [goods.sku for goods in account.goods[:2]]
    made = [flipkart.world.add_shipments(account, 1, sku=skus[at % 2], quantity=2)[0] for at in range(4)]
    ask_labels(seller, take_in(seller, made), packer)
    work_on(clock)
    with factories.ops():
        shipments = list(Shipment.objects.filter(seller=seller))
    job = ask_print(seller, shipments, packer, options=Options(stack_size=2, packers=["Ravi", "Meena"]))
    drain()
    client = logged_in(packer)
    address = f"/s/{seller.slug}/print/{job.public_id}/"

    page = client.get(f"{address}B/pick-list/")
    pdf = client.get(f"{address}A/pick-list.pdf?sheet=4x6")

    assert "Pick list of stack B, Meena" in words(page)
    assert listed(page.context["found"])[0][1:] == (max(skus), 4, 2)
    assert scanned(pdf.content, scale=203 / 72) == [min(skus)]
    assert "Pick list of stack A, Ravi" in pages(pdf.content)[0]
    assert only(PrintStack, job=job, letter="A").packer == "Ravi"


@pytest.mark.parametrize(("sheet", "size"), [("4x6", (288, 432)), ("a4", (595, 842))])
def test_the_test_page_has_a_ruler_and_a_barcode_at_actual_size(seller, packer, sheet, size):
    pdf = logged_in(packer).get(f"/s/{seller.slug}/print/test-page.pdf?sheet={sheet}").content

    with pypdfium2.PdfDocument(pdf) as file:
        assert file[0].get_size() == size
    assert scanned(pdf, scale=203 / 72) == [SAYS]
    assert "Print at 100 %" in pages(pdf)[0]


def test_a_sheet_that_does_not_exist_is_not_found(seller, packer):
    client = logged_in(packer)
    shipment = factories.shipment(seller)

    assert client.get(f"/s/{seller.slug}/print/test-page.pdf?sheet=wall").status_code == 404
    address = f"/s/{seller.slug}/pick-list.pdf?shipment={shipment.public_id}&sheet=wall"
    assert client.get(address).status_code == 404


def test_the_page_takes_the_same_statements_for_one_sku_and_for_many(seller):
    client = logged_in(factories.member(seller, Role.VIEWER))
    one = factories.shipment(seller, facility=factories.facility(seller))
    address = f"/s/{seller.slug}/pick-list/?all_matching=1&query=stage%3Dto_label%26facility%3D"
    count = statements(client, address)
    for number in range(9):
        factories.shipment(seller, sku=f"SKU-{number}", facility=factories.facility(seller))

    assert statements(client, address) == count
    assert one.sku == "TS-BLK-M"
