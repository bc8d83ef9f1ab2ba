"""The seller API in the format that Flipkart publishes (OpenAPI of 2024-06-19; wire.md), over the same world.

JSON values in, JSON values or the bytes of a PDF out. Whoever asks in the guide's format meets the same shipments.
"""

from collections.abc import Callable
from typing import Any

from werkzeug.routing import Rule

from shipcrowd.simulator.accounts import Account
from shipcrowd.simulator.faults import Fault
from shipcrowd.simulator.official import cancelling, handover, packing, papers, sandbox, searching
from shipcrowd.simulator.official.asked import Asked
from shipcrowd.simulator.official.spoiling import has_met, spoil
from shipcrowd.simulator.world import World

__all__ = ["ROUTES", "Asked", "answer", "has_met", "operation_of", "spoil"]

Handler = Callable[[World, Account, Asked, Fault | None], Any]

_HANDLERS: dict[str, Handler] = {
    "search": searching.search,
    "shipments": searching.shipments,
    "shipping_details": searching.shipping_details,
    "generate_labels": packing.generate_labels,
    "dispatch": packing.dispatch,
    "download_labels": papers.download_labels,
    "download_labels_only": papers.download_labels_only,
    "invoices": papers.invoices,
    "download_invoices": papers.invoices,
    "cancel": cancelling.cancel,
    "forms": cancelling.forms,
    "acknowledge_forms": cancelling.acknowledge_forms,
    "handover_counts": handover.handover_counts,
    "manifest": handover.manifest,
    "sandbox": sandbox.sandbox,
}


def operation_of(operation: str, accept: str) -> str:
    """Invoices have one path: what the call accepts says whether they are read or downloaded."""
    return "download_invoices" if operation == "invoices" and "application/pdf" in accept else operation


def answer(world: World, account: Account, asked: Asked, fault: Fault | None) -> Any:
    """The answer to one call. Raises ApiError for a call that is refused whole."""
    return _HANDLERS[asked.operation](world, account, asked, fault)


def _rule(method: str, path: str, operation: str) -> Rule:
    return Rule(f"/sellers{path}", endpoint=f"official:{operation}", methods=[method])


ROUTES = [
    _rule("POST", "/v3/shipments/filter", "search"),
    _rule("POST", "/v3/shipments/filter/", "search"),  # accepted too (wire.md 3.1)
    _rule("GET", "/v3/shipments/filter", "search"),
    _rule("GET", "/v3/shipments", "shipments"),
    _rule("POST", "/v3/shipments/labels", "generate_labels"),
    _rule("POST", "/v3/shipments/dispatch", "dispatch"),
    _rule("GET", "/v3/shipments/<ids>", "shipping_details"),
    _rule("GET", "/v3/shipments/<ids>/labels", "download_labels"),
    _rule("POST", "/v3/shipments/<ids>/labelOnly/pdf", "download_labels_only"),
    _rule("GET", "/v3/shipments/<ids>/labelOnly/pdf", "download_labels_only"),  # works too (wire.md 3.5)
    _rule("GET", "/v3/shipments/<ids>/invoices", "invoices"),
    _rule("POST", "/v3/shipments/cancel", "cancel"),
    _rule("POST", "/v3/shipments/<ids>/forms", "forms"),
    _rule("GET", "/v3/shipments/<ids>/forms", "forms"),  # as the newer pages say (wire.md 3.5)
    _rule("POST", "/v3/shipments/forms/updateAck", "acknowledge_forms"),
    _rule("GET", "/v3/shipments/handover/counts", "handover_counts"),
    _rule("POST", "/v3/shipments/manifest", "manifest"),
    *(
        _rule(method, f"/{path}/sandbox/{name}", "sandbox")
        for method, path, name in (
            *(("POST", "orders", name) for name in ("test_orders", "update_dispatch_slot")),
            *(("PUT", "orders", name) for name in ("on_hold", "un_hold")),
            *(("POST", "orders", name) for name in ("pick_up_complete", "shipped", "delivered")),
            *(("POST", "returns", name) for name in ("create_returns", "return_events")),
        )
    ),
]
