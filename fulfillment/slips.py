"""Invoices cut for 4x6 sheets, made when a stack first wants them and kept beside the other papers.

Cutting reads a stranger's PDF in the child process and takes up to half a second each, so a stack's are made over as
many turns as it takes; a worker that dies loses a few.
"""

import time
from collections.abc import Mapping, Sequence

from django.utils.translation import gettext as _

from fulfillment import queries
from fulfillment.models import Document, Paper, PrintJobLine, PrintStack
from fulfillment.options import Layout
from fulfillment.papers.checking import cut_slips_in_child
from fulfillment.papers.types import CutLabel, PaperRefused
from shipcrowd import files, work
from shipcrowd.files import StoredFileChanged, StoredFileLost
from shipcrowd.tenancy import seller_scope

SECONDS_A_TURN = 30.0
WRITTEN_TOGETHER = 8


def prepare(stack: PrintStack) -> int:
    """Makes what the stack's layout lacks, for so long as a turn lasts; how many are still to be made.

    A line whose invoice cannot be had or cut is left out in words. Opens scopes of its own; raises StorageFailed and
    TakenOver.
    """
    if stack.job.layout not in (Layout.WITH_INVOICE, Layout.INVOICES):
        return 0
    with seller_scope(stack.seller_id):
        wanted = _wanted(stack)
    until = time.monotonic() + SECONDS_A_TURN
    for start in range(0, len(wanted), WRITTEN_TOGETHER):
        if start and time.monotonic() > until:
            return len(wanted) - start
        made = [(line, _make(stack, line, source)) for line, source in wanted[start : start + WRITTEN_TOGETHER]]
        with seller_scope(stack.seller_id):
            _write(made)
        if not work.keep([stack.job]):
            raise work.TakenOver
    return 0


def may_be_had(papers: Mapping[str, Document]) -> bool:
    """Whether an invoice is among a shipment's stored papers, or may be cut of the page that its label was on. Pure."""
    label = papers.get(Paper.LABEL)
    return bool({Paper.SLIP, Paper.INVOICE} & papers.keys() or (label and label.original_sha256))


def _wanted(stack: PrintStack) -> list[tuple[PrintJobLine, Document]]:
    """Lines without a slip where they need one, and what it is to be cut from: the invoice, else the label's page."""
    lines = list(queries.lines_of_stack(stack).filter(left_out=""))
    papers: dict[int, dict[str, Document]] = {}
    ids = [line.shipment_id for line in lines]
    for document in queries.newest_papers(stack.seller_id, ids, (Paper.LABEL, Paper.INVOICE, Paper.SLIP)):
        papers.setdefault(document.shipment_id, {})[document.paper] = document
    enough = {Paper.SLIP} if stack.job.layout == Layout.WITH_INVOICE else {Paper.SLIP, Paper.INVOICE}
    wanted = []
    for line in lines:
        own = papers.get(line.shipment_id, {})
        if Paper.LABEL in own and not enough & own.keys():
            wanted.append((line, own.get(Paper.INVOICE) or own[Paper.LABEL]))
    return wanted


def _make(stack: PrintStack, line: PrintJobLine, source: Document) -> Document | str:
    """The slip's row, unsaved, its file stored; or why there is none."""
    has_label = source.paper == Paper.LABEL
    if has_label and not source.original_sha256:
        return _("its invoice has not come")
    key, sha256 = (source.original_key, source.original_sha256) if has_label else (source.storage_key, source.sha256)
    try:
        cut: CutLabel = cut_slips_in_child(files.read_checked(key, sha256), has_label=has_label)
    except PaperRefused as refused:
        if has_label:
            return _("its invoice has not come")
        return _("its invoice cannot be cut for 4x6: %(why)s") % {"why": refused.reason}
    except (StoredFileLost, StoredFileChanged) as error:
        return _("its invoice: %(why)s") % {"why": error}
    stored = files.store(stack.job.seller, kind=Paper.SLIP.value, content=cut.pdf)
    return Document(
        seller_id=stack.seller_id,
        shipment_id=line.shipment_id,
        paper=Paper.SLIP,
        version=source.version,
        storage_key=stored.key,
        sha256=stored.sha256,
        size=stored.size,
        pages=cut.pages,
        cut_by=cut.found_by,
    )


def _write(made: Sequence[tuple[PrintJobLine, Document | str]]) -> None:
    # Two jobs may want the same invoices at once: who comes second keeps what is there.
    Document.objects.bulk_create([slip for _line, slip in made if isinstance(slip, Document)], ignore_conflicts=True)
    for line, reason in made:
        if isinstance(reason, str):
            PrintJobLine.objects.filter(pk=line.pk).update(left_out=reason[:300])
