"""Fetches the papers of packed shipments until they are here: checked and cut in a child process, stored, then
written down.

A read: it may be repeated, and is, after 2, 4, 8 … 300 seconds, as long as nothing has come (guide 3.2, Issue 2). Where
packing takes its time, the shipment is looked at instead, at the pace of packing.
"""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from fulfillment import packing_looks, queries, unmerging
from fulfillment.keeping import Kept, keep_papers
from fulfillment.models import Document, LabelRequest, Paper, Step
from fulfillment.packing_looks import Look
from fulfillment.papers.types import ChildFailed, holds
from fulfillment.sending import NO_CONNECTION
from fulfillment.shown import mark_shown
from fulfillment.unmerging import CannotBeTold
from fulfillment.verdicts import WORDS_CANCELLED, WORDS_LATER, refusal_words, says_later, why_unread
from orders import reading, timeline
from orders.models import Shipment
from orders.states import BEFORE_PACK, HANDED_OVER, is_packed_or_later
from sellers import gateway
from shipcrowd import work
from shipcrowd.files import StorageFailed
from shipcrowd.flipkart.client import FlipkartClient
from shipcrowd.flipkart.types import Offer, Papers, State
from shipcrowd.tenancy import seller_scope
from shipcrowd.transport.errors import CallFailed, NotAuthorized, Refused, Throttled, UnexpectedPayload
from shipcrowd.transport.retry import next_look, next_look_at_packing
from shipcrowd.work import Attention

KIND = LabelRequest.KIND
# So often a bad paper is asked for again before a person hears of it; it is asked for further on.
BAD_PAPERS_BORNE = 3
# So often a label that is here waits for its invoice or its tracking id, half a minute in all; then it goes without.
LOOKS_FOR_THE_REST = 5
# So many papers' worth of work is lost with a worker that dies.
STORED_TOGETHER = 4
# From this look on, nothing having come, the shipment is read: "accepted" may not have become "packed" (guide-gaps 8).
LOOKS_ON_TRUST = 4


@dataclass(slots=True)
class Found:
    """What one look at Flipkart brought for one request.

    `trouble` says what cannot be used, `wants` what has not come yet.
    """

    row: LabelRequest
    kept: list[Kept] = field(default_factory=list)
    trouble: str = ""
    wants: str = ""
    is_other_parcel: bool = False

    @property
    def is_complete(self) -> bool:
        return not (self.trouble or self.wants or self.is_other_parcel)


def work_batch(*, seller_id: int) -> bool:
    """Claims one batch whose papers may be ready and brings each row further. True when there may be more."""
    try:
        client = gateway.client_for(seller_id)
    except CallFailed:
        after, says = timedelta(seconds=60), str(NO_CONNECTION)
        work.wait_all(LabelRequest, seller_id=seller_id, only=Q(step=Step.FETCH), after=after, says=says)
        return False
    looks = packing_looks.due(seller_id, most=client.limits.ids) if client.wire.ABILITIES.packs_later else {}
    rows = work.claim_due(
        LabelRequest,
        seller_id=seller_id,
        limit=client.limits.papers,
        only=Q(step=Step.FETCH),
        related=["shipment", "seller"],
    )
    if not rows:
        return False
    with work.mistakes_noted(rows):
        _work(client, rows, looks)
    return True


