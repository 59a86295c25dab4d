"""Every generation control seen to work: docs/controls.md, with a contact sheet for each, by `make controls`.

A control is shown on one held-out picture of the synthetic world with the embedded model: off, on, strong, a row each,
eight frames of the video from left to right. What a sheet does not show is not claimed: the page says so.
"""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw

from training.judge import Clip, Judge, Subject

COLUMNS, SCALE, MARGIN = 8, 2, 150  # frames, enlargement, pixels for a row's label
ROOT = Path(__file__).parent.parent

Row = tuple[str, str, dict[str, Any]]  # label, prompt, options


@dataclass(frozen=True)
class Control:
    """One control: how it is shown, on which model, and what to look for."""

    name: str
    title: str
    look: str
    rows: Callable[[Subject], tuple[Row, ...]]
    model: str = "tiny"
    seconds: float = 2.0


def steps(**sampling: Any) -> dict[str, Any]:
    return {"sampling": sampling}


def keyframes(**values: Any) -> dict[str, Any]:
    return {"keyframes": values}


RIGHT, LEFT, STILL = "the {s} moves right", "the {s} moves left", "the {s} stands still"

CONTROLS = (
    Control(
        "prompt",
        "Prompt",
        "The word decides the motion; an empty prompt leaves it open.",
        lambda s: (("empty", "", {}), ("moves right", RIGHT, {}), ("moves left", LEFT, {})),
    ),
    Control(
        "seed",
        "Seed",
        "The same motion drawn three times.",
        lambda s: tuple((f"seed {n}", RIGHT, {"seed": n}) for n in (1, 2, 3)),
    ),
    Control(
        "final",
        "Final Frame and EndFrame strength",
        "The video ends nearer to the Final Frame the stronger it is.",
        lambda s: (
            ("off", STILL, {}),
            ("strength 0.3", STILL, keyframes(final=s.last, final_strength=0.3)),
            ("strength 1.0", STILL, keyframes(final=s.last)),
        ),
    ),
    Control(
        "section-image",
        "Key frame of a section",
        "The section on the right is anchored by another picture.",
        lambda s: (("off", STILL, {}), ("on section 0", STILL, keyframes(sections={0: s.last}))),
    ),
    Control(
        "section-prompt",
        "Prompt of a section",
        "The first half follows one word, the second the other.",
        lambda s: (
            ("off", RIGHT, {}),
            ("0: moves left", RIGHT, keyframes(prompts={0: f"the {s.sprite} moves left"})),
            ("1: moves left", RIGHT, keyframes(prompts={1: f"the {s.sprite} moves left"})),
        ),
    ),
    Control(
        "loop",
        "Loop",
        "Compare the last frame with the first.",
        lambda s: tuple((kind, RIGHT, keyframes(loop=kind)) for kind in ("off", "final", "seamless")),
        seconds=3.6,
    ),
    Control(
        "padding",
        "All Padding",
        "A small padding keeps sections near the start picture, a large one lets them go.",
        lambda s: (("off", RIGHT, {}), ("0.2", RIGHT, steps(padding=0.2)), ("3.0", RIGHT, steps(padding=3.0))),
    ),
    Control(
        "image-strength",
        "Image strength (F1)",
        "Towards 102 % the first section holds still.",
        lambda s: tuple((f"{v:.0%}", RIGHT, steps(image_strength=v)) for v in (1.0, 1.01, 1.02)),
        model="tiny-f1",
    ),
    Control(
        "cfg",
        "Real CFG and negative prompt",
        "With a negative prompt for the opposite motion.",
        lambda s: tuple(
            (f"CFG {v}", RIGHT, steps(cfg=v) | {"negative": f"the {s.sprite} moves left"}) for v in (1.0, 2.0, 4.0)
        ),
    ),
    Control(
        "guidance",
        "Distilled CFG",
        "The embedded model was not distilled: expect little.",
        lambda s: tuple((f"{v}", RIGHT, steps(guidance=v)) for v in (1.0, 10.0, 32.0)),
    ),
    Control(
        "steps",
        "Steps",
        "Few steps are coarse.",
        lambda s: tuple((f"{n}", RIGHT, steps(steps=n)) for n in (1, 4, 25)),
    ),
    Control(
        "teacache",
        "TeaCache",
        "On should look like off.",
        lambda s: (
            ("off", RIGHT, steps(teacache=False)),
            ("0.15", RIGHT, {}),
            ("0.5", RIGHT, steps(threshold=0.5)),
        ),
    ),
    Control(
        "section-size",
        "Section size",
        "The same video from sections of one second and of half a second.",
        lambda s: (("1 s", RIGHT, {}), ("0.5 s", RIGHT, {"section_size": 0.5})),
    ),
)


def sheet(judge: Judge, subject: Subject, control: Control) -> tuple[Image.Image, list[str]]:
    """The contact sheet of a control, and a line of figures for each row."""
    strips, figures = [], []
    for label, said, options in control.rows(subject):
        clip = judge.clip(subject, said, seconds=control.seconds, **options)
        strips.append(strip(label, clip))
        x, y = judge.moved(subject, clip)
        way = f"sprite went {x:+.2f} to the right, {-y:+.2f} up (widths)"
        figures.append(f"{label}: {way}; ends {_gap(clip):.3f} from the start")
    sheet = Image.new("RGB", (max(s.width for s in strips), sum(s.height + 4 for s in strips)), "white")
    for i, row in enumerate(strips):
        sheet.paste(row, (0, i * (row.height + 4)))
    return sheet, figures


def strip(label: str, clip: Clip) -> Image.Image:
    """One labelled row of frames, the first and the last among them."""
    picked = clip[np.linspace(0, len(clip) - 1, COLUMNS).round().astype(int)]
    pixels = ((picked.permute(0, 2, 3, 1) + 1) * 127.5).round().to(torch.uint8).numpy()
    frames = Image.fromarray(np.concatenate(list(pixels), axis=1))
    frames = frames.resize((frames.width * SCALE, frames.height * SCALE), Image.Resampling.NEAREST)
    row = Image.new("RGB", (MARGIN + frames.width, frames.height), "white")
    ImageDraw.Draw(row).text((6, frames.height // 2 - 6), label, fill="black")
    row.paste(frames, (MARGIN, 0))
    return row


def _gap(clip: Clip) -> float:
    """Mean difference of the last frame from the first, of a range of 2."""
    return float((clip[-1] - clip[0]).abs().mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", type=int, default=1, help="number of the held-out picture")
    parser.add_argument("--only", nargs="*", help="names of controls")
    arguments = parser.parse_args()
    target = ROOT / "docs" / "controls"
    target.mkdir(parents=True, exist_ok=True)
    lines = [
        "# Controls",
        "",
        "Each control on one held-out picture with the embedded model, made by `make controls`. Rows are settings,",
        "columns are eight frames from the first to the last. Figures are measured on the same clips.",
        "",
    ]
    with tempfile.TemporaryDirectory() as folder:
        judges = {name: Judge(name, arguments.picture + 1, Path(folder)) for name in ("tiny", "tiny-f1")}
        for control in CONTROLS:
            if arguments.only and control.name not in arguments.only:
                continue
            judge = judges[control.model]
            picture, figures = sheet(judge, judge.subjects[arguments.picture], control)
            picture.save(target / f"{control.name}.png", optimize=True)
            lines += [
                f"## {control.title}",
                "",
                control.look,
                "",
                f"![{control.title}](controls/{control.name}.png)",
                "",
            ]
            lines += [f"* {figure}" for figure in figures] + [""]
    (ROOT / "docs" / "controls.md").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
