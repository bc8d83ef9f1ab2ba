"""What became of a press of a button over many shipments, in numbers, reasons and one sentence."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from orders.models import Shipment
from shipcrowd.work import State, WorkRow

RowT = TypeVar("RowT", bound=WorkRow)
ON_THEIR_WAY = gettext_lazy("%(count)d on their way")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`left_out` has Flipkart's shipment ids by reason, most first; `already` counts those that were on their way
    before; `words` say what the accepted ones are now.
    """

    accepted: int
    words: Promise = ON_THEIR_WAY
    already: int = 0
    left_out: list[tuple[str, list[str]]] = field(default_factory=list)
    first: int = 0  # of those accepted, how many want another step first
    again: int = 0  # of those left out, how many were only done before, and may be done again
    sheets_between: int = 0  # printed by SKU, how many sheets a separator between groups is
    wants_sizes: bool = False  # some are left out only until their package size is entered
    warns: str = ""  # what a person should know before pressing
    waits: str = ""  # why accepted rows do not leave at once, if so

    @property
    def left_out_count(self) -> int:
        return sum(len(ids) for _reason, ids in self.left_out)

    def in_words(self) -> str:
        """ "38 on their way; left out: 2 on hold at Flipkart, 1 cancelled; 4 already on their way"."""
        parts = [str(self.words) % {"count": self.accepted}]
        if self.left_out:
            reasons = ", ".join(f"{len(ids)} {reason}" for reason, ids in self.left_out)
            parts.append(_("left out: %(reasons)s") % {"reasons": reasons})
        if self.already:
            parts.append(
                ngettext("%(count)d already on its way", "%(count)d already on their way", self.already)
                % {"count": self.already}
            )
        if self.waits and self.accepted:
            parts.append(self.waits)
        return "; ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Split(Generic[RowT]):
    """Chosen shipments before anything is done: `ready` may be asked for, `asked` are the rows of those asked for
    before.
    """

    ready: list[Shipment]
    on_their_way: list[Shipment]
    left_out: list[tuple[Shipment, str]]
    asked: dict[int, RowT]

    @property
    def new(self) -> list[Shipment]:
        return [shipment for shipment in self.ready if shipment.pk not in self.asked]

    @property
    def taken_up_again(self) -> list[RowT]:
        """Rows that had ended, and go on."""
        return [self.asked[shipment.pk] for shipment in self.ready if shipment.pk in self.asked]

    def outcome(self, *, why_waits: str = "") -> Outcome:
        """`why_waits` is why nothing leaves the house just now, if so."""
        return Outcome(
            accepted=len(self.ready),
            already=len(self.on_their_way),
            left_out=by_reason(self.left_out),
            waits=_("%(why)s: they wait") % {"why": why_waits} if why_waits else "",
        )


def split(
    shipments: Iterable[Shipment],
    asked: dict[int, RowT],
    why_not: Callable[[Shipment, RowT | None], str | None],
) -> Split[RowT]:
    """Pure: what is on its way already, what has a reason against it, and what is ready. `asked` is by shipment."""
    on_their_way, ready, left_out = [], [], []
    for shipment in shipments:
        row = asked.get(shipment.pk)
        if row is not None and row.is_open:
            on_their_way.append(shipment)
        elif reason := why_not(shipment, row):
            left_out.append((shipment, reason))
        elif row is not None and row.state == State.DONE:
            left_out.append((shipment, _("done already")))
        else:
            ready.append(shipment)
    return Split(ready=ready, on_their_way=on_their_way, left_out=left_out, asked=asked)


def by_reason(pairs: Iterable[tuple[Shipment, str]]) -> list[tuple[str, list[str]]]:
    """Flipkart's shipment ids of each reason, the reason with most first, then by its words."""
    found: dict[str, list[str]] = defaultdict(list)
    for shipment, reason in pairs:
        found[reason].append(shipment.flipkart_shipment_id)
    return sorted(found.items(), key=lambda pair: (-len(pair[1]), pair[0]))
