"""Every generation control seen to work: docs/guide/controls.md, with a contact sheet for each, and the figures in
measured/controls.md, by `make controls`.

A control is shown with the embedded model: off, on, strong, a row each. A video's control has one held-out picture of
the synthetic world and eight frames from left to right; a single image's has eight pictures, a column each. What a
sheet does not show is not claimed: the page says so.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn.functional import interpolate

from benchmarks.printing import printing
from eichi.words import say
from training.judge import SIDE, Clip, Judge, Subject

COLUMNS, SCALE, MARGIN = 8, 2, 150  # frames, enlargement, pixels for a row's label
SECTION = 36  # frames
# Measured once, by hand: medians of thirteen pairs in one process of a CPU, processor time.
COST = "Time: {} of that without it."
QUALITY = 85  # of a sheet's WebP
ROOT = Path(__file__).parent.parent
GUIDE = """# Controls in pictures

This page shows what each control does, with the small test model that comes with the program.

Each row is a setting. Of a video you see eight frames, from the first to the last. Of single frames you see eight
results of different start images. The labels in the pictures are in English.

The test model draws shapes of 64 pixels that move. It shows *that* a control works and in which direction. It does not
show how strongly the 13B model reacts, which we have not run. The figures are in `measured/controls.md`.
"""
RECORD = """# Controls, measured

