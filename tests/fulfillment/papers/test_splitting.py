"""A merged PDF is split by its text and the order of its pages; where one page cannot be told, not at all."""

import io
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pikepdf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reportlab.pdfgen.canvas import Canvas

from fulfillment.papers.checking import cut_in_child, split_in_child
from fulfillment.papers.splitting import Owner, split, whose
from fulfillment.papers.types import PaperRefused, letters
from shipcrowd.simulator import Simulator, State, documents
from shipcrowd.simulator.official.papers import merged
from tests.fulfillment.papers.pages import changed, drawn, pixels, text_of

ONE = Owner("one", "OD431000000000001000", ("FMPP2600000001",))
TWO = Owner("two", "OD431000000000002000", ("FMPP2600000002",))
FOREIGN = "OD999999999999999999"
MANY = Owner("many", "OD431000000000003000", ("FMPP2600000003", "900000000003"))


def batch(*parcels: int) -> tuple[list[Owner], list[list[bytes]]]:
    """Packed shipments of so many parcels each, and the pages of each as Flipkart would draw them."""
    simulator = Simulator(clock=lambda: datetime(2026, 3, 5, 6, 30, tzinfo=UTC), seed=7)
    account = simulator.world.add_seller("Kalakriti Home")
    owners, pages = [], []
    for count in parcels:
        (made,) = simulator.world.add_shipments(account, 1, states=State.PACKED, parcels=count)
        shipment = account.shipments[made]
        owners.append(Owner(shipment.official_id, shipment.order_id, tuple(shipment.tracking_ids)))
        pages.append([documents.render_label(paper) for paper in documents.papers_for(account, shipment)])
    return owners, pages


def page_count(pdf: bytes) -> int:
    with pikepdf.open(io.BytesIO(pdf)) as file:
        return len(file.pages)


def with_words(*lines: str) -> bytes:
    def draw(canvas: Canvas) -> None:
        for at, line in enumerate(lines):
            canvas.drawString(60, 700 - 20 * at, line)

    return drawn(draw)


def picture() -> bytes:
    return drawn(lambda canvas: canvas.rect(100, 100, 200, 200, fill=1))


# What Flipkart sends


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1], [1, 2, 0]])
def test_each_shipment_gets_its_own_pages_in_whatever_order_they_come(order):
    owners, pages = batch(1, 3, 1)

    found = split(merged([page for at in order for page in pages[at]]), owners)

    assert dict(found.troubles) == {}
    for owner, own in zip(owners, pages, strict=True):
        part = found.parts[owner.key]
        assert page_count(part) == len(own)
        assert [pixels(part, page=at).tobytes() for at in range(len(own))] == [pixels(one).tobytes() for one in own]


def test_pages_of_two_shipments_may_stand_between_each_other():
    owners, ((first, second), (other,)) = batch(2, 1)

    found = split(merged([first, other, second]), owners)

    assert {key: page_count(part) for key, part in found.parts.items()} == {owners[0].key: 2, owners[1].key: 1}


@pytest.mark.skipif("FLIPKART_REFERENCE" not in os.environ, reason="FLIPKART_REFERENCE names no folder")
@pytest.mark.parametrize(
    "real",
    [Owner("real", "OD400000000000000100", ("FMPP0000000001",)), Owner("real", "OD400000000000000100")],
    ids=["by its tracking id", "by its order"],
)
def test_a_real_page_is_told_from_the_others(real):
    (sample,) = (Path(os.environ["FLIPKART_REFERENCE"]) / "label-pdf").glob("*.pdf")
    owners, ((one,), (two,)) = batch(1, 1)

    found = split(merged([one, sample.read_bytes(), two]), [*owners, real])

    assert dict(found.troubles) == {}
    assert pixels(found.parts["real"]).tobytes() == pixels(sample.read_bytes()).tobytes()


def test_a_part_is_cut_as_a_label_that_came_alone():
    owners, pages = batch(1, 1)
    _, found = split_in_child(merged([page for own in pages for page in own]), owners)

    for owner, (alone,) in zip(owners, pages, strict=True):
        _, cut = cut_in_child(found.parts[owner.key])
        _, wanted = cut_in_child(alone)
        assert (cut.found_by, cut.box, cut.pages) == ("line", wanted.box, 1)
        assert cut.holds(owner.tracking_ids[0]) is True
        assert pixels(cut.pdf).tobytes() == pixels(wanted.pdf).tobytes()


def test_nothing_of_another_buyer_stands_in_a_part():
    owners, pages = batch(1, 1)
    found = split(merged([page for own in pages for page in own]), owners)

    for owner, other in (owners, owners[::-1]):
        words = text_of(found.parts[owner.key])
        assert owner.order_id in words
        assert other.order_id not in words
        assert other.tracking_ids[0] not in words


