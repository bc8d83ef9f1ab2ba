"""A stored paper is read as it lies in the file, and parsed where it is in another form: both ways print the same."""

import io

import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fulfillment.papers import stored
from fulfillment.papers.cutting import cut_invoice, cut_label
from fulfillment.papers.joining import join
from fulfillment.papers.layout import THERMAL
from fulfillment.papers.types import PaperRefused
from tests.fulfillment.papers.pages import drawn, label_pages, pixels, saved

PAGES = label_pages(2)
CUT = cut_label(PAGES[0].pdf).pdf
PAPERS = [
    CUT,
    cut_invoice(PAGES[1].pdf).pdf,
    cut_label(drawn(lambda canvas: canvas.drawString(9, 9, "(a) 5 0 R"), size=(288, 432))).pdf,
]


def printed(pdf: bytes) -> bytes:
    out = io.BytesIO()
    join([pdf], out, layout=THERMAL)
    return out.getvalue()


def otherwise(pdf: bytes) -> bytes:
    """The same paper in another form."""
    with pikepdf.open(io.BytesIO(pdf)) as file:
        return saved(file, object_stream_mode=pikepdf.ObjectStreamMode.generate)


@pytest.mark.parametrize("pdf", PAPERS, ids=["label", "invoice", "4x6"])
def test_what_was_cut_is_read_as_it_lies_and_prints_as_if_it_were_parsed(pdf: bytes):
    with stored.opened(pdf) as own, stored.opened(otherwise(pdf)) as parsed:
        assert (type(own), type(parsed)) == (stored._Own, stored._Parsed)
        assert [(page.box, page.turned, page.packed) for page in own.pages] == [
            (page.box, page.turned, page.packed) for page in parsed.pages
        ]
    assert pixels(printed(pdf)).tobytes() == pixels(printed(otherwise(pdf))).tobytes()


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(CUT) - 1), st.binary(min_size=1, max_size=30))
def test_a_stored_label_that_was_damaged_is_refused_or_printed_and_never_breaks_the_job(at: int, bytes_: bytes):
    damaged = CUT[:at] + bytes_ + CUT[at + len(bytes_) :]
    try:
        pdf = printed(damaged)
    except PaperRefused:
        return
    with pikepdf.open(io.BytesIO(pdf)) as file:
        assert len(file.pages) == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(b"/FontDescriptor 7 0 R", b"/FontDescriptor 5 0 R", id="a circle"),
        pytest.param(b"/FontDescriptor 7 0 R", b"/FontDescriptor 9999 0 R", id="what is not there"),
        pytest.param(b"\n7 0 obj\n", b"\n8 0 obj\n", id="another's place"),
        pytest.param(b"/Length1 35128 /Length 1", b"/Length1 35128 /Length 2", id="another length"),
    ],
)
def test_a_stored_label_that_was_changed_is_refused(old: bytes, new: bytes):
    assert CUT.count(old) == 1

    changed = CUT.replace(old, new)
    if len(new) > len(old):  # the list of offsets is still found
        changed = changed.replace(
            b"startxref\n%d" % CUT.rindex(b"xref\n0 "), b"startxref\n%d" % changed.rindex(b"xref\n0 ")
        )
    with pytest.raises(PaperRefused, match="label 1 of this stack"):
        printed(changed)
