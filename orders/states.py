"""States of a shipment, and which moves are odd. What Flipkart reports is stored all the same."""

from shipcrowd.flipkart.types import State

STATE_CHOICES = [(state.value, state.value.replace("_", " ").capitalize()) for state in State]

BEFORE_PACK = frozenset({State.APPROVED, State.READY_TO_PACK})
PACKING = frozenset({State.PACKING_IN_PROGRESS, State.FORM_FAILED})
READY = frozenset({State.READY_TO_DISPATCH, State.PICKUP_COMPLETE})
# Still in the house or about to leave it; the rest is handed over or over.
OPEN_STATES = tuple(
    state.value for state in State if state in BEFORE_PACK | PACKING | READY | {State.PACKED, State.UNKNOWN}
)
# In the house with a label.
PACKED_STATES = frozenset({State.PACKED}) | READY
HANDED_OVER = frozenset({State.SHIPPED, State.DELIVERED, State.COMPLETED, State.RETURN_REQUESTED, State.RETURNED})
FINAL = frozenset({State.DELIVERED, State.COMPLETED, State.CANCELLED, State.RETURN_REQUESTED, State.RETURNED})

_ORDER = [
    frozenset({State.APPROVED}),
    frozenset({State.READY_TO_PACK}),
    PACKING,
    frozenset({State.PACKED}),
    frozenset({State.READY_TO_DISPATCH}),
    frozenset({State.PICKUP_COMPLETE}),
    frozenset({State.SHIPPED}),
    frozenset({State.DELIVERED, State.COMPLETED}),
    frozenset({State.RETURN_REQUESTED}),
    frozenset({State.RETURNED}),
]


def rank(state: State) -> int | None:
    """How far along a shipment is, 0 upwards; None for cancelled and unknown, which stand beside the line."""
    return next((position for position, states in enumerate(_ORDER) if state in states), None)


def is_packing_or_later(state: State) -> bool:
    """Whether Flipkart has accepted the request to pack: it may take a while, or wait for a form."""
    place = rank(state)
    return place is not None and place >= 2


def is_packed_or_later(state: State) -> bool:
    place = rank(state)
    return place is not None and place >= 3


def is_dispatched_or_later(state: State) -> bool:
    place = rank(state)
    return place is not None and place >= 4


def is_odd_move(before: State, after: State) -> bool:
    """Whether Flipkart reports a move that should not happen: backwards, or out of a final state. Stored, and shown."""
    if before == after or State.UNKNOWN in (before, after):
        return False
    if before == State.CANCELLED:
        return True
    if after == State.CANCELLED:
        return before in HANDED_OVER
    return (rank(after) or 0) < (rank(before) or 0)
