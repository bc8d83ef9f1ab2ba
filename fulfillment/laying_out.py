"""What a stack prints, on which page, and what it leaves out and why; then the PDF itself."""

import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import BinaryIO, NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from fulfillment import queries, slips
from fulfillment.models import Document, Paper, PrintJobLine, PrintStack
from fulfillment.options import Layout, Options, Sorting
from fulfillment.papers import layout as sheets_of_paper
from fulfillment.papers.joining import Label, join
from fulfillment.papers.sheets import LeftOut, Run, page_count, separator_pdf, summary_pdf
from fulfillment.papers.types import LabelRefused
from fulfillment.stacking import Group, group_of, in_groups, needs_separator, what_to_take
from fulfillment.verdicts import in_ist
from orders import rules
from orders.models import Shipment
from shipcrowd import files, work
from shipcrowd.files import Stored, StoredFileChanged, StoredFileLost
from shipcrowd.flipkart.types import State
from shipcrowd.tenancy import seller_scope
from shipcrowd.work import Attention

# So many labels are laid out between two signs of progress, which also keep the job's lease.
LABELS_A_SIGN = 50

_ON_PAPER = {
    Layout.THERMAL: sheets_of_paper.THERMAL,
    Layout.WITH_INVOICE: sheets_of_paper.THERMAL,
    Layout.FOUR_ON_A4: sheets_of_paper.FOUR_ON_A4,
    Layout.AS_MADE: sheets_of_paper.AS_MADE,
    Layout.INVOICES: sheets_of_paper.ONE_ON_A4,
}
_PAPERS = {
    Layout.THERMAL: (Paper.LABEL,),
    Layout.WITH_INVOICE: (Paper.LABEL, Paper.SLIP),
    Layout.FOUR_ON_A4: (Paper.LABEL,),
    Layout.AS_MADE: (Paper.LABEL,),
    Layout.INVOICES: (Paper.LABEL, Paper.INVOICE, Paper.SLIP),
}


class Piece(NamedTuple):
    """One page of one stored paper, for one line. `is_original`: of the page that a label was cut from."""

    line: PrintJobLine
    document: Document
    page: int
    is_original: bool = False


class Divider(NamedTuple):
    """A sheet between two groups: what comes next, and how much of it."""

    group: Group
    parcels: int
    quantity: int


Sheet = Divider | tuple[Piece, ...]


@dataclass(slots=True)
class Plan:
    """The lines of a stack; those that may be printed, in its order; what each prints; and on which page, once it is
    arranged. `lost` are shipments whose stored paper cannot be used.
    """

    options: Options
    lines: list[PrintJobLine]
    pieces: dict[int, list[Piece]]  # by line
    planned_at: datetime
    left_out_before: list[PrintJobLine] = field(default_factory=list)  # and told by no stack so far
    sheets: list[Sheet] = field(default_factory=list)  # as they leave the printer, without the summary
    pages: int = 0
    lost: list[int] = field(default_factory=list)

    @property
    def chosen(self) -> list[PrintJobLine]:
        return [line for line in self.lines if not line.left_out]

    @property
    def whole(self) -> list[PrintJobLine]:
        """Those of which all pages come."""
        return [line for line in self.chosen if not line.first_page_is_out]

    @property
    def left_out(self) -> list[PrintJobLine]:
        return [line for line in self.lines if line.left_out]

    @property
    def unsure(self) -> list[PrintJobLine]:
        """Those whose label has no text that says whose it is."""
        return [line for line in self.chosen if could_not_check(line)]

    def leave_out(self, line: PrintJobLine, reason: str) -> None:
        line.left_out, line.document, line.page = reason[:300], None, None

    def in_words(self) -> str:
        """ "38 labels; 2 left out"."""
        begun = len(self.chosen) - len(self.whole)
        return counted(self.options, len(self.whole), len(self.left_out), begun=begun)


