"""Flipkart's published format (OpenAPI of 2024-06-19, and what running integrators met), into our types and back.

What differs from the guide's: OAuth by GET with Basic; whole shipments with several items; searches apart for what is
before dispatch, held, after it and cancelled; packing with sizes and taxes that takes a while; one merged PDF for many
shipments; dispatch by location; and bulk answers with a status a row.

Strict about what is used and blind to the rest, as the guide's.
"""

from shipcrowd.flipkart.types import Abilities, Limits, Offer
from shipcrowd.flipkart.wire.grants import decode_token, encode_authorize
from shipcrowd.flipkart.wire.official.cancelling import (
    MOST_ACKNOWLEDGED,
    MOST_CANCELLED,
    MOST_FORMS,
    decode_acknowledge_forms,
    decode_cancel,
    decode_forms,
    encode_acknowledge_forms,
    encode_cancel,
    encode_forms,
)
from shipcrowd.flipkart.wire.official.grants import (
    encode_client_credentials,
    encode_code,
    encode_refresh,
    token_life,
)
from shipcrowd.flipkart.wire.official.handover import (
    decode_handover_counts,
    decode_manifest,
    encode_handover_counts,
    encode_manifest,
)
from shipcrowd.flipkart.wire.official.invoices import (
    MOST_INVOICES,
    decode_download_invoices,
    decode_invoices,
    encode_download_invoices,
    encode_invoices,
)
from shipcrowd.flipkart.wire.official.packing import (
    MOST_DISPATCHED,
    MOST_PACKED,
    decode_dispatch,
    decode_generate_labels,
    encode_dispatch,
    encode_generate_labels,
)
from shipcrowd.flipkart.wire.official.papers import (
    MOST_LABELS_ONLY,
    MOST_PAPERS,
    decode_download_labels,
    decode_download_labels_only,
    encode_download_labels,
    encode_download_labels_only,
)
from shipcrowd.flipkart.wire.official.sandbox import (
    decode_done,
    decode_test_order,
    encode_dispatch_slot,
    encode_move,
    encode_return_event,
    encode_test_order,
    encode_test_return,
)
from shipcrowd.flipkart.wire.official.searching import PAGE, SEARCHABLE, decode_search, encode_search, searches
from shipcrowd.flipkart.wire.official.shipments import (
    MOST_IDS,
    decode_shipments,
    encode_shipments,
)
from shipcrowd.flipkart.wire.official.shipping import MOST_DETAILS, decode_shipping_details, encode_shipping_details
from shipcrowd.flipkart.wire.values import HOSTS

__all__ = [
    "ABILITIES",
    "HOSTS",
    "LIMITS",
    "NAME",
    "decode_acknowledge_forms",
    "decode_cancel",
    "decode_dispatch",
    "decode_done",
    "decode_download_invoices",
    "decode_download_labels",
    "decode_download_labels_only",
    "decode_forms",
    "decode_generate_labels",
    "decode_handover_counts",
    "decode_invoices",
    "decode_manifest",
    "decode_search",
    "decode_shipments",
    "decode_shipping_details",
    "decode_test_order",
    "decode_token",
    "encode_acknowledge_forms",
    "encode_authorize",
    "encode_cancel",
    "encode_client_credentials",
    "encode_code",
    "encode_dispatch",
    "encode_dispatch_slot",
    "encode_download_invoices",
    "encode_download_labels",
    "encode_download_labels_only",
    "encode_forms",
    "encode_generate_labels",
    "encode_handover_counts",
    "encode_invoices",
    "encode_manifest",
    "encode_move",
    "encode_refresh",
    "encode_return_event",
    "encode_search",
    "encode_shipments",
    "encode_shipping_details",
    "encode_test_order",
    "encode_test_return",
    "searches",
    "token_life",
]

NAME = "official"
LIMITS = Limits(
    page=PAGE,
    ids=MOST_IDS,
    details=MOST_DETAILS,
    labels=MOST_PACKED,
    papers=MOST_PAPERS,
    dispatch=MOST_DISPATCHED,
    cancel=MOST_CANCELLED,
    forms=MOST_FORMS,
    acknowledge=MOST_ACKNOWLEDGED,
    invoices=MOST_INVOICES,
    label_only=MOST_LABELS_ONLY,
)
ABILITIES = Abilities(
    search_by_change=True,
    whole_rows=True,
    says_change_time=True,
    buyer_in_search=False,
    tracking_in_search=False,
    papers_apart=False,
    pack_wants_parcels=True,
    packs_later=True,
    dispatch_by_location=True,
    searchable=SEARCHABLE,
    offers=frozenset(Offer),
)
