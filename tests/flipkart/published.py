"""Flipkart's published OpenAPI document as a judge: of every request the client makes, and of every answer it gets.

The document is no part of this project: FLIPKART_REFERENCE names the folder that has it, and where it is not set the
tests that need it are skipped. What it leaves open is closed: a field that it does not print is wrong, and so is one
that lacks. What is known to be wrong in it is amended here, each with its reason (wire.md).
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from openapi_core import Config, OpenAPI
from openapi_core.contrib.requests import RequestsOpenAPIRequest, RequestsOpenAPIResponse
from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter

from shipcrowd.simulator import Simulator, mounted

HAS_REFERENCE = "FLIPKART_REFERENCE" in os.environ
needs_reference = pytest.mark.skipif(not HAS_REFERENCE, reason="FLIPKART_REFERENCE names no folder")


def reference(name: str) -> Path:
    """A file of the reference; one that is not there makes its test fail, not skip."""
    return Path(os.environ["FLIPKART_REFERENCE"]) / name


class Wrong(AssertionError):
    """What was asked or answered is not what the document says."""


class Published:
    """The document, amended, for a server at `url`; `asked` are the operations that were asked of it.

    `unamended` is the one amendment that is left out.
    """

    def __init__(self, url: str, *, unamended: str = "") -> None:
        document = json.loads(reference("openapi-flipkart-mp-2024-06-19.json").read_text())
        for reason, amend in AMENDMENTS.items():
            if reason != unamended:
                amend(document)
        _reasons_are_three(document)
        _no_other_names(document)
        _starred_is_required(document)
        document["servers"] = [{"url": url}]
        self.operations = {
            f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods
        }
        # Unchecked as a document: two operations that are not ours are printed in ways that OpenAPI does not allow.
        self._paths = document["paths"]
        self._judge = OpenAPI.from_dict(document, config=Config(spec_validator_cls=None))
        self.asked: set[str] = set()

    def check_request(self, prepared: PreparedRequest) -> None:
        """Raises Wrong, with the document's own words."""
        errors = list(self._judge.iter_request_errors(RequestsOpenAPIRequest(prepared)))
        if errors:
            raise Wrong(f"{prepared.method} {prepared.path_url}: {_words(errors)}")
        operation = self._operation(prepared)
        if unknown := self._names_in_query(prepared) - self._names_printed(operation):
            raise Wrong(f"{prepared.method} {prepared.path_url}: no parameter is named {', '.join(sorted(unknown))}")
        self.asked.add(operation)

    def check_answer(self, prepared: PreparedRequest, response: Response) -> None:
        """Raises Wrong, with the document's own words."""
        asked, answered = RequestsOpenAPIRequest(prepared), RequestsOpenAPIResponse(response)
        if errors := list(self._judge.iter_response_errors(asked, answered)):
            raise Wrong(f"{prepared.method} {prepared.path_url} answered: {_words(errors)}")

    def _names_in_query(self, prepared: PreparedRequest) -> set[str]:
        return {name for name, _ in parse_qsl(urlsplit(prepared.url or "").query, keep_blank_values=True)}

    def _names_printed(self, operation: str) -> set[str]:
        method, _, path = operation.partition(" ")
        return {one["name"] for one in self._paths[path][method.lower()].get("parameters", ()) if one["in"] == "query"}

    def _operation(self, prepared: PreparedRequest) -> str:
        """ "GET /sellers/v3/shipments/{shipmentIds}": of those that match, the one with fewest blanks."""
        asked = f"{prepared.method} {urlsplit(prepared.url or '').path}"
        matching = [one for one in self.operations if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", one), asked)]
        return min(matching, key=lambda one: one.count("{"))


def _words(errors: Iterable[BaseException]) -> str:
    """The schema's own complaints with their paths where there are any, else what was raised."""
    words: list[str] = []
    for error in errors:
        complaints = getattr(error, "schema_errors", None) or getattr(error.__cause__, "schema_errors", ())
        words += [f"{'/'.join(map(str, one.absolute_path))}: {one.message}"[:200] for one in complaints]
        words += [] if complaints else [f"{error} ({error.__cause__})"[:300]]
    return "; ".join(words)


class Judged(BaseAdapter):
    """The simulator, mounted, with the document as judge of every call below /sellers.

    An answer that a fault has spoilt is not judged, nor one that refuses: the document prints no errors.
    """

    def __init__(self, simulator: Simulator, published: Published) -> None:
        super().__init__()
        self._simulator = simulator
        self._inner = mounted(simulator)
        self.published = published

    def send(self, request: PreparedRequest, **how: Any) -> Response:
        if not request.path_url.startswith("/sellers/"):
            return self._inner.send(request, **how)
        self.published.check_request(request)
        response: Response = self._inner.send(request, **how)
        is_spoilt = bool(self._simulator.ledger.calls[-1].fault)
        if response.status_code == 200 and not is_spoilt and not _is_refusal(response):
            self.published.check_answer(request, response)
        return response

    def close(self) -> None:
        self._inner.close()


def _is_refusal(response: Response) -> bool:
    return response.content.startswith(b'{"errorCode"')


# --- What the document leaves open ------------------------------------------------------------------------------------


def _no_other_names(document: Mapping[str, Any]) -> None:
    """A field that is not printed is wrong: the document says of no object that it has others, and of none that not."""
    for node in _nodes(document["paths"]):
        if isinstance(node.get("schema"), dict):
            _close(node["schema"])


def _close(schema: dict[str, Any]) -> None:
    if "properties" in schema:
        schema.setdefault("additionalProperties", False)
    for inner in (*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")):
        if isinstance(inner, dict):
            _close(inner)


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _nodes(inner)


def _starred_is_required(document: Mapping[str, Any]) -> None:
    """What must be said, which the document mostly leaves out (the stars of wire.md)."""
    for path, objects in STARRED.items():
        said = document["paths"][path]["post"]["requestBody"]
        said["required"] = True
        for where, names in objects.items():
            _at(_body_of(document, path), where)["required"] = list(names)
    for parameter in document["paths"]["/sellers/v3/shipments/handover/counts"]["get"]["parameters"]:
        parameter["required"] = parameter["name"] == "locationId"


def _reasons_are_three(document: dict[str, Any]) -> None:
    """Any text is printed; these are the ones that are known (wire.md 3.7)."""
    row = _at(_body_of(document, "/sellers/v3/shipments/cancel"), "shipments")
    row["properties"]["reason"]["enum"] = ["cannot_procure_item", "not_enough_inventory", "b2b_order"]


def _body_of(document: Mapping[str, Any], path: str) -> dict[str, Any]:
    """The schema of what is sent there by POST."""
    (content,) = document["paths"][path]["post"]["requestBody"]["content"].values()
    schema: dict[str, Any] = content["schema"]
    return schema


def _at(schema: dict[str, Any], where: str) -> dict[str, Any]:
    """The object at "shipments/taxItems", through lists."""
    for name in where.split("/") if where else ():
        schema = schema["properties"][name]
        while schema["type"] == "array":
            schema = schema["items"]
    return schema


SIZES = ("length", "breadth", "height", "weight")
#: By the path that is asked by POST, and the object in its body. Sources: wire.md 3.1, 3.4 to 3.7.
STARRED: dict[str, dict[str, Sequence[str]]] = {
    "/sellers/v3/shipments/filter": {"": ["filter"], "filter": ["type", "states"]},
    "/sellers/v3/shipments/labels": {
        "": ["shipments"],
        "shipments": ["shipmentId", "locationId", "taxItems", "invoices", "subShipments"],
        "shipments/taxItems": ["orderItemId", "quantity", "taxRate"],
        "shipments/invoices": ["orderId", "invoiceDate"],
        "shipments/subShipments": ["subShipmentId", "dimensions"],
        "shipments/subShipments/dimensions": SIZES,
        "shipments/serialNumbers": ["orderItemId", "serialNumbers"],
    },
    "/sellers/v3/shipments/dispatch": {"": ["shipmentIds", "locationId"]},
    "/sellers/v3/shipments/cancel": {
        "": ["shipments"],
        "shipments": ["shipmentId", "locationId", "cancellationGroupIds", "reason"],
    },
    "/sellers/v3/shipments/forms/updateAck": {
        "": ["shipments"],
        "shipments": ["shipmentId", "forms"],
        "shipments/forms": ["name", "ackNumber"],
    },
    "/sellers/v3/shipments/manifest": {"": ["params"], "params": ["vendorGroupCode"]},
}

# --- What is wrong in the document -----------------------------------------------------------------------------------


def _rows_of(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The schema of a shipment's row, wherever it is printed for what it is."""
    found = []
    for path, method in (
        ("/sellers/v3/shipments/filter", "get"),
        ("/sellers/v3/shipments/filter", "post"),
        ("/sellers/v3/shipments", "get"),
    ):
        schema = document["paths"][path][method]["responses"]["200"]["content"]["application/json"]["schema"]
        found.append(schema["properties"]["shipments"]["items"])
    return found


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def _list_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": schema}


TEXT, NUMBER, FLAG = {"type": "string"}, {"type": "number"}, {"type": "boolean"}
TIME = {"type": "string", "format": "date-time"}
NO_TEXT = {"type": "string", "nullable": True}
SIZE = _object(**dict.fromkeys(SIZES, NUMBER))


def _packages_are_others(document: dict[str, Any]) -> None:
    package = _object(packageId=TEXT, packageTitle=NO_TEXT, packageSku=TEXT, dimensions=SIZE)
    for row in _rows_of(document):
        row["properties"]["subShipments"]["items"]["properties"]["packages"] = _list_of(package)


def _shipping_view_is_another(document: dict[str, Any]) -> None:
    """As captured (2018-09)."""
    lines = ("addressLine1", "addressLine2", "landmark", "city", "state", "stateCode", "pinCode")
    names = ("firstName", "lastName")
    address = _object(**dict.fromkeys((*names, *lines, "contactNumber"), NO_TEXT))
    courier = _object(vendorName=NO_TEXT, trackingId=NO_TEXT)
    part = _object(
        subShipmentId=TEXT,
        shipmentDimensions=SIZE | {"nullable": True},
        courierDetails=_object(pickupDetails=courier, deliveryDetails=courier),
    )
    row = _object(
        **dict.fromkeys(("shipmentId", "orderId", "locationId"), TEXT),
        weighingRequired=FLAG,
        subShipments=_list_of(part),
        orderItems=_list_of(_object(id=TEXT, **dict.fromkeys(("fragile", "dangerous", "large"), FLAG))),
        buyerDetails=_object(**dict.fromkeys(names, NO_TEXT)),
        **dict.fromkeys(("deliveryAddress", "billingAddress", "returnAddress"), address),
        sellerAddress=_object(**dict.fromkeys(("sellerName", *lines), NO_TEXT)),
    )
    answer = document["paths"]["/sellers/v3/shipments/{shipmentIds}"]["get"]["responses"]["200"]
    answer["content"]["application/json"]["schema"] = _object(shipments=_list_of(row))


def _rows_say_either_word(document: dict[str, Any]) -> None:
    for path in ("labels", "dispatch", "cancel", "forms/updateAck"):
        answer = document["paths"][f"/sellers/v3/shipments/{path}"]["post"]["responses"]["200"]
        row = answer["content"]["application/json"]["schema"]["properties"]["shipments"]["items"]
        row["properties"]["processingStatus"] = TEXT


def _held_ones_are_asked_for(document: dict[str, Any]) -> None:
    _at(_body_of(document, "/sellers/v3/shipments/filter"), "filter")["properties"]["hold"] = FLAG


def _manifest_is_asked_as_by_newer_pages(document: dict[str, Any]) -> None:
    params = _at(_body_of(document, "/sellers/v3/shipments/manifest"), "params")
    params["properties"] |= {"isMps": FLAG, "pickUpDate": _object(after=TIME, before=TIME)}


def _slot_is_of_an_item(document: dict[str, Any]) -> None:
    content = document["paths"]["/sellers/orders/sandbox/update_dispatch_slot"]["post"]["requestBody"]["content"]
    slot = _object(orderItemId=TEXT, dispatch_after_date=TIME, dispatch_by_date=TIME)
    content["application/json"]["schema"] = slot | {"required": list(slot["properties"])}


def _pick_up_is_after_and_before(document: dict[str, Any]) -> None:
    content = document["paths"]["/sellers/v3/shipments/handover/counts"]["get"]["responses"]["200"]["content"]
    content["application/json"]["schema"]["items"]["properties"]["pickUpDate"] = _object(after=TIME, before=TIME)


def _quantity_is_a_float(document: dict[str, Any]) -> None:
    for row in _rows_of(document):
        row["properties"]["orderItems"]["items"]["properties"]["quantity"] = {"type": "number"}


def _invoice_date_is_a_day(document: dict[str, Any]) -> None:
    invoice = _at(_body_of(document, "/sellers/v3/shipments/labels"), "shipments/invoices")
    invoice["properties"]["invoiceDate"]["format"] = "date"


def _filter_is_json(document: dict[str, Any]) -> None:
    content = document["paths"]["/sellers/v3/shipments/filter"]["post"]["requestBody"]["content"]
    content["application/json"] = content.pop("*/*")


def _papers_are_pdf(document: dict[str, Any]) -> None:
    for path, kinds in PAPERS.items():
        (operation,) = document["paths"][path].values()
        operation["responses"]["default"]["content"] = {kind: {"schema": {}} for kind in kinds}


def _counts_are_in_an_object(document: dict[str, Any]) -> None:
    content = document["paths"]["/sellers/v3/shipments/handover/counts"]["get"]["responses"]["200"]["content"]
    counts = content["application/json"]["schema"]
    content["application/json"]["schema"] = {"type": "object", "properties": {"resultManifestDetails": counts}}


PAPERS = {
    "/sellers/v3/shipments/{shipmentIds}/labels": ["application/pdf"],
    "/sellers/v3/shipments/{shipmentIds}/labelOnly/pdf": ["application/pdf"],
    "/sellers/v3/shipments/{shipmentIds}/invoices": ["application/pdf", "application/json"],
    "/sellers/v3/shipments/manifest": ["application/pdf"],
}
AMENDMENTS: dict[str, Callable[[dict[str, Any]], None]] = {
    "packages of a sub-shipment are printed as those of a listing, which share their name (wire.md 3.1)": (
        _packages_are_others
    ),
    "the shipping view is printed as the row of a search, which shares its name (captured 2018-09; wire.md 3.3)": (
        _shipping_view_is_another
    ),
    "rows of dispatch say processingStatus as often as status (newer pages; wire.md 1)": _rows_say_either_word,
    "held shipments are found only by `hold`, which is not printed (newer pages; wire.md 3.1)": (
        _held_ones_are_asked_for
    ),
    "a manifest is asked for by isMps and pickUpDate, after and before (newer pages; wire.md 3.5)": (
        _manifest_is_asked_as_by_newer_pages
    ),
    "the dispatch slot's body is a copy of a test order's (wire.md 7)": _slot_is_of_an_item,
    "a pick-up is printed as from and to, and was captured as after and before (captured 2022-08; wire.md 3.5)": (
        _pick_up_is_after_and_before
    ),
    "quantity is printed as integer and sent as 1.0 (captured 2023-06; wire.md 3.1)": _quantity_is_a_float,
    "invoiceDate is printed as date-time; in practice it is a day (wire.md 3.4)": _invoice_date_is_a_day,
    "hand-over counts are printed as a list and were captured in an object (captured 2022-08; wire.md 3.5)": (
        _counts_are_in_an_object
    ),
    "what is answered as a paper is printed without any content (wire.md 3.5)": _papers_are_pdf,
    "the filter's body is printed for any content type; it is JSON (wire.md 1)": _filter_is_json,
}
