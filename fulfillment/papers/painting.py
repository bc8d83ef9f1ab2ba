"""Reads a page's content and says what each instruction paints, and where: the ground on which a label is cut.

Only instructions that paint are ever taken out, so what remains is drawn exactly as before. ISO 32000-1, chapters 8, 9.
 What this does not master raises `NotMastered`; the caller then cuts a picture instead.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import pikepdf
from reportlab.pdfbase import pdfmetrics

from .types import Box

Matrix = tuple[float, float, float, float, float, float]
Instruction = Any  # pikepdf.ContentStreamInstruction, or its inline image, or a plain (operands, operator)
Kind = Literal["path", "text", "image", "shading"]

IDENTITY: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
EVERYWHERE = Box(-1e9, -1e9, 1e9, 1e9)
DEEPEST = 8  # forms inside forms; also ends a form that draws itself
BUILD_PATH = frozenset(("m", "l", "c", "v", "y", "h", "re"))
PAINT_PATH = frozenset(("S", "s", "f", "F", "f*", "B", "B*", "b", "b*", "n"))
STROKES = frozenset(("S", "s", "B", "B*", "b", "b*"))
SHOW_TEXT = frozenset(("Tj", "TJ", "'", '"'))
MOVE_TEXT = frozenset(("Td", "TD", "Tm", "T*"))
MARKED_CONTENT = frozenset(("BMC", "BDC", "EMC", "MP", "DP"))


class NotMastered(Exception):
    """The page draws in a way that this module does not follow."""


@dataclass(slots=True)
class Mark:
    """Something painted: `box` as it shows (cut to the clip), `whole` as it stands in the file."""

    kind: Kind
    box: Box
    whole: Box
    is_dashed: bool = False


@dataclass(slots=True)
class Step:
    """One instruction. What paints has a `mark`, a path its `subpaths`, text its `advance`, a form its own steps."""

    operator: str
    instruction: Instruction
    mark: Mark | None = None
    subpaths: "list[Subpath]" = field(default_factory=list)
    clips: bool = False
    font: str = ""
    advance: float = 0.0  # in thousandths of the font size, as TJ counts
    form: "Painting | None" = None


@dataclass(slots=True)
class Subpath:
    instructions: list[Instruction]
    box: Box


@dataclass(slots=True)
class Painting:
    """A content stream in steps, with the resources its names are looked up in."""

    steps: list[Step]
    resources: pikepdf.Object
    stream: pikepdf.Object | None = None  # the form's own stream; None for a page

    def marks(self) -> Iterator[Mark]:
        """Every mark, of forms too, in the order of painting."""
        for step in self.steps:
            if step.form is not None:
                yield from step.form.marks()
            elif step.mark is not None:
                yield step.mark


def read_page(page: pikepdf.Page) -> Painting:
    """What the page paints, in the page's own coordinates. Raises NotMastered."""
    resources = page.obj.get("/Resources", pikepdf.Dictionary())
    return _Reader(resources, IDENTITY, Box(*(float(side) for side in page.mediabox)), 0).read(page.obj)


def named(resources: pikepdf.Object, part: str, name: str) -> pikepdf.Object | None:
    """What a name in a content stream stands for."""
    names = resources.get(part)
    return names.get(name) if names is not None else None


@dataclass(slots=True)
class _State:
    """The graphics state, as far as positions depend on it."""

    matrix: Matrix
    clip: Box
    line_width: float = 1.0
    is_dashed: bool = False
    font: str = ""
    size: float = 0.0
    char_space: float = 0.0
    word_space: float = 0.0
    stretch: float = 1.0
    leading: float = 0.0
    rise: float = 0.0

    def copy(self) -> "_State":
        return _State(*(getattr(self, name) for name in self.__slots__))


