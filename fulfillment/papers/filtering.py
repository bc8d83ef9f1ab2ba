"""Takes out of a page's content what is painted outside a region, with the fonts and images that nothing else uses."""

from dataclasses import dataclass, field
from typing import Any

import pikepdf

from .painting import MOVE_TEXT, Instruction, Mark, NotMastered, Painting, Step, named
from .types import Box

BACKGROUND = 0.9  # a mark that covers this much of both sides of the region says nothing about where the label is
IMAGE_OVERHANG = 2.0  # points by which an image may reach over the region's edge and still be taken for inside
DEVICE_SPACES = frozenset(("/DeviceGray", "/DeviceRGB", "/DeviceCMYK", "/Pattern", "/G", "/RGB", "/CMYK"))
FOUND_UNDER = {  # operator -> the part of /Resources in which its last operand is a name
    "Tf": "/Font",
    "gs": "/ExtGState",
    "Do": "/XObject",
    "cs": "/ColorSpace",
    "CS": "/ColorSpace",
    "sh": "/Shading",
    "scn": "/Pattern",
    "SCN": "/Pattern",
}


@dataclass(slots=True)
class Kept:
    """`instructions` as bytes of a content stream, and the `bounds` of what they paint (no page-wide backgrounds)."""

    instructions: bytes
    resources: pikepdf.Dictionary
    bounds: Box | None
    dropped_any: bool


def keep_within(painting: Painting, region: Box, file: pikepdf.Pdf) -> Kept:
    """What of the painting lies in the region. New forms are made in `file`.

    Raises NotMastered where something lies across its edge that cannot be parted (an image), or where resources may
    hold more than shows (tiling patterns).
    """
    sieve = _Sieve(region, file, painting.resources)
    for step in painting.steps:
        sieve.add(step)
    return sieve.result()


