"""Makes stored papers of what Flipkart sent: checked to be a whole PDF, made safe, a label cut out of its page, then
put away.

Runs without a scope or a transaction: a stranger's PDF is read by a child process, and the storage may be slow.
"""

from collections.abc import Collection
from dataclasses import dataclass

from fulfillment.models import Document, Paper
from fulfillment.papers.checking import check_in_child, cut_in_child, cut_invoice_in_child
from fulfillment.papers.types import PaperRefused, bare_id
from orders.models import Shipment
from sellers.models import Seller
from shipcrowd import files
from shipcrowd.files import Stored
from shipcrowd.flipkart.types import Papers

MOST_IDS = 20
LONGEST_ID = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One stored paper. `original` is the page a label was cut from; `tracking_ids` None: it has no text."""

    paper: Paper
    stored: Stored
    pages: int
    original: Stored | None = None
    original_pages: int = 0
    cut_by: str = ""
    tracking_ids: tuple[str, ...] | None = None

    def as_document(self, shipment: Shipment, *, version: int) -> Document:
        """Its row, unsaved."""
        return Document(
            seller_id=shipment.seller_id,
            shipment=shipment,
            paper=self.paper,
            version=version,
            storage_key=self.stored.key,
            original_key=self.original.key if self.original else "",
            original_sha256=self.original.sha256 if self.original else "",
            original_pages=self.original_pages,
            sha256=self.stored.sha256,
            size=self.stored.size,
            pages=self.pages,
            cut_by=self.cut_by,
            tracking_ids=None if self.tracking_ids is None else list(self.tracking_ids),
        )


def keep_papers(
    seller: Seller, papers: Papers, *, tracking_id: str, but: Collection[str] = ()
) -> tuple[list[Kept], str]:
    """What could be stored, and why something could not ("label: it is cut off"), "" when all was good.

    `but` are papers that are stored already. A bad invoice does not hold back a good label. Raises StorageFailed when
    nothing can be put away just now, ChildFailed when no PDF can be read here at all.
    """
    kept: list[Kept] = []
    troubles = list(papers.notes)
    for paper, content in (
        (Paper.LABEL, papers.label),
        (Paper.INVOICE, papers.invoice),
        (Paper.MANIFEST, papers.manifest),
        (Paper.UNSPLIT, papers.unsplit),
    ):
        if content is None or paper in but:
            continue
        try:
            kept.append(
                _keep_label(seller, content, tracking_id) if paper == Paper.LABEL else _keep(seller, paper, content)
            )
        except PaperRefused as error:
            troubles.append(f"{paper.value}: {error}")
    if papers.invoice_below and papers.label is not None and Paper.INVOICE not in but:
        kept += _keep_invoice_below(seller, papers.label)
    return kept, "; ".join(troubles)[:200]


def _keep_invoice_below(seller: Seller, page: bytes) -> list[Kept]:
    """The invoice alone, of a page that has one; of a label alone there is none."""
    try:
        _, cut = cut_invoice_in_child(page)
    except PaperRefused:
        return []
    stored = files.store(seller, kind=Paper.INVOICE.value, content=cut.pdf)
    return [Kept(paper=Paper.INVOICE, stored=stored, pages=cut.pages, cut_by=cut.found_by)]


def _keep_label(seller: Seller, content: bytes, tracking_id: str) -> Kept:
    checked, cut = cut_in_child(content)
    found = cut.tracking_ids
    if found is not None and cut.holds(tracking_id):
        found = tuple(dict.fromkeys((bare_id(tracking_id), *found)))  # whatever ids of this courier look like
    return Kept(
        paper=Paper.LABEL,
        stored=files.store(seller, kind=Paper.LABEL.value, content=cut.pdf),
        original=files.store(seller, kind="original", content=checked.pdf),
        original_pages=checked.pages,
        pages=cut.pages,
        cut_by=cut.found_by,
        tracking_ids=found and tuple(one[:LONGEST_ID] for one in found[:MOST_IDS]),
    )


def _keep(seller: Seller, paper: Paper, content: bytes) -> Kept:
    checked = check_in_child(content)
    return Kept(paper=paper, stored=files.store(seller, kind=paper.value, content=checked.pdf), pages=checked.pages)
