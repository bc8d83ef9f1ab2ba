"""Positions on the sheet, without any drawing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fulfillment.papers.layout import (
    AS_MADE,
    FOUR_ON_A4,
    NOTE_HEIGHT,
    ONE_ON_A4,
    SLIP,
    SMALLEST_SCALE,
    THERMAL,
    Layout,
    place,
)

LABEL = (219.0, 357.0)
INVOICE = (513.0, 363.0)


def test_a_label_fills_the_thermal_sheet_and_stands_in_its_middle():
    placed = place(LABEL, THERMAL, 0)

    assert placed.sheet == (288, 432)
    assert placed.scale == pytest.approx(420 / 357)
    assert placed.box.centre == pytest.approx((144, 216))


def test_a_note_has_its_strip_below_the_label():
    placed = place(LABEL, THERMAL, 0, with_note=True)

    assert placed.note_box is not None
    assert placed.note_box.top <= placed.box.bottom
    assert placed.note_box.height == NOTE_HEIGHT
    assert placed.scale >= 1


@pytest.mark.parametrize("size", [(288, 432), (286.5, 431), (280, 425), (400, 600)])
def test_no_label_shrinks_for_a_note(size: tuple[float, float]):
    assert place(size, THERMAL, 0, with_note=True).note_box is None


def test_a_page_of_the_sheets_own_size_is_left_as_it_is():
    assert place((288, 432), THERMAL, 0).matrix == (1, 0, 0, 1, 0, 0)
    assert place((400, 600), AS_MADE, 0).matrix == (1, 0, 0, 1, 0, 0)


def test_an_invoice_is_turned_and_hardly_shrunk():
    placed = place(INVOICE, THERMAL, 0)

    assert placed.matrix[0] == 0
    assert placed.scale >= 0.75


def test_an_invoice_on_a4_stays_upright_and_is_not_blown_up():
    placed = place(INVOICE, ONE_ON_A4, 0)

    assert placed.matrix[:4] == (1, 0, 0, 1)
    assert place((700, 363), ONE_ON_A4, 0).scale == pytest.approx(547 / 700)
    assert place((595, 842), ONE_ON_A4, 0).matrix == (1, 0, 0, 1, 0, 0)


def test_what_fits_a_slip_is_never_printed_smaller_than_three_quarters():
    assert place(SLIP, THERMAL, 0).scale == pytest.approx(SMALLEST_SCALE)


def test_four_labels_stand_from_the_upper_left_to_the_lower_right():
    centres = [place(LABEL, FOUR_ON_A4, slot).box.centre for slot in range(4)]

    assert [(x < 297, y > 421) for x, y in centres] == [(True, True), (False, True), (True, False), (False, False)]


SIDES = st.floats(min_value=20, max_value=3000)


SLOTS = [(THERMAL, 0), (ONE_ON_A4, 0), *((FOUR_ON_A4, slot) for slot in range(4))]


@given(st.tuples(SIDES, SIDES), st.sampled_from(SLOTS),
       st.sampled_from([0, 90, 180, 270]), st.booleans())  # fmt: skip
def test_no_page_leaves_its_slot_and_its_corners_land_on_its_box(
    size: tuple[float, float], where: tuple[Layout, int], turned: int, with_note: bool
):
    layout, slot = where
    placed = place(size, layout, slot, turned=turned, with_note=with_note)
    width, height = size if turned in (0, 180) else size[::-1]
    a, b, c, d, e, f = placed.matrix
    corners = [(a * x + c * y + e, b * x + d * y + f) for x in (0, width) for y in (0, height)]

    xs, ys = zip(*corners, strict=True)
    assert (min(xs), min(ys), max(xs), max(ys)) == pytest.approx(placed.box, abs=0.01)
    if placed.scale != 1 or placed.box.left > 0.01:
        assert placed.box.within(layout.slots[slot].grown(0.01)) == placed.box
    if placed.note_box:
        assert placed.note_box.top <= placed.box.bottom + 0.01
