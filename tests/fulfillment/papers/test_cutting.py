"""The label is cut whole, pixel for pixel, and nothing of the invoice stays in the file."""

import io
import os
from collections.abc import Callable
from pathlib import Path

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name
from PIL import Image, ImageChops
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from fulfillment.papers.cutting import FIXED_BOX, cut_invoice, cut_label
from fulfillment.papers.types import Box, CutLabel, PaperRefused
from tests.fulfillment.papers.pages import changed, drawn, label_pages, pixels, text_of, unpacked, with_content

PAGES = label_pages(3)
FRAME = Box(190.5, 461, 404.25, 813.5)  # of Flipkart's label, measured


def shows_the_same(pdf: bytes, cut: CutLabel) -> bool:
    before, after = pixels(pdf, box=cut.box), pixels(cut.pdf)
    return before.size == after.size and ImageChops.difference(before, after).getbbox() is None


def ruled(canvas: Canvas) -> None:
    """The dashed line, and a word above it."""
    canvas.setDash(6, 6)
    canvas.line(36, 456.5, 554, 456.5)
    canvas.setDash()
    canvas.rect(190.5, 461, 213.75, 352.5)
    canvas.drawString(200, 600, "FMPP2600000001")


def picture(shade: int) -> ImageReader:
    return ImageReader(Image.new("L", (8, 8), shade))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.tracking_id)
def test_the_label_is_cut_at_the_dashed_line_and_not_a_pixel_is_lost(page):
    cut = cut_label(page.pdf)

    assert (cut.found_by, cut.pages, cut.pages_dropped, cut.as_picture) == ("line", 1, 0, False)
    assert all(abs(found - frame) <= 3.5 for found, frame in zip(cut.box, FRAME, strict=True))
    assert cut.box.within(FRAME) == FRAME
    assert shows_the_same(page.pdf, cut)


def test_nothing_of_the_invoice_is_left_in_the_file():
    page = PAGES[0]
    cut = cut_label(page.pdf)

    words = set(text_of(cut.pdf).split())
    assert page.invoice_number in text_of(page.pdf)
    assert words & {"Invoice", page.invoice_number, "Declaration", "Billing", "Discount", "Signature"} == set()
    assert words <= set(text_of(page.pdf).split())
    assert page.invoice_number.encode() not in unpacked(cut.pdf)


def test_the_label_stands_at_the_origin_of_its_page_with_nothing_around_it():
    cut = cut_label(PAGES[0].pdf)

    with pikepdf.open(io.BytesIO(cut.pdf)) as file:
        (page,) = file.pages
        assert [float(side) for side in page.mediabox] == [0, 0, cut.box.width, cut.box.height]
        assert set(page.obj.keys()) <= {"/Type", "/Parent", "/MediaBox", "/Contents", "/Resources", "/Group"}
        assert "/Info" not in file.trailer


@pytest.mark.parametrize(
    "hide",
    [
        pytest.param(lambda canvas: canvas.drawString(60, 300, "PLANTED"), id="text"),
        pytest.param(lambda canvas: canvas.drawString(60, 453, "PLANTED"), id="text just below the line"),
        pytest.param(lambda canvas: canvas.setKeywords("PLANTED"), id="keywords"),
        pytest.param(lambda canvas: canvas.linkURL("https://planted.example/PLANTED", (9, 9, 99, 99)), id="link"),
        pytest.param(lambda canvas: canvas.setTitle("PLANTED"), id="title"),
    ],
)
def test_a_word_planted_below_the_line_is_not_in_the_cut_file(hide: Callable[[Canvas], object]):
    def draw(canvas: Canvas) -> None:
        canvas.setPageCompression(0)
        ruled(canvas)
        hide(canvas)

    pdf = drawn(draw)
    assert b"PLANTED" in pdf

    cut = cut_label(pdf)

    assert not cut.as_picture
    assert b"PLANTED" not in unpacked(cut.pdf)
    assert shows_the_same(pdf, cut)