def _work(client: FlipkartClient, rows: list[LabelRequest], looks: dict[int, Look], *, is_half: bool = False) -> None:
    wanted = [row for row in rows if row.shipment.state != State.CANCELLED]
    _settle_cancelled([row for row in rows if row not in wanted])
    left = [row for row in wanted if _left_without_label(row)]
    _settle_left(left)
    wanted = [row for row in wanted if row not in left]
    if not wanted:
        return
    try:
        wanted = _settle_unready(client, wanted, looks)
        if not wanted:
            return
        shown_at = work.database_now()
        by_id = _download(client, wanted)
        work.crash_point(f"{KIND}.fetched")
        gateway.heard(wanted[0].seller_id, None)
        here = [row for row in wanted if _has_label(by_id, row)]
        _read_tracking_ids(client, [row for row in here if not row.shipment.tracking_id])
        _read_invoice_numbers(client, here)
    except CannotBeTold:
        _work_in_halves(client, wanted)
        return
    except ChildFailed as error:
        _settle_unread(wanted, error)
        return
    except Refused as error:
        gateway.heard(wanted[0].seller_id, error)
        _settle_refused(client, wanted, error, is_half=is_half)
        return
    except UnexpectedPayload as error:
        gateway.heard(wanted[0].seller_id, error)
        _settle_unusable(client, wanted, error)
        return
    except CallFailed as error:
        gateway.heard(wanted[0].seller_id, error)
        _settle_unanswered(wanted, error)
        return
    _settle_not_here(client, [row for row in wanted if row not in here])
    _store(client, here, by_id, shown_at=shown_at)


def _settle_unready(client: FlipkartClient, rows: list[LabelRequest], looks: dict[int, Look]) -> list[LabelRequest]:
    """Those whose papers may be asked for; the others are settled. Raises what reading raises.

    Where packing takes its time, one that is not packed yet would spoil the call for all.
    """
    if not client.wire.ABILITIES.packs_later:
        return rows
    again = packing_looks.look(client, rows, looks, now=work.database_now())
    if again.failed is not None:
        raise again.failed
    _refresh(rows)
    ready = [row for row in rows if row.shipment_id in again.read and is_packed_or_later(State(row.shipment.state))]
    _settle_not_here(client, [row for row in rows if row not in ready])
    return ready


def _download(client: FlipkartClient, rows: Sequence[LabelRequest]) -> dict[str, Papers]:
    """Papers by Flipkart's shipment id. Raises what the calls raise, and CannotBeTold."""
    ids = [row.shipment.flipkart_shipment_id for row in rows]
    if client.wire.ABILITIES.papers_apart:
        return {paper.flipkart_shipment_id: paper for paper in client.download_papers(ids).apart}
    # First: pages are told apart by the tracking ids of their parcels.
    _read_tracking_ids(client, [row for row in rows if not row.shipment.tracking_ids])
    merged = client.download_papers(ids).merged
    return unmerging.apart(rows, merged) if merged is not None else {}


def _work_in_halves(client: FlipkartClient, rows: list[LabelRequest]) -> None:
    half = len(rows) // 2
    _work(client, rows[:half], {}, is_half=True)
    _work(client, rows[half:], {}, is_half=True)


def _has_label(by_id: dict[str, Papers], row: LabelRequest) -> bool:
    paper = by_id.get(row.shipment.flipkart_shipment_id)
    return paper is not None and (paper.label is not None or any(note.startswith("label") for note in paper.notes))


def _read_tracking_ids(client: FlipkartClient, rows: Sequence[LabelRequest]) -> None:
    """Reads these shipments by id: only a packed one has its tracking id, and a label's own text is checked against it.

    It also tells who has been cancelled meanwhile. Raises what ended it.
    """
    if not rows:
        return
    if not client.wire.ABILITIES.tracking_in_search:
        reading.read_details(seller_id=rows[0].seller_id, shipments=[row.shipment for row in rows], client=client)
        _refresh(rows)
        return
    _read_again(client, rows)


def _read_invoice_numbers(client: FlipkartClient, rows: Sequence[LabelRequest]) -> None:
    """Where they come by a call of their own. A label that is here does not wait for it long."""
    if not rows or not _tells_invoices_apart(client):
        return
    try:
        reading.read_invoice_numbers(
            seller_id=rows[0].seller_id, shipments=[row.shipment for row in rows], client=client
        )
    except CallFailed as error:
        gateway.heard(rows[0].seller_id, error)
    _refresh(rows)


def _tells_invoices_apart(client: FlipkartClient) -> bool:
    return Offer.INVOICES in client.wire.ABILITIES.offers


