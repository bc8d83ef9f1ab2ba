"""A print round: platform ops print for several sellers at once. Each seller gets a job of its own; the one PDF of all
is joined when somebody opens it, and stored nowhere.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, NamedTuple
from uuid import UUID

from django.db.models import Count, Min
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from fulfillment import laying_out, presses, printing
from fulfillment.models import PrintJob, PrintStack
from fulfillment.options import Options
from fulfillment.papers import layout as sheets_of_paper
from fulfillment.papers.joining import Label, join
from fulfillment.papers.sheets import separator_pdf
from orders.models import Shipment
from orders.stages import Stage, in_stage
from sellers.models import Facility, Seller, User
from shipcrowd import audit, files
from shipcrowd.tenancy import everyone_scope, seller_scope

MOST_OF_A_SELLER = 5000  # in one round, the most urgent of them
ROUNDS_SHOWN = 20


class Place(NamedTuple):
    """Where parcels wait to be printed: a facility, or with None what ships from no place that we know."""

    public_id: UUID  # the facility's, or the seller's
    facility: Facility | None
    waiting: int


class Waiting(NamedTuple):
    seller: Seller
    places: Sequence[Place]

    @property
    def waiting(self) -> int:
        return sum(place.waiting for place in self.places)


class Recent(NamedTuple):
    round_id: UUID | None
    at: datetime
    sellers: int


@dataclass(frozen=True, slots=True)
class RoundJob:
    """A seller's part of a round, with its stacks that have a file."""

    job: PrintJob
    stacks: Sequence[PrintStack]
    is_moving: bool


def waiting(*, by: User, now: datetime) -> list[Waiting]:
    """Where labelled parcels wait for paper, by seller and place; as many statements for one seller as for hundreds."""
    with everyone_scope("print round", by=by):
        rows = in_stage(Shipment.objects.all(), Stage.TO_PRINT, now).order_by()
        counted = list(rows.values_list("seller_id", "facility_id").annotate(n=Count("pk")))
        sellers = Seller.objects.in_bulk({seller_id for seller_id, _facility_id, _number in counted})
        facilities = Facility.objects.in_bulk({place for _seller_id, place, _number in counted if place})
    found: dict[int, list[Place]] = {}
    for seller_id, facility_id, number in counted:
        facility = facilities.get(facility_id)
        public_id = facility.public_id if facility else sellers[seller_id].public_id
        found.setdefault(seller_id, []).append(Place(public_id, facility, number))
    listed = [
        Waiting(sellers[seller_id], sorted(places, key=lambda place: (place.facility is None, str(place.facility))))
        for seller_id, places in found.items()
    ]
    return sorted(listed, key=lambda one: (one.seller.name.casefold(), one.seller.pk))


def start(*, chosen: Waiting, round_id: UUID, by: User, options: Options, now: datetime) -> PrintJob | None:
    """This seller's job of the round; None where nothing waits any more. Pressed twice, it is the same job.

    Opens the seller's scope itself: ops stand in none. Why they act there is said by whoever calls this.
    """
    seller, places = chosen.seller, {place.facility.pk if place.facility else None for place in chosen.places}
    with seller_scope(seller):
        rows = in_stage(Shipment.objects.filter(seller=seller), Stage.TO_PRINT, now)
        urgent_first = rows.order_by("dispatch_by_at", "pk").values_list("pk", "facility_id")
        ids = [pk for pk, facility_id in urgent_first if facility_id in places][:MOST_OF_A_SELLER]
        known = PrintJob.objects.filter(seller=seller, public_id=presses.row_id(seller, round_id))
        if not ids and not known.exists():
            return None
        return printing.request_print(
            seller=seller, shipment_ids=ids, by=by, now=now, options=options, once=round_id, round_id=round_id
        )


def sellers_of(round_id: UUID, *, by: User) -> list[int]:
    """Keys of the sellers of a round, by which it can be read afterwards without everybody's rows in sight."""
    with everyone_scope("print round", by=by):
        return list(PrintJob.objects.filter(round_id=round_id).order_by("pk").values_list("seller_id", flat=True))


def jobs_of(round_id: UUID) -> list[RoundJob]:
    """The round's jobs by the seller's name; in the scope of its sellers."""
    jobs = list(PrintJob.objects.filter(round_id=round_id).select_related("seller").order_by("seller__name", "pk"))
    stacks: dict[int, list[PrintStack]] = {job.pk: [] for job in jobs}
    for stack in PrintStack.objects.filter(job__in=jobs).order_by("job_id", "number"):
        stacks[stack.job_id].append(stack)
    return [_as_round_job(job, stacks[job.pk]) for job in jobs]


def recent(*, by: User) -> list[Recent]:
    """The latest rounds, newest first."""
    with everyone_scope("print round", by=by):
        rows = PrintJob.objects.exclude(round_id=None).order_by().values("round_id")
        counted = rows.annotate(at=Min("asked_at"), sellers=Count("pk")).order_by("-at")
        return [Recent(row["round_id"], row["at"], row["sellers"]) for row in counted[:ROUNDS_SHOWN]]


def write(jobs: Sequence[RoundJob], out: BinaryIO) -> int:
    """One PDF of all their stacks, a sheet before each seller's; how many pages it has. Outside of any scope.

    Raises StorageFailed, LabelRefused, and PaperRefused where nothing is there to print.
    """
    return join(_pieces(jobs), out, layout=sheets_of_paper.AS_MADE)


def mark_opened(jobs: Sequence[RoundJob], *, by: User, why: Mapping[int, str]) -> None:
    """Whose paper this is now, on each seller's own screens; `why` is by the seller's key."""
    for one in jobs:
        if one.stacks:
            with seller_scope(one.job.seller_id):
                did = "opened the labels of a print round"
                audit.record(by, did, seller=one.job.seller, rows=[one.job], why=why[one.job.seller_id])
                opened = PrintStack.objects.filter(pk__in=[stack.pk for stack in one.stacks], opened_at=None)
                opened.update(opened_at=Now(), opened_by=by)


def chosen_of(every: Sequence[Waiting], public_ids: Collection[UUID]) -> list[Waiting]:
    """What of `every` was chosen by the ids of its places."""
    cut = [Waiting(one.seller, [place for place in one.places if place.public_id in public_ids]) for one in every]
    return [one for one in cut if one.places]


def _as_round_job(job: PrintJob, stacks: Sequence[PrintStack]) -> RoundJob:
    return RoundJob(job, [stack for stack in stacks if stack.storage_key], job.is_moving(stacks))


def _pieces(jobs: Sequence[RoundJob]) -> Iterator[Label]:
    for one in jobs:
        if not one.stacks:
            continue
        printed = sum(stack.printed for stack in one.stacks)
        yield Label(
            separator_pdf(
                heading=_("Print round"),
                words=one.job.seller.name,
                facts=[
                    laying_out.counted(one.job.options, printed, 0, stacks=len(one.stacks)),
                    ", ".join(_("stack %(letter)s") % {"letter": stack.letter} for stack in one.stacks[:12]),
                ],
                sheet=laying_out.sheet_of(one.job.layout),
            )
        )
        for stack in one.stacks:
            yield Label(files.read_checked(stack.storage_key, stack.sha256))
