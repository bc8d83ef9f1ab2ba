"""Hand-over: what waits for which courier at which facility, and the sheet that is signed when it leaves.

A sheet names what is ready to dispatch and neither held nor set aside, with Flipkart's manifest behind it where there
is one: it came with the labels, or is fetched now. On top stand the parcels that must be pulled first. It is made as a
work row, since the shipments are read again before; when Flipkart does not answer it is made all the same, and says
since when nothing was read. Where only our quota of calls is spent it waits a little first.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from fulfillment import presses, pulling, queries
from fulfillment.manifests import Manifests, fetch_manifests
from fulfillment.models import Document, HandOver, Paper
from fulfillment.papers.hand_over_sheets import ToPull, hand_over_pdf
from fulfillment.papers.joining import Label, join
from fulfillment.papers.layout import AS_MADE
from fulfillment.papers.types import LabelRefused
from fulfillment.verdicts import in_ist
from orders import reading, timeline
from orders.models import Reading, Shipment
from orders.queries import not_collected, parcels, still_to_pull
from orders.rules import in_indian_words
from orders.stages import ready_for_courier
from sellers.models import Facility, Seller, User
from shipcrowd import audit, files, queue, work
from shipcrowd.files import StorageFailed, Stored, StoredFileChanged, StoredFileLost
from shipcrowd.tenancy import require_scope, seller_scope
from shipcrowd.transport.errors import CallFailed, Throttled
from shipcrowd.work import Attention

KIND = HandOver.KIND
ASK_AGAIN = timedelta(seconds=30)
# So long a sheet waits for a quota that is spent; the courier waits no longer.
LONGEST_WAIT = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for one courier at one facility, counted in parcels; `last` is the newest sheet."""

    facility: Facility | None
    courier: str
    parcels: int
    to_pull: int
    not_collected: int
    last: HandOver | None


def waiting(seller: Seller, now: datetime) -> list[Waiting]:
    """By facility and courier, in a constant number of statements; in the seller's scope."""
    require_scope(seller)
    rows = (
        Shipment.objects.filter(ready_for_courier(now) | _to_pull(), seller=seller)
        .order_by()
        .values_list("facility_id", "courier")
        .annotate(
            ready=parcels(ready_for_courier(now)),
            to_pull=still_to_pull(_to_pull()),
            late=parcels(ready_for_courier(now) & not_collected(seller, now)),
        )
    )
    places = {place.pk: place for place in Facility.objects.filter(seller=seller)}
    newest = HandOver.objects.filter(seller=seller).order_by("facility_id", "courier", "-pk")
    sheets = {
        (sheet.facility_id, sheet.courier): sheet
        for sheet in newest.distinct("facility_id", "courier").select_related("asked_by")
    }
    found = [
        Waiting(places.get(facility_id or 0), courier, ready, to_pull, late, sheets.get((facility_id, courier)))
        for facility_id, courier, ready, to_pull, late in rows
    ]
    return sorted(found, key=lambda one: (one.facility is None, one.facility.name if one.facility else "", one.courier))


def request_hand_over(
    *, seller: Seller, facility: Facility | None, courier: str, by: User, once: UUID | None = None
) -> HandOver:
    """A sheet of what waits there now; `once` names the press. Rings the bell in the same transaction."""
    require_scope(seller)
    with transaction.atomic():
        row, is_new = HandOver.objects.get_or_create(
            seller=seller,
            public_id=presses.row_id(seller, once),
            defaults={"facility": facility, "courier": courier, "asked_by": by, "wake_at": Now()},
        )
        if is_new:
            audit.record(by, "asked for a hand-over sheet", seller=seller, rows=[row])
            queue.ring(seller.pk, KIND)
    return row


def sheets(seller: Seller) -> QuerySet[HandOver]:
    """Newest first; facility and who asked are joined."""
    return HandOver.objects.filter(seller=seller).select_related("facility", "asked_by").order_by("-pk")


def work_due(*, seller_id: int) -> bool:
    """One sheet. True when there may be more."""
    rows = work.claim_due(HandOver, seller_id=seller_id, limit=1, related=["seller", "facility", "asked_by"])
    if not rows:
        return False
    with work.mistakes_noted(rows):
        _make(rows[0])
    return True


