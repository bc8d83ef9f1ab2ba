"""Wire formats of Flipkart's seller API: one module each, with the same functions and the same types.

A wire is pure: `encode_` makes a Request of our values, `decode_` reads an Answer into our types, and the constants say
what the format can do. Nothing above this package spells a key of Flipkart's.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol, cast

from shipcrowd.flipkart.types import (
    Abilities,
    Acknowledgement,
    Cancellation,
    Download,
    FormsPage,
    HandoverCount,
    InvoicesPage,
    Limits,
    Page,
    Parcel,
    PaymentType,
    RowOutcome,
    SandboxMove,
    SandboxOrder,
    SearchAnswer,
    SearchPart,
    ShipmentType,
    ShippingDetailsPage,
    State,
    Token,
    Window,
)
from shipcrowd.flipkart.wire import guide, official
from shipcrowd.transport import Answer, Request


class Wire(Protocol):
    """What a wire module offers. Every decode function raises UnexpectedPayload when nothing can be read."""

    @property
    def NAME(self) -> str: ...  # noqa: N802 - the constants of a module

    @property
    def HOSTS(self) -> Mapping[str, str]: ...  # noqa: N802

    @property
    def LIMITS(self) -> Limits: ...  # noqa: N802

    @property
    def ABILITIES(self) -> Abilities: ...  # noqa: N802

    def token_life(self, expires_in: timedelta) -> timedelta: ...

    def encode_authorize(self, *, client_id: str, redirect_uri: str, state: str) -> Request: ...

    def encode_client_credentials(self, *, client_id: str, client_secret: str, basic: bool) -> Request: ...

    def encode_code(
        self, *, client_id: str, client_secret: str, code: str, redirect_uri: str, state: str
    ) -> Request: ...

    def encode_refresh(self, *, client_id: str, client_secret: str, refresh_token: str) -> Request: ...

    def decode_token(self, answer: Answer) -> Token: ...

    def searches(self, states: Collection[State]) -> tuple[SearchPart, ...]: ...

    def encode_search(
        self,
        *,
        part: SearchPart,
        window: Window,
        payment_type: PaymentType | None,
        skus: Sequence[str],
        marker: str | None,
    ) -> Request: ...

    def decode_search(self, answer: Answer, part: SearchPart) -> SearchAnswer: ...

    def encode_shipments(self, shipment_ids: Sequence[str]) -> Request: ...

    def decode_shipments(self, answer: Answer) -> Page: ...

    def encode_shipping_details(self, shipment_ids: Sequence[str]) -> Request: ...

    def decode_shipping_details(self, answer: Answer) -> ShippingDetailsPage: ...

    def encode_generate_labels(self, parcels: Sequence[Parcel]) -> Request: ...

    def decode_generate_labels(self, answer: Answer, shipment_ids: Sequence[str]) -> tuple[RowOutcome, ...]: ...

    def encode_download_labels(self, shipment_ids: Sequence[str]) -> Request: ...

    def decode_download_labels(self, answer: Answer, shipment_ids: Sequence[str]) -> Download: ...

    def encode_dispatch(self, shipment_ids: Sequence[str], location_id: str) -> Request: ...

    def decode_dispatch(self, answer: Answer, shipment_ids: Sequence[str]) -> tuple[RowOutcome, ...]: ...


class PublishedWire(Wire, Protocol):
    """What a wire offers that can do all of Abilities.offers."""

    def encode_cancel(self, cancellations: Sequence[Cancellation]) -> Request: ...

    def decode_cancel(self, answer: Answer, shipment_ids: Sequence[str]) -> tuple[RowOutcome, ...]: ...

    def encode_forms(self, shipment_ids: Sequence[str]) -> Request: ...

    def decode_forms(self, answer: Answer) -> FormsPage: ...

    def encode_acknowledge_forms(self, acknowledgements: Sequence[Acknowledgement]) -> Request: ...

    def decode_acknowledge_forms(self, answer: Answer, shipment_ids: Sequence[str]) -> tuple[RowOutcome, ...]: ...

    def encode_invoices(self, shipment_ids: Sequence[str]) -> Request: ...

    def decode_invoices(self, answer: Answer) -> InvoicesPage: ...

    def encode_download_invoices(self, shipment_ids: Sequence[str]) -> Request: ...

    def decode_download_invoices(self, answer: Answer) -> Download: ...

    def encode_download_labels_only(self, shipment_ids: Sequence[str], *, reprint: bool) -> Request: ...

    def decode_download_labels_only(self, answer: Answer) -> Download: ...

    def encode_handover_counts(self, location_id: str) -> Request: ...

    def decode_handover_counts(self, answer: Answer) -> tuple[HandoverCount, ...]: ...

    def encode_manifest(self, count: HandoverCount, location_id: str) -> Request: ...

    def decode_manifest(self, answer: Answer) -> bytes: ...

    def encode_test_order(
        self, *, location_id: str, listings: Sequence[tuple[str, int]], shipment_type: ShipmentType
    ) -> Request: ...

    def decode_test_order(self, answer: Answer) -> SandboxOrder: ...

    def encode_move(self, move: SandboxMove, order_item_id: str) -> Request: ...

    def encode_dispatch_slot(self, order_item_id: str, *, after: datetime, by: datetime) -> Request: ...

    def encode_test_return(self, order_item_id: str, *, by_courier: bool) -> Request: ...

    def encode_return_event(self, order_item_id: str, *, is_complete: bool) -> Request: ...

    def decode_done(self, answer: Answer) -> None: ...


_WIRES: dict[str, Wire] = {"guide": cast("Wire", guide), "official": cast("Wire", official)}


def wire_named(name: str) -> Wire:
    """The wire of that name ("guide", "official"). Raises ValueError for a name that nobody speaks."""
    if name not in _WIRES:
        raise ValueError(f"no wire is named {name!r}; there are: {', '.join(sorted(_WIRES))}")
    return _WIRES[name]
