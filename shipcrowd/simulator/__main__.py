"""`python -m shipcrowd.simulator --port 8001`: the simulator as a process of its own."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from shipcrowd.simulator.app import QUOTA, REDIRECT_URIS, Simulator
from shipcrowd.simulator.serving import serve


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the options and serve; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m shipcrowd.simulator", description="A stateful Flipkart to run against."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8001)
    parser.add_argument("--state", type=Path, metavar="FILE", help="keep the world in this file")
    parser.add_argument(
        "--seller", action="append", default=[], metavar="NAME", help="a seller account to have; repeatable"
    )
    parser.add_argument(
        "--day", type=int, default=0, metavar="COUNT", help="add a fresh day of shipments to every account"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--portal-secret",
        default=os.environ.get("SIMULATOR_PORTAL_SECRET", "simulator-portal-secret"),
        help="secret of the client shipcrowd-portal; in SIMULATOR_PORTAL_SECRET no other user of this machine reads it",
    )
    parser.add_argument(
        "--redirect-uri", action="append", metavar="URL", help="registered callback address; repeatable"
    )
    parser.add_argument(
        "--calls-per-minute", type=int, default=QUOTA, metavar="N", help="quota per account, 0 for none"
    )
    parser.add_argument(
        "--packing-seconds",
        nargs=2,
        type=float,
        default=(5, 10),
        metavar=("SHORTEST", "LONGEST"),
        help="how long packing takes in Flipkart's published format",
    )
    chosen = parser.parse_args(arguments)
    simulator = Simulator(
        seed=chosen.seed,
        portal_secret=chosen.portal_secret,
        redirect_uris=chosen.redirect_uri or REDIRECT_URIS,
        calls_per_minute=chosen.calls_per_minute or None,
        packing_seconds=tuple(chosen.packing_seconds),
    )
    return serve(
        chosen.host, chosen.port, state_path=chosen.state, simulator=simulator, sellers=chosen.seller, day=chosen.day
    )


if __name__ == "__main__":
    sys.exit(main())
