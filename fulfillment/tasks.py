"""What the bell starts: one batch of one seller's one kind of work."""

from fulfillment import acknowledging, cancelling, dispatch, going_live, handover, labels, prefetching, print_work


def work_labels(*, seller_id: int, **_unknown: object) -> bool:
    """True when more is due now."""
    return labels.work_due(seller_id=seller_id)


def work_dispatches(*, seller_id: int, **_unknown: object) -> bool:
    """True when more is due now."""
    return dispatch.work_due(seller_id=seller_id)


def work_cancellations(*, seller_id: int, **_unknown: object) -> bool:
    """True when more is due now."""
    return cancelling.work_due(seller_id=seller_id)


def work_form_acks(*, seller_id: int, **_unknown: object) -> bool:
    """True when more is due now."""
    return acknowledging.work_due(seller_id=seller_id)


def work_print_jobs(*, seller_id: int, **_unknown: object) -> bool:
    """True when more is due now."""
    return print_work.work_due(seller_id=seller_id)


def work_checks(*, seller_id: int, **_unknown: object) -> bool:
    """True when more is due now."""
    return going_live.work_due(seller_id=seller_id)


def work_prefetch(*, seller_id: int, **_unknown: object) -> bool:
    """True when more is due now."""
    return prefetching.work_due(seller_id=seller_id)


def work_hand_overs(*, seller_id: int, **_unknown: object) -> bool:
    """True when more is due now."""
    return handover.work_due(seller_id=seller_id)
