"""A print job claims its shipments: what is printed, or is another job's to print, is left out with who and when.

A claim is a line of the job. It begins when the job is asked for, under the lock of its shipment, and ends when its
stack is done, when the line is left out, or when the job is withdrawn; a reprint takes it over. The database allows
one at a time.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from django.utils.translation import gettext as _

from fulfillment import queries
from fulfillment.models import PrintJob, PrintJobLine
from orders.models import Shipment
from orders.rules import in_indian_words
from sellers.models import User


def why_taken(seller_id: int, shipments: Sequence[Shipment], now: datetime) -> dict[int, str]:
    """By shipment, who has printed it or is about to, and when; those that are free are not named.

    In the caller's scope.
    """
    ids = [shipment.pk for shipment in shipments]
    claims = queries.claims(seller_id, ids)
    prints = queries.last_prints(seller_id, [shipment.pk for shipment in shipments if shipment.printed_at])
    found = {}
    for shipment in shipments:
        if claim := claims.get(shipment.pk):
            found[shipment.pk] = _("in the print job of %(at)s%(by)s") % _whose(claim.job, claim.job.asked_at, now)
        elif shipment.printed_at:
            line = prints.get(shipment.pk)
            found[shipment.pk] = _("printed %(at)s%(by)s") % _whose(
                line.job if line else None, shipment.printed_at, now
            )
    return found


def take_over(seller_id: int, shipment_ids: Collection[int], *, by: User) -> None:
    """Other jobs' claims on these shipments end: they are printed by another job, for a reason that was given.

    In the caller's scope, the shipments locked. A job that is laying one of them out finds that out before it names its
    file.
    """
    held = PrintJobLine.objects.filter(seller_id=seller_id, shipment_id__in=shipment_ids, is_claim=True)
    words = _("taken over by %(who)s for a reprint") % {"who": by.get_username()}
    held.update(is_claim=False, left_out=words[:300])


def release(job: PrintJob) -> None:
    """Nothing is this job's to print any more; in the caller's scope."""
    PrintJobLine.objects.filter(seller_id=job.seller_id, job=job, is_claim=True).update(is_claim=False)


def _whose(job: PrintJob | None, at: datetime, now: datetime) -> dict[str, str]:
    who = job.asked_by.get_username() if job and job.asked_by else ""
    day, _space, clock = in_indian_words(at).rpartition(" ")
    is_today = day == in_indian_words(now).rpartition(" ")[0]
    return {"at": clock if is_today else f"{day} {clock}", "by": _(" by %(who)s") % {"who": who} if who else ""}