def test_pictures_and_fonts_that_only_the_invoice_used_are_gone():
    def draw(canvas: Canvas) -> None:
        ruled(canvas)
        canvas.drawImage(picture(40), 220, 500, 40, 40)
        canvas.drawImage(picture(90), 220, 100, 40, 40)
        canvas.setFont("Courier", 12)
        canvas.drawString(60, 300, "invoice")

    cut = cut_label(drawn(draw))

    with pikepdf.open(io.BytesIO(cut.pdf)) as file:
        resources = file.pages[0].obj.Resources
        fonts = {str(font.BaseFont) for font in resources.Font.values()}
        (image,) = resources.XObject.values()
        streams = [thing for thing in file.objects if isinstance(thing, pikepdf.Stream)]
        shade = pikepdf.PdfImage(image).as_pil_image().convert("L").getpixel((0, 0))
    assert (fonts, shade) == ({"/Helvetica"}, 40)
    assert len(streams) == 2  # the picture and the content


def test_no_trace_of_where_the_invoice_was_drawn_is_left():
    content = b"200 500 50 50 re f q 1 0 0 rg 7 0 0 7 60 300 cm BT /F1 12 Tf 60 300 Td (PLANTED) Tj ET Q"
    found = unpacked(cut_label(with_content(LINE + content)).pdf)

    assert [trace for trace in (b"1 0 0 rg", b"60 300", b"BT", b"/F1", b"456.5") if trace in found] == []


def test_words_find_the_cut_where_there_is_no_line():
    def draw(canvas: Canvas) -> None:
        canvas.drawString(200, 600, "FMPP2600000001")
        canvas.drawString(60, 440, "Tax")
        canvas.drawString(60, 428, "Invoice")
        canvas.drawString(60, 300, "PLANTED")

    pdf = drawn(draw)
    cut = cut_label(pdf)

    assert (cut.found_by, cut.as_picture, cut.texts) == ("text", False, ("FMPP2600000001",))
    assert shows_the_same(pdf, cut)


def test_a_line_of_many_small_dashes_is_a_dashed_line():
    def draw(canvas: Canvas) -> None:
        for x in range(36, 554, 12):
            canvas.line(x, 456.5, x + 6, 456.5)
        canvas.drawString(200, 600, "FMPP2600000001")
        canvas.drawString(60, 300, "PLANTED")

    cut = cut_label(drawn(draw))

    assert (cut.found_by, cut.texts) == ("line", ("FMPP2600000001",))


def test_an_unmarked_page_is_cut_at_the_fixed_box():
    def draw(canvas: Canvas) -> None:
        canvas.drawString(200, 600, "FMPP2600000001")
        canvas.drawString(60, 300, "PLANTED")

    pdf = drawn(draw)
    cut = cut_label(pdf)

    assert (cut.found_by, cut.box, cut.texts) == ("fixed box", FIXED_BOX, ("FMPP2600000001",))
    assert shows_the_same(pdf, cut)


def test_a_scanned_page_is_cut_as_a_picture_and_nobody_can_check_its_text():
    scan = pixels(PAGES[0].pdf, scale=300 / 72)
    cut = cut_label(drawn(lambda canvas: canvas.drawImage(ImageReader(scan), 0, 0, 595, 842)))

    assert (cut.found_by, cut.box, cut.as_picture, cut.texts) == ("fixed box", FIXED_BOX, True, ())
    assert cut.holds(PAGES[0].tracking_id) is None
    with pikepdf.open(io.BytesIO(cut.pdf)) as file:
        (image,) = file.pages[0].obj.Resources.XObject.values()
        assert (image.Width, image.Height) == (FIXED_BOX.width * 6, FIXED_BOX.height * 6)