def _read_again(client: FlipkartClient, rows: Sequence[LabelRequest]) -> set[int]:
    """The shipments (our keys) that were read; the rows have them as they are now. Raises what ended it."""
    again = reading.read_again(seller_id=rows[0].seller_id, shipments=[row.shipment for row in rows], client=client)
    if again.failed is not None:
        raise again.failed
    _refresh(rows)
    return again.read


def _refresh(rows: Sequence[LabelRequest]) -> None:
    with seller_scope(rows[0].seller_id):
        fresh = Shipment.objects.in_bulk([row.shipment_id for row in rows])
    for row in rows:
        row.shipment = fresh[row.shipment_id]


def _store(client: FlipkartClient, rows: list[LabelRequest], by_id: dict[str, Papers], *, shown_at: datetime) -> None:
    """A few at a time: reading a stranger's PDF takes long, and a worker that dies leaves little to be done again.

    The lease of all that are left begins anew meanwhile; when it has passed to somebody else, they are theirs.
    """
    stored = _stored_before(rows)
    kept_at = float("-inf")
    for start in range(0, len(rows), STORED_TOGETHER):
        founds: list[Found] = []
        for row in rows[start : start + STORED_TOGETHER]:
            if time.monotonic() - kept_at > settings.LEASE_SECONDS / 3:
                if not work.keep(rows[start:]):
                    return
                kept_at = time.monotonic()
            found = _keep(row, by_id[row.shipment.flipkart_shipment_id], but=stored[row.shipment_id])
            founds.append(found)
            if found.is_complete and _tells_invoices_apart(client) and not row.shipment.invoice_number:
                found.wants = _("its invoice number") if row.fetches < LOOKS_FOR_THE_REST else ""
        founds = _look_again_at_other_parcels(client, founds, by_id)
        work.crash_point(f"{KIND}.stored")
        _settle_here(founds, shown_at=shown_at)


def _stored_before(rows: Sequence[LabelRequest]) -> dict[int, set[str]]:
    """Papers of each shipment that need not be stored again.

    A label counts while its shipment says so: a lost file does not.
    """
    stored: dict[int, set[str]] = {row.shipment_id: set() for row in rows}
    if not rows:
        return stored
    with seller_scope(rows[0].seller_id):
        for document in queries.newest_papers(
            rows[0].seller_id, list(stored), [Paper.INVOICE, Paper.MANIFEST, Paper.UNSPLIT]
        ):
            stored[document.shipment_id].add(document.paper)
    for row in rows:
        if row.shipment.label_stored_at:
            stored[row.shipment_id].add(Paper.LABEL)
    return stored


def _keep(row: LabelRequest, papers: Papers, *, but: Collection[str] = ()) -> Found:
    """The papers of one shipment, stored as far as they can be used. No scope is open."""
    tracking_id = row.shipment.tracking_id
    if not tracking_id and row.fetches < LOOKS_FOR_THE_REST:
        return Found(row, wants=_("its tracking id"))
    try:
        kept, trouble = keep_papers(row.seller, papers, tracking_id=tracking_id, but=but)
    except StorageFailed as error:
        return Found(row, wants=_("a place to store it: %(why)s") % {"why": error})
    except ChildFailed as error:
        return Found(row, wants=_a_way_to_read(error))
    found = Found(row, kept=kept, trouble=trouble)
    label = next((paper for paper in kept if paper.paper == Paper.LABEL), None)
    found.is_other_parcel = label is not None and holds(label.tracking_ids, tracking_id) is False
    has_invoice = papers.invoice is not None or any(paper.paper == Paper.INVOICE for paper in kept)
    if not has_invoice and Paper.INVOICE not in but and not trouble and row.fetches < LOOKS_FOR_THE_REST:
        found.wants = _("its invoice")
    return found


def _look_again_at_other_parcels(client: FlipkartClient, founds: list[Found], by_id: dict[str, Papers]) -> list[Found]:
    """A label that names another tracking id than ours: perhaps ours is the old one, so it is fetched once more."""
    odd = [found.row for found in founds if found.is_other_parcel]
    if not odd:
        return founds
    try:
        _read_tracking_ids(client, odd)
    except CallFailed:
        return founds  # kept back for a person, as if it had said the same
    return [
        _keep(found.row, by_id[found.row.shipment.flipkart_shipment_id]) if found.is_other_parcel else found
        for found in founds
    ]


