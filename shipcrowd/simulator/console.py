"""The console page."""

from typing import TYPE_CHECKING

from markupsafe import Markup
from werkzeug.wrappers import Request, Response

from shipcrowd.simulator.page import page

if TYPE_CHECKING:
    from shipcrowd.simulator.app import Simulator


def respond(simulator: "Simulator", request: Request) -> Response:
    return page("Console", Markup("<p>{} accounts</p>").format(len(simulator.world.accounts)))
