"""`print`: stored labels into one PDF of 4x6 sheets, against qpdf joining the same files (no layout, no recompression).

Each measurement runs in a process of its own: what Python holds from an earlier one would hide the peak. Times are of
the work alone, reading the files and writing the result included, starting Python and importing not.
"""

import io
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pikepdf

from fulfillment.papers.joining import Label, join
from fulfillment.papers.layout import THERMAL

FEW, MANY = 500, 5000
DISTINCT = 100  # pages drawn and cut by our own code; the others are these with a content and barcodes of their own
ROUNDS = 5
NOTE = "A {}   TS-BLK-M x 2"
QPDF = ["--compress-streams=n", "--decode-level=none", "--object-streams=generate"]


def run() -> dict[str, object]:
    """Flat figures: `ratio_to_qpdf` (our time to qpdf's, 500 labels), `bytes_ratio` (output to the sum of inputs),
    `peak_memory_growth` (5,000 labels against 500), and what they were made from."""
    with tempfile.TemporaryDirectory(prefix="shipcrowd-print-") as folder:
        stored = _store_labels(Path(folder), MANY)
        few, many = stored[:FEW], stored
        ours, qpdf = [], []
        for _round in range(ROUNDS):
            ours.append(_measure("ours", few))
            qpdf.append(_measure("qpdf", few))
        ours_many, qpdf_many = _measure("ours", many), _measure("qpdf", many)
        seconds, qpdf_seconds = (statistics.median(one["seconds"] for one in all_) for all_ in (ours, qpdf))
        return {
            "benchmark": "print",
            "labels": FEW,
            "labels_many": MANY,
            "ratio_to_qpdf": round(
                statistics.median(a["seconds"] / b["seconds"] for a, b in zip(ours, qpdf, strict=True)), 3
            ),
            "ratio_to_qpdf_many": round(ours_many["seconds"] / qpdf_many["seconds"], 3),
            "bytes_ratio": round(ours[0]["bytes"] / sum(path.stat().st_size for path in few), 3),
            "peak_memory_growth": round(ours_many["peak_mb"] / statistics.median(one["peak_mb"] for one in ours), 3),
            "seconds": round(seconds, 3),
            "seconds_many": round(ours_many["seconds"], 3),
            "qpdf_seconds": round(qpdf_seconds, 3),
            "qpdf_seconds_many": round(qpdf_many["seconds"], 3),
            "peak_mb": round(statistics.median(one["peak_mb"] for one in ours), 1),
            "peak_mb_many": round(ours_many["peak_mb"], 1),
            "qpdf_peak_mb_many": round(qpdf_many["peak_mb"], 1),
        }


def _store_labels(folder: Path, count: int) -> list[Path]:
    """Cut labels as files. Their fonts are equal, as in papers that one generator made; nothing else is."""
    # Not above: what the measured process holds for nothing would hide the growth of its peak.
    from fulfillment.papers.cutting import cut_label  # noqa: PLC0415
    from tests.fulfillment.papers.pages import label_pages  # noqa: PLC0415

    cuts = [cut_label(page.pdf).pdf for page in label_pages(DISTINCT)]
    paths = []
    for number in range(count):
        path = folder / f"{number:05}.pdf"
        path.write_bytes(_own(cuts[number % DISTINCT], number))
        paths.append(path)
    return paths


def _own(label: bytes, number: int) -> bytes:
    """A label that shares neither content nor pictures with another."""
    with pikepdf.open(io.BytesIO(label)) as file:
        page = file.pages[0].obj
        page.Contents.write(page.Contents.read_bytes() + b"%% %d\n" % number)
        for image in page.Resources.get("/XObject", {}).values():
            if image.get("/Subtype") == "/Image":
                pixels = bytearray(image.read_bytes())
                pixels[-2:] = number.to_bytes(2, "big")
                image.write(bytes(pixels))
        out = io.BytesIO()
        file.save(out)
        return out.getvalue()


def _measure(how: str, paths: list[Path]) -> dict[str, float]:
    out = paths[0].with_name("joined.out")
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.print", how, str(out)],
        input="\n".join(map(str, paths)),
        capture_output=True,
        text=True,
        check=True,
    )
    figures: dict[str, float] = json.loads(done.stdout)
    with pikepdf.open(out) as joined:
        assert len(joined.pages) == len(paths)
    out.unlink()
    return figures


def _join_ours(paths: list[str], out: str) -> None:
    """With the line under each label that a stack has: qpdf is spared it."""
    labels = (Label(Path(path).read_bytes(), note=NOTE.format(page)) for page, path in enumerate(paths, start=2))
    with Path(out).open("wb") as file:
        join(labels, file, layout=THERMAL)


def _join_qpdf(paths: list[str], out: str) -> None:
    pikepdf.Job(["qpdf", "--empty", "--pages", *paths, "--", *QPDF, out]).run()


def _one(how: str, out: str) -> None:
    work = {"ours": _join_ours, "qpdf": _join_qpdf}[how]
    paths = sys.stdin.read().split("\n")
    started = time.perf_counter()
    work(paths, out)
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "peak_mb": _peak_mb(), "bytes": Path(out).stat().st_size}))


def _peak_mb() -> float:
    """This program's own peak. ru_maxrss would begin with that of the process which started it."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    _one(*sys.argv[1:])
