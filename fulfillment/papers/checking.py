"""Has a paper checked, made safe and cut by a child process with limits: a hostile PDF can only kill that child.

A process has one child for papers of one shipment, and one for merged papers, which may take more. Each answers one
paper after the other: starting Python for each label would cost more than reading it. They are replaced when they die,
after a few hundred papers, and after a fork. Safe from several threads, which wait for one another.
"""

import atexit
import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from . import child
from .splitting import Owner, SplitPapers
from .types import Box, CheckedPaper, ChildFailed, CutLabel, Limits, PaperRefused

LIMITS = Limits()
# Papers of a whole batch, merged: each part is checked again by itself before it is cut.
MERGED_LIMITS = replace(LIMITS, pdf_bytes=2 * LIMITS.pdf_bytes, pages=250, objects=100_000)
PAPERS_PER_CHILD = 500
HOME = Path(__file__).resolve().parents[2]


def check_in_child(pdf: bytes, *, limits: Limits = LIMITS) -> CheckedPaper:
    """The paper made safe. Raises PaperRefused (the reason in plain words), and ChildFailed when no child starts."""
    head, pdfs = _ask(child.CHECK, pdf, limits)
    return _checked(head, pdfs[0])


def cut_in_child(pdf: bytes, *, limits: Limits = LIMITS) -> tuple[CheckedPaper, CutLabel]:
    """The paper made safe, and its label alone. Raises as `check_in_child` does."""
    head, pdfs = _ask(child.CUT, pdf, limits)
    return _checked(head, pdfs[0]), _cut(head, pdfs[1])


def cut_invoice_in_child(pdf: bytes, *, limits: Limits = LIMITS) -> tuple[CheckedPaper, CutLabel]:
    """The paper made safe, and its invoice alone. Raises as `check_in_child` does, and where none can be told apart."""
    head, pdfs = _ask(child.CUT_INVOICE, pdf, limits)
    return _checked(head, pdfs[0]), _cut(head, pdfs[1])


def cut_slips_in_child(pdf: bytes, *, has_label: bool, limits: Limits = LIMITS) -> CutLabel:
    """The invoice cut for 4x6 sheets (`slips`). Raises as `check_in_child` does, and where it cannot be cut so."""
    head, pdfs = _ask(child.CUT_SLIPS_BELOW if has_label else child.CUT_SLIPS, pdf, limits)
    return _cut(head, pdfs[1])


def preview_in_child(pdf: bytes, *, limits: Limits = LIMITS) -> bytes:
    """A picture (PNG) of the first page of a paper that was checked before. Raises as `check_in_child` does."""
    _head, pdfs = _ask(child.PREVIEW, pdf, limits)
    return pdfs[0]


def split_in_child(
    pdf: bytes, owners: Sequence[Owner], *, limits: Limits = MERGED_LIMITS
) -> tuple[CheckedPaper, SplitPapers]:
    """The merged paper made safe, and the pages of each shipment. Raises as `check_in_child` does, and as `split`."""
    named = json.dumps([[owner.key, owner.order_id, list(owner.tracking_ids)] for owner in owners]).encode()
    head, pdfs = _ask(child.SPLIT, child.LENGTH.pack(len(named)) + named + pdf, limits)
    parts = dict(zip(head["keys"], pdfs[1:], strict=True))
    return _checked(head, pdfs[0]), SplitPapers(parts=parts, troubles=head["troubles"])


def _checked(head: dict[str, Any], pdf: bytes) -> CheckedPaper:
    found = head["checked"]
    return CheckedPaper(pdf=pdf, sizes=tuple(map(tuple, found["sizes"])), stripped=tuple(found["stripped"]))


def _cut(head: dict[str, Any], pdf: bytes) -> CutLabel:
    found = head["cut"]
    return CutLabel(**{**found, "pdf": pdf, "box": Box(*found["box"]), "texts": tuple(found["texts"])})


