"""Which words of a label's text may be its tracking id."""

import pytest

from fulfillment.papers.types import Box, CutLabel, bare_id, holds


def label(*texts: str) -> CutLabel:
    return CutLabel(pdf=b"", found_by="line", box=Box(0, 0, 1, 1), texts=texts)


@pytest.mark.parametrize(
    ("word", "bare"),
    [
        ("FMPP0000000001", "FMPP0000000001"),
        ("fmpp0000000001awb", "FMPP0000000001"),
        ("AWB-No:FMPP0000000001", "FMPP0000000001"),
        ("1490 8101 2345 67", "14908101234567"),
    ],
)
def test_an_id_is_found_bare_of_the_heading_that_runs_into_it(word, bare):
    assert bare_id(word) == bare


def test_ids_are_kept_and_no_phone_number_order_or_name():
    found = label("FMPP0000000001AWB", "OD431000000000000001", "9876543210", "919876543210", "09876543210", "Asha")

    assert found.tracking_ids == ("FMPP0000000001",)
    assert found.holds("FMPP0000000001")


def test_a_label_without_text_says_nothing():
    assert label().tracking_ids is None
    assert holds(None, "FMPP0000000001") is None
    assert holds(["FMPP0000000001"], "") is None
    assert holds(["FMPP0000000001"], "fmpp-0000000001") is True
    assert holds(["FMPP0000000001"], "FMPP0000000002") is False
    assert holds([], "FMPP0000000002") is False
