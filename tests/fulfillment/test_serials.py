"""Serial numbers: entered on the shipment's page, told when it is packed, asked for when Flipkart has refused."""

from collections.abc import Iterator

import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from fulfillment import retrying, serials
from fulfillment.models import LabelRequest, SerialNumbers
from fulfillment.parcels import Line, parcel_of
from fulfillment.serials import MayNotEnter, Wrong
from orders.models import Reading, Shipment
from sellers.models import Role, WireName
from shipcrowd import transport
from shipcrowd.audit.models import AuditEntry
from shipcrowd.tenancy import seller_scope
from shipcrowd.work import Attention, State
from tests import factories
from tests.browsing import logged_in, words
from tests.conftest import SIMULATOR
from tests.factories import as_ops, reload
from tests.flipkart.published import HAS_REFERENCE, Judged, Published
from tests.fulfillment.test_official import enter_sizes
from tests.fulfillment.test_parcels import LINES, SIZES, TODAY
from tests.fulfillment.test_parcels import shipment as parcel_shipment
from tests.fulfillment.warehouse import ask_labels, drain, only, take_in, told, work_on

IMEIS = (("356938035643809", "356938035643817"), ("490154203237518",))
TEXT = "356938035643809, 356938035643817\r\n490154203237518\r\n\r\n"

plain = "ABCabc0123456789"
numbers = st.builds(str.__add__, st.sampled_from(plain), st.text(plain + "./:_+#-", max_size=serials.LONGEST - 1))
pieces = st.lists(st.lists(numbers, min_size=1, max_size=5).map(tuple), min_size=1, max_size=8).map(tuple)


@pytest.fixture
def connected(db, flipkart) -> Iterator[object]:
    """In the published format; where its document is at hand, it judges every call."""
    if HAS_REFERENCE:
        transport.mount(SIMULATOR, Judged(flipkart, Published(SIMULATOR)))
    found = factories.connected_seller(flipkart, wire=WireName.OFFICIAL)
    enter_sizes(found.seller)
    return found


@pytest.fixture
def made(connected, flipkart) -> str:
    """Two pieces of something that is packed with serial numbers only."""
    (made,) = flipkart.world.add_shipments(connected.account, 1, quantity=2)
    flipkart.world.want_serials(made)
    return made


@pytest.fixture
def shipment(connected, seller, made) -> Shipment:
    (found,) = take_in(seller, [connected.account.shipments[made].official_id])
    return found


@pytest.fixture
def item(connected, made) -> str:
    theirs = connected.account.shipments[made]
    return str(theirs.official_item_id(theirs.items[0]))


@pytest.fixture
def client(packer) -> Client:
    return logged_in(packer)


def enter(seller, shipment, by, **texts) -> int | None:
    with seller_scope(seller):
        return serials.enter(seller=seller, shipment_id=shipment.pk, texts=texts, by=by, now=timezone.now())


def page_of(client, seller, shipment):
    return client.get(f"/s/{seller.slug}/shipments/{shipment.public_id}/")


def post(client, seller, shipment, item, text):
    sent = {"item": [item], "numbers": [text]}
    return client.post(f"/s/{seller.slug}/serials/{shipment.public_id}/", sent, follow=True)


# --- Told when it is packed ------------------------------------------------------------------------------------------


def test_refused_for_want_of_them_it_is_packed_once_they_are_entered(
    connected, seller, shipment, made, item, packer, client, clock, caplog
):
    ask_labels(seller, [shipment], packer)
    drain()
    row = only(LabelRequest)
    assert (row.state, row.attention) == (State.REFUSED, Attention.REFUSED)
    assert row.says.startswith("Flipkart wants the serial numbers of its pieces: enter them on its page")
    attention = client.get(f"/s/{seller.slug}/attention/").content.decode()
    assert f'href="/s/{seller.slug}/shipments/{shipment.public_id}/#serials"' in attention
    assert "<details open>" in page_of(client, seller, shipment).content.decode()

    answer = post(client, seller, shipment, item, TEXT)
    assert "Numbers of 2 pieces are kept and told when it is packed" in words(answer)
    with seller_scope(seller):
        retrying.retry(seller=seller, row_ids=[row.public_id], by=packer)
    work_on(clock)

    assert only(LabelRequest).state == State.DONE
    assert connected.account.shipments[made].items[0].serial_numbers == [list(piece) for piece in IMEIS]
    assert reload(shipment).label_stored_at is not None
    assert "serial numbers of 2 pieces" in told(shipment)
    assert [entry.by_id for entry in as_ops(AuditEntry, did="entered serial numbers")] == [packer.pk]
    assert "356938035643809" not in caplog.text
    shown = page_of(client, seller, shipment)
    assert "356938035643809, 356938035643817" in words(shown)
    assert 'name="numbers"' not in shown.content.decode()