@dataclass(slots=True)
class _Sieve:
    region: Box
    file: pikepdf.Pdf
    resources: pikepdf.Object
    out: list[Instruction] = field(default_factory=list)
    saved_at: list[tuple[int, int]] = field(default_factory=list)  # per open q: its place, and how much was painted
    text_at: tuple[int, int] = (0, 0)  # the same for the last BT
    painted: int = 0
    dropped_any: bool = False
    bounds: Box | None = None
    fonts: set[str] = field(default_factory=set)
    skipped: float = 0.0  # advance of text that was left out since the last move
    forms: dict[str, pikepdf.Object] = field(default_factory=dict)

    def add(self, step: Step) -> None:
        if step.form is not None:
            self._add_form(step)
        elif step.subpaths:
            self._add_path(step)
        elif step.mark is None:
            self._add_state(step)
        elif step.mark.kind == "text":
            self._add_text(step, step.mark)
        elif self._is_inside(step.mark):
            self._paint(step.instruction, step.mark.box)
        else:
            self.dropped_any = True

    def result(self) -> Kept:
        instructions = [one for one in self.out if not self._is_idle_font(one)]
        return Kept(
            pikepdf.unparse_content_stream(instructions) if self.painted else b"",
            self._pruned(instructions),
            self.bounds,
            self.dropped_any,
        )

    # --- one kind of step each ---

    def _add_state(self, step: Step) -> None:
        operator = step.operator
        if operator in MOVE_TEXT or operator == "BT":
            self.skipped = 0.0
        if operator == "q":
            self.saved_at.append((len(self.out), self.painted))
        elif operator == "BT":
            self.text_at = (len(self.out), self.painted)
        self.out.append(step.instruction)
        if operator == "Q" and self.saved_at:
            start, painted = self.saved_at.pop()
            if painted == self.painted:  # nothing drawn in between: the block says nothing
                del self.out[start:]
        elif operator == "ET" and self.text_at[1] == self.painted:
            start = self.text_at[0]
            self.out[start:] = [one for one in self.out[start:] if _operator(one) not in MOVE_TEXT | {"BT", "ET"}]

    def _add_path(self, step: Step) -> None:
        kept = step.subpaths
        if step.mark is not None:
            shows = step.mark.box
            kept = [part for part in kept if not part.box.within(shows).within(self.region).is_empty]
            self.dropped_any |= len(kept) < len(step.subpaths)
        if step.clips:
            for part in step.subpaths:
                self.out += part.instructions
            if step.mark is None or not kept:
                self.out.append(([], pikepdf.Operator("n")))
                return
        elif step.mark is None or not kept:
            return
        else:
            for part in kept:
                self.out += part.instructions
        box = kept[0].box
        for part in kept[1:]:
            box = box.joined(part.box)
        self._paint(step.instruction, box.within(step.mark.box))

    def _add_text(self, step: Step, mark: Mark) -> None:
        x, y = mark.box.centre
        region = self.region
        if mark.box.is_empty or not (region.left <= x <= region.right and region.bottom <= y <= region.top):
            self.dropped_any = True
            self.skipped += step.advance
            self._keep_effect(step)
            return
        if step.operator in ("'", '"'):
            self.skipped = 0.0
        if self.skipped:
            self.out.append(([pikepdf.Array([round(-self.skipped, 3)])], pikepdf.Operator("TJ")))
            self.skipped = 0.0
        self.fonts.add(step.font)
        self._paint(step.instruction, mark.box)

    def _keep_effect(self, step: Step) -> None:
        """What ' and \" do beside showing text."""
        if step.operator == '"':
            self.out.append(([step.instruction.operands[0]], pikepdf.Operator("Tw")))
            self.out.append(([step.instruction.operands[1]], pikepdf.Operator("Tc")))
        if step.operator in ("'", '"'):
            self.out.append(([], pikepdf.Operator("T*")))
            self.skipped = step.advance

    def _add_form(self, step: Step) -> None:
        form = step.form
        if form is None or form.stream is None:
            return
        kept = keep_within(form, self.region, self.file)
        self.dropped_any |= kept.dropped_any
        if not kept.instructions:
            return
        if not kept.dropped_any:
            self._paint(step.instruction, kept.bounds)
            return
        smaller = self.file.make_stream(kept.instructions)
        for key in set(form.stream.keys()) & {"/Type", "/Subtype", "/BBox", "/Matrix", "/Group"}:
            smaller[key] = form.stream[key]
        smaller.Resources = kept.resources
        name = f"/Cut{len(self.forms)}"
        self.forms[name] = smaller
        self._paint(([pikepdf.Name(name)], pikepdf.Operator("Do")), kept.bounds)

    # --- what counts as inside, and what it needs ---

    def _is_inside(self, mark: Mark) -> bool:
        shows = mark.box.within(self.region)
        if mark.box.is_empty or shows.is_empty:
            return False
        if mark.kind == "shading":
            return True
        if max(shows.width, 0.1) * max(shows.height, 0.1) < 0.02 * mark.box.width * mark.box.height:
            return False
        if mark.whole.joined(self.region) != mark.whole.joined(self.region).within(self.region.grown(IMAGE_OVERHANG)):
            raise NotMastered("an image across the cut")
        return True

    def _paint(self, instruction: Instruction, box: Box | None) -> None:
        self.out.append(instruction)
        self.painted += 1
        if box is None:
            return
        shows = box.within(self.region)
        if shows.width >= BACKGROUND * self.region.width and shows.height >= BACKGROUND * self.region.height:
            return
        self.bounds = self.bounds.joined(shows) if self.bounds else shows

    def _is_idle_font(self, instruction: Instruction) -> bool:
        return _operator(instruction) == "Tf" and str(_operands(instruction)[0]) not in self.fonts

    def _pruned(self, instructions: list[Instruction]) -> pikepdf.Dictionary:
        """The resources that these instructions name, and no others."""
        pruned = pikepdf.Dictionary()
        for instruction in instructions:
            operator = _operator(instruction)
            if operator == "INLINE IMAGE" and "/ColorSpace" in self.resources:
                pruned["/ColorSpace"] = self.resources["/ColorSpace"]
            under = FOUND_UNDER.get(operator)
            name = _operands(instruction)[-1 if operator != "Tf" else 0] if under else None
            if under is None or not isinstance(name, pikepdf.Name) or str(name) in DEVICE_SPACES:
                continue
            found = self.forms.get(str(name)) or named(self.resources, under, str(name))
            if found is None:
                continue
            if under == "/Pattern" and found.get("/PatternType") == 1:
                raise NotMastered("a tiling pattern")
            if under not in pruned:
                pruned[under] = pikepdf.Dictionary()
            pruned[under][str(name)] = found
        return pruned


def _operator(instruction: Instruction) -> str:
    return str(instruction[1] if isinstance(instruction, tuple) else instruction.operator)


def _operands(instruction: Instruction) -> Any:
    return instruction[0] if isinstance(instruction, tuple) else instruction.operands
