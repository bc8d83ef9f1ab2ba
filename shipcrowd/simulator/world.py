"""The world behind the simulator: what may be done with accounts and shipments, all under one lock."""

import heapq
import random
import secrets
import threading
import zlib
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta

from shipcrowd.simulator.accounts import (
    BEFORE_PACK,
    IST,
    MOVES,
    Account,
    Facility,
    Form,
    Item,
    Key,
    Refusal,
    Search,
    Shipment,
    State,
)
from shipcrowd.simulator.ledger import Attempt, Effect, Ledger
from shipcrowd.simulator.places import FIRST_NAMES, GOODS, LANDMARKS, LAST_NAMES, PLACES, STREETS, Goods, Place

#: In Flipkart's published format packing takes this long (wire.md 3.1); no label waits behind it.
PACKING_TIME = (timedelta(seconds=5), timedelta(seconds=10))

#: Labels come this long after the POST (guide, Common Issues 2: "wait 2-5 seconds").
LABEL_DELAY = (timedelta(seconds=2), timedelta(seconds=5))

MOST_PARCELS = 5
SHIPMENT_TYPES = ("NORMAL", "EXPRESS", "SELF")
TIERS = ("REGULAR", "EXPRESS")
PACKAGING_POLICIES = ("DEFAULT", "GREEN_PACKAGE", "TRANSPARENT_PACKAGE", "NA")


