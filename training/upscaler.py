"""`python -m training.upscaler`: the small upscaler that ships, twice the size, trained and measured.

A Compact network (SRVGG, as Real-ESRGAN's video models have), which spandrel knows: convolutions at the small size and
one shuffle to the large one, so that a CPU can bear it. It learns from the synthetic world, drawn twice as large as
the embedded model draws it, and from photographs; what it is given is shrunk, blurred a little and coded in H.264 as
videos are. Sixteen patches lie side by side in one coded frame, each on whole blocks, so that coding costs next to
nothing. The loss is the distance of pixels alone: nothing is invented that was not there.

`train` goes on where it was interrupted, until its minutes of one core are spent, and leaves the file. `report`
measures it against bicubic enlarging on pictures that were never shown, clean and coded, and draws a sheet.
"""

import argparse
import io
import logging
import time
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from safetensors.torch import save_file
from torch import Tensor, nn

from eichi.console import console
from eichi.files import aside
from eichi.models.spandrel import library
from training import photos, state, world
from training.muon import Muon
from training.rng import Rng, stream

log = logging.getLogger(__name__)

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "src" / "eichi" / "models" / "upscaler" / "compact2x.safetensors"
FEATURES, LAYERS, SCALE = 32, 8, 2
SIDE, ACROSS = 48, 4  # pixels of a small patch: whole blocks of H.264; patches in a row and a column of a frame
RATE, MINUTES = 0.02, 9.0  # of Muon; Adam's is a twentieth; of one core
SAVE_EVERY, TOLD_EVERY = 120.0, 100  # seconds, steps
CLEAN = 0.3  # share of batches that are not coded
CRF = 8, 27  # of those that are: ours is 16 by default
SCENES = 0.45  # share of patches from the synthetic world
COLOURED, SHRUNK = 9, 2.5
POOL = 600  # scenes that they are cut from: drawing one takes longer than learning from it
SCENE = 2 * world.SMALL  # pixels: the world as the embedded model draws it, and twice as large
MEANS = (Image.Resampling.BICUBIC, Image.Resampling.BILINEAR, Image.Resampling.BOX, Image.Resampling.LANCZOS)

Pixels = NDArray[np.uint8]


def network() -> nn.Module:
    """The network before it has learnt: enlarging with straight lines between pixels. Colours go through all layers as
    they are, since no PReLU changes what is above zero, and the last one has what that differs from the nearest pixel.
    """
    library()
    from spandrel.architectures.Compact import Compact

    made: nn.Module = Compact(num_feat=FEATURES, num_conv=LAYERS, upscale=SCALE)
    *convolutions, last = (one for one in made.modules() if isinstance(one, nn.Conv2d))
    with torch.no_grad():
        for one in convolutions:
            nn.init.kaiming_normal_(one.weight, a=0.25)
            nn.init.zeros_(one.bias)  # type: ignore[arg-type]
            one.weight[:3] = 0
            for colour in range(3):
                one.weight[colour, colour, 1, 1] = 1
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]
        sides = torch.tensor([[0.25, 0.75, 0.0], [0.0, 0.75, 0.25]])
        for colour in range(3):
            for place in range(4):
                kernel = torch.outer(sides[place // 2], sides[place % 2])
                kernel[1, 1] -= 1
                last.weight[4 * colour + place, colour] = kernel
    return made


def batch(step: int) -> tuple[Tensor, Tensor]:
    """Small and large patches (n, 3, h, w) in 0..1 of a step."""
    rng = stream("upscaler", step)
    large = [_patch(rng) for _ in range(ACROSS * ACROSS)]
    small = [_shrunk(rng, pixels) for pixels in large]
    if rng.random() >= CLEAN:
        small = list(_coded(small, int(rng.integers(*CRF))))
    return _tensor(small), _tensor(large)


def _patch(rng: Rng) -> Pixels:
    side = SCALE * SIDE
    if rng.random() < SCENES:
        frame = _seen(int(rng.integers(POOL)))
        top, left = (int(rng.integers(0, SCENE - side + 1)) for _ in range(2))
        piece = frame[top : top + side, left : left + side]
        piece = np.rot90(piece, int(rng.integers(4)))[:, :: 1 if rng.random() < 0.5 else -1]
        return np.ascontiguousarray(piece[..., rng.permutation(3)])
    return _photo(rng, side)


def _photo(rng: Rng, side: int) -> Pixels:
    """A piece of a photograph, as it is or shrunk up to twice and a half: colours twice as often as grey textures."""
    choices = photos.SEEN + photos.SEEN[:COLOURED]
    picture = photos.load(*choices[int(rng.integers(len(choices)))])
    scale = float(rng.uniform(1.0, min(SHRUNK, min(picture.size) / side)))
    wide = side * scale
    left, top = (float(rng.uniform(0, length - wide)) for length in picture.size)
    box = (left, top, left + wide, top + wide)
    pixels = np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC, box=box))
    return np.ascontiguousarray(np.rot90(pixels, int(rng.integers(4)))[:, :: 1 if rng.random() < 0.5 else -1])