# --- Settling --------------------------------------------------------------------------------------------------------


def _settle_cancelled(rows: Sequence[LabelRequest]) -> None:
    if not rows:
        return
    with seller_scope(rows[0].seller_id):
        ours = work.withdrawn(rows, says=_void())
        _tell(rows, ours, _not_fetched(str(WORDS_CANCELLED)))


def _void() -> str:
    return _("%(why)s: its label is void") % {"why": WORDS_CANCELLED}


def _not_fetched(why: str) -> str:
    return _("label not fetched: %(why)s") % {"why": why}


def _left_without_label(row: LabelRequest) -> bool:
    """Asked for at least once, and no longer of use to anybody: it would be asked for until the end of days."""
    shipment = row.shipment
    return row.fetches > 0 and shipment.label_stored_at is None and shipment.state in HANDED_OVER


def _settle_left(rows: Sequence[LabelRequest]) -> None:
    if not rows:
        return
    says = _("left the house without a label of ours")
    with seller_scope(rows[0].seller_id):
        _tell(rows, work.withdrawn(rows, says=says), _not_fetched(says))


def _settle_unanswered(rows: Sequence[LabelRequest], error: CallFailed) -> None:
    """Nothing was said about the labels, so it counts as no look: after an outage they are asked for soon again.

    What went unanswered in a row is counted in `read_backs`, which has no other use in this step.
    """
    if isinstance(error, Throttled) and error.retry_after:
        work.rest(rows[0].seller_id, KIND, after=error.retry_after)
    now = timezone.now()
    says = (_("waiting for the label: %(why)s") % {"why": why_unread(error, now=now)})[:300]
    with seller_scope(rows[0].seller_id):
        for row in rows:
            after = min(next_look(row.read_backs + 1), timedelta(seconds=settings.GRACE_SECONDS))
            attention = _late(row, now)
            if isinstance(error, Throttled):
                after = max(after, error.retry_after or after)
            if isinstance(error, NotAuthorized):
                attention, after = Attention.RECONNECT, settings.READ_AGAIN_AFTER
            ours = work.put_off([row], after=after, says=says, attention=attention)
            LabelRequest.objects.filter(pk__in=ours).update(read_backs=F("read_backs") + 1)


def _settle_unread(rows: Sequence[LabelRequest], error: ChildFailed) -> None:
    """They came and cannot be read on this machine just now, which says nothing about the papers."""
    now = timezone.now()
    with seller_scope(rows[0].seller_id):
        for row in rows:
            says = _("waiting for %(what)s") % {"what": _a_way_to_read(error)}
            _look_later([row], after=next_look(row.fetches + 1), says=says, attention=_late(row, now))


def _a_way_to_read(error: ChildFailed) -> str:
    return _("a way to read it: %(why)s") % {"why": error}


def _settle_refused(client: FlipkartClient, rows: list[LabelRequest], error: Refused, *, is_half: bool) -> None:
    """Flipkart does not give these papers. One bad id does not condemn a batch: it is asked for in halves.

    A 404 with a code says that it knows none of them (guide-gaps 10): those whose shipments are gone never come.
    """
    if says_later(error):
        _settle_not_now(client, rows, is_half=is_half)
    elif reading.knows_none(error):
        _settle_unknown(client, rows)
    elif len(rows) > 1:
        _work_in_halves(client, rows)
    else:
        attention = Attention.REFUSED if rows[0].fetches + 1 >= BAD_PAPERS_BORNE else _late(rows[0], timezone.now())
        says = _("%(why)s: its label is asked for again") % {"why": refusal_words(error.code)}
        with seller_scope(rows[0].seller_id):
            _look_later(rows, after=next_look(rows[0].fetches + 1), says=says, attention=attention)


