"""How the row of one press of a button is named, so that a second press finds it."""

from uuid import UUID, uuid4, uuid5

from sellers.models import Seller


def row_id(seller: Seller, once: UUID | None) -> UUID:
    """The public id of what this press makes for this seller; a new one where the press has no name.

    The seller is in it: public ids are unique among all sellers' rows, and `once` comes with the request. As it is, it
    could be the id of a row of another seller's, which can neither be found nor made again.
    """
    return uuid5(seller.public_id, str(once)) if once else uuid4()