def counted(options: Options, printed: int, left_out: int, *, begun: int = 0, stacks: int = 1) -> str:
    """ "38 labels in 2 stacks; 2 left out". `begun`: of how many parcels beside only the other pages came."""
    words = ngettext("%(count)d invoice", "%(count)d invoices", printed)
    if options.prints_labels:
        words = ngettext("%(count)d label", "%(count)d labels", printed)
    says = words % {"count": printed}
    if begun:
        words = ngettext(
            "%(papers)s and the other pages of %(count)d parcel",
            "%(papers)s and the other pages of %(count)d parcels",
            begun,
        )
        says = words % {"papers": says, "count": begun}
    if stacks > 1:
        words = ngettext("%(papers)s in %(count)d stack", "%(papers)s in %(count)d stacks", stacks)
        says = words % {"papers": says, "count": stacks}
    if left_out:
        words = ngettext("%(papers)s; %(count)d left out", "%(papers)s; %(count)d left out", left_out)
        says = words % {"papers": says, "count": left_out}
    return says


def plan(stack: PrintStack, *, not_named: Collection[int], now: datetime) -> Plan:
    """Which lines of the stack may be printed, from what is stored now. `not_named`: shipments that Flipkart did not
    name when asked.

    In the caller's scope; writes nothing.
    """
    lines = list(queries.lines_of_stack(stack))
    found = Plan(options=stack.job.options, lines=lines, pieces={}, planned_at=now)
    found.left_out_before = list(queries.untold_before(stack))
    papers = papers_of(stack.seller_id, [line.shipment_id for line in lines], stack.job.layout)
    for line in lines:
        if line.left_out:
            continue
        own = papers.get(line.shipment_id, {})
        reason = why_not(line.shipment, own, stack.job.layout, now)
        if reason is None and line.shipment_id in not_named:
            reason = _("Flipkart did not name it when it was read again")
        pieces = pieces_of(line, own, stack.job.layout) if reason is None else []
        if pieces:
            found.pieces[line.pk] = pieces
            line.document = pieces[0].document
        else:
            found.leave_out(line, reason or _("its papers changed: it has no other pages any more"))
    return found


def papers_of(seller_id: int, shipment_ids: Collection[int], layout: str) -> dict[int, dict[str, Document]]:
    """What this layout prints, by shipment and paper; in the caller's scope."""
    found: dict[int, dict[str, Document]] = {}
    for document in queries.newest_papers(seller_id, shipment_ids, _PAPERS[Layout(layout)]):
        found.setdefault(document.shipment_id, {})[document.paper] = document
    return found


def foreseen(seller_id: int, shipments: Sequence[Shipment], layout: str, now: datetime) -> dict[int, str]:
    """By shipment, why this layout would leave it out, as far as is known before its invoice is cut; in the caller's
    scope.
    """
    papers = papers_of(seller_id, [shipment.pk for shipment in shipments], Layout.INVOICES)
    found = {}
    for shipment in shipments:
        own = papers.get(shipment.pk, {})
        reason = why_not(shipment, own, Layout.THERMAL, now)
        if reason is None and layout in (Layout.WITH_INVOICE, Layout.INVOICES) and not slips.may_be_had(own):
            reason = _("its invoice has not come")
        if reason:
            found[shipment.pk] = reason
    return found


def why_not(shipment: Shipment, papers: Mapping[str, Document], layout: str, now: datetime) -> str | None:
    """Why a shipment must not be printed in this layout, or None. Pure."""
    reason = rules.why_not(shipment, rules.Act.PRINT, now)
    label = papers.get(Paper.LABEL)
    if label is not None and label.holds(shipment.tracking_id) is False and shipment.state != State.CANCELLED:
        return _("its label names another tracking id than ours")
    if reason is None and label is None:
        return _("no label stored yet")
    if reason is None and layout == Layout.WITH_INVOICE and Paper.SLIP not in papers:
        return _("its invoice has not come")
    if reason is None and layout == Layout.INVOICES and not {Paper.INVOICE, Paper.SLIP} & papers.keys():
        return _("its invoice has not come")
    return reason