def _settle_not_now(client: FlipkartClient, rows: list[LabelRequest], *, is_half: bool) -> None:
    """Flipkart cannot give them just now: as a rule none of them, and asking for each would only spend the quota.

    Where it says so again and again, one of them may be the cause. Then each look asks for two halves and no less: an
    outage costs little more, and what is good gets out of the bad one's way half by half.
    """
    if len(rows) > 1 and not is_half and max(row.fetches for row in rows) + 1 >= BAD_PAPERS_BORNE:
        _work_in_halves(client, rows)
        return
    now = timezone.now()
    with seller_scope(rows[0].seller_id):
        for row in rows:
            _look_later([row], after=next_look(row.fetches + 1), says=str(WORDS_LATER), attention=_late(row, now))


def _settle_unusable(client: FlipkartClient, rows: list[LabelRequest], error: UnexpectedPayload) -> None:
    """The answer is too large, or not in the format: the same question gets the same answer, a smaller one may not."""
    if len(rows) > 1:
        _work_in_halves(client, rows)
        return
    (row,) = rows
    attention = Attention.BAD_PAPER if row.fetches + 1 >= BAD_PAPERS_BORNE else _late(row, timezone.now())
    says = _("Flipkart's answer about its papers cannot be used (%(why)s): asked for again") % {"why": error.problem}
    with seller_scope(row.seller_id):
        _look_later(rows, after=next_look(row.fetches + 1), says=says[:300], attention=attention)


def _settle_unknown(client: FlipkartClient, rows: list[LabelRequest]) -> None:
    again = reading.read_again(seller_id=rows[0].seller_id, shipments=[row.shipment for row in rows], client=client)
    gone = [row for row in rows if row.shipment_id in again.missing]
    says = _("Flipkart no longer knows this shipment: its label will not come")
    now = timezone.now()
    with seller_scope(rows[0].seller_id):
        _tell(gone, work.given_up(gone, because=Attention.REFUSED, says=says), says)
        for row in rows:
            if row not in gone:
                _look_later(
                    [row],
                    after=next_look(row.fetches + 1),
                    says=_("waiting: Flipkart did not know this shipment when its label was asked for"),
                    attention=_late(row, now),
                )


def _settle_here(founds: Sequence[Found], *, shown_at: datetime) -> None:
    """Writes down what was stored, each row its own outcome; what another worker has settled is left alone."""
    if not founds:
        return
    now, seller_id = timezone.now(), founds[0].row.seller_id
    with seller_scope(seller_id):
        shipments = queries.lock_shipments(seller_id, [found.row.shipment_id for found in founds])
        cancelled = {shipment.pk for shipment in shipments if shipment.state == State.CANCELLED}
        ours: set[int] = set()
        for found in founds:
            ours |= _settle_one(found, is_cancelled=found.row.shipment_id in cancelled, now=now)
        settled = [found for found in founds if found.row.pk in ours]
        _write_documents(settled)
        stored = [found.row.shipment_id for found in settled if _may_be_printed(found)]
        Shipment.objects.filter(seller_id=seller_id, pk__in=stored).update(label_stored_at=now)
        mark_shown(seller_id, [pk for pk in stored if pk not in cancelled], State.PACKED, at=shown_at)
        told = [found.row for found in settled if _may_be_printed(found) and found.row.shipment_id not in cancelled]
        _tell(told, ours, _("label stored"))
        work.crash_point(f"{KIND}.storing")


def _settle_one(found: Found, *, is_cancelled: bool, now: datetime) -> set[int]:
    row = found.row
    if is_cancelled:
        return work.withdrawn([row], says=_void())
    if found.is_other_parcel:
        says = _("kept back: the label that came names another tracking id than ours")
        ours = work.given_up([row], because=Attention.BAD_PAPER, says=says)
        _tell([row], ours, says)
        return ours
    if found.trouble:
        attention = Attention.BAD_PAPER if row.fetches + 1 >= BAD_PAPERS_BORNE else _late(row, now)
        says = _("a paper that came cannot be used (%(why)s): asked for again") % {"why": found.trouble}
        return _look_later([row], after=next_look(row.fetches + 1), says=says, attention=attention)
    if found.wants:
        says = _("waiting for %(what)s") % {"what": found.wants}
        return _look_later([row], after=next_look(row.fetches + 1), says=says, attention=_late(row, now))
    return work.done([row], says=_("label stored"))


