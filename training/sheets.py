"""Contact sheets: clips as rows of small pictures, so that a person can look at many of them at once."""

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image, ImageDraw

LABEL = 190  # pixels beside a row
SEEN = 128  # pixels of a frame's width that can be looked at


def sheet(path: Path, rows: Sequence[tuple[str, torch.Tensor]], columns: int = 10) -> None:
    """Write labelled clips (frames, 3, h, w) in -1..1; frames are taken at even distances, first and last included.

    Small ones are enlarged by a whole number.
    """
    zoom = max(1, SEEN // rows[0][1].shape[-1])
    strips = [(label, _strip(clip, columns)) for label, clip in rows]
    height, width = strips[0][1].shape[1:]
    canvas = Image.new("RGB", (LABEL + width * zoom, sum(s.shape[1] for _, s in strips) * zoom), "white")
    pen, top = ImageDraw.Draw(canvas), 0
    for label, strip in strips:
        picture = Image.fromarray(strip.permute(1, 2, 0).contiguous().numpy())
        size = (picture.width * zoom, picture.height * zoom)
        canvas.paste(picture.resize(size, Image.Resampling.NEAREST), (LABEL, top))
        for line, text in enumerate(_wrapped(label, 28)):
            pen.text((4, top + 4 + 12 * line), text, fill="black")
        top += height * zoom
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas.save(path)


def _strip(clip: torch.Tensor, columns: int) -> torch.Tensor:
    """Some frames side by side as uint8 (3, h, columns * w)."""
    chosen = clip[torch.linspace(0, len(clip) - 1, min(columns, len(clip))).round().long()]
    return torch.cat([((f + 1) * 127.5).round().clamp(0, 255).byte() for f in chosen], 2)


def _wrapped(text: str, length: int) -> list[str]:
    lines, line = [], ""
    for word in text.split():
        if len(line) + len(word) > length:
            lines.append(line)
            line = ""
        line = f"{line} {word}".strip()
    return [*lines, line]