def why_pull(shipment: Shipment, now: datetime) -> str | None:
    """Why a printed parcel must not leave, or None.

    What was handed over meanwhile has left, and what a person has set aside is in their hands already.
    """
    if shipment.attention == Attention.PULL:
        return shipment.attention_says or _("needs a person")
    if shipment.set_aside_at or rules.has_left(State(shipment.state)):
        return None
    return rules.why_not(shipment, rules.Act.PRINT, now)


def pieces_of(line: PrintJobLine, papers: Mapping[str, Document], layout: str) -> list[Piece]:
    """What one line prints, from above. Pure."""
    return _pages_of(line, papers, layout)[1 if line.first_page_is_out else 0 :]


def has_further_pages(line: PrintJobLine, papers: Mapping[str, Document], layout: str) -> bool:
    """Whether more than one page belongs to what was printed, as long as it is still what is stored. Pure."""
    if Paper.LABEL not in papers or line.document_id not in {document.pk for document in papers.values()}:
        return False
    return layout == Layout.WITH_INVOICE or len(_pages_of(line, papers, layout)) > 1


def _pages_of(line: PrintJobLine, papers: Mapping[str, Document], layout: str) -> list[Piece]:
    label = papers[Paper.LABEL]
    if layout == Layout.AS_MADE and label.original_sha256:
        return [Piece(line, label, page, is_original=True) for page in range(label.original_pages)]
    printed = [label]
    if layout == Layout.WITH_INVOICE:
        printed.append(papers[Paper.SLIP])
    if layout == Layout.INVOICES:
        printed = [papers.get(Paper.INVOICE) or papers[Paper.SLIP]]
    return [Piece(line, document, page) for document in printed for page in range(document.pages)]


def could_not_check(line: PrintJobLine) -> bool:
    document = line.document
    return document is not None and document.paper == Paper.LABEL and document.holds(line.shipment.tracking_id) is None


# --- On which sheet --------------------------------------------------------------------------------------------------


def sheets(lines: Sequence[PrintJobLine], pieces: Mapping[int, Sequence[Piece]], options: Options) -> list[Sheet]:
    """The sheets in the order in which they leave the printer: from above, or from below for one that stacks face up.

    Each piece stands on one of them; a divider is alone. Pure.
    """
    slots = max(1, len(_ON_PAPER[Layout(options.layout)].slots))
    found: list[Sheet] = []
    open_sheet: list[Piece] = []
    before: Group | None = None
    for group, members in in_groups(lines, lambda line: group_of(line.shipment, options.sorting)):
        if needs_separator(before, group, wanted=options.has_separators):
            found += [tuple(open_sheet)] if open_sheet else []
            open_sheet = []
            found.append(Divider(group, len(members), sum(line.shipment.quantity for line in members)))
        for piece in (piece for line in members for piece in pieces[line.pk]):
            open_sheet.append(piece)
            if len(open_sheet) == slots:
                found.append(tuple(open_sheet))
                open_sheet = []
        before = group
    if open_sheet:
        found.append(tuple(open_sheet))
    return found[::-1] if options.is_reversed else found


def page_numbers(
    arranged: Sequence[Sheet], pieces: Mapping[int, Sequence[Piece]], *, behind: int = 0
) -> dict[int, int]:
    """By line, the page on which its first piece stands, when so many pages come before these sheets. Pure."""
    return {
        piece.line.pk: number
        for number, sheet in enumerate(arranged, start=behind + 1)
        if not isinstance(sheet, Divider)
        for piece in sheet
        if piece == pieces[piece.line.pk][0]
    }


