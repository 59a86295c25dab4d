"""`python -m training.lora STYLE`: a small LoRA for the embedded model, trained on what ships and nothing else.

A style repaints every frame but the first: the start picture stays as it is and the video turns into a blueprint, a
sepia print, a negative. So the example shows at a glance whether a LoRA works, how its strength acts and whether it is
gone again. Scenes of the synthetic world are painted over and coded by the shipped VAE, samples are dressed and
weighted as in the training of the model itself, and only the low-rank matrices learn; peft holds them, and the file is
what diffusers writes. Needs no state folder: whoever has the program can train.

A step takes a second on one core, and three hundred are enough to see.
"""

import argparse
import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model_state_dict, inject_adapter_in_model
from safetensors.torch import save_file
from torch import Tensor, nn

from eichi.catalog import ModelFolders, find
from eichi.console import console
from eichi.files import aside
from eichi.models.load import Components
from eichi.options import WeightsOptions
from eichi.settings import Runtime
from training import samples, world
from training.cache import Clips, gather, vision
from training.judge import Judge
from training.network import Net
from training.rng import stream
from training.sheets import sheet
from training.text import tokenize
from training.transformer import loss

log = logging.getLogger(__name__)

RANK, RATE, BATCH = 8, 3e-3, 8
SIZES = ((128, 128), (96, 160), (160, 96), (64, 64))
# What attention looks at and what the blocks make of it; modulation decides over brightness as a whole.
TARGETS = ["to_q", "to_k", "to_v", "to_out.0", "net.0.proj", "net.2", "proj_mlp", "proj_out", "linear"]
STRENGTHS = (0.0, 0.4, 0.8, 1.2)

Paint = Callable[[Tensor], Tensor]


def _toned(dark: Sequence[float], light: Sequence[float]) -> Paint:
    """Paint by brightness alone: frames (n, 3, h, w) in -1..1 between two colours in 0..1."""
    low, high = (torch.tensor(colour).view(3, 1, 1) * 2 - 1 for colour in (dark, light))

    def paint(frames: Tensor) -> Tensor:
        share = (frames.mean(1, keepdim=True) + 1) / 2
        return low + (high - low) * share

    return paint


STYLES: dict[str, Paint] = {
    "blueprint": _toned((0.02, 0.12, 0.45), (0.92, 0.97, 1.0)),
    "sepia": _toned((0.16, 0.08, 0.02), (1.0, 0.93, 0.76)),
    "negative": lambda frames: -frames,
}


class Shipped(Net):
    """The embedded model as the training calls it; nothing of it learns."""

    def __init__(self, components: Components) -> None:
        nn.Module.__init__(self)
        components.want(WeightsOptions())
        self.transformer = components.transformer
        self.llama, self.clip = components.text_encoder, components.text_encoder_2


