"""Results side by side with what tells them apart: one labelled picture, one labelled video.

All cells have the size of the largest, and what is shown in one that is shorter stands still at its end. Frames are
read one after the other from all files at once, so that memory follows the number of cells and not their length. Knows
nothing of options.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, PngImagePlugin

from eichi.errors import InputError
from eichi.files import aside
from eichi.video.form import FPS
from eichi.video.images import load, measure
from eichi.video.letters import font_for
from eichi.video.reader import Frame, measure_video, read_frames
from eichi.video.writer import Writer, writing

Pixels = NDArray[np.uint8]
Size = tuple[int, int]
WIDEST, LARGEST = 3840, 12_000_000  # pixels of a sheet in a row, and in all
INK, PAPER, EMPTY = (20, 22, 28), (255, 255, 255), (230, 232, 238)
SMALL = 160  # pixels that a cell is wide at least, where there is room: smaller ones have none for a label
GAP, LEAST = 6, 13  # pixels between cells, of the smallest letters
RUN = 30  # frames written at a time
PICTURES = (".png", ".webp", ".gif", ".jpg")


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
        self.places = [*self._places()]
        width = self.left + sheet.columns * (self.cell[0] + GAP) + GAP
        height = self.places[-1][1] + self.cell[1] + (self.line if sheet.single else 0) + GAP
        self.size = width + width % 2, height + height % 2

    def _places(self) -> Iterator[Size]:
        """The upper left corner of each cell."""
        sheet, width, height = self.sheet, self.cell[0] + GAP, self.cell[1] + GAP
        if sheet.single:
            for number in range(len(sheet.files)):
                row, column = divmod(number, sheet.columns)
                yield GAP + column * width, GAP + row * (height + self.line)
            return
        block = len(sheet.y) * height + self.line + (self.line if any(sheet.z) else 0) + GAP
        for number in range(len(sheet.files)):
            row, column = divmod(number, sheet.columns)
            deep, row = divmod(row, len(sheet.y))
            top = deep * block + self.line + (self.line if any(sheet.z) else 0)
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
            for (left, top), text in zip(self.places, sheet.x, strict=False):
                self._write(pen, text, (left, top + self.cell[1] + 2), self.cell[0])
            return made
        across, deep = len(sheet.x), len(sheet.y)
        for z, told in enumerate(sheet.z):
            left, top = self.places[z * across * deep]
            for column, text in enumerate(sheet.x):
                self._write(pen, text, (self.places[column][0], top - self.line + 2), self.cell[0])
            if told:
                self._write(pen, told, (GAP, top - 2 * self.line + 2), self.size[0] - 2 * GAP)
            for row, text in enumerate(sheet.y):
                _, at = self.places[(z * deep + row) * across]
                self._write(pen, text, (GAP, at + (self.cell[1] - self.line) // 2), left - 2 * GAP)
        return made

    def _write(self, pen: ImageDraw.ImageDraw, text: str, place: Size, room: int) -> None:
        """A text in a room, cut where it is longer."""
        font, there = font_for(text, self.letters)
        self.complete = self.complete and there
        while text and font.getlength(text) > room:
            text = text[:-2].rstrip() + "…" if len(text) > 2 else ""
        pen.text(place, text, fill=INK, font=font)

    def put(self, paper: Image.Image, number: int, pixels: Pixels) -> None:
        """A picture into its cell, as large as fits."""
        picture = Image.fromarray(pixels)
        scale = min(self.cell[0] / picture.width, self.cell[1] / picture.height)
        size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
        if size != picture.size:
            picture = picture.resize(size, Image.Resampling.BICUBIC)
        left, top = self.places[number]
        paper.paste(picture, (left + (self.cell[0] - size[0]) // 2, top + (self.cell[1] - size[1]) // 2))


def write_picture(sheet: Sheet, target: Path, note: str, at: float | None = None) -> bool:
    """The sheet as a PNG: of videos the frame at a second, the middle where nothing is said. Whether its letters were
    all to be had. Raises InputError, DiskError.
    """
    layout = Layout(sheet, _largest(sheet))
    paper = layout.paper()
    for number, path in enumerate(sheet.files):
        if path is not None:
            layout.put(paper, number, _still(path, at))
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
            if path is None or path.suffix.lower() in PICTURES:
                if path is not None:
                    layout.put(paper, number, _still(path, None))
                continue
            cells.append((number, _Cell(stack.enter_context(closing(read_frames(path))))))
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


def _still(path: Path, at: float | None) -> Pixels:
    """A picture, or a frame of a video."""
    if path.suffix.lower() in PICTURES:
        return np.asarray(load(path).convert("RGB"), dtype=np.uint8)
    shape = measure_video(path)
    second = shape.frames / max(shape.rate, 1) / 2 if at is None else at
    last: Sequence[Frame] = ()
    with closing(read_frames(path)) as frames:
        for frame in frames:
            last = (frame,)
            if frame.time >= second:
                break
    if not last:
        raise InputError("error.video.read", path=path, reason="reason.frames")
    return last[0].pixels
