"""The powers of guide 8.2 over HTTP, as JSON under /control/ (our own: the guide has no API for them)."""

from typing import TYPE_CHECKING

from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from shipcrowd.simulator.app import Simulator


def respond(simulator: "Simulator", request: Request, path: str) -> Response:
    raise NotFound
