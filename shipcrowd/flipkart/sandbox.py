"""What buyers and couriers do, done by ourselves at Flipkart's sandbox: for tests against it, never for a seller."""

from collections.abc import Callable, Sequence
from datetime import datetime

from shipcrowd.flipkart.types import SandboxMove, SandboxOrder, ShipmentType
from shipcrowd.flipkart.wire import PublishedWire
from shipcrowd.transport import Answer, Request


class Sandbox:
    """The sandbox's own operations; each is keyed by an order item and raises what a call of the client raises."""

    def __init__(self, wire: PublishedWire, send: Callable[[Request], Answer]) -> None:
        self._wire = wire
        self._send = send

    def order(
        self,
        *,
        location_id: str,
        listings: Sequence[tuple[str, int]],
        shipment_type: ShipmentType = ShipmentType.NORMAL,
    ) -> SandboxOrder:
        """A test order of these listings, each with its pieces."""
        request = self._wire.encode_test_order(location_id=location_id, listings=listings, shipment_type=shipment_type)
        return self._wire.decode_test_order(self._send(request))

    def move(self, move: SandboxMove, order_item_id: str) -> None:
        """Hold it, release it, or let the courier pick it up, ship it, deliver it."""
        self._do(self._wire.encode_move(move, order_item_id))

    def change_dispatch_slot(self, order_item_id: str, *, after: datetime, by: datetime) -> None:
        self._do(self._wire.encode_dispatch_slot(order_item_id, after=after, by=by))

    def send_back(self, order_item_id: str, *, by_courier: bool = False) -> None:
        """The buyer sends it back, or the courier could not deliver it."""
        self._do(self._wire.encode_test_return(order_item_id, by_courier=by_courier))

    def end_return(self, order_item_id: str, *, is_complete: bool = True) -> None:
        """It arrived, or the buyer keeps it after all."""
        self._do(self._wire.encode_return_event(order_item_id, is_complete=is_complete))

    def _do(self, request: Request) -> None:
        self._wire.decode_done(self._send(request))
