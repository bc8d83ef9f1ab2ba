"""What the bell starts (settings.WORK_KINDS): one run of one seller. True when more is due now."""

from orders import following, looking_up, polling


def poll(*, seller_id: int, **_unknown: object) -> bool:
    """Look for shipments; safe to run twice and side by side."""
    return polling.work_due(seller_id=seller_id)


def follow(*, seller_id: int, **_unknown: object) -> bool:
    """Read open and handed-over shipments again by id, and get the details that are missing."""
    return following.work_due(seller_id=seller_id)


def look_up(*, seller_id: int, **_unknown: object) -> bool:
    """Ask Flipkart for an id that somebody searched for in vain."""
    return looking_up.work_due(seller_id=seller_id)