Each control with the embedded model, made by `make controls`, which also makes the sheets of `docs/guide/controls.md`.
Lines are the rows of the sheets: of a video eight frames, of single images eight held-out pictures.
"""

Row = tuple[str, str, dict[str, Any]]  # label, prompt, options
Figures = tuple[str, str]  # a row's label, and what was measured on it


@dataclass(frozen=True)
class Control:
    """One control: how it is shown, on which model, what to look for, and where more of it is said."""

    name: str
    title: str
    look: str
    page: str  # of the guide, that says more: `keyframes#loops`
    rows: Callable[[Subject], tuple[Row, ...]]
    model: str = "tiny"
    seconds: float = 2.0
    single: bool = False
    enlarge: int = 0  # of a small effect, also its difference to the first row, this many times
    side: int = SIDE  # of a square video; above 128 pixels the embedded model draws badly
    colours: bool = False  # whether colours are measured, too
    cost: str = ""  # times as long as without it


def steps(**sampling: Any) -> dict[str, Any]:
    return {"sampling": sampling}


def keyframes(**values: Any) -> dict[str, Any]:
    return {"keyframes": values}


STRONG = {"nag": 8.0, "nag_alpha": 0.8, "nag_tau": 2.0}
RIGHT, LEFT, STILL, JUMPS = (f"the {{s}} {what}" for what in ("moves right", "moves left", "stands still", "jumps"))

CONTROLS = (
    Control(
        "prompt",
        "Prompt",
        "The prompt decides the motion. An empty prompt leaves it open.",
        "prompts",
        lambda s: (("empty", "", {}), ("moves right", RIGHT, {}), ("moves left", LEFT, {})),
    ),
    Control(
        "seed",
        "Seed",
        "Three seeds draw the same motion three times.",
        "sampling#seed",
        lambda s: tuple((f"seed {n}", RIGHT, {"seed": n}) for n in (1, 2, 3)),
    ),
    Control(
        "final",
        "Final Frame and EndFrame influence",
        "The stronger the Final Frame is, the nearer the video ends to it. At 0.3 it has hardly any effect here.",
        "influence",
        lambda s: (
            ("off", STILL, {}),
            ("strength 0.3", STILL, keyframes(final=s.last, final_strength=0.3)),
            ("strength 1.0", STILL, keyframes(final=s.last)),
        ),
    ),
    Control(
        "section-image",
        "Section keyframe",
        "An image on section 0 decides where the video ends up.",
        "keyframes",
        lambda s: (("off", STILL, {}), ("on section 0", STILL, keyframes(sections={0: s.last}))),
    ),
    Control(
        "section-prompt",
        "Section prompt",
        "Section 0 is the second half of this video, section 1 the first. Each half follows its own prompt. Where "
        "the prompts contradict each other, the sprite jumps.",
        "prompts#section-prompts",
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
        "keyframes#loops",
        lambda s: tuple(
            (say(f"choice.keyframes.loop.{kind}"), JUMPS, keyframes(loop=kind)) for kind in ("off", "final", "seamless")
        ),
        seconds=2.4,
    ),
    Control(
        "copies",
        "Copy keyframes (red and blue)",
        "The images of sections 0 and 1 come back in sections 2 and 3.",
        "keyframes",
        lambda s: (
            ("off", STILL, {}),
            ("0 and 1", STILL, keyframes(sections={0: s.last, 1: s.picture})),
            ("copied", STILL, keyframes(sections={0: s.last, 1: s.picture}, copies=True)),
        ),
        seconds=4.8,
    ),
    Control(
        "padding",
        "All Padding",
        "A small padding keeps sections near the start image, a large one lets them go.",
        "influence#all-padding",
        lambda s: (("off", RIGHT, {}), ("0.2", RIGHT, steps(padding=0.2)), ("3.0", RIGHT, steps(padding=3.0))),
    ),
    Control(
        "image-strength",
        "Image influence (F1)",
        "The first section changes a little. With this model the effect is small: the lower rows show the "
        "difference eight times as strong.",
        "f1#image-influence",
        lambda s: tuple((f"{v:.0%}", RIGHT, steps(image_strength=v)) for v in (1.0, 1.01, 1.02)),
        model="tiny-f1",
        enlarge=8,
    ),
    Control(
        "cfg",
        "CFG scale and negative prompt",
        "The negative prompt asks for the opposite motion. A higher scale moves more and makes colours stronger.",
        "prompts#negative-prompt",
        lambda s: tuple(
            (f"CFG {v}", RIGHT, steps(cfg=v) | {"negative": f"the {s.sprite} moves left"}) for v in (1.0, 2.0, 4.0)
        ),
    ),
    Control(
        "nag",
        "NAG: negative prompt without CFG",
        "The prompt asks for the right, the negative prompt for the left. NAG 5 keeps the image. A very strong one "
        "takes the left part of the image away, and CFG 3 burns its colours.",
        "prompts#negative-prompt",
        lambda s: tuple(
            (label, RIGHT, steps(**values) | {"negative": f"the {s.sprite} moves left"})
            for label, values in (("off", {}), ("NAG 5", {"nag": 5.0}), ("strong NAG", STRONG), ("CFG 3", {"cfg": 3.0}))
        ),
        seconds=1.0,
        cost="1.21 (CFG 2: 1.88)",
    ),
    Control(
        "rescale",
        "CFG rescale",
        "CFG 4 with a negative prompt. Half of the rescale takes the contrast back; all of it leaves grain.",
        "sampling#cfg-scale-and-negative-prompt",
        lambda s: tuple(
            (f"{v}", RIGHT, steps(cfg=4.0, rescale=v) | {"negative": f"the {s.sprite} moves left"})
            for v in (0.0, 0.5, 1.0)
        ),
    ),
    Control(
        "guidance",
        "Distilled CFG scale",
        "The test model was not distilled, so the value changes little here. The lower rows show the difference "
        "eight times as strong.",
        "sampling#distilled-cfg-scale",
        lambda s: tuple((f"{v}", RIGHT, steps(guidance=v)) for v in (1.0, 10.0, 32.0)),
        enlarge=8,
    ),
    Control(
        "steps",
        "Steps",
        "Few steps give a coarse picture.",
        "sampling#steps",
        lambda s: tuple((f"{n}", RIGHT, steps(steps=n)) for n in (1, 4, 25)),
    ),
    Control(
        "vision-strength",
        "Vision strength",
        "The vision encoder of the test model holds random numbers, so the weight changes little here.",
        "sampling#vision-strength-and-position-scale",
        lambda s: tuple((f"{v}", RIGHT, steps(vision=v)) for v in (1.0, 0.0, 2.0)),
        enlarge=8,
        cost="0.99",
    ),
    Control(
        "rope",
        "Position scale",
        "A frame twice as large as the test model was trained for, which it draws badly either way. With positions "
        "half as far apart the sprite goes twice as far, and blurs.",
        "sampling#vision-strength-and-position-scale",
        lambda s: tuple(
            (label, RIGHT, steps(**values) | {"resolution": 256})
            for label, values in (
                ("off", {}),
                ("0.5 from 800", {"rope": 0.5}),
                ("0.5 from 0", {"rope": 0.5, "rope_from": 0}),
            )
        ),
        seconds=1.0,
        side=256,
        cost="1.01",
    ),
    Control(
        "start",
        "Begin without an image",
        "The test model was trained to move what an image shows, so little comes of an empty one.",
        "keyframes#begin-without-an-image",
        lambda s: tuple(
            (kind, RIGHT, {"start": kind, "aspect": "1:1"}) for kind in ("black", "grey", "white", "noise")
        ),
        cost="0.99",
    ),
    Control(
        "colour",
        "Colour correction (F1)",
        "Four sections at CFG 3, whose colours drift. The correction brings them back to the colours of the first "
        "section.",
        "f1#long-videos-with-f1",
        lambda s: tuple(
            (f"{v}", RIGHT, steps(cfg=3.0) | {"negative": f"the {s.sprite} moves left", "output": {"colour": v}})
            for v in (0.0, 0.5, 1.0)
        ),
        model="tiny-f1",
        seconds=4.8,
        colours=True,
        cost="1.03",
    ),
    Control(
        "teacache",
        "Step cache",
        "On should look like off. A threshold that is too high leaves noise.",
        "sampling#step-cache",
        lambda s: (
            ("off", RIGHT, steps(teacache=False)),
            ("0.15", RIGHT, {}),
            ("0.5", RIGHT, steps(threshold=0.5)),
        ),
    ),
    Control(
        "section-size",
        "Section length",
        "The same video from sections of 1 s and of 0.5 s.",
        "sampling#section-length",
        lambda s: (("1 s", RIGHT, {}), ("0.5 s", RIGHT, {"section_size": 0.5})),
    ),
    Control(
        "target",
        "Single frame: target index",
        "A higher target is a later moment.",
        "single-frame",
        lambda s: tuple((f"index {n}", RIGHT, {"target": n}) for n in (1, 5, 9)),
        single=True,
    ),
    Control(
        "reference",
        "Single frame: reference image",
        "The reference image is the same scene two seconds later. The nearer its history index is to the target, "
        "the more the result takes from it.",
        "single-frame#positions",
        lambda s: (
            ("start image only", STILL, {"target": 5}),
            ("reference at 10", STILL, {"target": 5, "references": [f"{s.last}:10"]}),
            ("reference at 6", STILL, {"target": 5, "references": [f"{s.last}:6"]}),
        ),
        single=True,
    ),
    Control(
        "profile",
        "Single frame: profile",
        "The same settings with the positions of five programs.",
        "single-frame#profiles",
        lambda s: tuple(
            (name, RIGHT, {"profile": name, "references": [str(s.last)]})
            for name in ("kisekae", "oichi", "musubi", "1f-mc", "comfy")
        ),
        single=True,
    ),
    Control(
        "mask",
        "Single frame: mask",
        "The right half of the start image is masked with black: that half is generated anew.",
        "single-frame#masks",
        lambda s: (("off", STILL, {"target": 1}), ("right half", STILL, {"target": 1, "mask": half(s.picture)})),
        single=True,
    ),
    Control(
        "denoise",
        "Single frame: denoising strength",
        "The less noise it begins with, the more of the start image stays.",
        "single-frame#fine-control",
        lambda s: tuple((f"{v:.0%}", RIGHT, {"target": 9, "denoise": v}) for v in (1.0, 0.7, 0.3)),
        single=True,
    ),
    Control(
        "vision",
        "Single frame: SigLIP share",
        "The vision encoder of the test model holds random numbers, so the share changes little here.",
        "single-frame#fine-control",
        lambda s: tuple(
            (f"{v:.0%}", STILL, {"target": 5, "references": [f"{s.last}:10"], "vision": v}) for v in (0.0, 0.3, 1.0)
        ),
        single=True,
        enlarge=8,
    ),
    Control(
        "shift",
        "Single frame: shift",
        "FramePack’s own value for this size is 1.6. A high one spends its steps on rough shapes.",
        "single-frame#fine-control",
        lambda s: tuple((f"{v}", RIGHT, {"target": 9} | steps(shift=v, steps=8)) for v in (1.6, 5.0, 50.0)),
        single=True,
    ),
)


def half(picture: Path) -> Path:
    """A mask beside the picture: white on the left, black on the right."""
    path = picture.with_name(f"{picture.stem}-half.png")
    with Image.open(picture) as image:
        mask = Image.new("L", image.size, 0)
    mask.paste(255, (0, 0, mask.width // 2, mask.height))
    mask.save(path)
    return path


def sheet(judge: Judge, subject: Subject, control: Control) -> tuple[Image.Image, list[Figures]]:
    """The contact sheet of a control, and the figures of each row."""
    rows = _singles(judge, control) if control.single else _videos(judge, subject, control)
    strips, figures = zip(*rows, strict=True)
    sheet = Image.new("RGB", (max(s.width for s in strips), sum(s.height + 4 for s in strips)), "white")
    for i, row in enumerate(strips):
        sheet.paste(row, (0, i * (row.height + 4)))
    return sheet, list(figures)


def _videos(judge: Judge, subject: Subject, control: Control) -> Iterator[tuple[Image.Image, Figures]]:
    """A row for every setting of a video's control, and its figures."""
    first: tuple[str, Clip] | None = None
    for label, said, options in control.rows(subject):
        clip = judge.clip(subject, said, seconds=control.seconds, **options)
        figures = ""
        if "start" not in options:
            x, y = judge.moved(subject, interpolate(clip, (SIDE, SIDE), mode="area"))
            figures += f"sprite went {x:+.2f} to the right, {-y:+.2f} up (widths); "
        figures += f"ends {gap(clip[-1], clip[0]):.3f} from the start"
        if control.colours:
            figures += f"; a section's mean colour is up to {faded(clip):.3f} from the first one's"
        picked = clip[np.linspace(0, len(clip) - 1, COLUMNS).round().astype(int)]
        yield strip(label, picked), (label, figures)
        yield from _change(control, label, picked, first)
        first = first or (label, picked)


