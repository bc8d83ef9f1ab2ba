"""The whole job by HTTP as a browser would do it, with faults on the way, and a table of what happened.

Two sellers connect, several pages of shipments come in, labels are asked for and waited for, one PDF a seller is
printed, and what is in it is marked ready to dispatch. On the way: a 401, a 429, two lost answers, labels that come
late, and a buyer who cancels after the label. The simulator's ledger is the judge; any count that is off, a fault that
befell nothing, or far more calls than the job can take, makes the exit code 1.
"""

import math
import os
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pypdfium2
from django.conf import settings

from orders.states import OPEN_STATES
from shipcrowd.flipkart.types import Offer, State
from shipcrowd.flipkart.wire import wire_named
from shipcrowd.portal.demo import PACKER, SELLERS, DemoSeller, House, Say, account_of, connect, control, started
from shipcrowd.portal.visitor import NotThere, Page, Visitor

DUE, HELD, NOT_YET_DUE = 115, 3, 4
ALL = DUE + HELD + NOT_YET_DUE
OPEN_STAGES = ("upcoming", "to_label", "to_print", "to_dispatch", "awaiting_pickup", "on_hold")
ON_A_LABEL = "AWB No."
PATIENCE = 240.0  # seconds for one step
# Of the fewest: faults, read-backs and looking for labels that are not there yet cost what they must (about twice).
MOST_CALLS = 3


@dataclass(frozen=True, slots=True)
class Planted:
    """What goes wrong on the way: so many calls of an operation meet a fault of the simulator's."""

    operation: str
    kind: str
    times: int = 1
    how: dict[str, object] = field(default_factory=dict)


AT_FIRST_POLLS = (Planted("search", "unauthorized"), Planted("search", "throttled", how={"retry_after": "2"}))
AT_LABELS = (
    Planted("generate_labels", "drop_after"),
    Planted("generate_labels", "late_labels", times=2, how={"seconds": 8}),
)
AT_DISPATCH = (Planted("dispatch", "drop_after"),)


@dataclass
class SellersDay:
    """What one seller's day came to, as the portal's pages and the simulator's ledger say."""

    seller: DemoSeller
    account: str = ""
    ingested: int = 0
    held: int = 0
    not_yet_due: int = 0
    labels: int = 0
    pages: int = 0
    dispatched: int = 0
    left_out: list[list[str]] = field(default_factory=list)
    pdf: Path | None = None
    cancelled: str = ""
    cancelled_shown: str = ""
    calls: int = 0

    @property
    def fewest_calls(self) -> int:
        """That this job can take in the format in use: each step in full batches, and nothing asked twice."""
        wire = wire_named(settings.FLIPKART_WIRE)
        limits, abilities = wire.LIMITS, wire.ABILITIES
        other_searches = len(wire.searches(tuple(State(state) for state in OPEN_STATES))) - 1
        batches = [(ALL, limits.page), (DUE, limits.labels), (DUE, limits.ids), (DUE, limits.papers)]
        batches += [(DUE, limits.details)] * (not abilities.tracking_in_search)
        batches += [(DUE, limits.invoices)] * (Offer.INVOICES in abilities.offers)
        batches += [(DUE - 1, limits.dispatch)]
        return other_searches + sum(math.ceil(count / size) for count, size in batches)


def run(*, say: Say, keep: bool) -> int:
    """The exit code: 0 when every count is right. Raises Ended, CannotStart, Stopped."""
    job = Job(say)
    folder = Path(os.environ["SHIPCROWD_DEMO_FOLDER"])
    try:
        with started(say=say, shipments_a_day=0) as house:
            try:
                job.do(house)
                wrong = job.what_is_wrong()
            except NotThere as error:
                wrong = [str(error)]
    finally:
        kept = job.put_away(folder, keep=keep)
    job.print_table()
    say(f"The PDFs are in {kept}" if kept else "There is no PDF.")
    for line in wrong:
        say(f"WRONG: {line}")
    return 1 if wrong else 0