@cache
def _seen(number: int) -> Pixels:
    return _scene(stream("upscaler-seen", number), "upscaler")


def _scene(rng: Rng, split: str) -> Pixels:
    drawn = world.scene(split, int(rng.integers(2**31)), (SCENE, SCENE))
    frame = world.render(drawn, torch.tensor([float(rng.integers(0, 60))]))[0]
    return _pixels((frame + 1) / 2)


def _shrunk(rng: Rng, pixels: Pixels) -> Pixels:
    size = pixels.shape[1] // SCALE, pixels.shape[0] // SCALE
    small = np.asarray(Image.fromarray(pixels).resize(size, MEANS[int(rng.choice(4, p=(0.55, 0.2, 0.1, 0.15)))]))
    if rng.random() < 0.15:  # a little noise, as sensors and decoders leave
        noise = rng.normal(0, rng.uniform(0.5, 4), small.shape)
        small = np.clip(small + noise, 0, 255).round().astype(np.uint8)
    return small


def _coded(small: list[Pixels], crf: int) -> Iterator[Pixels]:
    """Patches as H.264 leaves them, side by side in one frame."""
    rows = [np.concatenate(small[row * ACROSS : (row + 1) * ACROSS], axis=1) for row in range(ACROSS)]
    frame = through_codec(np.concatenate(rows, axis=0), crf)
    for row in range(ACROSS):
        for column in range(ACROSS):
            yield frame[row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE]


