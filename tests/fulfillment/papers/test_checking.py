"""Papers that Flipkart, a broken line or somebody hostile may hand us, and what the child process makes of them."""

import io
import multiprocessing
import os
import signal
import zlib
from pathlib import Path

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name

from fulfillment.papers.checking import check_in_child, cut_in_child, cut_invoice_in_child
from fulfillment.papers.types import Limits, PaperRefused
from tests.fulfillment.papers.pages import changed, drawn, label_pages, saved, unpacked, with_content

PAGE = label_pages(1)[0]


def test_a_whole_label_page_is_taken():
    checked = check_in_child(PAGE.pdf)

    assert checked.sizes == ((595, 842),)
    assert checked.stripped == ()
    assert checked.pdf.startswith(b"%PDF-")


def test_one_call_checks_and_cuts():
    checked, label = cut_in_child(PAGE.pdf)
    _checked, invoice = cut_invoice_in_child(PAGE.pdf)

    assert checked == check_in_child(PAGE.pdf)
    assert (label.found_by, label.holds(PAGE.tracking_id), label.holds("FMPP2600000999")) == ("line", True, False)
    assert PAGE.invoice_number in invoice.texts


def _locked() -> bytes:
    with pikepdf.open(io.BytesIO(PAGE.pdf)) as file:
        return saved(file, encryption=pikepdf.Encryption(user="secret", owner="secret"))


def _million_pages() -> bytes:
    """Six floors of page lists, each of which names the one below ten times."""

    def nest(file: pikepdf.Pdf) -> None:
        node = file.pages[0].obj
        for _floor in range(6):
            node = file.make_indirect(Dictionary(Type=Name.Pages, Count=1, Kids=Array([node] * 10)))
        file.Root.Pages = node

    return changed(PAGE.pdf, nest)


def _circle_of_pages() -> bytes:
    def turn_back(file: pikepdf.Pdf) -> None:
        file.Root.Pages.Kids = Array([file.Root.Pages])

    return changed(PAGE.pdf, turn_back)


def _no_pages() -> bytes:
    with pikepdf.Pdf.new() as file:
        return saved(file)


def _sized(*box: float) -> bytes:
    def resize(file: pikepdf.Pdf) -> None:
        file.pages[0].obj.MediaBox = Array(list(box))

    return changed(PAGE.pdf, resize)


def _huge_picture() -> bytes:
    def draw(file: pikepdf.Pdf) -> None:
        image = file.make_stream(b"x", Type=Name.XObject, Subtype=Name.Image, Width=100_000, Height=100_000)
        image.ColorSpace, image.BitsPerComponent = Name.DeviceGray, 1
        file.pages[0].obj.Resources.XObject = Dictionary(Bomb=image)

    return changed(with_content(b"/Bomb Do"), draw)


def _unpacks_to(megabytes: int) -> bytes:
    packer = zlib.compressobj(1)
    packed = b"".join(packer.compress(b" " * 2**20) for _ in range(megabytes)) + packer.flush()

    def put(file: pikepdf.Pdf) -> None:
        file.pages[0].obj.Contents = pikepdf.Stream(file, b"")
        file.pages[0].obj.Contents.write(packed, filter=Name.FlateDecode)

    return changed(PAGE.pdf, put)


def _deep_arrays() -> bytes:
    return with_content(b"").replace(b"/MediaBox", b"/Deep " + b"[" * 50_000 + b"]" * 50_000 + b" /MediaBox")


def _many_parts() -> bytes:
    def fill(file: pikepdf.Pdf) -> None:
        file.Root.Parts = Array([file.make_indirect(Dictionary(N=number)) for number in range(25_000)])

    return changed(PAGE.pdf, fill)


def _other_file() -> bytes:
    def point(file: pikepdf.Pdf) -> None:
        outside = file.make_stream(b"", F=pikepdf.String("/etc/passwd"))
        file.pages[0].obj.Contents = Array([file.pages[0].obj.Contents, outside])

    return changed(PAGE.pdf, point)


def _printer_program() -> bytes:
    def put(file: pikepdf.Pdf) -> None:
        program = file.make_stream(b"showpage", Type=Name.XObject, Subtype=Name.PS)
        file.pages[0].obj.Resources.XObject = Dictionary(Go=program)

    return changed(with_content(b"/Go Do"), put)


def _torn_content() -> bytes:
    def tear(file: pikepdf.Pdf) -> None:
        packed = zlib.compress(os.urandom(4000))
        file.pages[0].obj.Contents.write(b"\x78\x9c" + b"\xff" * 300 + packed[:2000], filter=Name.FlateDecode)

    return changed(PAGE.pdf, tear)