class Job:
    """The day's work, step by step, with the seconds of each."""

    def __init__(self, say: Say) -> None:
        self.say = say
        self.days = [SellersDay(seller) for seller in SELLERS]
        self.seconds: dict[str, float] = {}
        self.ledger: dict[str, list[dict[str, Any]]] = {}

    def do(self, house: House) -> None:
        """Raises NotThere when a page does not show what it should in time."""
        with self.step("orders at Flipkart"):
            for day in self.days:
                order(day)
        with self.step("connect"):
            self.connect(house)
        packer = house.visit_as(PACKER)
        with self.step("poll"):
            self.poll(packer)
        if wire_named(settings.FLIPKART_WIRE).ABILITIES.pack_wants_parcels:
            with self.step("package sizes"):
                self.measure(packer)
        with self.step("labels"):
            self.label(packer)
        with self.step("a buyer cancels"):
            for day in self.days:
                day.cancelled = self.labelled(day)[-1]
                told = control("POST", f"shipments/{day.cancelled}/cancel")
                day.cancelled_shown = str(told["officialId" if settings.FLIPKART_WIRE == "official" else "shipmentId"])
            time.sleep(settings.READ_AGAIN_AFTER.total_seconds())  # until what was read before it is old
        with self.step("print"):
            for day in self.days:
                self.print_all(packer, day, house.folder)
        with self.step("dispatch"):
            self.dispatch(packer)
        self.ledger = control("GET", "ledger")
        for day in self.days:
            day.calls = sum(call["account"] == day.account for call in self.ledger["calls"])

    def connect(self, house: House) -> None:
        """Both owners press Connect; the first polls meet a 401 and a 429."""
        plant(AT_FIRST_POLLS)
        for day in self.days:
            owner = house.visit_as(day.seller.owner)
            owner.open(f"/s/{day.seller.slug}/connection/")
            connect(owner, day.seller)

    def poll(self, packer: Visitor) -> None:
        for day in self.days:
            wait(packer, day, "shipments", lambda found: sum(found[stage] for stage in OPEN_STAGES) >= ALL)
            found = stage_counts(packer.page)
            day.ingested = sum(found[stage] for stage in OPEN_STAGES)
            day.held, day.not_yet_due = found["on_hold"], found["upcoming"]

    def measure(self, packer: Visitor) -> None:
        """Every SKU that the page says must be measured first."""
        for day in self.days:
            packer.open(f"/s/{day.seller.slug}/sizes/")
            skus = [parse_qs(urlsplit(url).query).get("sku", [""])[0] for url, _text in packer.page.links]
            lines = "\n".join(f"{sku},30,22,4,0.45" for sku in skus if sku)
            packer.submit(packer.page.form_to("/sizes/lines/"), lines=lines)

    def label(self, packer: Visitor) -> None:
        """The answer to one request is lost, the labels of two come late."""
        plant(AT_LABELS)
        for day in self.days:
            press(packer, day, "to_label", "labels")
        for day in self.days:
            wait(packer, day, "labels", lambda found: found["to_print"] >= DUE)
            day.labels = stage_counts(packer.page)["to_print"]

    def print_all(self, packer: Visitor, day: SellersDay, folder: Path) -> None:
        press(packer, day, "to_print", "print")
        job_page = packer.page.url
        deadline = time.monotonic() + PATIENCE
        while not (pdf := next((url for url, _text in packer.page.links if url.endswith("/labels.pdf")), "")):
            if time.monotonic() > deadline:
                raise NotThere(f"{job_page} has no PDF after {PATIENCE:.0f} seconds: {packer.page.words()}")
            time.sleep(0.5)
            packer.open(job_page)
        day.pdf = folder / f"{day.seller.slug}.pdf"
        day.pdf.write_bytes(packer.download(pdf))
        why = re.search(r"left out: (.+)", packer.page.text)
        listed = [text for _url, text in packer.page.links if text.strip() == day.cancelled_shown]
        day.left_out = [[shipment_id, why[1].strip() if why else ""] for shipment_id in listed]
        day.pages = printed_labels(day.pdf)

    def dispatch(self, packer: Visitor) -> None:
        """The answer to one dispatch is lost."""
        plant(AT_DISPATCH)
        for day in self.days:
            press(packer, day, "to_dispatch", "dispatch")
        for day in self.days:
            wait(packer, day, "dispatches", lambda found: found["awaiting_pickup"] >= DUE - 1)
            day.dispatched = stage_counts(packer.page)["awaiting_pickup"]

    def labelled(self, day: SellersDay) -> list[str]:
        effects = control("GET", "ledger")["effects"]
        return [str(e["shipment_id"]) for e in effects if e["kind"] == "pack" and e["account"] == day.account]

    def what_is_wrong(self) -> list[str]:
        """A line for each count that is off; what the portal shows is held against the simulator's ledger."""
        wrong = self.what_did_not_happen()
        for day in self.days:
            wanted = {"held": HELD, "not_yet_due": NOT_YET_DUE}
            wanted |= {"ingested": ALL, "labels": DUE, "pages": DUE - 1, "dispatched": DUE - 1}
            wrong += [
                f"{day.seller.name}: {getattr(day, name)} {name}, expected {count}"
                for name, count in wanted.items()
                if getattr(day, name) != count
            ]
            if len(day.left_out) != 1:
                wrong.append(f"{day.seller.name}: the cancelled {day.cancelled_shown} is not listed as left out")
            for kind, count in (("pack", DUE), ("dispatch", DUE - 1)):
                times = Counter(
                    e["shipment_id"]
                    for e in self.ledger["effects"]
                    if e["kind"] == kind and e["account"] == day.account
                )
                if len(times) != count or set(times.values()) != {1} or (kind == "dispatch" and day.cancelled in times):
                    wrong.append(
                        f"{day.seller.name}: Flipkart counts {sum(times.values())} of {kind}, expected {count}"
                    )
            if not day.fewest_calls <= day.calls <= MOST_CALLS * day.fewest_calls:
                wrong.append(f"{day.seller.name}: {day.calls} calls, where {day.fewest_calls} can do")
        return wrong

    def what_did_not_happen(self) -> list[str]:
        """A line for each fault that befell too few calls or too many, and for a buyer who did not cancel."""
        befell = Counter((call["operation"], call["fault"]) for call in self.ledger["calls"] if call["fault"])
        planted = (*AT_FIRST_POLLS, *AT_LABELS, *AT_DISPATCH)
        wanted = {(each.operation, each.kind): each.times for each in planted}
        wrong = [
            f"The fault {kind} befell {befell[at, kind]} calls of {at}, expected {wanted.get((at, kind), 0)}"
            for at, kind in sorted({*wanted, *befell})
            if befell[at, kind] != wanted.get((at, kind), 0)
        ]
        cancelled = sorted(effect["shipment_id"] for effect in self.ledger["effects"] if effect["kind"] == "cancel")
        if cancelled != sorted(day.cancelled for day in self.days):
            wrong.append(f"Cancelled were {', '.join(cancelled) or 'none'}, and not one of each seller")
        return wrong

    def print_table(self) -> None:
        head = ("", *(day.seller.name for day in self.days))
        rows = [
            ("shipments ingested", *(f"{day.ingested} of {ALL}" for day in self.days)),
            ("labels stored", *(f"{day.labels} of {DUE}" for day in self.days)),
            ("pages printed", *(f"{day.pages}" for day in self.days)),
            ("dispatched", *(f"{day.dispatched} of {DUE - 1}" for day in self.days)),
            ("left out of print", *(f"{row[-1]} ({row[0]})" for day in self.days for row in day.left_out[:1])),
            ("on hold, not yet due", *(f"{day.held}, {day.not_yet_due}" for day in self.days)),
            ("Flipkart calls (fewest)", *(f"{day.calls} ({day.fewest_calls})" for day in self.days)),
        ]
        widths = [max(len(row[at]) for row in (head, *rows) if at < len(row)) for at in range(len(head))]
        self.say("")
        for row in (head, *rows):
            self.say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip())
        self.say("\nseconds: " + ", ".join(f"{name} {seconds:.1f}" for name, seconds in self.seconds.items()))

    def put_away(self, folder: Path, *, keep: bool) -> Path | None:
        """Where the PDFs are, if any: in the folder itself when it is kept, else in one beside it; the rest goes."""
        if keep:
            return folder
        pdfs = [day.pdf for day in self.days if day.pdf]
        papers = Path(tempfile.mkdtemp(prefix="shipcrowd-labels-")) if pdfs else None
        for pdf in pdfs:
            shutil.move(pdf, papers or folder)
        shutil.rmtree(folder, ignore_errors=True)
        return papers

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        self.say(f"  {name} …")
        began = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - began


