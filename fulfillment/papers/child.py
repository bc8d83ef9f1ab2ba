"""The child process that reads strangers' PDFs: `python -m fulfillment.papers.child LIMITS`, papers in, answers out.

It has no secret in its environment, may write no file and start no process, and dies when it takes too much memory or
time. In: a verb (one byte) and a length-prefixed PDF, before which stands, to split it, a length-prefixed JSON of whose
it may be. Out: a length-prefixed JSON head, then its PDFs.
"""

import json
import resource
import struct
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import pikepdf

from .cutting import cut_invoice, cut_label
from .previewing import preview
from .safety import made_safe
from .slips import cut_slips
from .splitting import Owner, split
from .types import CheckedPaper, CutLabel, Limits, PaperRefused

CHECK, CUT, CUT_INVOICE, SPLIT, PREVIEW, CUT_SLIPS, CUT_SLIPS_BELOW = b"c", b"l", b"i", b"s", b"p", b"t", b"b"
CUTS: dict[bytes, Callable[[bytes], CutLabel]] = {
    CUT: cut_label,
    CUT_INVOICE: cut_invoice,
    CUT_SLIPS: partial(cut_slips, has_label=False),
    CUT_SLIPS_BELOW: partial(cut_slips, has_label=True),
}
HEAD = struct.Struct(">cI")
LENGTH = struct.Struct(">I")


def main() -> None:
    limits = Limits(**json.loads(sys.argv[1]))
    _fence(limits)
    _answer(sys.stdout.buffer, {"ready": True})
    while head := sys.stdin.buffer.read(HEAD.size):
        verb, length = HEAD.unpack(head)
        _allow_cpu(limits.cpu_seconds)
        _answer(sys.stdout.buffer, *_read_paper(verb, sys.stdin.buffer.read(length), limits))


def _read_paper(verb: bytes, pdf: bytes, limits: Limits) -> tuple[Any, ...]:
    try:
        if verb == SPLIT:
            return _split(pdf, limits)
        if verb == PREVIEW:
            return {}, preview(pdf)
        checked = made_safe(pdf, limits)
        if verb == CHECK:
            return {"checked": _head(checked)}, checked.pdf
        cut = CUTS[verb](checked.pdf)
        return {"checked": _head(checked), "cut": _head(cut)}, checked.pdf, cut.pdf
    except PaperRefused as error:
        return ({"refused": error.reason},)
    except MemoryError:
        return ({"refused": "it needs more memory to read than a label may"},)
    except RecursionError:
        return ({"refused": "it leads in a circle"},)
    except Exception as error:  # noqa: BLE001 - whatever a paper does to the libraries, the parent gets an answer in words
        return ({"refused": f"reading it failed ({type(error).__name__} {_place(error)})"},)


def _split(asked: bytes, limits: Limits) -> tuple[Any, ...]:
    (length,) = LENGTH.unpack(asked[: LENGTH.size])
    owners, pdf = asked[LENGTH.size : LENGTH.size + length], asked[LENGTH.size + length :]
    checked = made_safe(pdf, limits)
    found = split(checked.pdf, [Owner(key, order, tuple(ids)) for key, order, ids in json.loads(owners)])
    head = {"checked": _head(checked), "keys": list(found.parts), "troubles": dict(found.troubles)}
    return head, checked.pdf, *found.parts.values()


def _head(result: CheckedPaper | CutLabel) -> dict[str, Any]:
    return {name: value for name, value in asdict(result).items() if name != "pdf"}


def _place(error: Exception) -> str:
    """Where it happened, without a word of the paper's."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"at {Path(frame.filename).name}:{frame.lineno}"


def _answer(out: BinaryIO, head: dict[str, Any], *pdfs: bytes) -> None:
    text = json.dumps({**head, "lengths": [len(pdf) for pdf in pdfs]}).encode()
    out.write(LENGTH.pack(len(text)) + text + b"".join(pdfs))
    out.flush()


def _fence(limits: Limits) -> None:
    """Limits that hold whatever the libraries do. qpdf's own come first: they end in words, not in a dead process."""
    pikepdf.settings.set_qpdf_limits(
        flate_max_memory=limits.unpacked_bytes,
        run_length_max_memory=limits.unpacked_bytes,
        png_max_memory=limits.unpacked_bytes,
        tiff_max_memory=limits.unpacked_bytes,
        dct_max_memory=limits.unpacked_bytes,
        parser_max_nesting=100,
        parser_max_container_size=1_000_000,
    )
    for what, most in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 16),
    ):
        resource.setrlimit(what, (most, most))


def _allow_cpu(seconds: int) -> None:
    """So many more seconds of the processor, from now on."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(usage.ru_utime + usage.ru_stime) + 1 + seconds, hard))


if __name__ == "__main__":
    main()