def runs(lines: Sequence[PrintJobLine], options: Options) -> list[tuple[str, list[Run]]]:
    """The stack in its own order, alike neighbours together, under what they have in common beside that. Pure."""
    found = []
    for heading, members in in_groups(lines, lambda line: _heading(group_of(line.shipment, options.sorting), options)):
        alike = []
        for words, same in groupby(members, lambda line: what_to_take(line.shipment)):
            numbers = [line.page or 0 for line in same]
            first, last = min(numbers), max(numbers)
            on = _("page %(first)d") if first == last else _("pages %(first)d to %(last)d")
            alike.append(Run(words, len(numbers), on % {"first": first, "last": last}))
        found.append((heading, alike))
    return found


def _heading(group: Group, options: Options) -> str:
    words = group.words if options.sorting == Sorting.DISPATCH_BY else ""  # a SKU stands in each line
    return ", ".join(part for part in (group.facility, words) if part)


# --- The file --------------------------------------------------------------------------------------------------------


class _Unusable(Exception):
    """The stored paper of one line cannot be used."""

    def __init__(self, line: PrintJobLine, reason: str) -> None:
        super().__init__(reason)
        self.line = line


def lay_out(stack: PrintStack, plan: Plan) -> Stored | None:
    """The stored PDF of the plan, its summary on top; None when there is nothing to print.

    A line whose stored paper is lost or changed moves to the left out, and the rest is laid out anew. Opens scopes of
    its own for signs of progress; raises StorageFailed and TakenOver.
    """
    while plan.chosen:
        _arrange(stack, plan)
        try:
            with tempfile.TemporaryFile() as file:
                plan.pages = _write(stack, plan, file)
                return files.store_file(stack.job.seller, kind="print", file=file)
        except _Unusable as error:
            plan.leave_out(error.line, _("%(why)s; it is fetched again") % {"why": error})
            plan.lost.append(error.line.shipment_id)
    return None


def _arrange(stack: PrintStack, plan: Plan) -> None:
    """Sheets and page numbers; the summary lies on top, and its own pages count."""
    plan.sheets = sheets(plan.chosen, plan.pieces, plan.options)
    _number(plan, behind=0)
    if not plan.options.is_reversed:
        _number(plan, behind=page_count(_summary(stack, plan)))


def _number(plan: Plan, *, behind: int) -> None:
    numbers = page_numbers(plan.sheets, plan.pieces, behind=behind)
    for line in plan.chosen:
        line.page = numbers[line.pk]


def _write(stack: PrintStack, plan: Plan, file: BinaryIO) -> int:
    """The number of pages. Raises _Unusable for the first stored paper that is."""
    layout = _ON_PAPER[Layout(plan.options.layout)]
    given: list[PrintJobLine | None] = []
    try:
        return join(_labels(stack, plan, given), file, layout=layout)
    except LabelRefused as error:
        line = given[error.number - 1]
        if line is None:
            raise  # one of our own sheets
        raise _Unusable(line, _("its stored label cannot be printed")) from error


def _labels(stack: PrintStack, plan: Plan, given: list[PrintJobLine | None]) -> Iterator[Label]:
    """Page after page, each stored paper read once; `given` says whose they were."""
    summary = _summary(stack, plan)
    if not plan.options.is_reversed:
        yield from _alone(summary, given)
    reader = _Reader()
    done = 0
    for sheet in plan.sheets:
        if isinstance(sheet, Divider):
            yield from _alone(_divider(sheet, plan.options), given)
            continue
        for at, piece in enumerate(sheet):
            given.append(piece.line)
            note = _note(stack, piece) if piece == plan.pieces[piece.line.pk][0] else ""
            yield Label(reader.read(piece), note=note, page=piece.page, starts_sheet=at == 0)
            if piece == plan.pieces[piece.line.pk][0]:
                done += 1
                if done % LABELS_A_SIGN == 0:
                    _show_progress(stack, done)
    if plan.options.is_reversed:
        yield from _alone(summary, given, is_reversed=True)


def _alone(pdf: bytes, given: list[PrintJobLine | None], *, is_reversed: bool = False) -> Iterator[Label]:
    """A sheet of our own, of one page or of several."""
    numbers = range(page_count(pdf))
    for page in reversed(numbers) if is_reversed else numbers:
        given.append(None)
        yield Label(pdf, page=page, is_alone=True)