def _singles(judge: Judge, control: Control) -> Iterator[tuple[Image.Image, Figures]]:
    """The start images, then a row for every setting of a single image's control, and its figures."""
    subjects = judge.subjects[:COLUMNS]
    starts = torch.cat([judge.alone(subject.picture) for subject in subjects])
    first: tuple[str, Clip] | None = None
    yield strip("start image", starts), ("start image", "as the VAE shows it")
    for row in range(len(control.rows(subjects[0]))):
        made, label = [], ""
        for subject in subjects:
            label, said, options = control.rows(subject)[row]
            made.append(judge.image(subject, said, **options))
        images = torch.cat(made)
        yield strip(label, images), (label, f"{gap(images, starts):.3f} from the start images, on average")
        yield from _change(control, label, images, first)
        first = first or (label, images)


def _change(
    control: Control, label: str, made: Clip, first: tuple[str, Clip] | None
) -> Iterator[tuple[Image.Image, Figures]]:
    """What a row has changed against the first, made visible, where a control asks for it."""
    if first is None or not control.enlarge:
        return
    change, name = (made - first[1]).abs(), f"{label} against {first[0]}"
    row = strip(f"{name}, x{control.enlarge}", (change * control.enlarge - 1).clamp(-1, 1))
    yield row, (name, f"{change.mean():.4f} on average, {change.max():.2f} at most")