def test_entered_before_they_go_along_with_the_first_call(connected, seller, shipment, made, item, packer, clock):
    enter(seller, shipment, packer, **{item: TEXT})

    ask_labels(seller, [shipment], packer)
    work_on(clock)

    assert only(LabelRequest).attempts == 1
    assert connected.account.shipments[made].items[0].serial_numbers == [list(piece) for piece in IMEIS]


def test_of_a_piece_that_was_cancelled_meanwhile_nobody_guesses_which(
    connected, seller, shipment, made, item, packer, flipkart
):
    enter(seller, shipment, packer, **{item: TEXT})
    flipkart.world.cancel_item(made, 1, pieces=1)
    take_in(seller, [shipment.flipkart_shipment_id])

    outcome = ask_labels(seller, [shipment], packer)

    assert "are of another number of pieces: enter them anew" in outcome.in_words()
    assert flipkart.ledger.labels == []


def test_an_item_that_comes_back_has_its_numbers_still(seller, shipment, item, packer):
    """Our rows of items are removed and written anew as Flipkart tells them."""
    enter(seller, shipment, packer, **{item: TEXT})
    with factories.ops():
        shipment.items.all().delete()
        Reading.objects.update(fingerprint=b"")
    take_in(seller, [shipment.flipkart_shipment_id])

    with seller_scope(seller):
        assert serials.of_shipments(seller.pk, [shipment.pk]) == {shipment.pk: {item: IMEIS}}


def test_a_parcel_tells_them_by_item():
    lines = [LINES[0]._replace(serial_numbers=(("1", "2"),)), Line("42", "BOTTLE-1L", 2)]

    told_of = parcel_of(parcel_shipment(), lines, SIZES, location="LOC1", today=TODAY)

    assert [one.serial_numbers for one in told_of.items] == [(("1", "2"),), ()]


# --- What may be entered ---------------------------------------------------------------------------------------------


@given(pieces)
def test_what_is_written_as_it_is_shown_is_read_again(given_pieces):
    row = SerialNumbers(numbers=[list(piece) for piece in given_pieces])

    assert serials.read(row.as_text) == row.pieces == given_pieces
    assert serials.whats_wrong(given_pieces, quantity=len(given_pieces)) == ""


@given(pieces, st.integers(min_value=1, max_value=20))
def test_as_many_lines_as_pieces_and_no_others(given_pieces, quantity):
    assert (serials.whats_wrong(given_pieces, quantity=quantity) == "") is (len(given_pieces) == quantity)