def through_codec(pixels: Pixels, crf: int) -> Pixels:
    """A picture as a key frame of H.264 shows it."""
    held = io.BytesIO()
    with av.open(held, "w", format="mp4") as container:
        coder = container.add_stream("libx264", rate=Fraction(30), options={"crf": str(crf), "preset": "veryfast"})
        coder.height, coder.width, coder.pix_fmt = *pixels.shape[:2], "yuv420p"
        container.mux(coder.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(coder.encode())
    held.seek(0)
    with av.open(held, "r") as source:
        return np.asarray(next(source.decode(video=0)).to_ndarray(format="rgb24"), dtype=np.uint8)


def _pixels(picture: Tensor) -> Pixels:
    """A picture (3, h, w) in 0..1 as bytes [h, w, 3]."""
    return np.ascontiguousarray((picture.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy())


def _tensor(pictures: list[Pixels]) -> Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255


def train(folder: Path, minutes: float, target: Path) -> None:
    """Train (on) until the minutes of one core are spent, then leave the file."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model, path = network(), folder / "upscaler.pt"
    first, *inner, last = (one for one in model.parameters() if one.ndim > 1)
    rest = [*(one for one in model.parameters() if one.ndim == 1), first, last]
    both = Muon(inner, RATE), torch.optim.Adam(rest, RATE / 20, betas=(0.9, 0.99))
    mean, step, spent = {name: one.detach().clone() for name, one in model.state_dict().items()}, 0, 0.0
    if path.exists():
        before = state.load(path)
        model.load_state_dict(before["model"])
        for optimiser, content in zip(both, before["optimisers"], strict=True):
            optimiser.load_state_dict(content)
        mean, step, spent = before["mean"], before["step"], before["spent"]

    def keep() -> None:
        at = {"step": step, "spent": spent, "optimisers": [one.state_dict() for one in both], "mean": mean}
        state.save(path, {"model": model.state_dict(), **at})

    clock, saved, total = time.process_time(), time.monotonic(), 0.0
    while spent < 60 * minutes:
        done = spent / (60 * minutes)
        pace = min(1.0, done * 50 + 0.05, 1.15 * (1 - done) + 0.002)  # up soon, down to nothing at the end
        for optimiser, rate in zip(both, (RATE, RATE / 20), strict=True):
            optimiser.param_groups[0]["lr"] = rate * pace
        small, large = batch(step)
        off = model(small) - large
        loss = (off * off + 1e-6).sqrt().mean()
        model.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        for optimiser in both:
            optimiser.step()
        with torch.no_grad():  # what ships is the mean of the last steps
            share = min(0.997, (1 + step) / (10 + step))
            for name, one in model.state_dict().items():
                mean[name].lerp_(one, 1 - share)
        step, total = step + 1, total + float(loss.detach())
        now = time.process_time()
        spent, clock = spent + now - clock, now
        if step % TOLD_EVERY == 0:
            log.info("%d steps, %.1f minutes, loss %.5f", step, spent / 60, total / TOLD_EVERY)
            state.note(folder / "upscaler.jsonl", step=step, minutes=spent / 60, loss=total / TOLD_EVERY)
            total = 0.0
        if time.monotonic() > saved + SAVE_EVERY:
            keep()
            saved = time.monotonic()
    keep()
    export(mean, target)


def export(weights: dict[str, Tensor], target: Path) -> None:
    """Write the file that ships, aside and renamed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with aside(target) as draft:
        save_file({name: one.contiguous() for name, one in weights.items()}, draft, {"licence": "Apache-2.0"})


def held_out() -> Iterator[tuple[str, str, Pixels]]:
    """Pictures that were never shown: kind, name, pixels. The world's have seeds of their own."""
    for package, name in photos.UNSEEN:
        whole = photos.load(package, name)
        yield (
            "photograph",
            name.split(".")[0],
            np.asarray(whole.crop((0, 0, whole.width // 4 * 4, whole.height // 4 * 4))),
        )
    for number in range(24):
        yield "world", f"scene {number}", _scene(stream("upscaler-held", number), "held")


def enlarged(pixels: Pixels) -> Pixels:
    """A picture twice as large, by what everybody has."""
    return np.asarray(
        Image.fromarray(pixels).resize((2 * pixels.shape[1], 2 * pixels.shape[0]), Image.Resampling.BICUBIC)
    )


@torch.inference_mode()
def drawn(model: nn.Module, pixels: Pixels) -> Pixels:
    return _pixels(model(_tensor([pixels]))[0])


def report(target: Path, page: Path, sheet: Path) -> None:
    """Measure a file against bicubic enlarging; a page and a sheet."""
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    model = library().ModelLoader().load_from_file(target).model.eval()
    figures: dict[tuple[str, str], list[tuple[float, float, float, float]]] = {}
    shown: list[tuple[str, tuple[Pixels, ...]]] = []
    for kind, name, true in held_out():
        clean = np.asarray(
            Image.fromarray(true).resize((true.shape[1] // 2, true.shape[0] // 2), Image.Resampling.BICUBIC)
        )
        for way, small in (
            ("clean", clean),
            ("CRF 16", through_codec(clean, 16)),
            ("CRF 23", through_codec(clean, 23)),
        ):
            made = enlarged(small), drawn(model, small)
            values = [float(peak_signal_noise_ratio(true, one)) for one in made]
            values += [float(structural_similarity(true, one, channel_axis=2)) for one in made]
            figures.setdefault((kind, way), []).append((values[0], values[1], values[2], values[3]))
            if way == "CRF 16" and (kind == "photograph" or len(shown) < 7):
                shown.append((f"{name}: {values[0]:.2f} dB, {values[1]:.2f} dB", (*made, true)))
    _page(page, figures, target.stat().st_size)
    _sheet(sheet, shown)


def _page(page: Path, figures: dict[tuple[str, str], list[tuple[float, float, float, float]]], size: int) -> None:
    lines = [
        "# The upscaler that ships", "",
        f"A Compact network of {FEATURES} features and {LAYERS} layers, 2×, {size / 1000:.0f} kB, trained by",
        f"`python -m training.upscaler` in {MINUTES:.0f} minutes of one core, against bicubic enlarging, on pictures",
        "that were never shown: three photographs and 24 scenes of the world. Pictures are shrunk by two (bicubic),",
        "then left as they are or coded as a key frame of H.264. Mean PSNR and SSIM of RGB.", "",
        "| pictures | given | bicubic | upscaler | better by | SSIM bicubic | SSIM upscaler |",
        "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for (kind, way), rows in figures.items():
        base, ours, like, liked = np.mean(rows, axis=0)
        what = f"| {kind} | {way} | {base:.2f} dB | {ours:.2f} dB | {ours - base:+.2f} dB | {like:.4f} | {liked:.4f} |"
        lines.append(what)
    page.write_text("\n".join([*lines, ""]), encoding="utf-8")


def _sheet(path: Path, shown: list[tuple[str, tuple[Pixels, ...]]]) -> None:
    """Crops in rows: bicubic, upscaler, the picture itself."""
    side, bar = 240, 18
    sheet = Image.new("RGB", (3 * side, len(shown) * (side + bar)), "white")
    pen = ImageDraw.Draw(sheet)
    for row, (text, pictures) in enumerate(shown):
        pen.text((4, row * (side + bar) + 3), f"{text}   (bicubic | upscaler | true)", fill="black")
        for column, pixels in enumerate(pictures):
            height, width = pixels.shape[:2]
            cut = min(side // 2, height, width)
            top, left = (height - cut) // 2, (width - cut) // 2
            piece = Image.fromarray(pixels[top : top + cut, left : left + cut])
            sheet.paste(piece.resize((side, side), Image.Resampling.NEAREST), (column * side, row * (side + bar) + bar))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.upscaler", description=__doc__)
    parser.add_argument("stage", choices=["train", "report"])
    parser.add_argument("--state", type=Path, default=Path("build/training"), help="folder of checkpoints")
    parser.add_argument("--target", type=Path, default=TARGET, help="the file that is made")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="budget of processor time")
    parser.add_argument("--page", type=Path, default=ROOT / "measured" / "upscaler.md")
    parser.add_argument("--sheet", type=Path, default=ROOT / "measured" / "upscaler.webp")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if args.stage == "train":
        train(args.state, args.minutes, args.target)
    else:
        report(args.target, args.page, args.sheet)


if __name__ == "__main__":
    with console():
        main()