class _Reader:
    def __init__(self, resources: pikepdf.Object, matrix: Matrix, clip: Box, depth: int) -> None:
        if depth > DEEPEST:
            raise NotMastered("forms nested too deep")
        self.resources = resources
        self.depth = depth
        self.state = _State(matrix, clip)
        self.saved: list[_State] = []
        self.steps: list[Step] = []
        self.subpaths: list[Subpath] = []
        self.building: list[Instruction] = []
        self.points: list[tuple[float, float]] = []
        self.clip_pending = False
        self.text_matrix = self.line_matrix = IDENTITY
        self.fonts: dict[str, _Font] = {}

    def read(self, stream: pikepdf.Object) -> Painting:
        for instruction in pikepdf.parse_content_stream(stream):
            self._follow(instruction)
        return Painting(self.steps, self.resources, stream if self.depth else None)

    def _follow(self, instruction: Instruction) -> None:
        operator = str(instruction.operator)
        if operator in BUILD_PATH:
            self._build(operator, instruction)
        elif operator in PAINT_PATH:
            self._paint_path(operator, instruction)
        elif operator in ("W", "W*"):
            self.clip_pending = True
            self.building.append(instruction)
        elif operator in SHOW_TEXT:
            self._show(operator, instruction)
        elif operator in MARKED_CONTENT:
            # Left out of the result: /ActualText may spell what stood in the invoice. A layer may hide what it marks.
            if operator == "BDC" and str(instruction.operands[0]) == "/OC":
                raise NotMastered("layers")
        elif operator == "Do":
            self._draw(instruction)
        elif operator == "INLINE IMAGE":
            self.steps.append(Step(operator, instruction, self._mark("image", _corners(self.state.matrix, 0, 0, 1, 1))))
        elif operator == "sh":
            self.steps.append(Step(operator, instruction, Mark("shading", self.state.clip, self.state.clip)))
        else:
            self._set(operator, instruction)
            self.steps.append(Step(operator, instruction))

    # --- state ---

    def _set(self, operator: str, instruction: Instruction) -> None:
        state = self.state
        if operator == "q":
            self.saved.append(state.copy())
        elif operator == "Q":
            if self.saved:
                self.state = self.saved.pop()
        elif operator == "cm":
            state.matrix = _times(_six(instruction.operands), state.matrix)
        elif operator == "w":
            state.line_width = float(instruction.operands[0])
        elif operator == "d":
            state.is_dashed = len(instruction.operands[0]) > 0
        elif operator == "gs":
            self._set_from_dictionary(str(instruction.operands[0]))
        elif operator.startswith("T") or operator == "BT":
            self._set_text(operator, instruction.operands)

    def _set_from_dictionary(self, name: str) -> None:
        entry = named(self.resources, "/ExtGState", name)
        if entry is None:
            return
        if "/Font" in entry or isinstance(entry.get("/SMask"), pikepdf.Dictionary):
            raise NotMastered("a soft mask or a font in the graphics state")
        if "/LW" in entry:
            self.state.line_width = float(entry["/LW"])
        if "/D" in entry:
            self.state.is_dashed = len(entry["/D"][0]) > 0

    def _set_text(self, operator: str, operands: Any) -> None:
        state = self.state
        if operator == "BT":
            self.text_matrix = self.line_matrix = IDENTITY
        elif operator == "Tf":
            state.font, state.size = str(operands[0]), float(operands[1])
        elif operator == "Tm":
            self.text_matrix = self.line_matrix = _six(operands)
        elif operator in ("Td", "TD"):
            if operator == "TD":
                state.leading = -float(operands[1])
            self._next_line(float(operands[0]), float(operands[1]))
        elif operator == "T*":
            self._next_line(0, -state.leading)
        elif operator == "Tr" and int(operands[0]) >= 4:
            raise NotMastered("text as a clip")
        elif operator in _TEXT_NUMBERS:
            name, scale = _TEXT_NUMBERS[operator]
            setattr(state, name, float(operands[0]) * scale)

    def _next_line(self, x: float, y: float) -> None:
        self.text_matrix = self.line_matrix = _times((1, 0, 0, 1, x, y), self.line_matrix)

    # --- marks ---

    def _mark(self, kind: Kind, whole: Box) -> Mark:
        return Mark(kind, whole.within(self.state.clip), whole)

    def _build(self, operator: str, instruction: Instruction) -> None:
        numbers = [float(number) for number in instruction.operands]
        if operator in ("m", "re"):
            self._end_subpath()
        self.building.append(instruction)
        if operator == "re":
            x, y, width, height = numbers
            self.points += [(x, y), (x + width, y), (x, y + height), (x + width, y + height)]
            self._end_subpath()
        else:
            self.points += zip(numbers[::2], numbers[1::2], strict=True)

    def _end_subpath(self) -> None:
        if self.building and self.points:
            at = [_apply(self.state.matrix, x, y) for x, y in self.points]
            self.subpaths.append(Subpath(self.building, _round(at)))
        elif self.building and self.subpaths:  # W stands after the last subpath
            self.subpaths[-1].instructions += self.building
        self.building, self.points = [], []

    def _paint_path(self, operator: str, instruction: Instruction) -> None:
        self._end_subpath()
        subpaths, self.subpaths = self.subpaths, []
        clips, self.clip_pending = self.clip_pending, False
        if not subpaths:
            return
        whole = subpaths[0].box
        for subpath in subpaths[1:]:
            whole = whole.joined(subpath.box)
        mark = None
        if operator != "n":
            half = self.state.line_width * _scale(self.state.matrix) / 2 if operator in STROKES else 0.0
            for subpath in subpaths:
                subpath.box = subpath.box.grown(half)
            mark = self._mark("path", whole.grown(half))
            mark.is_dashed = self.state.is_dashed and operator in STROKES
        self.steps.append(Step(operator, instruction, mark, subpaths, clips))
        if clips:
            self.state.clip = self.state.clip.within(whole)

    def _show(self, operator: str, instruction: Instruction) -> None:
        state = self.state
        operands = instruction.operands
        if operator == '"':
            state.word_space, state.char_space = float(operands[0]), float(operands[1])
        if operator in ("'", '"'):
            self._next_line(0, -state.leading)
        font = self._font()
        shown = operands[0] if operator == "TJ" else [operands[-1]]
        advance = sum(self._advance(font, part) for part in shown)
        matrix = _times((state.size * state.stretch, 0, 0, state.size, 0, state.rise), self.text_matrix)
        whole = _corners(_times(matrix, state.matrix), 0, font.descent, advance / 1000, font.ascent)
        self.text_matrix = _times((1, 0, 0, 1, advance / 1000 * state.size * state.stretch, 0), self.text_matrix)
        self.steps.append(Step(operator, instruction, self._mark("text", whole), font=state.font, advance=advance))

    def _advance(self, font: "_Font", part: Any) -> float:
        """How far this string or this number of a TJ moves on, in thousandths of the font size."""
        if not isinstance(part, pikepdf.String):
            return -float(part)
        codes = list(font.codes(bytes(part)))
        spaces = self.state.char_space * len(codes) + self.state.word_space * (font.is_simple and codes.count(32))
        return sum(map(font.width, codes)) + (spaces / self.state.size * 1000 if self.state.size else 0.0)

    def _font(self) -> "_Font":
        name = self.state.font
        if name not in self.fonts:
            self.fonts[name] = _Font(named(self.resources, "/Font", name) or pikepdf.Dictionary())
        return self.fonts[name]

    def _draw(self, instruction: Instruction) -> None:
        drawn = named(self.resources, "/XObject", str(instruction.operands[0]))
        if drawn is None:
            return
        if drawn.get("/Subtype") == "/Image":
            self.steps.append(Step("Do", instruction, self._mark("image", _corners(self.state.matrix, 0, 0, 1, 1))))
        elif drawn.get("/Subtype") == "/Form":
            self.steps.append(Step("Do", instruction, form=self._read_form(drawn)))

    def _read_form(self, drawn: pikepdf.Object) -> Painting:
        if "/OC" in drawn or "/Resources" not in drawn:
            raise NotMastered("a form with a layer, or without resources of its own")
        matrix = _times(_six(drawn.get("/Matrix", IDENTITY)), self.state.matrix)
        clip = _corners(matrix, *(float(side) for side in drawn["/BBox"])).within(self.state.clip)
        return _Reader(drawn["/Resources"], matrix, clip, self.depth + 1).read(drawn)