@given(st.text())
def test_whatever_is_typed_is_read_and_what_passes_is_plain(text):
    found = serials.read(text)

    if found and not serials.whats_wrong(found, quantity=len(found)):
        assert all(number.isascii() and 1 <= len(number) <= serials.LONGEST for piece in found for number in piece)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1", "1 line given, and there are 2 pieces"),
        ("1\n2\n3", "3 lines given, and there are 2 pieces"),
        ("1\nA B", "line 2: letters, digits"),
        ("1\n" + "9" * 65, "line 2: letters, digits"),
        ("1,2,3,4,5,6\n7", "line 1: more than 5 numbers of one piece"),
        ("1\n1", "1 is there twice"),
        ("ab12\nAB12", "ab12 is there twice"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_kept(seller, shipment, item, packer, text, says):
    with pytest.raises(Wrong) as caught:
        enter(seller, shipment, packer, **{item: text})

    assert says in caught.value.by_item[item]
    assert as_ops(SerialNumbers) == []


def test_a_number_is_of_one_item_of_the_shipment(connected, seller, flipkart, packer):
    (made,) = flipkart.world.add_shipments(connected.account, 1, items=2)
    theirs = connected.account.shipments[made]
    (found,) = take_in(seller, [theirs.official_id])
    first, second = (theirs.official_item_id(one) for one in theirs.items)
    enter(seller, found, packer, **{first: "A1"})

    with pytest.raises(Wrong) as caught:
        enter(seller, found, packer, **{second: "a1"})

    assert set(caught.value.by_item) == {second}


def test_left_empty_they_are_forgotten_and_the_same_again_changes_nothing(seller, shipment, item, packer):
    assert [enter(seller, shipment, packer, **{item: text}) for text in (TEXT, TEXT, " \n", "")] == [2, None, 0, None]

    assert as_ops(SerialNumbers) == []
    assert [line for line in told(shipment) if "serial" in line] == [
        "serial numbers of 2 pieces",
        "serial numbers of 0 pieces",
    ]


def test_of_what_is_packed_none_are_taken(seller, shipment, item, packer, flipkart, made):
    flipkart.world.pack_outside(made)
    take_in(seller, [shipment.flipkart_shipment_id])

    with pytest.raises(MayNotEnter, match="packed it already"):
        enter(seller, shipment, packer, **{item: TEXT})


@pytest.mark.parametrize("state", [{"state": State.CALLING}, {"state": State.CLAIMED}, {"in_doubt": True}])
def test_while_it_is_being_packed_none_are_taken(seller, shipment, item, packer, state):
    ask_labels(seller, [shipment], packer)
    with factories.ops():
        LabelRequest.objects.update(**state)

    with pytest.raises(MayNotEnter, match="being packed just now"):
        enter(seller, shipment, packer, **{item: TEXT})


def test_an_item_that_is_not_there_is_said(seller, shipment, packer):
    with pytest.raises(MayNotEnter, match="items have changed"):
        enter(seller, shipment, packer, **{"999": "1"})


def test_another_sellers_shipment_is_not_there(seller, other_seller, packer):
    with pytest.raises(MayNotEnter, match="no such shipment"):
        enter(seller, factories.shipment(other_seller), packer, **{"41": "1"})


# --- On the page -----------------------------------------------------------------------------------------------------


def test_the_form_is_folded_and_a_field_for_each_item(connected, seller, flipkart, client):
    (made,) = flipkart.world.add_shipments(connected.account, 1, items=2)
    flipkart.world.cancel_item(made, 2)
    (found,) = take_in(seller, [connected.account.shipments[made].official_id])

    html = page_of(client, seller, found).content.decode()

    assert html.count('name="numbers"') == 1
    assert "<details open>" not in html


def test_what_is_wrong_comes_back_as_it_was_typed(client, seller, shipment, item):
    answer = post(client, seller, shipment, item, "356938035643809, <b>")

    assert answer.redirect_chain == []
    assert "1 line given, and there are 2 pieces" in words(answer)
    assert "356938035643809, &lt;b&gt;</textarea>" in answer.content.decode()
    assert as_ops(SerialNumbers) == []


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ({}, "Enter the numbers beside their items."),
        ({"item": ["1"], "numbers": []}, "Enter the numbers beside their items."),
        ({"item": ["1", "1"], "numbers": ["a", "b"]}, "Enter the numbers beside their items."),
        ({"item": ["1"], "numbers": ["a"]}, "Its items have changed meanwhile: look again."),
    ],
)
def test_a_form_that_is_not_ours_is_told(client, seller, shipment, sent, says):
    answer = client.post(f"/s/{seller.slug}/serials/{shipment.public_id}/", sent, follow=True)

    assert [str(message) for message in answer.context["messages"]] == [says]


def test_who_only_looks_sees_the_numbers_and_no_form(seller, shipment, item, packer):
    enter(seller, shipment, packer, **{item: TEXT})
    viewer = logged_in(factories.member(seller, Role.VIEWER))

    page = page_of(viewer, seller, shipment)

    assert "490154203237518" in words(page)
    assert 'name="numbers"' not in page.content.decode()


def test_the_guides_format_takes_none(db, flipkart):
    old = factories.connected_seller(flipkart)
    found = factories.shipment(old.seller)
    by = factories.member(old.seller, Role.STAFF)

    assert 'name="numbers"' not in page_of(logged_in(by), old.seller, found).content.decode()
    with pytest.raises(MayNotEnter, match="takes no serial numbers"):
        enter(old.seller, found, by, **{"41": "1"})