# --- The sheet -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Content:
    shipments: list[Shipment]
    to_pull: list[ToPull]
    manifests: list[Document | bytes]  # those that came with the labels, then those that were fetched now
    codes: tuple[str, ...]  # against which Flipkart wants them handed over, where it says so
    counted: int | None  # by Flipkart, where it says so
    trouble: str  # with the manifest that was to be fetched
    unchecked: CallFailed | None  # why not all could be read again
    read_since: datetime | None  # when the one that was read longest ago was read, where it is unchecked

    @property
    def parcel_ids(self) -> list[str]:
        """What each parcel is called: its tracking id, of those that have one."""
        return [one for shipment in self.shipments for one in shipment.parcel_ids or [shipment.flipkart_shipment_id]]


def _make(row: HandOver) -> None:
    with seller_scope(row.seller_id):
        ids = list(_parcels(row, timezone.now()).values_list("pk", flat=True))
    unread, error = reading.read_stale(row.seller_id, ids, before=timezone.now() - settings.READ_AGAIN_AFTER)
    unchecked = error if unread else None
    if isinstance(unchecked, Throttled) and _waits(row, unchecked):
        return
    fetched = fetch_manifests(row.seller_id, facility=row.facility, courier=row.courier) if ids else Manifests()
    if fetched.throttled and _waits(row, fetched.throttled):
        return
    now = timezone.now()
    with seller_scope(row.seller_id):
        content = _read(row, now, fetched, unchecked)
    try:
        stored, pages = _store(row, content, now)
    except StorageFailed as failed:
        with seller_scope(row.seller_id):
            work.put_off([row], after=ASK_AGAIN, says=_("waiting: %(why)s") % {"why": failed})
        return
    work.crash_point(f"{KIND}.stored")
    _finish(row, content, stored, pages, now=now)


def _waits(row: HandOver, error: Throttled) -> bool:
    """Whether the sheet is put off until calls may be made again, and not made as it is: it has waited long enough."""
    pause = pause_for_quota(row.asked_at, work.database_now(), error.retry_after)
    if pause is None:
        return False
    with seller_scope(row.seller_id):
        work.put_off([row], after=pause, says=_("waiting: %(why)s") % {"why": error.says})
    return True


def pause_for_quota(asked_at: datetime, now: datetime, retry_after: timedelta | None) -> timedelta | None:
    """How long a sheet waits now, never beyond LONGEST_WAIT in all; None once that is over. Pure."""
    left = asked_at + LONGEST_WAIT - now
    return min(retry_after or ASK_AGAIN, left) if left > timedelta(0) else None


def _read(row: HandOver, now: datetime, fetched: Manifests, unchecked: CallFailed | None) -> _Content:
    ready = list(_parcels(row, now).order_by("tracking_id", "pk"))
    wrong = list(_of(row).filter(_to_pull()).order_by("tracking_id", "pk"))
    places = pulling.places(row.seller_id, wrong)
    manifests = queries.newest_papers(row.seller_id, [shipment.pk for shipment in ready], [Paper.MANIFEST])
    readings = Reading.objects.filter(seller_id=row.seller_id, shipment__in=ready).order_by("read_at")
    return _Content(
        shipments=ready,
        to_pull=[
            ToPull(one, shipment.attention_says, places.get(shipment.pk, ""))
            for shipment in wrong
            for one in shipment.parcels_to_pull or [shipment.flipkart_shipment_id]
        ],
        # One paper may be the manifest of many parcels: it is printed once.
        manifests=[*{document.sha256: document for document in manifests}.values(), *fetched.papers],
        codes=fetched.codes,
        counted=fetched.counted,
        trouble=fetched.trouble,
        unchecked=unchecked,
        read_since=readings.values_list("read_at", flat=True).first() if unchecked else None,
    )


def _store(row: HandOver, content: _Content, now: datetime) -> tuple[Stored, int]:
    """A manifest whose file is lost or does not open is left out, and the rest is laid out anew."""
    while True:
        try:
            with tempfile.TemporaryFile() as file:
                pages = join(_pages(row, content, now), file, layout=AS_MADE)
                return files.store_file(row.seller, kind="hand-over", file=file), pages
        except _UnusableManifest as error:
            content.manifests.remove(error.document)
        except LabelRefused as error:
            content.manifests.pop(error.number - 2)  # the first is the sheet