@pytest.mark.parametrize(
    ("pdf", "reason"),
    [
        pytest.param(b"", "empty", id="empty"),
        pytest.param(b"  \r\n", "empty", id="blank"),
        pytest.param(b"<!DOCTYPE html><html>Please log in", "web page", id="HTML"),
        pytest.param(b'{"error": "not ready"}', "JSON", id="JSON"),
        pytest.param(b"\x89PNG\r\n", "no PDF", id="picture"),
        pytest.param(PAGE.pdf[: len(PAGE.pdf) // 2], "cut off", id="half"),
        pytest.param(PAGE.pdf[:-30], "cut off", id="without its end"),
        pytest.param(PAGE.pdf[:3000] + PAGE.pdf[-200:], "damaged", id="without its middle"),
        pytest.param(b"%PDF-1.4\nstartxref\n0\n%%EOF", "damaged", id="head and tail only"),
        pytest.param(_locked(), "password", id="locked"),
        pytest.param(_million_pages(), "more than 50 pages", id="a million pages"),
        pytest.param(_circle_of_pages(), "circle", id="pages in a circle"),
        pytest.param(_no_pages(), "no page", id="no pages"),
        pytest.param(_sized(0, 0, 100_000, 100_000), "larger than any sheet", id="huge page"),
        pytest.param(_sized(0, 0, 0, 842), "no size", id="flat page"),
        pytest.param(_huge_picture(), "million dots", id="huge picture"),
        pytest.param(_unpacks_to(160), "damaged", id="flate bomb"),
        pytest.param(_deep_arrays(), "damaged", id="deep arrays"),
        pytest.param(_many_parts(), "parts", id="many parts"),
        pytest.param(_other_file(), "another file", id="part of another file"),
        pytest.param(_printer_program(), "program", id="printer program"),
        pytest.param(_torn_content(), "damaged", id="torn content"),
        pytest.param(b"%PDF-1.4" + b" " * 10 * 2**20 + b"startxref %%EOF", "larger than 10 MB", id="too large"),
    ],
)
def test_what_is_no_printable_paper_is_refused_in_plain_words(pdf: bytes, reason: str):
    """trust.md 42 and 71."""
    with pytest.raises(PaperRefused) as refused:
        check_in_child(pdf)

    assert reason in refused.value.reason


def test_what_acts_is_taken_out():
    """trust.md 71."""

    def arm(file: pikepdf.Pdf) -> None:
        script = file.make_indirect(Dictionary(S=Name.JavaScript, JS=pikepdf.String("app.alert('planted')")))
        launch = Dictionary(S=Name.Launch, F=pikepdf.String("planted.exe"))
        link = Dictionary(Type=Name.Annot, Subtype=Name.Link, Rect=Array([0, 0, 9, 9]), A=launch)
        file.attachments["planted.txt"] = b"planted"
        file.Root.Names.JavaScript = Dictionary(Names=Array([pikepdf.String("planted"), script]))
        file.Root.OpenAction = script
        file.Root.AA = Dictionary(WC=script)
        file.Root.AcroForm = Dictionary(Fields=Array(), XFA=file.make_stream(b"planted"))
        file.Root.Outlines = Dictionary(Title=pikepdf.String("planted"))
        file.pages[0].obj.AA = Dictionary(O=script)
        file.pages[0].obj.Annots = Array([file.make_indirect(link)])
        file.docinfo["/Planted"] = "planted"

    armed = changed(PAGE.pdf, arm)
    assert b"planted" in unpacked(armed)

    checked = check_in_child(armed)

    found = unpacked(checked.pdf)
    assert [
        word for word in (b"planted", b"/JS", b"/Launch", b"/OpenAction", b"/AA ", b"/Annots") if word in found
    ] == []
    assert set(checked.stripped) == {
        "/OpenAction", "/AA", "/AF", "/Names", "/JavaScript", "/EmbeddedFiles", "/AcroForm", "/Annots",
    }  # fmt: skip


def test_a_paper_that_takes_too_long_is_refused_and_the_next_one_is_read():
    with pytest.raises(PaperRefused, match="takes longer than"):
        cut_in_child(PAGE.pdf, limits=Limits(wall_seconds=0.005))

    assert check_in_child(PAGE.pdf).pages == 1


def test_a_paper_that_takes_too_much_memory_is_refused_and_the_next_one_is_read():
    hungry = Limits(memory_bytes=300 * 2**20, unpacked_bytes=2**30)

    with pytest.raises(PaperRefused):
        check_in_child(_unpacks_to(400), limits=hungry)

    assert check_in_child(PAGE.pdf, limits=hungry).pages == 1


def test_a_paper_that_takes_too_much_of_the_processor_is_refused():
    strokes = b"0 0 m " + b"1 1 l 2 2 l " * 2_000_000 + b"S"

    with pytest.raises(PaperRefused, match="more memory or time"):
        cut_in_child(with_content(strokes), limits=Limits(cpu_seconds=1))


def test_a_child_that_was_killed_is_replaced():
    check_in_child(PAGE.pdf)
    _kill_children()

    assert check_in_child(PAGE.pdf).pages == 1


def test_one_child_reads_paper_after_paper():
    check_in_child(PAGE.pdf)
    before = _children()
    with pytest.raises(PaperRefused):
        check_in_child(b"<html>")
    check_in_child(drawn(lambda canvas: canvas.drawString(9, 9, "x")))

    assert _children() == before


def test_the_child_knows_none_of_our_secrets(monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "planted")
    _kill_children()
    check_in_child(PAGE.pdf)
    (child,) = _children()

    assert b"planted" not in Path(f"/proc/{child}/environ").read_bytes()


def test_a_forked_worker_has_a_child_of_its_own():
    check_in_child(PAGE.pdf)
    ours = _children()
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    worker = context.Process(target=lambda: answers.put((check_in_child(PAGE.pdf).pages, _children())))
    worker.start()
    worker.join(30)

    pages, theirs = answers.get()
    assert (worker.exitcode, pages) == (0, 1)
    assert set(theirs).isdisjoint(ours)
    assert check_in_child(PAGE.pdf).pages == 1
    assert ours[0] in _children()


def _kill_children():
    for child in _children():
        os.kill(child, signal.SIGKILL)
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)


def _children() -> list[int]:
    """Process ids of the children of this process that read papers."""
    listed = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    return [int(pid) for pid in listed if b"fulfillment.papers.child" in Path(f"/proc/{pid}/cmdline").read_bytes()]