def _ask(verb: bytes, pdf: bytes, limits: Limits) -> tuple[dict[str, Any], list[bytes]]:
    if len(pdf) > limits.pdf_bytes:
        raise PaperRefused(f"it is larger than {limits.pdf_bytes // 2**20} MB")
    reader = _readers.get(limits)
    if reader is not None:
        with reader.lock:
            head, pdfs = reader.ask(verb, pdf)
    else:
        reader = _Reader(limits)
        try:
            head, pdfs = reader.ask(verb, pdf)
        finally:
            reader.stop()
    if "refused" in head:
        raise PaperRefused(head["refused"])
    return head, pdfs


class _Reader:
    """The child of this process that keeps to `limits`, if there is one."""

    def __init__(self, limits: Limits) -> None:
        self.lock = threading.Lock()
        self.process: subprocess.Popen[bytes] | None = None
        self.limits = limits
        self.papers = 0

    def ask(self, verb: bytes, pdf: bytes) -> tuple[dict[str, Any], list[bytes]]:
        process = self._started()
        too_late = threading.Event()

        def end() -> None:
            too_late.set()
            process.kill()

        timer = threading.Timer(self.limits.wall_seconds, end)
        timer.start()
        try:
            self._write(process, child.HEAD.pack(verb, len(pdf)) + pdf)
            self.papers += 1
            return self._answer(process)
        except (BrokenPipeError, EOFError) as error:
            self.stop()
            if too_late.is_set():
                raise PaperRefused(f"it takes longer than {self.limits.wall_seconds:g} seconds to read") from error
            raise PaperRefused("it takes more memory or time to read than a label may") from error
        except BaseException:
            self.stop()  # half an answer may be left in the pipe: the next paper must not be taken for this one
            raise
        finally:
            timer.cancel()

    def stop(self) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        process.wait()

    def forget(self) -> None:
        """After a fork the child is our parent's: close our ends of its pipes, so that it ends when our parent does."""
        process, self.process, self.lock = self.process, None, threading.Lock()
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        process.returncode = 0  # not ours to wait for

    def _started(self) -> "subprocess.Popen[bytes]":
        if self.papers < PAPERS_PER_CHILD and self.process is not None and self.process.poll() is None:
            return self.process
        self.stop()
        self.papers = 0
        self.process = subprocess.Popen(  # noqa: S603 - our own module, our own interpreter
            [sys.executable, "-m", child.__name__, json.dumps(asdict(self.limits))],
            bufsize=0,  # a buffer has a lock, and a fork may happen while another thread holds it
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # it could quote the paper
            cwd=HOME,
            env={"PYTHONDONTWRITEBYTECODE": "1", "MALLOC_ARENA_MAX": "1"},  # nothing of ours: there are secrets in it
            start_new_session=True,  # a Ctrl-C in the terminal is for its parent, which ends it
        )
        try:
            self._answer(self.process)
        except EOFError as error:
            self.stop()
            raise ChildFailed("the process that reads PDFs does not start") from error
        return self.process

    def _answer(self, process: "subprocess.Popen[bytes]") -> tuple[dict[str, Any], list[bytes]]:
        (length,) = child.LENGTH.unpack(self._read(process, child.LENGTH.size))
        head: dict[str, Any] = json.loads(self._read(process, length))
        return head, [self._read(process, length) for length in head["lengths"]]

    def _read(self, process: "subprocess.Popen[bytes]", length: int) -> bytes:
        found = bytearray()
        while len(found) < length:
            more = process.stdout.read(length - len(found)) if process.stdout else b""
            if not more:
                raise EOFError
            found += more
        return bytes(found)

    def _write(self, process: "subprocess.Popen[bytes]", asked: bytes) -> None:
        left = memoryview(asked)
        while left and process.stdin:
            left = left[process.stdin.write(left) :]


_readers = {limits: _Reader(limits) for limits in (LIMITS, MERGED_LIMITS)}
for _reader in _readers.values():
    os.register_at_fork(after_in_child=_reader.forget)
    atexit.register(_reader.stop)