class Student:
    """One LoRA on the way: the model, its adapter, the clips it learns from."""

    def __init__(self, model: str, style: str, count: int, folder: Path = Path()) -> None:
        self.components = Components(find(model), Runtime(ModelFolders(folder), "cpu"))
        self.style, self.direction = style, self.components.entry.direction
        self.net = Shipped(self.components)
        self.clips = [self._clips(size, number, count) for number, size in enumerate(SIZES)]
        self.tokens = [
            tokenize(self.components.tokenizer, self.components.tokenizer_2, group.prompts) for group in self.clips
        ]
        self.seen = [self._look(group) for group in self.clips]
        torch.manual_seed(0)
        self.config = LoraConfig(r=RANK, lora_alpha=RANK, target_modules=_targets(self.net.transformer))
        inject_adapter_in_model(self.config, self.net.transformer)
        self.learning = [weight for weight in self.net.transformer.parameters() if weight.requires_grad]
        self.optimiser = torch.optim.AdamW(self.learning, lr=RATE, weight_decay=0.0)

    def learn(self, steps: int, batch: int = BATCH) -> None:
        """Train; the rate falls to nothing."""
        for step in range(steps):
            for group in self.optimiser.param_groups:
                group["lr"] = RATE * (1 - step / steps)
            weighted = self.error(step, batch)
            weighted.backward()
            nn.utils.clip_grad_norm_(self.learning, 1.0)
            self.optimiser.step()
            self.optimiser.zero_grad()
            if step % 20 == 0:
                log.info("step %d of %d: loss %.4f", step, steps, float(weighted.detach()))

    def error(self, number: int, batch: int = BATCH) -> Tensor:
        """The loss on a batch, which is the same for the same number."""
        rng = stream(f"lora {self.style} {self.direction}", number)
        which, sample = samples.draw(rng, self.clips, self.direction, batch)
        told = self.net.read(self.tokens[which].pick(sample.rows))
        _, weighted = loss(self.net, rng, sample, told, self.seen[which][sample.rows])
        return weighted

    def save(self, path: Path) -> None:
        """Write the file as diffusers does, with what it is for."""
        matrices = get_peft_model_state_dict(self.net.transformer, adapter_name="default")
        settings = {"transformer.r": RANK, "transformer.lora_alpha": RANK}
        header = {
            "lora_adapter_metadata": json.dumps(settings),
            "modelspec.architecture": "framepack-eichi-tiny/lora",
            "modelspec.title": self.style,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        with aside(path) as draft:
            save_file({f"transformer.{name}": m.half().contiguous() for name, m in matrices.items()}, draft, header)

    @torch.no_grad()
    def _clips(self, size: tuple[int, int], number: int, count: int) -> Clips:
        """Scenes in the style."""
        scenes = [s for k in range((count + 1) // 2) for s in world.pair("lora", 1000 * number + k, size)][:count]
        return gather(scenes, self._painted)

    def _painted(self, frames: Tensor) -> Tensor:
        """A clip's latents, painted over but for the first frame."""
        painted = torch.cat([frames[:1], STYLES[self.style](frames[1:])])
        return self._code(painted[:, :, None])[:, :, 0]

    def _code(self, videos: Tensor) -> Tensor:
        """Videos (n, 3, t, h, w) in -1..1 as the program codes pictures."""
        vae = self.components.vae
        mode: Tensor = vae.encode(videos).latent_dist.mode()
        scale: float = vae.config.scaling_factor
        return mode * scale

    @torch.no_grad()
    def _look(self, group: Clips) -> Tensor:
        state: Tensor = self.components.image_encoder(pixel_values=vision(group.pictures)).last_hidden_state
        return state


def _targets(transformer: nn.Module) -> list[str]:
    """Full names of the layers inside the blocks that learn."""
    return [
        name
        for name, layer in transformer.named_modules()
        if name.startswith(("transformer_blocks.", "single_transformer_blocks."))
        and isinstance(layer, nn.Linear)
        and name.endswith(tuple(TARGETS))
    ]


def show(path: Path, model: str, picture: Path, folder: Path) -> None:
    """A sheet of one held-out picture at several strengths, made by the program itself."""
    judge = Judge(model, 2, folder)
    rows = []
    for subject in judge.subjects:
        for strength in STRENGTHS:
            weights = {"loras": [{"file": path, "strength": strength}]}
            said = "A {s} moves right."
            label = f"{said.format(s=subject.sprite)} Strength {strength}"
            rows.append((label, judge.clip(subject, said, seed=1, weights=weights)))
    sheet(picture, rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.lora", description=__doc__)
    parser.add_argument("style", choices=STYLES)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--count", type=int, default=48, help="clips of each size")
    parser.add_argument("--out", type=Path, help="by default build/lora/STYLE.safetensors")
    parser.add_argument("--sheet", type=Path, help="also draw the style at several strengths")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    out = args.out or Path("build/lora") / f"{args.style}.safetensors"
    student = Student(args.model, args.style, args.count)
    student.learn(args.steps)
    student.save(out)
    if args.sheet is not None:
        show(out, args.model, args.sheet, out.parent)


if __name__ == "__main__":
    with console():
        main()
