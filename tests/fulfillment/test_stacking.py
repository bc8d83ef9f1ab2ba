"""Which parcel lies where: tables of cases, and laws that hold for any job."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fulfillment.laying_out import Divider, Piece, page_numbers, runs, sheets
from fulfillment.models import Document, Paper, PrintJobLine
from fulfillment.options import Layout, Options, Sorting
from fulfillment.stacking import (
    Part,
    group_of,
    letter_of,
    needs_separator,
    order_of,
    parts,
    sheets_between,
    what_to_take,
)
from orders.models import Shipment
from sellers.models import Facility

NOON = datetime.fromisoformat("2026-11-24T12:00:00+05:30")
PLACES = [None, Facility(pk=1, name="Pune"), Facility(pk=2, name="Bengaluru"), Facility(pk=3, name="Pune")]


def parcel(name: str, sku: str = "A", *, skus: int = 1, quantity: int = 1, place: int = 0, hours: int = 0) -> Shipment:
    return Shipment(
        flipkart_shipment_id=name,
        sku=sku,
        sku_count=skus,
        quantity=quantity,
        facility=PLACES[place],
        dispatch_by_at=NOON + timedelta(hours=hours),
    )


def names(stack: list[Shipment], sorting: str) -> list[str]:
    return [s.flipkart_shipment_id for s in sorted(stack, key=lambda s: order_of(s, sorting))]


# --- Order -----------------------------------------------------------------------------------------------------------


def test_single_parcels_of_one_sku_lie_together_by_quantity_and_mixed_ones_last():
    stack = [
        parcel("5", skus=2, quantity=2),
        parcel("4", "B"),
        parcel("3", quantity=2),
        parcel("2", "B"),
        parcel("1"),
    ]

    assert names(stack, Sorting.SKU) == ["1", "3", "2", "4", "5"]


def test_by_dispatch_by_the_most_urgent_lie_first_and_those_without_one_last():
    never = parcel("1")
    never.dispatch_by_at = None
    stack = [never, parcel("2", hours=2), parcel("3", "B", hours=1), parcel("4", hours=1)]

    assert names(stack, Sorting.DISPATCH_BY) == ["4", "3", "2", "1"]


@pytest.mark.parametrize("sorting", Sorting)
def test_a_facilitys_parcels_lie_together_whatever_the_order(sorting):
    stack = [parcel("1", place=1, hours=3), parcel("2", "B", place=2, hours=1), parcel("3", "B", place=1), parcel("4")]

    assert [one in ("1", "3") for one in names(stack, sorting)] == [False, True, True, False]


@pytest.mark.parametrize(
    ("sorting", "words"),
    [
        (Sorting.SKU, ["A", "mixed parcels"]),
        (Sorting.DISPATCH_BY, ["dispatch by 24 Nov 13:00", "dispatch by 24 Nov 12:00"]),
        (Sorting.FACILITY, ["", ""]),
    ],
)
def test_a_group_is_what_the_order_goes_by(sorting, words):
    stack = [parcel("1", place=1, hours=1), parcel("2", place=1, skus=2)]

    assert [group_of(one, sorting).words for one in stack] == words


def test_two_facilities_of_one_name_are_two():
    one, other = (group_of(parcel("1", place=place), Sorting.FACILITY) for place in (1, 3))

    assert one.facility == other.facility
    assert needs_separator(one, other, wanted=False)
    assert not needs_separator(None, one, wanted=True)
    assert not needs_separator(one, one, wanted=True)


def test_what_the_packer_takes_is_said_in_a_line():
    assert what_to_take(parcel("1", "TS-BLK-M")) == "TS-BLK-M"
    assert what_to_take(parcel("1", "TS-BLK-M", quantity=3)) == "TS-BLK-M x 3"
    assert what_to_take(parcel("1", "TS-BLK-M", skus=2, quantity=3)) == "2 SKUs, 3 pieces"


# --- Stacks ----------------------------------------------------------------------------------------------------------


def test_stacks_of_two_hundred_go_round_among_the_packers():
    assert parts(450, Options(packers=["Ravi", "Meena"])) == [
        Part(1, "A", "Ravi", 0, 200),
        Part(2, "B", "Meena", 200, 400),
        Part(3, "C", "Ravi", 400, 450),
    ]


def test_split_by_packers_each_gets_one_stack_as_equal_as_can_be():
    split = Options(packers=["Ravi", "Meena", "Sunil"], is_split_by_packers=True)

    assert [(part.packer, part.end - part.start) for part in parts(601, split)] == [
        ("Ravi", 201),
        ("Meena", 200),
        ("Sunil", 200),
    ]
    assert [part.packer for part in parts(2, split)] == ["Ravi", "Meena"]
    assert parts(0, split) == []


@pytest.mark.parametrize(("number", "letter"), [(1, "A"), (26, "Z"), (27, "AA"), (52, "AZ"), (53, "BA"), (702, "ZZ")])
def test_letters_go_on_behind_z(number, letter):
    assert letter_of(number) == letter


OPTIONS = st.builds(
    Options,
    layout=st.sampled_from(list(Layout)),
    sorting=st.sampled_from(list(Sorting)),
    is_reversed=st.booleans(),
    has_separators=st.booleans(),
    stack_size=st.integers(1, 60),
    packers=st.lists(st.sampled_from(["Ravi", "Meena", "Sunil", "Anu"]), max_size=4, unique=True),
    is_split_by_packers=st.booleans(),
)
PARCELS = st.lists(
    st.builds(
        parcel,
        st.uuids().map(str),
        st.sampled_from(["A", "B", "C"]),
        skus=st.integers(1, 2),
        quantity=st.integers(1, 3),
        place=st.integers(0, 3),
        hours=st.integers(-2, 2),
    ),
    max_size=30,
    unique_by=lambda shipment: shipment.flipkart_shipment_id,
)


@given(st.integers(0, 2000), OPTIONS)
def test_every_parcel_is_in_one_stack_and_no_stack_is_larger_than_it_may_be(count: int, options: Options):
    found = parts(count, options)

    assert [at for part in found for at in range(part.start, part.end)] == list(range(count))
    assert all(part.end > part.start for part in found)
    if options.is_split_by_packers and options.packers:
        sizes = [part.end - part.start for part in found]
        assert len(found) == min(len(options.packers), count)
        assert not sizes or max(sizes) - min(sizes) <= 1
    else:
        assert all(part.end - part.start <= options.stack_size for part in found)
    assert len({part.letter for part in found}) == len(found)


@given(PARCELS, st.sampled_from(list(Sorting)), st.randoms())
def test_the_same_job_always_lies_the_same_way(stack: list[Shipment], sorting: str, dice):
    shuffled = list(stack)
    dice.shuffle(shuffled)

    assert names(shuffled, sorting) == names(stack, sorting)


def laid(stack: list[Shipment], options: Options) -> tuple[list[PrintJobLine], dict[int, list[Piece]]]:
    """Lines in their order, each with one or two pages to print."""
    lines = [
        PrintJobLine(pk=number, shipment=shipment)
        for number, shipment in enumerate(sorted(stack, key=lambda s: order_of(s, options.sorting)), start=1)
    ]
    pieces = {}
    for line in lines:
        papers = [Document(pk=line.pk * 10, paper=Paper.LABEL)]
        if options.layout == Layout.WITH_INVOICE:
            papers.append(Document(pk=line.pk * 10 + 1, paper=Paper.SLIP))
        pieces[line.pk] = [Piece(line, paper, page) for paper in papers for page in range(1 + line.pk % 2)]
    return lines, pieces


@given(PARCELS, OPTIONS)
def test_every_page_is_printed_once_and_facilities_never_meet_without_a_sheet_between(stack, options):
    lines, pieces = laid(stack, options)

    printed = sheets(lines, pieces, options)

    on_paper = [piece for sheet in printed if not isinstance(sheet, Divider) for piece in sheet]
    assert sorted((p.document.pk, p.page) for p in on_paper) == sorted(
        (p.document.pk, p.page) for of_line in pieces.values() for p in of_line
    )
    places: list[int | None] = []
    for sheet in printed:
        of_sheet = [] if isinstance(sheet, Divider) else [piece.line.shipment.facility_id for piece in sheet]
        assert len(set(of_sheet)) <= 1
        assert not places or not of_sheet or places[-1] == of_sheet[0]
        places = of_sheet[-1:]


@given(PARCELS, OPTIONS)
def test_a_group_lies_together_and_its_sheet_says_how_many(stack, options):
    lines, pieces = laid(stack, options)

    dividers = [sheet for sheet in sheets(lines, pieces, options) if isinstance(sheet, Divider)]

    groups = [group_of(line.shipment, options.sorting) for line in lines]
    if options.has_separators:
        assert len(dividers) == max(0, len(dict.fromkeys(groups)) - 1)
    if options.has_separators and options.sorting == Sorting.SKU:
        assert len(dividers) == sheets_between(stack)  # as the page says before it is pressed
    for divider in dividers:
        assert divider.parcels == groups.count(divider.group)


@given(PARCELS, OPTIONS, st.integers(0, 3))
def test_a_line_is_found_on_the_page_that_it_names(stack, options, behind):
    lines, pieces = laid(stack, options)
    printed = sheets(lines, pieces, options)

    numbers = page_numbers(printed, pieces, behind=behind)

    assert numbers.keys() == {line.pk for line in lines}
    assert all(pieces[pk][0] in printed[number - 1 - behind] for pk, number in numbers.items())


@given(PARCELS, OPTIONS)
def test_the_summary_counts_every_parcel_in_the_order_of_the_stack(stack, options):
    lines, _pieces = laid(stack, options)
    for page, line in enumerate(lines, start=1):
        line.page = page

    told = runs(lines, options)

    assert sum(run.parcels for _heading, members in told for run in members) == len(lines)
    words = [run.words for _heading, members in told for run in members for _ in range(run.parcels)]
    assert words == [what_to_take(line.shipment) for line in lines]


def test_reversed_is_the_same_stack_from_below():
    stack = [parcel(str(number), "AB"[number % 2], place=number % 3) for number in range(9)]
    straight, reverse = Options(), Options(is_reversed=True)
    lines, pieces = laid(stack, straight)

    assert sheets(lines, pieces, reverse) == sheets(lines, pieces, straight)[::-1]


def test_four_on_a_sheet_begin_anew_behind_a_divider():
    stack = [parcel(str(number), "A" if number < 5 else "B") for number in range(7)]
    lines, pieces = laid(stack, Options(layout=Layout.FOUR_ON_A4))
    pieces = {pk: of_line[:1] for pk, of_line in pieces.items()}

    printed = sheets(lines, pieces, Options(layout=Layout.FOUR_ON_A4))

    assert [1 if isinstance(sheet, Divider) else [p.line.pk for p in sheet] for sheet in printed] == [
        [1, 2, 3, 4],
        [5],
        1,
        [6, 7],
    ]