def test_the_order_alone_tells_where_no_tracking_id_is_known():
    owners, pages = batch(1, 1)
    without = [owner._replace(tracking_ids=()) for owner in owners]

    found = split(merged([page for own in pages for page in own]), without)

    assert set(found.parts) == {owner.key for owner in owners}


def test_a_page_that_goes_on_stays_with_the_one_before_it():
    """An invoice with more lines than one page holds."""
    pdf = merged(
        [
            with_words(ONE.order_id, ONE.tracking_ids[0]),
            with_words("Page 2 of 2", "Declaration"),
            with_words(TWO.order_id, TWO.tracking_ids[0]),
        ]
    )

    found = split(pdf, [ONE, TWO])

    assert {key: page_count(part) for key, part in found.parts.items()} == {"one": 2, "two": 1}


# What cannot be told


def without_ids(page: bytes, owner: Owner) -> bytes:
    """The page with its ids drawn as curves: they can be seen, and not read."""

    def outline(file: pikepdf.Pdf) -> None:
        instructions = [one for one in pikepdf.parse_content_stream(file.pages[0]) if not says_one(one)]
        file.pages[0].Contents = file.make_stream(pikepdf.unparse_content_stream(instructions))

    def says_one(instruction: pikepdf.ContentStreamInstruction) -> bool:
        said = letters("".join(str(part) for part in instruction.operands))
        return any(letters(one) in said for one in (owner.order_id, *owner.tracking_ids))

    return changed(page, outline)


@pytest.mark.parametrize("last", [False, True], ids=["between the others", "at the end"])
def test_a_label_whose_ids_cannot_be_read_is_given_to_nobody(last):
    """Its buyer's address would be printed for the one before it."""
    owners, ((one,), (two,), (three,)) = batch(1, 1, 1)
    hidden = without_ids(two, owners[1])
    pages = [one, three, hidden] if last else [one, hidden, three]
    assert owners[1].order_id not in text_of(hidden)
    assert "Shipping" in text_of(hidden)

    with pytest.raises(PaperRefused, match=r"page [23] names none of the shipments, and a page of one of them is"):
        split(merged(pages), owners)


def test_a_parcel_whose_ids_cannot_be_read_is_given_to_nobody():
    owners, ((one,), (first, second)) = batch(1, 2)
    hidden = without_ids(second, owners[1])

    with pytest.raises(PaperRefused, match="page 2 names none of the shipments, and a page of one of them is"):
        split(merged([one, hidden, first]), owners)


@pytest.mark.parametrize("others", [0, 1])
def test_a_label_that_names_nobody_goes_on_with_none_even_when_nobody_misses_it(others):
    owners, pages = batch(1, 1, 1)
    stray = without_ids(pages[2][0], owners[2])
    asked, came = owners[: 1 + others], [page for own in pages[: 1 + others] for page in own]

    with pytest.raises(PaperRefused, match=f"page {2 + others} is a label of its own"):
        split(merged([*came, stray]), asked)


@pytest.mark.parametrize(
    ("pages", "says"),
    [
        ([with_words("Nobody"), with_words(ONE.order_id)], "page 1 names none of the shipments"),
        ([with_words(ONE.order_id, TWO.order_id)], "page 1 names more than one of the shipments"),
        ([with_words(ONE.tracking_ids[0], TWO.tracking_ids[0])], "page 1 names more than one of the shipments"),
        (
            [with_words(ONE.order_id), with_words("OD999999999999999999")],
            "page 2 names an order that was not asked for",
        ),
        ([with_words(ONE.tracking_ids[0], TWO.order_id)], "page 1 names an order that was not asked for"),
        ([with_words(ONE.order_id), picture()], "page 2 is a picture"),
    ],
    ids=["nobody", "two orders", "two parcels", "a foreign order", "another's order", "a picture"],
)
def test_where_one_page_cannot_be_told_nothing_is_split(pages: Sequence[bytes], says: str):
    with pytest.raises(PaperRefused, match=says):
        split(merged(pages), [ONE, TWO])


def test_a_shipment_without_a_page_is_told_and_the_others_are_split():
    found = split(merged([with_words(ONE.order_id)]), [ONE, TWO])

    assert set(found.parts) == {"one"}
    assert dict(found.troubles) == {"two": "no page is its own"}


