"""What the bell starts (settings.WORK_KINDS): one run of one seller. True when more is due now."""

from sellers import alerts


def work_alerts(*, seller_id: int, **_unknown: object) -> bool:
    """Mail the owners what they must know; safe to run twice and side by side."""
    return alerts.work_due(seller_id=seller_id)
