"""Flipkart's own manifest of what one courier gets at one location, where the format has it by a call of its own.

Asked for when a hand-over sheet is made. Its answer counts shipments by "vendor group" ("Ekart Logistics"), while a
shipment names its vendor ("E-Kart Logistics"): they are the same where their letters and digits are, and nothing else
is guessed. Source: wire.md 3.3 and 3.5, and the samples there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from fulfillment.papers.checking import MERGED_LIMITS, check_in_child
from fulfillment.papers.types import ChildFailed, PaperRefused, letters
from sellers import gateway
from sellers.models import Facility
from shipcrowd.flipkart.client import FlipkartClient
from shipcrowd.flipkart.types import HandoverCount, Offer
from shipcrowd.tenancy import seller_scope
from shipcrowd.transport.errors import CallFailed, Throttled


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifests:
    """What Flipkart gave: checked papers, how many shipments it counts (None: it did not say), what is amiss.

    `codes` are one-time codes against which the parcels are handed over (wire.md 3.5 and 11).
    """

    papers: tuple[bytes, ...] = field(default=(), repr=False)
    codes: tuple[str, ...] = field(default=(), repr=False)
    counted: int | None = None
    trouble: str = ""
    throttled: Throttled | None = None  # why something is missing that may be had a little later


def fetch_manifests(seller_id: int, *, facility: Facility | None, courier: str) -> Manifests:
    """Never fails: what could not be had is said in `trouble`. Outside of any scope.

    Where the format sends manifests with the labels there is nothing to fetch.
    """
    with seller_scope(seller_id):
        abilities = gateway.abilities_of(seller_id)
    if abilities is None or Offer.HANDOVER not in abilities.offers:
        return Manifests()
    location = facility.flipkart_location_id if facility else ""
    if not location:
        return Manifests(trouble=_not_fetched(_("these parcels name no location")))
    if not courier:
        return Manifests(trouble=_not_fetched(_("these parcels name no courier")))
    try:
        client = gateway.client_for(seller_id)
        counts = client.fetch_handover_counts(location)
    except CallFailed as error:
        gateway.heard(seller_id, error)
        return Manifests(trouble=_not_fetched(error.says), throttled=_throttled(error))
    gateway.heard(seller_id, None)
    ours, named = of_courier(counts, courier), sorted({one.vendor_group for one in counts if one.vendor_group})
    unread = _unread(sum(not one.vendor_group for one in counts))
    if counts and not ours:
        names_others = _("it names {named} and not this courier").format(named=", ".join(named))
        return Manifests(trouble=_joined(_not_fetched(names_others), unread))
    fetched = _download(client, seller_id, ours, location)
    if not unread:
        return fetched
    # What could not be read may count this courier's too: what is left of its number proves nothing.
    return replace(fetched, counted=None, trouble=_joined(fetched.trouble, unread))


def of_courier(counts: Sequence[HandoverCount], courier: str) -> list[HandoverCount]:
    """Those of the vendor group that is written as this courier is, but for capitals, blanks and hyphens. Pure."""
    wanted = letters(courier)
    return [one for one in counts if wanted and letters(one.vendor_group) == wanted]


def _download(client: FlipkartClient, seller_id: int, counts: Sequence[HandoverCount], location: str) -> Manifests:
    """Each of the counts has a manifest of its own; one that fails leaves the others."""
    papers: list[bytes] = []
    troubles: list[str] = []
    throttled: Throttled | None = None
    for count in counts:
        if not count.count:
            continue
        if count.is_multi_parcel and not (count.pick_up_after and count.pick_up_before):
            troubles.append(_not_fetched(_("Flipkart did not say when parcels of several pieces are picked up")))
            continue
        try:
            paper = client.download_manifest(count, location_id=location)
            papers.append(check_in_child(paper, limits=MERGED_LIMITS).pdf)
        except CallFailed as error:
            gateway.heard(seller_id, error)
            troubles.append(_not_fetched(error.says))
            throttled = throttled or _throttled(error)
        except (PaperRefused, ChildFailed) as error:
            troubles.append(_("Flipkart's manifest cannot be used: {why}").format(why=error))
    return Manifests(
        papers=tuple(papers),
        codes=tuple(dict.fromkeys(count.one_time_code for count in counts if count.one_time_code)),
        counted=sum(count.count for count in counts),
        trouble=_joined(*dict.fromkeys(troubles)),
        throttled=throttled,
    )


def _throttled(error: CallFailed) -> Throttled | None:
    return error if isinstance(error, Throttled) else None


def _unread(count: int) -> str:
    if not count:
        return ""
    words = ngettext(
        "{count} of Flipkart's counts cannot be read: perhaps one of this courier's",
        "{count} of Flipkart's counts cannot be read: perhaps some of this courier's",
        count,
    )
    return words.format(count=count)


def _joined(*parts: str) -> str:
    return "; ".join(filter(None, parts))


def _not_fetched(why: str) -> str:
    return _("Flipkart's manifest could not be fetched: {why}").format(why=why)