def strip(label: str, clip: Clip) -> Image.Image:
    """One labelled row of frames."""
    pixels = ((clip.permute(0, 2, 3, 1) + 1) * 127.5).round().to(torch.uint8).numpy()
    frames = Image.fromarray(np.concatenate(list(pixels), axis=1))
    larger = max(1, SCALE * SIDE // frames.height)
    frames = frames.resize((frames.width * larger, frames.height * larger), Image.Resampling.NEAREST)
    row = Image.new("RGB", (MARGIN + frames.width, frames.height), "white")
    ImageDraw.Draw(row).text((6, frames.height // 2 - 6), label, fill="black")
    row.paste(frames, (MARGIN, 0))
    return row


def faded(clip: Clip) -> float:
    """How far the mean colour of a section is from the first section's at most, of a range of 2."""
    means = torch.stack([part.mean((0, 2, 3)) for part in clip[1:].split(SECTION)])
    return float((means - means[0]).abs().max())


def gap(one: Tensor, other: Tensor) -> float:
    """Mean difference of pictures, of a range of 2."""
    return float((one - other).abs().mean())


def shown(control: Control, figures: list[Figures]) -> str:
    """What people read of a control: what is to be seen, where more is said, its sheet, what its rows are."""
    page, _, heading = control.page.partition("#")
    link = f"{page}.md" + (f"#{heading}" if heading else "")
    picture = f"![{control.title}](controls/{control.name}.webp)"
    rows = "; ".join(label for label, _ in figures)
    return f"## {control.title}\n\n{control.look} [More]({link})\n\n{picture}\n\nFrom top to bottom: {rows}.\n"


def measured(control: Control, figures: list[Figures]) -> str:
    """The figures of a control, a line for each row of its sheet."""
    cost = f"{COST.format(control.cost)}\n\n" if control.cost else ""
    return f"## {control.title}\n\n{cost}" + "".join(f"* {label}: {said}\n" for label, said in figures)


def write(found: dict[str, list[Figures]]) -> None:
    """The page of the guide, and the record of its figures, by the names of controls."""
    pages: dict[str, list[str]] = {"docs/guide": [GUIDE], "measured": [RECORD]}
    for control in CONTROLS:
        pages["docs/guide"].append(shown(control, found[control.name]))
        pages["measured"].append(measured(control, found[control.name]))
    for folder, parts in pages.items():
        (ROOT / folder / "controls.md").write_text("\n".join(parts), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", type=int, default=9, help="number of the held-out picture")
    parser.add_argument("--only", nargs="*", help="names of controls; the pages are left as they are")
    arguments = parser.parse_args()
    target = ROOT / "docs" / "guide" / "controls"
    target.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[Figures]] = {}
    with tempfile.TemporaryDirectory() as folder:
        count = max(arguments.picture + 1, COLUMNS)
        judges = {name: Judge(name, count, Path(folder)) for name in ("tiny", "tiny-f1")}
        for control in CONTROLS:
            if arguments.only and control.name not in arguments.only:
                continue
            judge = judges[control.model]
            entry = judge.components.entry
            judge.components.entry = replace(
                entry, sizes={control.side: ((control.side, control.side),), **entry.sizes}
            )
            picture, found[control.name] = sheet(judge, judge.subjects[arguments.picture], control)
            picture.save(target / f"{control.name}.webp", quality=QUALITY, method=6)
    if not arguments.only:
        write(found)


if __name__ == "__main__":
    with printing():
        main()
