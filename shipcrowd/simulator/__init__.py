"""A stateful Flipkart to run against, in the guide's format: a WSGI application without Django.

It imports nothing of the client's, so that the two cannot agree by construction. `Simulator(clock=..., seed=...)` has
`.world` (what is), `.faults` (what shall go wrong) and `.ledger` (what really happened, and how often).
"""

from shipcrowd.simulator.accounts import Account, Refusal, State
from shipcrowd.simulator.app import Dropped, Simulator
from shipcrowd.simulator.mounting import mounted
from shipcrowd.simulator.oauth import PORTAL_CLIENT_ID
from shipcrowd.simulator.serving import running, serve

__all__ = ["PORTAL_CLIENT_ID", "Account", "Dropped", "Refusal", "Simulator", "State", "mounted", "running", "serve"]