class _Font:
    """Widths of a font's codes in thousandths, enough to know where a word ends."""

    def __init__(self, font: Any) -> None:
        self.is_simple = font.get("/Subtype") != "/Type0"
        self.ascent, self.descent = 0.9, -0.25
        self.scale = 1.0
        if self.is_simple:
            self.width = self._simple_widths(font)
        else:
            self.width = self._composite_widths(font)

    def codes(self, text: bytes) -> Iterator[int]:
        if self.is_simple:
            return iter(text)
        return (int.from_bytes(text[at : at + 2], "big") for at in range(0, len(text), 2))

    def _simple_widths(self, font: Any) -> Callable[[int], float]:
        if font.get("/Subtype") == "/Type3":
            self.scale = abs(float(font["/FontMatrix"][0])) * 1000
            sides = [abs(float(side)) * self.scale / 1000 for side in font["/FontBBox"]]
            self.ascent, self.descent = max(sides[3], 0.1), -sides[1]
        first = int(font.get("/FirstChar", 0))
        widths = [float(width) * self.scale for width in font.get("/Widths", [])]
        if not widths:
            return _standard_widths(str(font.get("/BaseFont", ""))[1:])
        return lambda code: widths[code - first] if 0 <= code - first < len(widths) else 0.0

    def _composite_widths(self, font: Any) -> Callable[[int], float]:
        encoding = font.get("/Encoding")
        if isinstance(encoding, pikepdf.Name) and str(encoding).endswith("-V"):
            raise NotMastered("vertical writing")
        below = font["/DescendantFonts"][0]
        usual = float(below.get("/DW", 1000))
        widths: dict[int, float] = {}
        entries = list(below.get("/W", []))
        while len(entries) >= 2:
            first = int(entries.pop(0))
            if isinstance(entries[0], pikepdf.Array):
                widths.update((first + at, float(width)) for at, width in enumerate(entries.pop(0)))
            elif len(entries) >= 2:
                last, width = int(entries.pop(0)), float(entries.pop(0))
                widths.update(dict.fromkeys(range(first, min(last, 0xFFFF) + 1), width))
        return lambda code: widths.get(code, usual)


