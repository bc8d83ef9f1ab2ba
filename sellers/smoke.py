"""A walk over what a connection may ask without changing anything: what answered, in what shape, and what is new in it.

For the first day at the real Flipkart. Counts, Flipkart's own words and paths of fields; never an id, never a person.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial, singledispatch
from typing import Any

from shipcrowd.flipkart.client import FlipkartClient
from shipcrowd.flipkart.types import (
    Download,
    FormsPage,
    InvoicesPage,
    Offer,
    Page,
    Shipment,
    ShippingDetailsPage,
    Span,
    State,
    Unreadable,
    Window,
)
from shipcrowd.transport.errors import CallFailed, NotAuthorized
from shipcrowd.transport.json_body import noting, shape_of, sort_of, unread

LOOKS_BACK = timedelta(days=30)
LOCATIONS = 3
# Their papers were downloaded before: to download them again changes nothing.
PAPERS_ARE_OUT = frozenset({State.READY_TO_DISPATCH, State.PICKUP_COMPLETE, State.SHIPPED})
PACKED = PAPERS_ARE_OUT | {State.PACKED}
EVERY = frozenset(State)
NOT_ASKED = "pack, dispatch, cancel, acknowledge, manifest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One operation: whether it answered (None: not asked), what came, and what this version makes nothing of.

    `unknown` is what it should know and cannot read; `unread` what is there and nobody here asks for.
    """

    operation: str
    answered: bool | None
    says: str
    unknown: Sequence[str] = ()
    unread: Sequence[str] = ()


def walk(client: FlipkartClient, now: datetime) -> Iterator[Heard]:
    """Each operation as it was heard. Raises nothing: where access itself is refused, that is the end of the walk."""
    known: dict[str, Shipment] = {}
    try:
        yield from _search(client, now, known)
        for operation, ids, call in _asks(client, list(known.values())):
            if ids:
                yield _heard(operation, partial(call, ids))[0]
            else:
                yield Heard(operation=operation, answered=None, says="no shipment to ask for")
        if Offer.HANDOVER in client.wire.ABILITIES.offers:
            for at, location in enumerate(sorted({one.flipkart_location_id for one in known.values()})[:LOCATIONS], 1):
                operation = f"hand-over counts of location {at}"
                yield _heard(operation, partial(client.fetch_handover_counts, location))[0]
    except NotAuthorized as error:
        yield Heard(operation=error.operation, answered=False, says=f"{error}: nothing more is asked")


def _search(client: FlipkartClient, now: datetime, known: dict[str, Shipment]) -> Iterator[Heard]:
    """Two pages of each search, so that the way to the next page is seen as well."""
    span = Span.CHANGED if client.wire.ABILITIES.search_by_change else Span.ORDERED
    window = Window(of=span, begins_at=now - LOOKS_BACK, ends_at=now)
    for part in client.searches(tuple(State)):
        pages = client.shipment_pages(part=part, window=window)
        for operation in (f"search {part.name}", f"search {part.name}, next page"):
            heard, page = _heard(operation, partial(next, pages))
            yield heard
            known |= {one.flipkart_shipment_id: one for one in page.shipments} if page else {}
            if page is None:
                break
            if not page.has_more:
                yield from _wrong_at_the_end(f"search {part.name}, its end", pages)
                break


def _wrong_at_the_end(operation: str, pages: Iterator[Page]) -> Iterator[Heard]:
    """What is wrong with the way to further pages comes after the last one. Raises NotAuthorized."""
    heard, _ = _heard(operation, lambda: list(pages))
    if not heard.answered:
        yield heard


def _asks(
    client: FlipkartClient, known: Sequence[Shipment]
) -> Iterator[tuple[str, list[str], Callable[[list[str]], Any]]]:
    """The operations that are asked by id, each with the ids that it may be asked of."""
    limits, offers = client.limits, client.wire.ABILITIES.offers

    def ids(states: frozenset[State], most: int) -> list[str]:
        return [one.flipkart_shipment_id for one in known if one.state in states][:most]

    yield "shipments by id", ids(EVERY, limits.ids), client.fetch_shipments
    yield "shipping details", ids(PACKED, limits.details), client.read_shipping_details
    yield "papers", ids(PAPERS_ARE_OUT, 1), client.download_papers
    if Offer.LABEL_ONLY in offers:
        yield "labels only", ids(PAPERS_ARE_OUT, 1), client.download_labels_only
    if Offer.INVOICES in offers:
        yield "invoices", ids(PACKED, limits.invoices), client.fetch_invoices
    if Offer.FORMS in offers:
        yield "forms", ids(EVERY, limits.forms), client.fetch_forms


def _heard(operation: str, call: Callable[[], Any]) -> tuple[Heard, Any]:
    """What one call came to, and what it gave, None where it failed. Raises NotAuthorized."""
    with noting() as answers:
        try:
            found = call()
        except NotAuthorized:
            raise
        except CallFailed as error:
            return Heard(operation=operation, answered=False, says=str(error), unread=_unread(answers)), None
    says, unknown = _told(found)
    shape = f" [{'; '.join(map(shape_of, answers))}]" if answers else ""
    return Heard(operation=operation, answered=True, says=says + shape, unknown=unknown, unread=_unread(answers)), found


def _unread(answers: Sequence[Any]) -> list[str]:
    found: dict[str, str] = {}
    for answer in answers:
        found |= unread(answer)
    return [f"{path} ({sort})" for path, sort in sorted(found.items())]


# --- What is told of what came ---------------------------------------------------------------------------------------


@singledispatch
def _told(found: Any) -> tuple[str, list[str]]:
    """In words, and what of it is not known."""
    return sort_of(list(found)), []


@_told.register
def _(page: Page) -> tuple[str, list[str]]:
    kinds = [
        _counted([one.state_word for one in page.shipments]),
        _counted([one.payment_type.value for one in page.shipments]),
        _counted([one.shipment_type.value for one in page.shipments]),
    ]
    unknown = {f"state {one.state_word!r}" for one in page.shipments if one.state == State.UNKNOWN}
    says = f"{len(page.shipments)} shipments" + (f" ({'; '.join(kinds)})" if page.shipments else "")
    return says + (", more follow" if page.has_more else ""), [*sorted(unknown), *_holes(page.unreadable)]


@_told.register
def _(page: ShippingDetailsPage) -> tuple[str, list[str]]:
    tracked, placed = (
        sum(map(bool, found))
        for found in ([one.tracking_id for one in page.details], [one.delivery_address for one in page.details])
    )
    says = f"{len(page.details)} shipments, {tracked} with a tracking id, {placed} with an address"
    return says, _holes(page.unreadable)


@_told.register
def _(found: Download) -> tuple[str, list[str]]:
    return (f"a PDF of {len(found.merged)} bytes" if found.merged else f"papers of {len(found.apart)} shipments"), []


@_told.register
def _(page: InvoicesPage) -> tuple[str, list[str]]:
    return f"{len(page.invoices)} invoices", _holes(page.unreadable)


@_told.register
def _(page: FormsPage) -> tuple[str, list[str]]:
    says = f"{sum(len(one.forms) for one in page.shipments)} forms of {len(page.shipments)} shipments"
    return says, _holes(page.unreadable)


def _counted(words: Sequence[str]) -> str:
    return ", ".join(f"{count} {word}" for word, count in sorted(Counter(words).items()))


def _holes(unreadable: Sequence[Unreadable]) -> list[str]:
    return [f"{hole.path}: {hole.says}" for hole in unreadable]