def test_a_shipment_of_which_a_parcel_has_no_page_is_not_handed_out():
    found = split(merged([with_words(MANY.order_id, MANY.tracking_ids[0]), with_words(ONE.order_id)]), [MANY, ONE])

    assert set(found.parts) == {"one"}
    assert dict(found.troubles) == {"many": "1 of its 2 parcels have no page"}


def test_two_shipments_of_one_order_are_told_apart_by_their_parcels():
    sister = Owner("sister", ONE.order_id, ("FMPP2600000009",))
    label, other, goes_on = (
        with_words(ONE.order_id, ONE.tracking_ids[0]),
        with_words(ONE.order_id, "FMPP2600000009"),
        with_words(ONE.order_id, "Page 2 of 2"),
    )

    found = split(merged([label, other, goes_on]), [ONE, sister])

    assert {key: page_count(part) for key, part in found.parts.items()} == {"one": 1, "sister": 2}
    with pytest.raises(PaperRefused, match="page 1 names more than one"):
        split(merged([goes_on, label, other]), [ONE, sister])
    with pytest.raises(PaperRefused, match="page 2 names more than one"):
        split(merged([label, goes_on]), [ONE, sister._replace(tracking_ids=())])


@pytest.mark.parametrize(
    ("word", "is_own"),
    [
        ("FMPP2600000001", True),
        ("fmpp-2600000001", True),
        ("AWBNo.FMPP2600000001", True),
        ("FMPP2600000001AWB", True),
        ("FMPP26000000011", False),
        ("XFMPP2600000001", False),
    ],
)
def test_a_tracking_id_is_a_whole_word(word, is_own):
    pdf = merged([with_words(f"Courier {word} 1")])

    if is_own:
        assert set(split(pdf, [ONE]).parts) == {"one"}
    else:
        with pytest.raises(PaperRefused):
            split(pdf, [ONE])


# In the child


@pytest.mark.parametrize(
    ("pdf", "says"),
    [
        (b"", "empty"),
        (b'{"errorCode":"X"}', "JSON"),
        (b"%PDF-1.4 no end", "cut off"),
        (with_words("Nobody"), "names none"),
    ],
)
def test_what_cannot_be_split_is_refused_in_words(pdf, says):
    with pytest.raises(PaperRefused, match=says):
        split_in_child(pdf, [ONE])


def test_the_whole_is_handed_back_made_safe():
    owners, ((page,),) = batch(1)

    def plant(file: pikepdf.Pdf) -> None:
        file.Root.OpenAction = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="app.alert(1)")

    whole, found = split_in_child(changed(page, plant), owners)

    assert whole.stripped == ("/OpenAction",)
    assert b"JavaScript" not in whole.pdf
    assert b"JavaScript" not in found.parts[owners[0].key]


def test_a_hundred_pages_are_not_too_many_for_a_batch():
    pdf = merged([with_words(ONE.order_id, str(at)) for at in range(100)])

    _, found = split_in_child(pdf, [ONE])

    assert page_count(found.parts["one"]) == 100


def test_what_a_part_says_is_not_in_its_repr():
    found = split(merged([with_words(ONE.order_id, "Asha")]), [ONE])

    assert "Asha" not in repr(found)
    assert "%PDF" not in repr(found)


# A law


OWNERS = [ONE, TWO, MANY]
page_words = {
    owner.key: [frozenset({owner.order_id, tracking_id}) for tracking_id in owner.tracking_ids]
    + [frozenset({owner.order_id, "INVOICE"})]
    for owner in OWNERS
}
labelled = st.sampled_from(OWNERS).flatmap(
    lambda owner: st.tuples(st.just(owner.key), st.sampled_from(page_words[owner.key]))
)


@given(st.lists(labelled, max_size=12), st.sets(st.integers(0, 12)))
def test_named_pages_are_their_owners_and_unnamed_ones_go_on(pages, unnamed_after):
    wanted: list[tuple[str, frozenset[str]]] = []
    for at, (key, words) in enumerate(pages):
        wanted.append((key, words))
        if at in unnamed_after:
            wanted.append((key, frozenset({"DECLARATION"})))

    assert whose([words for _, words in wanted], OWNERS) == [key for key, _ in wanted]


@given(st.lists(st.frozensets(st.sampled_from([ONE.order_id, TWO.tracking_ids[0], FOREIGN, "WORD"]))))
def test_no_page_is_given_to_whom_it_does_not_name_unless_it_names_nobody(pages):
    try:
        found = whose(pages, [ONE, TWO])
    except PaperRefused:
        return
    for words, key in zip(pages, found, strict=True):
        named = {"one"} if ONE.order_id in words else {"two"} if TWO.tracking_ids[0] in words else {key}
        assert key in named
        assert FOREIGN not in words
    assert len(found) == len(pages)
