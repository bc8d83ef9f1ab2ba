"""What is about to leave the house is read once more where the last reading is too old."""

from collections.abc import Collection
from datetime import datetime

from orders import reading
from orders.models import Reading, Shipment
from orders.states import FINAL
from sellers import gateway
from shipcrowd.tenancy import seller_scope
from shipcrowd.transport.errors import CallFailed


def read_stale(
    seller_id: int, shipment_ids: Collection[int], *, before: datetime
) -> tuple[set[int], CallFailed | None]:
    """Reads those of these shipments again that were last read before `before` and may still change.

    Gives those that are still unread, and why if Flipkart failed. Outside of any scope.
    """
    with seller_scope(seller_id):
        shipments = list(
            Shipment.objects.filter(seller_id=seller_id, pk__in=shipment_ids).exclude(state__in=FINAL).order_by("pk")
        )
        fresh = set(
            Reading.objects.filter(
                seller_id=seller_id, shipment_id__in=[shipment.pk for shipment in shipments], read_at__gte=before
            ).values_list("shipment_id", flat=True)
        )
    stale = [shipment for shipment in shipments if shipment.pk not in fresh]
    if not stale:
        return set(), None
    try:
        client = gateway.client_for(seller_id)
    except CallFailed as error:
        return {shipment.pk for shipment in stale}, error
    again = reading.read_again(seller_id=seller_id, shipments=stale, client=client)
    return {shipment.pk for shipment in stale} - again.read, again.failed