class _UnusableManifest(Exception):
    def __init__(self, document: Document) -> None:
        super().__init__("a stored manifest cannot be read")
        self.document = document


def _pages(row: HandOver, content: _Content, now: datetime) -> Iterator[Label]:
    yield Label(_sheet(row, content, now), is_alone=True)
    for document in content.manifests:
        if isinstance(document, bytes):
            yield Label(document, is_alone=True)
            continue
        try:
            yield Label(files.read_checked(document.storage_key, document.sha256), is_alone=True)
        except (StoredFileLost, StoredFileChanged) as error:
            raise _UnusableManifest(document) from error


def _sheet(row: HandOver, content: _Content, now: datetime) -> bytes:
    where = ", ".join(filter(None, (row.courier or _("no courier named"), row.facility.name if row.facility else "")))
    by = _(" by %(who)s") % {"who": row.asked_by.get_username()} if row.asked_by else ""
    printed = {"seller": row.seller.name, "at": in_indian_words(now), "by": by}
    facts = [_("%(seller)s, printed %(at)s%(by)s") % printed]
    if content.manifests:
        facts.append(_("Flipkart's manifests behind this sheet: %(count)d") % {"count": len(content.manifests)})
    if content.codes:
        codes = ngettext(
            "One-time code of the courier: %(codes)s", "One-time codes of the courier: %(codes)s", len(content.codes)
        )
        facts.append(codes % {"codes": ", ".join(content.codes)})
    facts += _differs(content)
    if content.trouble:
        facts.append(content.trouble)
    facts += _unchecked(content, now)
    return hand_over_pdf(
        title=_("Hand-over: %(where)s") % {"where": where},
        facts=facts,
        to_pull=content.to_pull,
        tracking_ids=content.parcel_ids,
    )


def _unchecked(content: _Content, now: datetime) -> list[str]:
    """Why nobody asked Flipkart again what may leave, and how old is what is known."""
    if content.unchecked is None or content.read_since is None:
        return []
    why = content.unchecked.says if isinstance(content.unchecked, Throttled) else _("Flipkart did not answer")
    words = {"why": why, "at": in_ist(content.read_since, now=now)}
    return [_("UNCHECKED: %(why)s; last read %(at)s") % words]


def _differs(content: _Content) -> list[str]:
    """What Flipkart counts and what this sheet counts, where they are not the same: shipments, and not parcels."""
    ours = len(content.shipments)
    if content.counted is None or content.counted == ours:
        return []
    words = ngettext(
        "Flipkart counts {theirs} shipment, this sheet {ours}",
        "Flipkart counts {theirs} shipments, this sheet {ours}",
        content.counted,
    )
    return [words.format(theirs=content.counted, ours=ours)]


def _finish(row: HandOver, content: _Content, stored: Stored, pages: int, *, now: datetime) -> None:
    with seller_scope(row.seller_id):
        count, wrong = len(content.parcel_ids), len(content.to_pull)
        counted = ngettext("%(count)d parcel", "%(count)d parcels", count) % {"count": count}
        first = ngettext("%(count)d to pull first", "%(count)d to pull first", wrong) % {"count": wrong}
        parts = [counted, first if wrong else "", *_unchecked(content, now), *_differs(content), content.trouble]
        says = "; ".join(filter(None, parts))
        if not work.done([row], says=says[:300]):
            return  # another worker has taken it over
        HandOver.objects.filter(pk=row.pk).update(
            parcels=count,
            to_pull=wrong,
            manifests=len(content.manifests),
            pages=pages,
            storage_key=stored.key,
            sha256=stored.sha256,
            size=stored.size,
        )
        keys = [shipment.pk for shipment in content.shipments]
        words = _("on the hand-over sheet of %(at)s") % {"at": in_indian_words(now)}
        timeline.note(row.seller_id, keys, KIND, words, by=row.asked_by)


# --- Which parcels ---------------------------------------------------------------------------------------------------


def _parcels(row: HandOver, now: datetime) -> QuerySet[Shipment]:
    return _of(row).filter(ready_for_courier(now))


def _of(row: HandOver) -> QuerySet[Shipment]:
    return Shipment.objects.filter(seller_id=row.seller_id, facility=row.facility, courier=row.courier)


def _to_pull() -> Q:
    return Q(attention=Attention.PULL)
