"""Flipkart's published OpenAPI document as a judge: of every request the client makes, and of every answer it gets.

The document is no part of this project: FLIPKART_REFERENCE names the folder that has it, and where it is not set the
tests that need it are skipped. What is known to be wrong in it is amended here, each with its reason (wire.md).
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

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
        document["servers"] = [{"url": url}]
        self.operations = {
            f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods
        }
        # Unchecked as a document: two operations that are not ours are printed in ways that OpenAPI does not allow.
        self._judge = OpenAPI.from_dict(document, config=Config(spec_validator_cls=None))
        self.asked: set[str] = set()

    def check_request(self, prepared: PreparedRequest) -> None:
        """Raises Wrong, with the document's own words."""
        errors = list(self._judge.iter_request_errors(RequestsOpenAPIRequest(prepared)))
        if errors:
            raise Wrong(f"{prepared.method} {prepared.path_url}: {_words(errors)}")
        self.asked.add(self._operation(prepared))

    def check_answer(self, prepared: PreparedRequest, response: Response) -> None:
        """Raises Wrong, with the document's own words."""
        asked, answered = RequestsOpenAPIRequest(prepared), RequestsOpenAPIResponse(response)
        if errors := list(self._judge.iter_response_errors(asked, answered)):
            raise Wrong(f"{prepared.method} {prepared.path_url} answered: {_words(errors)}")

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


# --- What is wrong in the document -----------------------------------------------------------------------------------


def _rows_of(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The schema of a shipment's row, wherever it is printed."""
    found = []
    for path, method in (
        ("/sellers/v3/shipments/filter", "get"),
        ("/sellers/v3/shipments/filter", "post"),
        ("/sellers/v3/shipments", "get"),
        ("/sellers/v3/shipments/{shipmentIds}", "get"),
    ):
        schema = document["paths"][path][method]["responses"]["200"]["content"]["application/json"]["schema"]
        found.append(schema["properties"]["shipments"]["items"])
    return found


def _packages_are_others(document: dict[str, Any]) -> None:
    for row in _rows_of(document):
        row["properties"]["subShipments"]["items"]["properties"]["packages"] = {"type": "array"}


def _quantity_is_a_float(document: dict[str, Any]) -> None:
    for row in _rows_of(document):
        row["properties"]["orderItems"]["items"]["properties"]["quantity"] = {"type": "number"}


def _invoice_date_is_a_day(document: dict[str, Any]) -> None:
    body = document["paths"]["/sellers/v3/shipments/labels"]["post"]["requestBody"]["content"]["application/json"]
    parcel = body["schema"]["properties"]["shipments"]["items"]["properties"]
    parcel["invoices"]["items"]["properties"]["invoiceDate"]["format"] = "date"


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
    "quantity is printed as integer and sent as 1.0 (captured 2023-06; wire.md 3.1)": _quantity_is_a_float,
    "invoiceDate is printed as date-time; in practice it is a day (wire.md 3.4)": _invoice_date_is_a_day,
    "hand-over counts are printed as a list and were captured in an object (captured 2022-08; wire.md 3.5)": (
        _counts_are_in_an_object
    ),
    "what is answered as a paper is printed without any content (wire.md 3.5)": _papers_are_pdf,
    "the filter's body is printed for any content type; it is JSON (wire.md 1)": _filter_is_json,
}