@pytest.mark.parametrize("size", [(288, 432), (612, 792), (842, 595)], ids=["4x6", "Letter", "A4 on its side"])
def test_a_page_of_another_size_is_never_cropped(size: tuple[float, float]):
    def draw(canvas: Canvas) -> None:
        canvas.drawString(20, 380, "FMPP2600000001")
        canvas.drawString(20, size[1] / 2, "Tax Invoice")

    pdf = drawn(draw, size=size)
    cut = cut_label(pdf)

    assert (cut.found_by, cut.box) == ("whole page", (0, 0, *size))
    assert shows_the_same(pdf, cut)


def test_what_a_crop_box_hides_is_not_kept():
    def crop(file: pikepdf.Pdf) -> None:
        file.pages[0].obj.CropBox = Array([186, 458, 410, 818])

    pdf = changed(PAGES[0].pdf, crop)
    cut = cut_label(pdf)

    assert (cut.found_by, cut.box) == ("whole page", (0, 0, 224, 360))
    assert cut.holds(PAGES[0].tracking_id)
    assert "Invoice" not in cut.texts
    assert b"Tax" not in unpacked(cut.pdf)
    assert shows_the_same(pdf, cut)


@pytest.mark.parametrize("turned", [90, 180, 270])
def test_a_page_that_is_stored_turned_is_cut_as_it_is_seen(turned: int):
    """The content is turned back, so that it is seen as the simulator drew it."""
    matrix = {90: b"0 1 -1 0 842 0", 180: b"-1 0 0 -1 595 842", 270: b"0 -1 1 0 0 595"}[turned]

    def turn(file: pikepdf.Pdf) -> None:
        page = file.pages[0]
        page.contents_add(matrix + b" cm\n", prepend=True)
        page.obj.Rotate = turned
        page.obj.MediaBox = Array([0, 0, 595, 842] if turned == 180 else [0, 0, 842, 595])

    upright, cut = cut_label(PAGES[0].pdf), cut_label(changed(PAGES[0].pdf, turn))

    assert (cut.found_by, cut.as_picture, cut.ids) == ("line", False, (PAGES[0].tracking_id,))
    assert cut.box == upright.box
    assert "Invoice" not in cut.texts


def test_a_page_whose_corner_is_not_at_the_origin_is_cut_as_it_is_seen():
    def shift(file: pikepdf.Pdf) -> None:
        file.pages[0].contents_add(b"1 0 0 1 100 -50 cm\n", prepend=True)
        file.pages[0].obj.MediaBox = Array([100, -50, 695, 792])

    upright, cut = cut_label(PAGES[0].pdf), cut_label(changed(PAGES[0].pdf, shift))

    assert (cut.box, cut.found_by, cut.as_picture) == (upright.box, "line", False)
    assert ImageChops.difference(pixels(cut.pdf), pixels(upright.pdf)).getbbox() is None


def test_a_form_that_holds_label_and_invoice_is_parted():
    def draw(canvas: Canvas) -> None:
        canvas.beginForm("both", 0, 0, 595, 842)
        ruled(canvas)
        canvas.drawImage(picture(90), 220, 100, 40, 40)
        canvas.drawString(60, 300, "PLANTED")
        canvas.endForm()
        canvas.doForm("both")

    pdf = drawn(draw)
    cut = cut_label(pdf)

    assert (cut.found_by, cut.as_picture, cut.texts) == ("line", False, ("FMPP2600000001",))
    assert b"PLANTED" not in unpacked(cut.pdf)
    assert b"/Image" not in unpacked(cut.pdf)
    assert shows_the_same(pdf, cut)