def _standard_widths(name: str) -> Callable[[int], float]:
    """Widths of the fourteen fonts that every reader has; a guess for others."""
    if name not in pdfmetrics.standardFonts:
        return lambda _code: 600.0
    widths = pdfmetrics.getFont(name).widths
    return lambda code: float(widths[code])


_TEXT_NUMBERS = {
    "Tc": ("char_space", 1.0),
    "Tw": ("word_space", 1.0),
    "Tz": ("stretch", 0.01),
    "TL": ("leading", 1.0),
    "Ts": ("rise", 1.0),
}


def _six(operands: Any) -> Matrix:
    a, b, c, d, e, f = (float(number) for number in operands)
    return a, b, c, d, e, f


def _times(m: Matrix, n: Matrix) -> Matrix:
    """First `m`, then `n`."""
    return (
        m[0] * n[0] + m[1] * n[2],
        m[0] * n[1] + m[1] * n[3],
        m[2] * n[0] + m[3] * n[2],
        m[2] * n[1] + m[3] * n[3],
        m[4] * n[0] + m[5] * n[2] + n[4],
        m[4] * n[1] + m[5] * n[3] + n[5],
    )


def _apply(m: Matrix, x: float, y: float) -> tuple[float, float]:
    return m[0] * x + m[2] * y + m[4], m[1] * x + m[3] * y + m[5]


def _scale(m: Matrix) -> float:
    return float(abs(m[0] * m[3] - m[1] * m[2]) ** 0.5)


def _corners(m: Matrix, x0: float, y0: float, x1: float, y1: float) -> Box:
    return _round([_apply(m, x, y) for x in (x0, x1) for y in (y0, y1)])


def _round(points: list[tuple[float, float]]) -> Box:
    xs, ys = zip(*points, strict=True)
    return Box(min(xs), min(ys), max(xs), max(ys))
