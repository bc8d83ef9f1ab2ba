"""Faults on a switch: per operation, per account, with a count; and a random mode for chaos runs."""

import random
import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

#: What both formats have, and what only Flipkart's published one has.
GUIDE_OPERATIONS = ("search", "shipments", "shipping_details", "generate_labels", "download_labels", "dispatch")
PUBLISHED_OPERATIONS = (
    *("cancel", "forms", "acknowledge_forms", "invoices", "download_invoices", "download_labels_only"),
    *("handover_counts", "manifest", "sandbox"),
)
API_OPERATIONS = (*GUIDE_OPERATIONS, *PUBLISHED_OPERATIONS)
#: Those with an outcome for each row, and those that are answered by a PDF.
ROW_OPERATIONS = ("generate_labels", "dispatch", "cancel", "acknowledge_forms")
PAPER_OPERATIONS = ("download_labels", "download_labels_only", "download_invoices", "manifest")
OPERATIONS = ("token", "authorize", *API_OPERATIONS)

#: Which operations each kind can befall.
KINDS: dict[str, tuple[str, ...]] = {
    "token_dead": API_OPERATIONS,
    "unauthorized": ("token", *API_OPERATIONS),
    "forbidden": OPERATIONS,
    "throttled": OPERATIONS,
    "server_error": OPERATIONS,
    "slow": OPERATIONS,
    "drop_before": OPERATIONS,
    "drop_after": OPERATIONS,
    "html": ("token", *API_OPERATIONS),
    "truncated": ("token", *API_OPERATIONS),
    "missing_field": ("token", *API_OPERATIONS),
    "unknown_state": ("search", "shipments"),
    "repeat_on_two_pages": ("search",),
    "shifting_page": ("search",),
    "repeating_marker": ("search",),
    "has_more_without_marker": ("search",),
    "foreign_next_page": ("search",),
    "no_cancelled_search": ("search",),
    "not_a_pdf": PAPER_OPERATIONS,
    "cut_pdf": PAPER_OPERATIONS,
    "late_labels": ("generate_labels", "download_labels"),
    "partial": ("shipments", "shipping_details", "download_labels", *ROW_OPERATIONS),
    "silent": ("shipments", "shipping_details", "download_labels", *ROW_OPERATIONS),
    "contradicting": ROW_OPERATIONS,
    "foreign_ids": ROW_OPERATIONS,
}

#: These last until cleared unless a count is given.
LASTING = frozenset({"unauthorized", "repeating_marker"})


@dataclass(slots=True, kw_only=True)
class Fault:
    """One fault that is switched on; `left` None lasts until cleared, `account` "" befalls every account."""

    operation: str
    kind: str
    left: int | None = 1
    account: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    drawn: bool = False

    def seconds(self, default: float) -> float:
        return float(self.options.get("seconds", default))


class Faults:
    """What shall go wrong. One fault befalls one call; those switched on first come first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._switched_on: list[Fault] = []
        self._share = 0.0
        self._random_kinds: tuple[str, ...] = ()
        self._random_operations: tuple[str, ...] = ()
        self._random = random.Random(0)  # noqa: S311 - draws faults, guards nothing

    def set(self, operation: str, kind: str, times: int | None = -1, *, account: Any = None, **options: Any) -> None:
        """Let `kind` befall the next `times` calls of `operation` ("*" is any that it can befall).

        Once by default; `times=None`, or no count for unauthorized and repeating_marker, until cleared. Options:
        slow(seconds=40, effect=True: done, then slow; "late": done only after the seconds; False: never done),
        throttled(retry_after="30"; None leaves the header out), server_error(status=500, effect=False),
        html(status=200, effect=True), truncated(keep=0.5), missing_field(field, row=0), unknown_state(word, row=0),
        late_labels(seconds=30), partial(code, as_strings=False), foreign_ids(ids=[...]), cut_pdf(keep=0.5).
        Raises ValueError for an operation or kind that is not there, or that cannot meet.
        """
        if kind not in KINDS or operation not in (*OPERATIONS, "*"):
            raise ValueError(f"no fault {kind!r} or no operation {operation!r}")
        if operation != "*" and operation not in KINDS[kind]:
            raise ValueError(f"{kind} cannot befall {operation}")
        left = (None if kind in LASTING else 1) if times == -1 else times
        account_id = getattr(account, "account_id", account) or ""
        with self._lock:
            self._switched_on.append(
                Fault(operation=operation, kind=kind, left=left, account=account_id, options=options)
            )

    def clear(self, operation: str = "", kind: str = "") -> None:
        """Switch off what matches; without arguments everything, the random mode too."""
        with self._lock:
            self._switched_on = [
                fault
                for fault in self._switched_on
                if (operation and fault.operation != operation) or (kind and fault.kind != kind)
            ]
            if not operation and not kind:
                self._share = 0.0

    def randomly(
        self,
        share: float = 0.2,
        kinds: Iterable[str] = ("drop_before", "drop_after", "slow", "server_error", "truncated"),
        seed: int = 0,
        operations: Collection[str] = OPERATIONS,
    ) -> None:
        """Let one of `kinds` befall `share` of all calls of `operations`, drawn from `seed`."""
        kinds = tuple(kinds)
        if unknown := [kind for kind in kinds if kind not in KINDS]:
            raise ValueError(f"no fault {unknown[0]!r}")
        with self._lock:
            self._share = share
            self._random_kinds = kinds
            self._random_operations = tuple(operations)
            self._random = random.Random(seed)  # noqa: S311 - draws faults, guards nothing

    @property
    def switched_on(self) -> list[Fault]:
        with self._lock:
            return list(self._switched_on)

    @property
    def random_share(self) -> float:
        return self._share

    def take(self, operation: str, account: str = "") -> Fault | None:
        """The fault that befalls this call, counted down; None for a call that goes well."""
        with self._lock:
            for fault in self._switched_on:
                if _meets(fault, operation, account):
                    if fault.left is not None:
                        fault.left -= 1
                        if fault.left <= 0:
                            self._switched_on.remove(fault)
                    return fault
            return self._draw(operation)

    def give_back(self, fault: Fault) -> None:
        """The call had nothing that the fault could show on: it befalls a later one."""
        with self._lock:
            if fault.left is not None:
                fault.left += 1
                if fault.left == 1 and not fault.drawn:
                    self._switched_on.insert(0, fault)

    def _draw(self, operation: str) -> Fault | None:
        kinds = [kind for kind in self._random_kinds if operation in KINDS[kind]]
        if not self._share or not kinds or operation not in self._random_operations:
            return None
        if self._random.random() >= self._share:
            return None
        return Fault(operation=operation, kind=self._random.choice(kinds), drawn=True)


def _meets(fault: Fault, operation: str, account: str) -> bool:
    return fault.operation in (operation, "*") and operation in KINDS[fault.kind] and fault.account in ("", account)