class World:
    """All accounts and shipments. Thread-safe; every change is in the ledger."""

    def __init__(self, *, clock: Callable[[], datetime], ledger: Ledger, seed: int) -> None:
        self.clock = clock
        self.packing_time = PACKING_TIME
        self.ledger = ledger
        self.lock = threading.RLock()
        self.accounts: dict[str, Account] = {}
        self.made = 0
        self._packing: dict[int, tuple[Account, Shipment]] = {}
        self._seed = seed
        self._random = random.Random(seed)  # noqa: S311 - invents names and prices, guards nothing

    def take_to_pack(self, shortest: float, longest: float) -> None:
        """How many seconds packing takes in the published format. Raises ValueError."""
        if not 0 <= shortest <= longest:
            raise ValueError("packing takes from a shortest to a longest number of seconds")
        self.packing_time = (timedelta(seconds=shortest), timedelta(seconds=longest))

    # Accounts

    def add_seller(self, name: str, *, facilities: int = 1, goods: Sequence[Goods] = GOODS) -> Account:
        """A new seller account with `facilities` places that ship; credentials follow from the seed."""
        with self.lock:
            number = len(self.accounts) + 1
            place = PLACES[(number - 1) % len(PLACES)]
            # Drawn per account: a world that was saved and restored must not give a new one the first one's secret.
            drawn = random.Random(f"{self._seed}:{number}")  # noqa: S311 - guards a pretended Flipkart, and tests rely on it
            letters = "".join(letter for letter in name.upper() if letter.isascii() and letter.isalpha()).ljust(5, "X")
            account = Account(
                account_id=f"seller-{number}",
                name=name,
                client_id=f"app_{drawn.getrandbits(64):016x}",
                client_secret=f"{drawn.getrandbits(256):064x}",
                gstin=f"{place.gst_code}AA{letters[:3]}{1000 + number}{letters[3]}1Z5",
                place=place,
                street=f"{number * 7} {STREETS[number % len(STREETS)]}",
                goods=list(goods),
            )
            for at in range(facilities):
                account.facilities.append(self._new_facility(PLACES[(number - 1 + at) % len(PLACES)], number, at))
            self.accounts[account.account_id] = account
            return account

    def draw_anew(self) -> None:
        """After a restored world: the next day's people are others than the first day's, and packing goes on."""
        self._random.seed(f"{self._seed}:{self.made}")
        for account in self.accounts.values():
            for shipment in account.shipments.values():
                if shipment.state == State.PACKING_IN_PROGRESS:
                    self._packing[shipment.number] = (account, shipment)

    def account_named(self, name: str) -> Account | None:
        return next((account for account in self.accounts.values() if account.name == name), None)

    def regenerate_secret(self, account: Account) -> str:
        """The seller makes a new secret in Flipkart's panel; the old one is refused from now on."""
        with self.lock:
            account.client_secret = secrets.token_hex(32)
            return account.client_secret

    def _new_facility(self, place: Place, seller: int, at: int) -> Facility:
        return Facility(
            facility_id=f"F{seller * 1000 + at + 122456:06d}",
            name=f"{place.city} Warehouse",
            place=place,
            street=f"Plot {seller * 10 + at}, {STREETS[(seller + at) % len(STREETS)]}",
        )

    # Shipments are made

    def add_shipments(
        self,
        account: Account,
        count: int,
        *,
        cod: bool | None = False,
        states: State | str | Sequence[State | str] = State.APPROVED,
        items: int = 1,
        quantity: int = 1,
        sku: str = "",
        facility: str = "",
        dispatch_after: datetime | None = None,
        dispatch_by: datetime | None = None,
        ordered_at: datetime | None = None,
        approved_at: datetime | None = None,
        held: bool = False,
        buyer_name: str = "",
        phone: str = "",
        address_line1: str = "",
        title: str = "",
        shipment_ids: Sequence[str] = (),
        parcels: int = 1,
        shipment_type: str = "NORMAL",
        tier: str = "REGULAR",
        packaging: str = "DEFAULT",
        replacement: bool = False,
        form: str = "",
    ) -> list[str]:
        """Shipments of `account`, `items` rows each; returns their ids in order of creation.

        `states` (one, or several taken in turn); `cod` None is a mixture; `sku` and `facility` default to each in turn.
        By default ordered two hours ago, due at once and to be dispatched by the end of tomorrow (IST). `approved_at`
        in the future keeps a shipment out of sight until then. Names and texts may be given, to plant something. From
        `parcels` on: what only Flipkart's published format tells; `form` names one that must be acknowledged.
        """
        now = self.clock()
        wanted = [State(states)] if isinstance(states, str) else [State(state) for state in states]
        ordered_at = ordered_at or now - timedelta(hours=2)
        with self.lock:
            goods = [g for g in account.goods if sku in ("", g.sku)]
            places = [f for f in account.facilities if facility in ("", f.facility_id)]
            if not goods or not places or not wanted:
                raise Refusal("UNKNOWN", "no such SKU, facility or state at this account")
            if packaging not in PACKAGING_POLICIES or shipment_type not in SHIPMENT_TYPES or tier not in TIERS:
                raise Refusal("UNKNOWN", "no such packaging policy, shipment type or service tier")
            if not 1 <= parcels <= MOST_PARCELS:
                raise Refusal("UNKNOWN", f"a shipment travels in 1 to {MOST_PARCELS} parcels")
            made = []
            for at in range(count):
                self.made += 1
                shipment = self._invent(
                    goods=[goods[(self.made + line) % len(goods)] for line in range(items)],
                    quantity=quantity,
                    facility=places[at % len(places)],
                    is_cod=self._random.random() < 0.4 if cod is None else cod,
                    ordered_at=ordered_at,
                    approved_at=approved_at or ordered_at,
                    dispatch_after_at=dispatch_after or ordered_at,
                    dispatch_by_at=dispatch_by or _end_of_day(now, days=1),
                )
                shipment.is_on_hold = held
                shipment.buyer_name = buyer_name or shipment.buyer_name
                shipment.phone = phone or shipment.phone
                shipment.address_line1 = address_line1 or shipment.address_line1
                if title:
                    for item in shipment.items:
                        item.goods = item.goods._replace(title=title)
                if shipment_ids:
                    shipment.shipment_id = shipment_ids[at]
                shipment.parcels, shipment.shipment_type, shipment.service_tier = parcels, shipment_type, tier
                shipment.packaging_policy, shipment.is_replacement = packaging, replacement
                if form:
                    shipment.forms.append(_form(form))
                self._bring_to(account, shipment, wanted[at % len(wanted)], now)
                account.add(shipment)
                made.append(shipment)
            for shipment in made:
                account.index[shipment.state].append(shipment.key)
            for keys in account.index.values():
                keys.sort()
            self.ledger.record_effects(
                Effect(kind="create", account=account.account_id, shipment_id=shipment.shipment_id, at=now)
                for shipment in made
            )
            return [shipment.shipment_id for shipment in made]

    def add_day(self, account: Account, count: int = 40) -> list[str]:
        """A fresh day of `count` shipments round now: most due today, a few special ones; returns all ids.

        COD and prepaid, one in eight with two items, two on hold, a tenth not yet due, one ordered three days ago
        and approved only now.
        """
        now = self.clock()
        late = 1 if count >= 4 else 0
        upcoming = count // 10
        double = count // 8
        held = min(2, count // 10)
        plain = count - late - upcoming - double - held
        made: list[str] = []
        for hours in range(1, 7):
            share = plain // 6 + (1 if hours <= plain % 6 else 0)
            by = _end_of_day(now, days=0 if hours > 3 else 1)
            made += self.add_shipments(
                account, share, cod=None, ordered_at=now - timedelta(hours=hours * 2, minutes=11), dispatch_by=by
            )
        made += self.add_shipments(account, double, cod=None, items=2, ordered_at=now - timedelta(hours=5))
        made += self.add_shipments(account, held, cod=None, held=True, ordered_at=now - timedelta(hours=7))
        made += self.add_shipments(
            account,
            upcoming,
            cod=None,
            ordered_at=now - timedelta(minutes=40),
            dispatch_after=_end_of_day(now, days=0),
            dispatch_by=_end_of_day(now, days=2),
        )
        made += self.add_shipments(account, late, ordered_at=now - timedelta(days=3), approved_at=now)
        return made

    def let_days_pass(self, account: Account) -> None:
        """What happened since the world was last looked at: couriers came, and what was left lying is due today."""
        now = self.clock()
        with self.lock:
            for shipment in account.shipments.values():
                if shipment.dispatch_by_at >= now:
                    continue
                if shipment.state == State.READY_TO_DISPATCH or shipment.state == State.PICKUP_COMPLETE:
                    self._move(account, shipment, State.SHIPPED, "ship")
                elif shipment.state == State.SHIPPED:
                    self._move(account, shipment, State.DELIVERED, "deliver")
                elif shipment.state in (State.APPROVED, State.READY_TO_PACK, State.PACKED):
                    self.change_dispatch_dates(
                        shipment.shipment_id, dispatch_by=_end_of_day(now, days=0), account=account
                    )

    def _invent(
        self,
        *,
        goods: Sequence[Goods],
        quantity: int,
        facility: Facility,
        is_cod: bool,
        ordered_at: datetime,
        approved_at: datetime,
        dispatch_after_at: datetime,
        dispatch_by_at: datetime,
    ) -> Shipment:
        draw = self._random.random
        number = self.made
        return Shipment(
            shipment_id=f"SHIP{1_000_000_000 + number}",
            # 618,033,988,749 shares no factor with 10^15, so that the ids look drawn and never meet.
            order_id=f"OD431{(number * 618_033_988_749 + 104_729) % 10**15:015d}",
            number=number,
            facility=facility,
            state=State.APPROVED,
            is_cod=is_cod,
            items=[
                Item(order_item_id=f"{line:03d}", goods=line_goods, quantity=quantity)
                for line, line_goods in enumerate(goods, start=1)
            ],
            ordered_at=ordered_at,
            approved_at=approved_at,
            dispatch_after_at=dispatch_after_at,
            dispatch_by_at=dispatch_by_at,
            deliver_by_at=dispatch_by_at + timedelta(days=4),
            serial_number=f"{212_344 + number:08d}",
            buyer_name=f"{FIRST_NAMES[int(draw() * len(FIRST_NAMES))]} {LAST_NAMES[int(draw() * len(LAST_NAMES))]}",
            phone=f"+919{int(draw() * 10**9):09d}",
            address_line1=f"{1 + int(draw() * 400)} {STREETS[int(draw() * len(STREETS))]}",
            address_line2=STREETS[int(draw() * len(STREETS))],
            landmark=LANDMARKS[int(draw() * len(LANDMARKS))],
            place=PLACES[int(draw() * len(PLACES))],
        )

    def _bring_to(self, account: Account, shipment: Shipment, state: State, now: datetime) -> None:
        """Give a new shipment the state it shall start in, and what shipments in that state have."""
        shipment.state = state
        if state == State.CANCELLED:
            for item in shipment.items:
                _cancel(item, item.quantity, by="buyer", now=now)
        elif state == State.PACKING_IN_PROGRESS:
            self._begin_packing(account, shipment, now)
        elif state not in (*BEFORE_PACK, State.FORM_FAILED):
            self._label(shipment, now - LABEL_DELAY[1])
            shipment.papers_fetched = True

    # What the API asks for

    def pack(self, account: Account, shipment_id: str, *, label_delay: timedelta | None = None) -> None:
        """POST labels for one shipment: PACKED now, its papers 2 to 5 seconds later. Raises Refusal."""
        self._try("generate_labels", account, shipment_id, lambda: self._pack(account, shipment_id, label_delay))

    def begin_packing(
        self,
        account: Account,
        shipment_id: str,
        *,
        takes: timedelta | None = None,
        serials: Mapping[str, list[list[str]]] | None = None,
        sizes: Sequence[dict[str, float]] = (),
    ) -> None:
        """The same in Flipkart's published format: PACKING_IN_PROGRESS now, PACKED some seconds later. Raises Refusal.

        FORM_FAILED instead where a form has not been acknowledged. `serials` by the format's own id of an item,
        `sizes` of each parcel.
        """

        def attempt() -> None:
            shipment, now = self._may_pack(account, shipment_id)
            for item in shipment.items:
                item.serial_numbers = (serials or {}).get(shipment.official_item_id(item), [])
            shipment.sizes = list(sizes)
            self._move(account, shipment, State.PACKING_IN_PROGRESS, "pack")
            self._begin_packing(account, shipment, now, takes)

        self._try("generate_labels", account, shipment_id, attempt)

    def acknowledge(self, account: Account, shipment_id: str, numbers: Mapping[str, str]) -> None:
        """The numbers of acknowledged forms, by name; what failed for want of them is packed on. Raises Refusal."""

        def attempt() -> None:
            shipment = self._may(account, shipment_id)
            forms = {form.name: form for form in shipment.forms}
            if not numbers or not numbers.keys() <= forms.keys():
                raise Refusal("INVALID_FORM", "this shipment wants no such form")
            for name, number in numbers.items():
                forms[name].ack_number = number
            self._note(account, shipment, "acknowledge")
            if shipment.state == State.FORM_FAILED and not shipment.wants_forms:
                self._move(account, shipment, State.PACKING_IN_PROGRESS, "pack_on")
                self._begin_packing(account, shipment, self.clock())

        self._try("acknowledge_forms", account, shipment_id, attempt)

    def cancel_groups(self, account: Account, shipment_id: str, group_ids: Collection[str]) -> None:
        """The seller cancels the items of these groups, before it is packed. Raises Refusal."""

        def attempt() -> None:
            shipment = self._may(account, shipment_id)
            if shipment.state not in BEFORE_PACK:
                raise Refusal("INVALID_ITEM_STATE", f"shipment is {shipment.state}")
            groups = {shipment.cancellation_group(item): item for item in shipment.live_items}
            if not group_ids or not set(group_ids) <= groups.keys():
                raise Refusal("INVALID_CANCELLATION_GROUP", "no such cancellation group")
            chosen = [groups[group_id] for group_id in group_ids]
            self._cancel_pieces(account, shipment, [(item, item.quantity) for item in chosen], by="seller")

        self._try("cancel", account, shipment_id, attempt)

    def fetch_papers(self, account: Account, shipment_ids: Sequence[str]) -> list[Shipment]:
        """The shipments whose papers are handed out now; each may be dispatched from now on. Raises Refusal for all."""
        with self.lock:
            found = self.visible(account, shipment_ids)
            if len(found) < len(shipment_ids):
                raise Refusal("INVALID_SHIPMENTS", "no such shipment")
            for shipment in found:
                if shipment.state in (*BEFORE_PACK, State.FORM_FAILED, State.CANCELLED) or not shipment.tracking_id:
                    raise Refusal("OPERATION_NOT_ALLOWED", f"shipment is {shipment.state}")
            for shipment in found:
                shipment.papers_fetched = True
            return found

    def dispatch(self, account: Account, shipment_id: str, *, papers_first: bool = False) -> None:
        """READY_TO_DISPATCH, from PACKED only; with `papers_first` only after its papers were handed out.

        Raises Refusal.
        """

        def attempt() -> None:
            self._dispatch(account, shipment_id, papers_first=papers_first)

        self._try("dispatch", account, shipment_id, attempt)

    def refuse(self, operation: str, account: Account, shipment_id: str, refusal: Refusal) -> None:
        """Put an attempt that a fault refused into the ledger; raises the refusal."""

        def attempt() -> None:
            raise refusal

        self._try(operation, account, shipment_id, attempt)

    def matching(self, account: Account, search: Search, after: Key | None) -> Iterator[Shipment]:
        """Approved shipments that match, oldest order first, behind `after`. Hold the lock while walking."""
        self.settle()
        now = self.clock()
        start = after or Key(float("-inf"), 0)
        if search.ordered_from:
            start = max(start, Key(search.ordered_from.timestamp(), -1))
        end = search.ordered_until.timestamp() if search.ordered_until else float("inf")
        lists = [account.index[state] for state in dict.fromkeys(search.states or State)]
        for key in heapq.merge(*(_behind(keys, start) for keys in lists)):
            if key.ordered_at > end:
                return
            shipment = account.by_number[key.number]
            if shipment.approved_at > now or search.is_cod not in (None, shipment.is_cod):
                continue
            if search.skus and not any(item.goods.sku in search.skus for item in shipment.items):
                continue
            yield shipment

    def visible(self, account: Account, shipment_ids: Sequence[str]) -> list[Shipment]:
        """Those of `shipment_ids` that are this account's and approved, in the order asked; either format's ids."""
        self.settle()
        now = self.clock()
        found = (account.shipments.get(i) or account.by_official_id.get(i) for i in shipment_ids)
        return [shipment for shipment in found if shipment and shipment.approved_at <= now]

    def _try(self, operation: str, account: Account, shipment_id: str, attempt: Callable[[], None]) -> None:
        code = ""
        try:
            with self.lock:
                attempt()
        except Refusal as refusal:
            code = refusal.code
            raise
        finally:
            known = account.by_official_id.get(shipment_id)
            self.ledger.record_attempt(
                Attempt(
                    operation=operation,
                    account=account.account_id,
                    shipment_id=known.shipment_id if known else shipment_id,
                    at=self.clock(),
                    code=code,
                )
            )

    def settle(self) -> None:
        """Packing whose time has come is over: PACKED, or FORM_FAILED for want of an acknowledged form."""
        with self.lock:
            now = self.clock()
            for number, (account, shipment) in list(self._packing.items()):
                if shipment.state != State.PACKING_IN_PROGRESS or shipment.packing_until is None:
                    del self._packing[number]
                elif shipment.packing_until <= now:
                    del self._packing[number]
                    if shipment.wants_forms:
                        self._move(account, shipment, State.FORM_FAILED, "form_failed")
                    else:
                        self._label(shipment, shipment.packing_until, timedelta(0))
                        self._move(account, shipment, State.PACKED, "packed")

    def _pack(self, account: Account, shipment_id: str, label_delay: timedelta | None) -> None:
        shipment, now = self._may_pack(account, shipment_id)
        self._label(shipment, now, label_delay)
        self._move(account, shipment, State.PACKED, "pack")

    def _may_pack(self, account: Account, shipment_id: str) -> tuple[Shipment, datetime]:
        shipment = self._may(account, shipment_id)
        now = self.clock()
        if shipment.state not in BEFORE_PACK:
            raise Refusal("INVALID_ITEM_STATE", f"shipment is {shipment.state}")
        if now < shipment.dispatch_after_at:
            raise Refusal("SHIPMENT_NOT_DUE", "dispatchAfterDate has not passed")
        return shipment, now

    def _begin_packing(
        self, account: Account, shipment: Shipment, now: datetime, takes: timedelta | None = None
    ) -> None:
        shipment.packing_until = now + (self._drawn(shipment, self.packing_time) if takes is None else takes)
        self._packing[shipment.number] = (account, shipment)

    def _dispatch(self, account: Account, shipment_id: str, *, papers_first: bool) -> None:
        shipment = self._may(account, shipment_id)
        if shipment.state in (*BEFORE_PACK, State.PACKING_IN_PROGRESS, State.FORM_FAILED):
            raise Refusal("ORDER_ITEM_NOT_PACKED", f"shipment is {shipment.state}")
        if shipment.state != State.PACKED:
            raise Refusal("ORDER_ITEM_ALREADY_DISPATCHED", f"shipment is {shipment.state}")
        if papers_first and not shipment.papers_fetched:
            raise Refusal("LABEL_NOT_DOWNLOADED", "label and invoice were not downloaded")
        self._move(account, shipment, State.READY_TO_DISPATCH, "dispatch")

    def _may(self, account: Account, shipment_id: str) -> Shipment:
        """The shipment, if nothing that holds for both packing and dispatching is against it."""
        shipment = next(iter(self.visible(account, [shipment_id])), None)
        if shipment is None:
            raise Refusal("INVALID_SHIPMENTS", "no such shipment")
        if shipment.state == State.CANCELLED:
            raise Refusal("ORDER_ITEM_ALREADY_CANCELLED", "shipment is CANCELLED")
        if shipment.is_on_hold:
            raise Refusal("SHIPMENT_ON_HOLD", "shipment is on hold")
        return shipment

    def _label(self, shipment: Shipment, now: datetime, delay: timedelta | None = None) -> None:
        shipment.packed_at = now
        shipment.label_ready_at = now + (self._drawn(shipment, LABEL_DELAY) if delay is None else delay)
        shipment.tracking_id = f"FMPP{2_600_000_000 + shipment.number}"
        shipment.invoice_number = f"FAXSC{now.year % 100:02d}{shipment.number:09d}"

    def _drawn(self, shipment: Shipment, between: tuple[timedelta, timedelta]) -> timedelta:
        """Always the same for the same shipment, whatever was asked before it."""
        drawn = zlib.crc32(f"{self._seed}:{shipment.shipment_id}".encode()) % 1001 / 1000
        return between[0] + (between[1] - between[0]) * drawn

    # What happens outside the API (guide 8.2); ids are looked up in every account unless one is given

    def make_ready(self, shipment_id: str, *, account: Account | None = None) -> None:
        """APPROVED to READY_TO_PACK, as Flipkart does by itself."""
        self._happens(shipment_id, account, State.READY_TO_PACK, "ready")

    def pack_outside(self, shipment_id: str, *, account: Account | None = None) -> None:
        """Packed by hand in Flipkart's own panel: PACKED, its label ready at once."""
        with self.lock:
            owner, shipment = self.find(shipment_id, account)
            if shipment.state not in BEFORE_PACK:
                raise Refusal("INVALID_ITEM_STATE", f"shipment is {shipment.state}")
            self._move(owner, shipment, State.PACKED, "pack_outside")
            self._label(shipment, self.clock(), timedelta(0))
            shipment.papers_fetched = True

    def cancel(self, shipment_id: str, *, account: Account | None = None, by: str = "buyer") -> None:
        """The buyer (or the marketplace) cancels; legal until the courier has it, also after the label."""
        with self.lock:
            owner, shipment = self.find(shipment_id, account)
            self._move(owner, shipment, State.CANCELLED, "cancel")
            for item in shipment.items:
                _cancel(item, item.quantity, by=by, now=self.clock())

    def cancel_item(
        self,
        shipment_id: str,
        line: int = 1,
        *,
        pieces: int | None = None,
        by: str = "buyer",
        account: Account | None = None,
    ) -> None:
        """The buyer cancels so many pieces of one item (1 is the first), all that are left of it unless said."""
        with self.lock:
            owner, shipment = self.find(shipment_id, account)
            if not 1 <= line <= len(shipment.items) or shipment.items[line - 1].is_cancelled:
                raise Refusal("INVALID_ITEM_ID", "no such item that lives")
            item = shipment.items[line - 1]
            left = item.quantity - item.cancelled
            if pieces is not None and not 1 <= pieces <= left:
                raise Refusal("INVALID_QUANTITY", f"{left} of it are left")
            if State.CANCELLED not in MOVES[shipment.state]:
                raise Refusal("INVALID_ITEM_STATE", f"shipment is {shipment.state}")
            self._cancel_pieces(owner, shipment, [(item, pieces or left)], by=by)

    def want_form(self, shipment_id: str, name: str = "e-Way Bill", *, account: Account | None = None) -> None:
        """A state wants a paper for this parcel; packing fails until it is acknowledged."""
        with self.lock:
            owner, shipment = self.find(shipment_id, account)
            if name in {form.name for form in shipment.forms}:
                raise Refusal("INVALID_FORM", "this form is wanted already")
            shipment.forms.append(_form(name))
            self._note(owner, shipment, "form")

    def want_serials(self, shipment_id: str, line: int = 1, *, account: Account | None = None) -> None:
        """An item of it is of a category that is packed only with the serial numbers of each piece."""
        with self.lock:
            owner, shipment = self.find(shipment_id, account)
            if not 1 <= line <= len(shipment.items) or shipment.state not in BEFORE_PACK:
                raise Refusal("INVALID_ITEM_STATE", "one of its lines, before it is packed")
            shipment.items[line - 1].wants_serials = True
            self._note(owner, shipment, "serials")

    def send_in_parcels(self, shipment_id: str, count: int, *, account: Account | None = None) -> None:
        """Flipkart decides that it travels in so many parcels."""
        with self.lock:
            owner, shipment = self.find(shipment_id, account)
            if not 1 <= count <= MOST_PARCELS or shipment.state not in BEFORE_PACK:
                raise Refusal("INVALID_ITEM_STATE", f"1 to {MOST_PARCELS} parcels, before it is packed")
            shipment.parcels = count
            self._note(owner, shipment, "parcels")

    def set_packaging(self, shipment_id: str, policy: str, *, account: Account | None = None) -> None:
        with self.lock:
            owner, shipment = self.find(shipment_id, account)
            if policy not in PACKAGING_POLICIES:
                raise Refusal("UNKNOWN", f"one of {', '.join(PACKAGING_POLICIES)}")
            shipment.packaging_policy = policy
            self._note(owner, shipment, "packaging")

    def pick_up(self, shipment_id: str, *, account: Account | None = None) -> None:
        """The courier has come for it: PICKUP_COMPLETE, which only the published format tells."""
        self._happens(shipment_id, account, State.PICKUP_COMPLETE, "pickup")

    def ship(self, shipment_id: str, *, account: Account | None = None) -> None:
        """The courier has picked it up."""
        self._happens(shipment_id, account, State.SHIPPED, "ship")

    def deliver(self, shipment_id: str, *, account: Account | None = None) -> None:
        self._happens(shipment_id, account, State.DELIVERED, "deliver")

    def send_back(self, shipment_id: str, *, account: Account | None = None) -> None:
        """The buyer (or the courier) sends it back: RETURN_REQUESTED, and the second time RETURNED."""
        with self.lock:
            _, shipment = self.find(shipment_id, account)
            was_asked = shipment.state == State.RETURN_REQUESTED
            self._happens(shipment_id, account, State.RETURNED if was_asked else State.RETURN_REQUESTED, "return")

    def hold(self, shipment_id: str, *, account: Account | None = None) -> None:
        self._set_hold(shipment_id, account, to=True)

    def release(self, shipment_id: str, *, account: Account | None = None) -> None:
        self._set_hold(shipment_id, account, to=False)

    def change_dispatch_dates(
        self,
        shipment_id: str,
        *,
        dispatch_after: datetime | None = None,
        dispatch_by: datetime | None = None,
        account: Account | None = None,
    ) -> None:
        """Move the dispatch window; what is None stays."""
        with self.lock:
            owner, shipment = self.find(shipment_id, account)
            after = dispatch_after or shipment.dispatch_after_at
            by = dispatch_by or shipment.dispatch_by_at
            if after >= by:
                raise Refusal("BAD_DATES", "dispatchAfterDate must be before dispatchByDate")
            shipment.dispatch_after_at, shipment.dispatch_by_at = after, by
            self._note(owner, shipment, "dates")

    def find(self, shipment_id: str, account: Account | None = None) -> tuple[Account, Shipment]:
        """The shipment, by its id in either format, and its account. Raises Refusal where there is none."""
        self.settle()
        for owner in [account] if account else self.accounts.values():
            if shipment := owner.shipments.get(shipment_id) or owner.by_official_id.get(shipment_id):
                return owner, shipment
        raise Refusal("INVALID_SHIPMENTS", f"no shipment {shipment_id}")

    def state_of(self, shipment_id: str, *, account: Account | None = None) -> State:
        return self.find(shipment_id, account)[1].state

    def _happens(self, shipment_id: str, account: Account | None, state: State, kind: str) -> None:
        with self.lock:
            owner, shipment = self.find(shipment_id, account)
            self._move(owner, shipment, state, kind)

    def _set_hold(self, shipment_id: str, account: Account | None, *, to: bool) -> None:
        with self.lock:
            owner, shipment = self.find(shipment_id, account)
            if shipment.is_on_hold == to:
                raise Refusal("INVALID_ITEM_STATE", f"shipment is {'already' if to else 'not'} on hold")
            shipment.is_on_hold = to
            self._note(owner, shipment, "hold" if to else "release")

    def _move(self, account: Account, shipment: Shipment, state: State, kind: str) -> None:
        if state not in MOVES[shipment.state]:
            raise Refusal("INVALID_ITEM_STATE", f"{shipment.shipment_id} is {shipment.state}, it cannot become {state}")
        keys = account.index[shipment.state]
        del keys[bisect_left(keys, shipment.key)]
        insort(account.index[state], shipment.key)
        shipment.state = state
        self._note(account, shipment, kind)

    def _cancel_pieces(
        self, account: Account, shipment: Shipment, pieces: Sequence[tuple[Item, int]], *, by: str
    ) -> None:
        """Some pieces are cancelled; with the last of them the shipment is."""
        for item, count in pieces:
            _cancel(item, count, by=by, now=self.clock())
        if shipment.live_items:
            self._note(account, shipment, "cancel_items")
        else:
            self._move(account, shipment, State.CANCELLED, "cancel")

    def _note(self, account: Account, shipment: Shipment, kind: str) -> None:
        shipment.changed_at = self.clock()
        self.ledger.record_effect(
            Effect(kind=kind, account=account.account_id, shipment_id=shipment.shipment_id, at=self.clock())
        )


def _cancel(item: Item, pieces: int, *, by: str, now: datetime) -> None:
    item.cancelled = min(item.quantity, item.cancelled + pieces)
    item.cancelled_by, item.cancelled_at = by, now


def _form(name: str) -> Form:
    return Form(name=name, link=f"https://forms.invalid/{name.lower().replace(' ', '-')}.pdf")


def _behind(keys: list[Key], start: Key) -> Iterator[Key]:
    for at in range(bisect_right(keys, start), len(keys)):
        yield keys[at]


def _end_of_day(now: datetime, *, days: int) -> datetime:
    """The last millisecond (IST) of the day `days` after today, as UTC."""
    day = now.astimezone(IST).date() + timedelta(days=days)
    return datetime.combine(day, time(23, 59, 59, 999_000), IST).astimezone(UTC)