def order(day: SellersDay) -> None:
    """What the seller's buyers ordered: due ones, some held, some not yet due."""
    day.account = account_of(day.seller)
    tomorrow, later = (datetime.now(UTC) + timedelta(days=days) for days in (1, 2))
    control("POST", "shipments", account=day.account, count=DUE // 2)
    control("POST", "shipments", account=day.account, count=DUE - DUE // 2, cod=True)
    control("POST", "shipments", account=day.account, count=HELD, held=True)
    control(
        "POST",
        "shipments",
        account=day.account,
        count=NOT_YET_DUE,
        dispatchAfter=tomorrow.isoformat(),
        dispatchBy=later.isoformat(),
    )


def plant(faults: Iterable[Planted]) -> None:
    for each in faults:
        control("POST", "faults", operation=each.operation, kind=each.kind, times=each.times, **each.how)


def press(packer: Visitor, day: SellersDay, stage: str, act: str) -> None:
    """One of the list's buttons for all that match the stage, through the page that shows the consequences first."""
    packer.open(f"/s/{day.seller.slug}/shipments/?stage={stage}")
    packer.submit(packer.page.form_with("act"), all_matching="1", act=act)
    packer.submit(packer.page.form_with("confirmed"))


def wait(packer: Visitor, day: SellersDay, what: str, enough: Callable[[Counter[str]], bool]) -> None:
    """Looks at the list until its tabs say so, as a person would. Raises NotThere when they do not in time."""
    deadline = time.monotonic() + PATIENCE
    packer.open(f"/s/{day.seller.slug}/shipments/")
    while not enough(found := stage_counts(packer.page)):
        if time.monotonic() > deadline:
            raise NotThere(f"{day.seller.name}: waited {PATIENCE:.0f} s for its {what}; the tabs say {dict(found)}")
        time.sleep(1.0)
        packer.open(packer.page.url)


def stage_counts(page: Page) -> Counter[str]:
    """What the tabs of the list say, by stage."""
    found: Counter[str] = Counter()
    for url, text in page.links:
        stage = parse_qs(urlsplit(url).query).get("stage", [""])[0]
        number = "".join(character for character in text if character.isdigit())
        if stage and number:
            found[stage] = int(number)
    return found


def printed_labels(pdf: Path) -> int:
    """Pages of the stack that are labels, and not sheets that lie on top or between."""
    with pypdfium2.PdfDocument(pdf) as opened:
        texts = [page.get_textpage().get_text_range() for page in opened]
    return sum(ON_A_LABEL in text for text in texts)
