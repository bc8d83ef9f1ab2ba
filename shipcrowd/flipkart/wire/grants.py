"""What is the same in the grants of every wire: where the seller consents, and how a token is read."""

from datetime import timedelta

from shipcrowd.flipkart.types import Token
from shipcrowd.flipkart.wire.values import root_of, token_of
from shipcrowd.transport import Answer, Request

SCOPE = "Seller_Api"
TOKEN_PATH = "/oauth-service/oauth/token"  # noqa: S105 - a path
AUTHORIZE_PATH = "/oauth-service/oauth/authorize"


def encode_authorize(*, client_id: str, redirect_uri: str, state: str) -> Request:
    """Where the seller consents, in the seller's own browser. Source: guide 1.5 step 1, wire.md 2."""
    query = {
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": SCOPE,
        "state": state,
        "response_type": "code",
    }
    return Request("GET", AUTHORIZE_PATH, operation="authorize", query=query)


def decode_token(answer: Answer) -> Token:
    """Source: guide 1.4 and 1.5. A token with characters that no header may hold is refused."""
    root = root_of(answer, "token")
    kind = root.get("token_type")
    if not kind.is_absent and kind.word().lower() != "bearer":
        kind.fail("not a bearer token")
    refresh_token = root.get("refresh_token")
    expires_in = root.get("expires_in")
    return Token(
        access_token=token_of(root.get("access_token")),
        refresh_token=None if refresh_token.is_absent else token_of(refresh_token),
        # Absent it is nothing: each wire says how long such a token is believed (token_life).
        expires_in=timedelta(0) if expires_in.is_absent else timedelta(seconds=expires_in.count(most=10**9)),
    )
