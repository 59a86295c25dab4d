"""Results side by side with what tells them apart: one labelled picture, one labelled video.

All cells have the size of the largest, and what is shown in one that is shorter stands still at its end, which is what
the picture shows of everything. A label that is longer than its cell takes several lines. Frames are read one after the
other from all files at once, so that memory follows the number of cells and not their length. Knows nothing of options.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, PngImagePlugin

from eichi.errors import InputError
from eichi.files import aside
from eichi.text import ELLIPSIS
from eichi.video import webp
from eichi.video.form import FPS
from eichi.video.images import load, measure
from eichi.video.letters import Font, font_for
from eichi.video.reader import Frame, measure_video, read_frames, read_last
from eichi.video.writer import Writer, writing

Pixels = NDArray[np.uint8]
Size = tuple[int, int]
WIDEST, LARGEST = 3840, 12_000_000  # pixels of a sheet in a row, and in all
INK, PAPER, EMPTY = (20, 22, 28), (255, 255, 255), (230, 232, 238)
SMALL = 160  # pixels that a cell is wide at least, where there is room: smaller ones have none for a label
GAP, LEAST = 6, 13  # pixels between cells, of the smallest letters
LINES = 4  # of a label
RUN = 30  # frames written at a time
PICTURES = (".png", ".webp", ".jpg")  # a WebP may move, too


@dataclass(frozen=True)
class Sheet:
    """Labels along X, Y and Z and a file for each cell, X turning fastest, None where there is no result. Cells of a
    single row are broken into `columns`, each with its label below.
    """

    x: tuple[str, ...]
    y: tuple[str, ...]
    z: tuple[str, ...]
    files: tuple[Path | None, ...]
    columns: int
    single: bool


@dataclass(frozen=True)
class Label:
    """A label in the lines that it takes."""

    font: Font
    lines: tuple[str, ...]


class Layout:
    """Where everything of a sheet stands."""

    def __init__(self, sheet: Sheet, cell: Size) -> None:
        self.sheet = sheet
        rows = -(-len(sheet.files) // sheet.columns)
        scale = min(float(max(1, -(-SMALL // cell[0]))), WIDEST / ((cell[0] + GAP) * sheet.columns))
        scale = min(scale, (LARGEST / ((cell[0] + GAP) * sheet.columns * (cell[1] + GAP) * rows)) ** 0.5)
        self.cell = max(2, int(cell[0] * scale)), max(2, int(cell[1] * scale))
        self.letters = max(LEAST, min(28, self.cell[1] // 12, self.cell[0] // 14))
        self.line = self.letters + 8
        self.complete = True
        self.left = 0 if sheet.single else max([self._wide(text) for text in sheet.y], default=0) + 2 * GAP
        self.left = min(self.left, max(self.cell[0], 160)) if any(sheet.y) else 0
        self.across = [self._label(text, self.cell[0], LINES) for text in sheet.x]
        self.head = self.line * max(1, *(len(label.lines) for label in self.across))
        self.places = [*self._places()]
        width = self.left + sheet.columns * (self.cell[0] + GAP) + GAP
        height = self.places[-1][1] + self.cell[1] + (self.head if sheet.single else 0) + GAP
        self.size = width + width % 2, height + height % 2

    def _places(self) -> Iterator[Size]:
        """The upper left corner of each cell."""
        sheet, width, height = self.sheet, self.cell[0] + GAP, self.cell[1] + GAP
        if sheet.single:
            for number in range(len(sheet.files)):
                row, column = divmod(number, sheet.columns)
                yield GAP + column * width, GAP + row * (height + self.head)
            return
        block = len(sheet.y) * height + self.head + (self.line if any(sheet.z) else 0) + GAP
        for number in range(len(sheet.files)):
            row, column = divmod(number, sheet.columns)
            deep, row = divmod(row, len(sheet.y))
            top = deep * block + self.head + (self.line if any(sheet.z) else 0)
            yield self.left + GAP + column * width, top + row * height

    def _wide(self, text: str) -> int:
        font, _ = font_for(text, self.letters)
        return int(font.getlength(text))

    def paper(self) -> Image.Image:
        """The sheet with its labels and nothing in its cells."""
        sheet, made = self.sheet, Image.new("RGB", self.size, PAPER)
        pen = ImageDraw.Draw(made)
        for (left, top), _ in zip(self.places, sheet.files, strict=True):
            pen.rectangle((left, top, left + self.cell[0] - 1, top + self.cell[1] - 1), fill=EMPTY)
        if sheet.single:
            for (left, top), label in zip(self.places, self.across, strict=False):
                self._write(pen, label, (left, top + self.cell[1] + 2))
            return made
        across, deep = len(sheet.x), len(sheet.y)
        for z, told in enumerate(sheet.z):
            left, top = self.places[z * across * deep]
            for column, label in enumerate(self.across):
                self._write(pen, label, (self.places[column][0], top - self.line * len(label.lines) + 2))
            if told:
                label = self._label(told, self.size[0] - 2 * GAP, 1)
                self._write(pen, label, (GAP, top - self.head - self.line + 2))
            for row, text in enumerate(sheet.y):
                _, at = self.places[(z * deep + row) * across]
                label = self._label(text, left - 2 * GAP, max(1, min(LINES, self.cell[1] // self.line)))
                self._write(pen, label, (GAP, at + (self.cell[1] - self.line * len(label.lines)) // 2))
        return made

    def _label(self, text: str, room: int, most: int) -> Label:
        """A text in lines that fit a room, parted at spaces where there are some; what does not fit is cut."""
        font, there = font_for(text, self.letters)
        self.complete = self.complete and there
        lines: list[str] = []
        while text and len(lines) < most and font.getlength(ELLIPSIS) <= room:
            end = _fitting(font, text, room)
            if end < len(text) and len(lines) == most - 1:
                text = text[: _fitting(font, text, room - font.getlength(ELLIPSIS))].rstrip() + ELLIPSIS
                end = len(text)
            space = text.rfind(" ", 1, end + 1) if end < len(text) else -1
            end = max(1, end) if space < 0 else space
            lines.append(text[:end])
            text = text[end:].lstrip()
        return Label(font, tuple(lines))

    def _write(self, pen: ImageDraw.ImageDraw, label: Label, place: Size) -> None:
        for number, text in enumerate(label.lines):
            pen.text((place[0], place[1] + number * self.line), text, fill=INK, font=label.font)

    def put(self, paper: Image.Image, number: int, pixels: Pixels) -> None:
        """A picture into its cell, as large as fits."""
        picture = Image.fromarray(pixels)
        scale = min(self.cell[0] / picture.width, self.cell[1] / picture.height)
        size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
        if size != picture.size:
            picture = picture.resize(size, Image.Resampling.BICUBIC)
        left, top = self.places[number]
        paper.paste(picture, (left + (self.cell[0] - size[0]) // 2, top + (self.cell[1] - size[1]) // 2))


def write_picture(sheet: Sheet, target: Path, note: str) -> bool:
    """The sheet as a PNG, of what moves the last frame. Whether its letters were all to be had. Raises InputError,
    DiskError.
    """
    layout = Layout(sheet, _largest(sheet))
    paper = layout.paper()
    for number, path in enumerate(sheet.files):
        if path is not None:
            layout.put(paper, number, _still(path))
    info = PngImagePlugin.PngInfo()
    info.add_itxt("comment", note)
    with writing(target), aside(target) as draft:
        paper.save(draft, format="PNG", pnginfo=info)
    return layout.complete


def write_video(sheet: Sheet, target: Path, note: str, crf: int, told: Callable[[int], object] = lambda n: None) -> int:
    """The sheet as a video as long as its longest cell; how many frames that is. Raises InputError, DiskError."""
    layout = Layout(sheet, _largest(sheet))
    paper = layout.paper()
    count = 0
    with ExitStack() as stack:
        cells = []
        for number, path in enumerate(sheet.files):
            if path is not None and _moves(path):
                cells.append((number, _Cell(stack.enter_context(closing(read_frames(path))))))
            elif path is not None:
                layout.put(paper, number, _still(path))
        writer = stack.enter_context(Writer(target, *layout.size, crf))
        run: list[Pixels] = []
        while any(cell.goes_on for _, cell in cells) or not count:
            for number, cell in cells:
                if (pixels := cell.at(count / FPS)) is not None:
                    layout.put(paper, number, pixels)
            run.append(np.asarray(paper, dtype=np.uint8).copy())
            count += 1
            if len(run) == RUN:
                writer.add(count - RUN, np.stack(run))
                run.clear()
                told(count)
        if run:
            writer.add(count - len(run), np.stack(run))
        writer.publish({"comment": note})
    return count


class _Cell:
    """The frames of one file, each until the next is shown."""

    def __init__(self, frames: Iterator[Frame]) -> None:
        self._frames = frames
        self._next = next(frames, None)

    @property
    def goes_on(self) -> bool:
        return self._next is not None

    def at(self, second: float) -> Pixels | None:
        """What is new at a second, None where nothing is."""
        shown: Pixels | None = None
        while self._next is not None and self._next.time <= second + 0.5 / FPS:
            shown, self._next = self._next.pixels, next(self._frames, None)
        return shown


def _largest(sheet: Sheet) -> Size:
    sizes = [_size(path) for path in sheet.files if path is not None]
    if not sizes:
        raise InputError("error.grid.nothing")
    return max(width for width, _ in sizes), max(height for _, height in sizes)


def _size(path: Path) -> Size:
    if path.suffix.lower() in PICTURES:
        return measure(path)
    shape = measure_video(path)
    return shape.width, shape.height


def _moves(path: Path) -> bool:
    return path.suffix.lower() not in PICTURES or webp.is_animated(path)


def _still(path: Path) -> Pixels:
    """A picture, or the last frame of what moves."""
    return read_last(path) if _moves(path) else np.asarray(load(path).convert("RGB"), dtype=np.uint8)


def _fitting(font: Font, text: str, room: float) -> int:
    """How many signs of a text fit a room."""
    return bisect_right(range(len(text) + 1), room, key=lambda end: font.getlength(text[:end])) - 1