LINE = b"q [6 6] 0 d 36 456.5 m 554 456.5 l S Q\n"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(
            b"BT /F1 12 Tf 0 1 -1 0 300 300 Tm (PLANTED) Tj ( and more of it ) Tj (KEPT HERE) Tj (TOO) Tj ET",
            id="turned text that runs on over the line",
        ),
        pytest.param(
            b"BT /F1 12 Tf 2 Tc 5 Tw 80 Tz 0 1 -1 0 300 260 Tm "
            b"[(PLAN) -20 (TED and long words)] TJ (KEPT HERE TOO) Tj ET",
            id="the same with spacing and kerning",
        ),
        pytest.param(
            b"BT /F1 12 Tf 150 TL 1 0 0 1 300 700 Tm (KEPT) Tj (KEPT) ' (PLANTED) ' (PLANTED) ' 3 1 (PLANTED) \" ET "
            b"BT 1 0 0 1 200 600 Tm (KEPT) Tj ET",
            id="text by lines",
        ),
        pytest.param(
            b"200 500 50 50 re 200 100 50 50 re 300 600 m 350 650 l 300 650 l h f", id="a path with a part on each side"
        ),
        pytest.param(
            b"1 1 1 rg 0 0 595 842 re f 0 g 200 500 50 50 re f 200 100 50 50 re f", id="a white page below all"
        ),
        pytest.param(
            b"q 190 300 100 300 re W n 0.5 g 0 0 595 842 re f Q 200 700 20 20 re f", id="a clip over the line"
        ),
        pytest.param(b"/Span <</ActualText (PLANTED)>> BDC 200 500 50 50 re f EMC", id="marked content"),
        pytest.param(
            b"200 500 50 50 re f q 40 0 0 40 220 100 cm BI /W 1 /H 1 /CS /G /BPC 8 ID \x55 EI Q", id="inline picture"
        ),
    ],
)
def test_what_remains_is_drawn_as_before(content: bytes):
    pdf = with_content(LINE + content)
    cut = cut_label(pdf)

    assert (cut.found_by, cut.as_picture) == ("line", False)
    assert shows_the_same(pdf, cut)
    assert b"PLANTED" not in unpacked(cut.pdf)
    assert b"BI" not in unpacked(cut.pdf)
    assert cut.box.height < 400


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"/OC /Layer BDC 200 500 50 50 re f EMC", id="layer"),
        pytest.param(b"q 200 0 0 200 200 400 cm /Dot Do Q", id="picture across the line"),
        pytest.param(b"/Pattern cs /Tile scn 200 500 50 50 re f", id="tiles"),
        pytest.param(b"BT /F1 40 Tf 7 Tr 200 600 Td (CLIP) Tj ET 0 0 595 842 re f", id="text as a clip"),
        pytest.param(b"(no number) w 200 500 50 50 re f", id="nonsense"),
    ],
)
def test_a_page_that_is_not_followed_is_cut_as_a_picture(content: bytes):
    def fill(file: pikepdf.Pdf) -> None:
        resources = file.pages[0].obj.Resources
        dot = file.make_stream(b"\x20", Type=Name.XObject, Subtype=Name.Image, Width=1, Height=1)
        dot.ColorSpace, dot.BitsPerComponent = Name.DeviceGray, 8
        tile = file.make_stream(b"0 0 5 5 re f (PLANTED) pop", Type=Name.Pattern, PatternType=1, PaintType=1)
        tile.TilingType, tile.XStep, tile.YStep, tile.BBox, tile.Resources = 1, 9, 9, Array([0, 0, 9, 9]), Dictionary()
        resources.XObject, resources.Pattern = Dictionary(Dot=dot), Dictionary(Tile=tile)

    heading = b"BT /F1 12 Tf 60 440 Td (Tax Invoice) Tj ET BT /F1 12 Tf 200 780 Td (FMPP2600000001) Tj ET\n"
    pdf = changed(with_content(heading + content), fill)
    cut = cut_label(pdf)

    assert (cut.found_by, cut.as_picture, cut.ids) == ("text", True, ("FMPP2600000001",))
    assert b"PLANTED" not in unpacked(cut.pdf)
    difference = ImageChops.difference(pixels(pdf, box=cut.box, scale=6), pixels(cut.pdf, scale=6))
    assert difference.getextrema()[1] <= 8


def _several(*pdfs: bytes) -> bytes:
    def add(file: pikepdf.Pdf) -> None:
        for pdf in pdfs[1:]:
            with pikepdf.open(io.BytesIO(pdf)) as more:
                file.pages.extend(more.pages)

    return changed(pdfs[0], add)


