"""What the courier gets: how much stands ready for whom, and the manifest. Source: wire.md 3.5."""

from datetime import datetime

from shipcrowd.flipkart.times import format_time
from shipcrowd.flipkart.types import HandoverCount
from shipcrowd.flipkart.wire.official.papers import PDF, pdf_of
from shipcrowd.flipkart.wire.official.shipments import PREFIX
from shipcrowd.flipkart.wire.values import read_errors, root_of, time_of
from shipcrowd.transport import Answer, Request
from shipcrowd.transport.errors import Refused, UnexpectedPayload
from shipcrowd.transport.json_body import Node


def encode_handover_counts(location_id: str) -> Request:
    if not location_id:
        raise ValueError("hand-over counts are of one location")
    path = f"{PREFIX}/v3/shipments/handover/counts"
    query = {"locationId": location_id}
    return Request("GET", path, operation="handover_counts", query=query, read_errors=read_errors)


def decode_handover_counts(answer: Answer) -> tuple[HandoverCount, ...]:
    """A list, or an object that holds one: the document prints the first, the second was captured.

    A row that cannot be read costs no other courier its count: it is a count of nobody, without a vendor group.
    Raises UnexpectedPayload where none can be read.
    """
    root = root_of(answer, "handover_counts")
    rows = root if isinstance(root.value, list) else root.get("resultManifestDetails")
    if rows.is_absent and (errors := read_errors(answer.body)):
        raise Refused("handover_counts", status=answer.status, code=errors[0].code, rows=errors)
    counts: list[HandoverCount] = []
    failed: list[UnexpectedPayload] = []
    for row in rows.rows():
        try:
            counts.append(_count(row))
        except UnexpectedPayload as error:
            failed.append(error)
    if failed and not counts:
        raise failed[0]
    return (*counts, *(HandoverCount(vendor_group="", count=0) for _error in failed))


def encode_manifest(count: HandoverCount, location_id: str) -> Request:
    """The manifest of what one count says. Raises ValueError where multi-parcel shipments have no pick-up time.

    The names are those of the newer pages; the document's own (is_mps, pickupDate from and to) differ.
    """
    params: dict[str, object] = {
        "vendorGroupCode": count.vendor_group,
        "locationId": location_id,
        "isMps": count.is_multi_parcel,
    }
    if count.pick_up_after and count.pick_up_before:
        params["pickUpDate"] = {"after": format_time(count.pick_up_after), "before": format_time(count.pick_up_before)}
    elif count.is_multi_parcel:
        raise ValueError("a manifest of multi-parcel shipments says between which times they are picked up")
    path = f"{PREFIX}/v3/shipments/manifest"
    body = {"params": params}
    return Request("POST", path, operation="manifest", json=body, accept=PDF, read_errors=read_errors)


def decode_manifest(answer: Answer) -> bytes:
    return pdf_of(answer, "manifest")


def _count(row: Node) -> HandoverCount:
    count, window, otc = row.get("count"), row.get("pickUpDate"), row.get("otc")
    return HandoverCount(
        vendor_group=row.get("vendorGroupCode").required_text(),
        count=0 if count.value == 0 else count.count(),
        is_multi_parcel=row.get("isMps").flag(),
        pick_up_after=_moment(window, "after", "from"),
        pick_up_before=_moment(window, "before", "to"),
        one_time_code="" if otc.is_absent else otc.get("code").text(),
    )


def _moment(window: Node, *names: str) -> datetime | None:
    """Under the first of these names that is there."""
    if window.is_absent:
        return None
    return next((at for name in names if (at := time_of(window.get(name)))), None)