class _Reader:
    """The paper that was read last is kept: its next page may come next."""

    def __init__(self) -> None:
        self.held: tuple[int | None, bool] = (None, False)
        self.content = b""

    def read(self, piece: Piece) -> bytes:
        wanted = (piece.document.pk, piece.is_original)
        if wanted != self.held:
            document = piece.document
            key, sha256 = document.storage_key, document.sha256
            if piece.is_original:
                key, sha256 = document.original_key, document.original_sha256
            try:
                self.content = files.read_checked(key, sha256)
            except (StoredFileLost, StoredFileChanged) as error:
                raise _Unusable(piece.line, str(error)) from error
            self.held = wanted
        return self.content


def _note(stack: PrintStack, piece: Piece) -> str:
    """Where it lies, and what goes into the parcel: "B 31   TS-BLK-M x 2"."""
    unsure = "   " + _("could not check") if could_not_check(piece.line) else ""
    return f"{stack.letter} {piece.line.page}   {what_to_take(piece.line.shipment)}{unsure}"


def _divider(sheet: Divider, options: Options) -> bytes:
    facts = [
        ngettext("%(count)d parcel", "%(count)d parcels", sheet.parcels) % {"count": sheet.parcels},
        _pieces(sheet.quantity),
    ]
    words = sheet.group.words or sheet.group.facility
    return separator_pdf(heading=sheet.group.facility, words=words, facts=facts, sheet=sheet_of(options.layout))


def sheet_of(layout: str) -> tuple[float, float]:
    """The size of the sheets that we add ourselves."""
    return _ON_PAPER[Layout(layout)].sheet or sheets_of_paper.A4_SHEET


def _summary(stack: PrintStack, plan: Plan) -> bytes:
    left_out = [
        LeftOut(line.shipment.flipkart_shipment_id, line.shipment.flipkart_order_id, line.left_out)
        for line in [*plan.left_out_before, *plan.left_out]
    ]
    title = _("Stack %(letter)s, %(packer)s") if stack.packer else _("Stack %(letter)s")
    return summary_pdf(
        title=title % {"letter": stack.letter, "packer": stack.packer},
        facts=_facts(stack, plan),
        runs=runs(plan.whole, plan.options),
        left_out=left_out,
        sheet=sheet_of(plan.options.layout),
    )


def _facts(stack: PrintStack, plan: Plan) -> list[tuple[str, str]]:
    job = stack.job
    who = _(" by %(who)s") % {"who": job.asked_by.get_username()} if job.asked_by else ""
    pieces = sum(line.shipment.quantity for line in plan.whole)
    facts = [
        (_("Asked"), f"{in_ist(job.asked_at, now=plan.planned_at)}{who}"),
        (_("Laid out"), in_ist(plan.planned_at, now=plan.planned_at)),
        (_("Printed"), f"{plan.in_words()}; {_pieces(pieces)}"),
    ]
    if job.reprint_reason:
        facts.append((_("Printed again"), job.reprint_reason))
    if stack.unchecked_since:
        facts.append((_("Unchecked"), _("it was not read at Flipkart before this was printed")))
    if unsure := len(plan.unsure):
        words = ngettext("%(count)d label without text", "%(count)d labels without text", unsure)
        facts.append((_("Could not check"), words % {"count": unsure}))
    return facts


def _pieces(count: int) -> str:
    return ngettext("%(count)d piece", "%(count)d pieces", count) % {"count": count}


def _show_progress(stack: PrintStack, number: int) -> None:
    """And keeps the job, which may have passed to another worker. Raises TakenOver."""
    job = stack.job
    with seller_scope(stack.seller_id):
        PrintStack.objects.filter(pk=stack.pk, job__claim_token=job.claim_token).update(progress=number)
    if not work.keep([job]):
        raise work.TakenOver