def _may_be_printed(found: Found) -> bool:
    return not found.is_other_parcel and any(paper.paper == Paper.LABEL for paper in found.kept)


def _write_documents(founds: Sequence[Found]) -> None:
    """A row for each stored paper; an earlier version stays beside it."""
    if not founds:
        return
    seller_id = founds[0].row.seller_id
    newest = queries.newest_versions(seller_id, [found.row.shipment_id for found in founds])
    documents = [
        kept.as_document(found.row.shipment, version=newest.get((found.row.shipment_id, kept.paper), 0) + 1)
        for found in founds
        for kept in found.kept
    ]
    Document.objects.bulk_create(documents)


def _settle_not_here(client: FlipkartClient, rows: Sequence[LabelRequest]) -> None:
    """No label yet: again after a growing pause; after a few looks the shipment itself is read."""
    if not rows:
        return
    doubted = [row for row in rows if row.fetches + 1 >= LOOKS_ON_TRUST and row.shipment.state in BEFORE_PACK]
    read = (
        reading.read_again(seller_id=rows[0].seller_id, shipments=[row.shipment for row in doubted], client=client).read
        if doubted
        else set()
    )
    now = timezone.now()
    with seller_scope(rows[0].seller_id):
        shipments = {s.pk: s for s in queries.lock_shipments(rows[0].seller_id, [row.shipment_id for row in rows])}
        for row in rows:
            state = State(shipments[row.shipment_id].state)
            if state == State.CANCELLED:
                ours = work.withdrawn([row], says=_void())
                _tell([row], ours, _not_fetched(str(WORDS_CANCELLED)))
            elif row.shipment_id in read and state in BEFORE_PACK:
                _back_to_packing(row)
            elif state == State.FORM_FAILED:
                says = _("waiting: Flipkart packs it only once a form is acknowledged")
                _look_later([row], after=settings.READ_AGAIN_AFTER, says=says, attention=Attention.FORM)
            else:
                asked = row.fetches + 1
                words = ngettext(
                    "waiting for the label; asked %(count)d times",
                    "waiting for the label; asked %(count)d times",
                    asked,
                )
                packs_later = client.wire.ABILITIES.packs_later and not is_packed_or_later(state)
                _look_later(
                    [row],
                    # What is accepted was looked at once before: look number 1 is the one that has just been in vain.
                    after=next_look_at_packing(row.fetches + 2) if packs_later else next_look(row.fetches + 1),
                    says=words % {"count": asked},
                    attention=_late(row, now),
                )


def _back_to_packing(row: LabelRequest) -> None:
    """Accepted, and yet not packed: in doubt again, so it is read back once more before it is sent again."""
    after = timedelta(seconds=settings.GRACE_SECONDS)
    ours = work.lost([row], after=after, says=_("Flipkart accepted it but has not packed it: will be read back"))
    LabelRequest.objects.filter(pk__in=ours).update(step=Step.PACK, read_backs=0)


def _look_later(rows: Sequence[LabelRequest], *, after: timedelta, says: str, attention: Attention | str) -> set[int]:
    ours = work.put_off(rows, after=after, says=says, attention=attention)
    LabelRequest.objects.filter(pk__in=ours).update(fetches=F("fetches") + 1, read_backs=0)
    return ours


def _late(row: LabelRequest, now: datetime) -> Attention | str:
    """The machine goes on asking; a person should know, since the parcel must leave."""
    is_late = row.packed_at is not None and now - row.packed_at > settings.LABEL_LATE_AFTER
    return Attention.LATE if is_late else ""


def _tell(rows: Sequence[LabelRequest], ours: set[int], says: str) -> None:
    told = [row.shipment_id for row in rows if row.pk in ours]
    if told:
        timeline.note(rows[0].seller_id, told, KIND, says)