def test_a_shipment_in_several_parcels_keeps_each_label():
    cut = cut_label(_several(PAGES[0].pdf, PAGES[1].pdf))

    assert (cut.pages, cut.pages_dropped) == (2, 0)
    assert cut.ids == (PAGES[0].tracking_id, PAGES[1].tracking_id)


def test_a_page_on_which_the_invoice_goes_on_is_dropped_and_counted():
    more = drawn(lambda canvas: canvas.drawString(60, 780, "item 41 of the invoice"))
    cut = cut_label(_several(PAGES[0].pdf, more))

    assert (cut.pages, cut.pages_dropped, cut.ids) == (1, 1, (PAGES[0].tracking_id,))


def test_the_invoice_can_be_cut_alone():
    page = PAGES[0]
    cut = cut_invoice(page.pdf)

    assert page.invoice_number in cut.texts
    assert not cut.holds(page.tracking_id)
    assert cut.box.top < 456
    assert shows_the_same(page.pdf, cut)


def test_there_is_no_invoice_on_a_label_of_4_by_6():
    with pytest.raises(PaperRefused, match="where the invoice begins"):
        cut_invoice(drawn(lambda canvas: canvas.drawString(20, 380, "FMPP2600000001"), size=(288, 432)))


def test_fonts_stay_byte_for_byte_so_that_labels_can_share_them():
    fonts = []
    for page in PAGES:
        with pikepdf.open(io.BytesIO(cut_label(page.pdf).pdf)) as file:
            fonts.append({thing.read_raw_bytes() for thing in file.objects if "/Length1" in _keys(thing)})

    assert len(fonts[0]) == 2
    assert fonts[0] == fonts[1] == fonts[2]


def _keys(thing: pikepdf.Object) -> set[str]:
    return set(thing.stream_dict.keys()) if isinstance(thing, pikepdf.Stream) else set()


@pytest.mark.parametrize(
    ("texts", "tracking_id", "holds"),
    [
        (("AWB", "No.", "FMPP2600000001"), "FMPP2600000001", True),
        (("FMPP2600000001AWB",), "FMPP2600000001", True),
        (("awbno:fmpp-2600000001",), "FMPP2600000001", True),
        (("FMPP26000000011",), "FMPP2600000001", False),
        (("XFMPP2600000001",), "FMPP2600000001", False),
        (("FMPP2600000002",), "FMPP2600000001", False),
        (("FMPP2600000002",), "", False),
        ((), "FMPP2600000001", None),
    ],
)
def test_a_label_says_whether_it_holds_a_tracking_id(texts: tuple[str, ...], tracking_id: str, holds: bool | None):
    cut = CutLabel(pdf=b"", found_by="line", box=FRAME, texts=texts)

    assert cut.holds(tracking_id) is holds


def test_what_a_label_says_is_not_in_its_repr():
    cut = CutLabel(pdf=b"secret", found_by="line", box=FRAME, texts=("Asha", "9876543210", "FMPP2600000001"))

    assert not {"secret", "Asha", "9876543210"} & set(repr(cut).replace("'", " ").split())
    assert cut.ids == ("FMPP2600000001",)


@pytest.mark.skipif("FLIPKART_REFERENCE" not in os.environ, reason="FLIPKART_REFERENCE names no folder")
def test_a_real_label_is_cut_without_a_pixel_lost():
    (sample,) = (Path(os.environ["FLIPKART_REFERENCE"]) / "label-pdf").glob("*.pdf")
    pdf = sample.read_bytes()
    cut = cut_label(pdf)

    assert (cut.found_by, cut.as_picture, cut.ids) == ("line", False, ("FMPP0000000001",))
    assert cut.box.within(FRAME) == FRAME
    assert shows_the_same(pdf, cut)
    assert not {"Tax", "Invoice", "FAXXX00000000001", "Billing", "PAN:", "HSN:"} & set(cut.texts)
    assert "FAXXX00000000001" in cut_invoice(pdf).texts
