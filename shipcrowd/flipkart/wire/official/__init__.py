"""Flipkart's published format (OpenAPI of 2024-06-19, and what running integrators met), into our types and back.

What differs from the guide's: OAuth by GET with Basic; whole shipments with several items; searches apart for what is
before dispatch, held, after it and cancelled; packing with sizes and taxes that takes a while; one merged PDF for many
shipments; dispatch by location; and bulk answers with a status a row.

Strict about what is used and blind to the rest, as the guide's.
"""

from shipcrowd.flipkart.types import Abilities, Limits
from shipcrowd.flipkart.wire.grants import decode_token, encode_authorize
from shipcrowd.flipkart.wire.official.grants import (
    encode_client_credentials,
    encode_code,
    encode_refresh,
    token_life,
)
from shipcrowd.flipkart.wire.official.packing import (
    MOST_DISPATCHED,
    MOST_PACKED,
    decode_dispatch,
    decode_generate_labels,
    encode_dispatch,
    encode_generate_labels,
)
from shipcrowd.flipkart.wire.official.papers import MOST_PAPERS, decode_download_labels, encode_download_labels
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
    "decode_dispatch",
    "decode_download_labels",
    "decode_generate_labels",
    "decode_search",
    "decode_shipments",
    "decode_shipping_details",
    "decode_token",
    "encode_authorize",
    "encode_client_credentials",
    "encode_code",
    "encode_dispatch",
    "encode_download_labels",
    "encode_generate_labels",
    "encode_refresh",
    "encode_search",
    "encode_shipments",
    "encode_shipping_details",
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
)
