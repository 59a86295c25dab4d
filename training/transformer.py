"""Training the transformer and the text encoders: first one network on both directions, then two that part ways.

Two processes with one thread each use two cores better than one process with two. In the joint stage each draws its
own batch (half of it reverse, half forward layouts by turns), and gradients are averaged over the processes. In the
second stage, `fork`, process 0 goes on alone with the reverse layout and process 1 with the forward one, text
encoders frozen, because both checkpoints share them.

Flow matching: x = (1 - s) clean + s noise, the network predicts noise - clean. Cells that differ from the anchor
count four times: most of a clip stands still, and without this weight the network learns to stand still first.

The text encoders have a lesson of their own: linear readers must tell the motion from what they say. Without it,
"left" and "right", which differ in one word and whose clips differ least, stay the same vector for a long time.

Processor time is the budget, so that other work on the machine takes nothing from it. The learning rate is constant
for the first half of all minutes and then falls linearly, over both stages. Batches are drawn from streams numbered by
step, so that a resumed run continues exactly.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from transformers import SiglipVisionModel

from training import samples, state
from training.cache import Clips, read, vision
from training.muon import Muon
from training.network import Net
from training.rng import Rng, stream
from training.text import WIDTH, Tokens, Told, saved_tokenizers, tokenize, vision_encoder
from training.words import MOVES

log = logging.getLogger(__name__)

MATRIX_RATE, REST_RATE, TEXT_RATE, READER_RATE = 0.02, 1.5e-3, 1e-3, 3e-3
READING = 0.1  # weight of the text encoders' own lesson
JOINT = 0.85  # of all minutes
LESSON = 0.75  # of all minutes; until then, and never in the second stage, words for directions are most of it
SHIFT = 2.4  # of noise levels towards high ones
MOVING, WEIGHT = 0.1, 4.0  # mean square difference from the anchor that makes a cell count, and how much
SAVE_EVERY = 240.0  # seconds
EVERYDAY_GUIDANCE = 10.0


@dataclass(frozen=True)
class Job:
    """One run of a stage: where, how long in all, and what this process does in it."""

    folder: Path
    minutes: float
    batch: int
    ranks: int
    rank: int = 0
    direction: str | None = None  # None: both, by turns

    @property
    def path(self) -> Path:
        return self.folder / f"{self.direction or 'joint'}.pt"

    @property
    def end(self) -> float:
        """Seconds of training after which this stage is over."""
        return 60 * self.minutes * (JOINT if self.direction is None else 1.0)

    def rate(self, spent: float) -> float:
        """The factor of all learning rates."""
        return min(1.0, max(0.02, 2 * (1 - spent / (60 * self.minutes))))


def joint(folder: Path, minutes: float, batch: int, ranks: int) -> None:
    """The first stage: one network, both directions."""
    _spawn([Job(folder, minutes, batch, ranks, rank) for rank in range(ranks)])


def fork(folder: Path, minutes: float, batch: int) -> None:
    """The second stage: two networks side by side, one direction each."""
    _spawn([Job(folder, minutes, batch, 1, direction=d) for d in (samples.REVERSE, samples.FORWARD)])


def _spawn(jobs: Sequence[Job]) -> None:
    """Run jobs in processes of their own; any failure is ours too."""
    meeting = jobs[0].folder / "meeting"
    meeting.unlink(missing_ok=True)
    processes = [get_context("spawn").Process(target=_run, args=(job,)) for job in jobs]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise RuntimeError(f"training failed: exit codes {[p.exitcode for p in processes]}")


def _run(job: Job) -> None:
    logging.basicConfig(level=logging.INFO, format=f"%(asctime)s [{job.direction or job.rank}] %(message)s")
    torch.set_num_threads(1)
    if job.ranks > 1:
        meeting = f"file://{(job.folder / 'meeting').absolute()}"
        dist.init_process_group("gloo", init_method=meeting, rank=job.rank, world_size=job.ranks)
    Trainer(job).run()
    if job.ranks > 1:
        dist.destroy_process_group()


class Trainer:
    """One process of a stage."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.step, self.spent = 0, 0.0
        torch.manual_seed(1)
        self.net = Net(job.folder)
        self.optimisers = optimisers(self.net, job)
        self.readers = Readers()
        self.reading = torch.optim.AdamW(self.readers.parameters(), lr=READER_RATE)
        self._resume()
        self.clips = read(job.folder, "train")
        self.tokens, self.seen = prepare(job.folder, self.clips)
        self.learning = [p for p in (*self.net.parameters(), *self.readers.parameters()) if p.requires_grad]
        log.info("%d clips, %d parameters", sum(map(len, self.clips)), sum(p.numel() for p in self.learning))

    def run(self) -> None:
        """Train until the stage's time is over; rank 0 keeps checkpoints."""
        saved, last = time.monotonic(), time.process_time()
        total = 0.0
        while self.spent < self.job.end:
            total += self._learn()
            now = time.process_time()
            self.spent, last = self._agree(self.spent + now - last), now
            self.step += 1
            if self.step % 50 == 0 and self.job.rank == 0:
                curve = self.job.path.with_suffix(".jsonl")
                state.note(curve, step=self.step, seconds=self.spent, loss=total / 50, rate=self.job.rate(self.spent))
            if self.step % 50 == 0:
                total = 0.0
            if time.monotonic() - saved > SAVE_EVERY:
                self._keep()
                saved = time.monotonic()
        self._keep()
        log.info("%s finished: %d steps, %.0f s", self.job.path.stem, self.step, self.spent)

    def _learn(self) -> float:
        """One update; returns the unweighted loss."""
        job = self.job
        rng = stream(f"{job.direction} {job.rank}", self.step)
        direction = job.direction or (samples.REVERSE, samples.FORWARD)[(self.step + job.rank) % 2]
        early = job.direction is None and self.spent < 60 * job.minutes * LESSON
        mix = samples.EARLY if early else samples.LATE
        which, sample = samples.draw(rng, self.clips, direction, job.batch, mix)
        told = self.net.read(self.tokens[which].pick(sample.rows))
        plain, weighted = loss(self.net, rng, sample, told, self.seen[which][sample.rows])
        if job.direction is None:
            weighted = weighted + READING * self.readers(told, motions(self.clips[which], sample.rows))
        weighted.backward()
        self._average()
        nn.utils.clip_grad_norm_(self.optimisers[1].param_groups[0]["params"], 1.0)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = group["top"] * job.rate(self.spent)
            optimiser.step()
            optimiser.zero_grad()
        self.reading.step()
        self.reading.zero_grad()
        return float(plain)

    def _average(self) -> None:
        """Average gradients over the processes, all in one message."""
        if self.job.ranks == 1:
            return
        grads = [p.grad for p in self.learning if p.grad is not None]
        flat = torch.cat([g.flatten() for g in grads])
        dist.all_reduce(flat)
        flat /= self.job.ranks
        for grad, part in zip(grads, flat.split([g.numel() for g in grads]), strict=True):
            grad.copy_(part.view_as(grad))

    def _agree(self, seconds: float) -> float:
        """The time spent according to rank 0, so that all stop at the same step."""
        if self.job.ranks == 1:
            return seconds
        clock = torch.tensor([seconds], dtype=torch.float64)
        dist.broadcast(clock, 0)
        return float(clock)

    def _keep(self) -> None:
        if self.job.rank == 0:
            at = {"step": self.step, "spent": self.spent}
            parts: dict[str, Any] = {"model": self.net, "readers": self.readers, "reading": self.reading}
            learnt = {name: part.state_dict() for name, part in parts.items()}
            state.save(self.job.path, learnt | at | {"optimisers": [o.state_dict() for o in self.optimisers]})

    def _resume(self) -> None:
        """Continue this stage, or begin the second one with what the first has left."""
        path = self.job.path if self.job.path.exists() else self.job.folder / "joint.pt"
        if not path.exists():
            return
        saved = state.load(path)
        self.net.load_state_dict(saved["model"])
        self.readers.load_state_dict(saved["readers"])
        self.reading.load_state_dict(saved["reading"])
        self.step, self.spent = saved["step"], saved["spent"]
        for optimiser, content in zip(self.optimisers, saved["optimisers"], strict=True):
            optimiser.load_state_dict(content)


class Readers(nn.Module):
    """Two linear guesses of a clip's motion, from the pooled vector and from the average of the prompt's states."""

    def __init__(self) -> None:
        super().__init__()
        self.pooled = nn.Linear(WIDTH, len(MOVES))
        self.states = nn.Linear(WIDTH, len(MOVES))

    def forward(self, told: Told, answers: torch.Tensor) -> torch.Tensor:
        """Cross entropy of both guesses; prompts that say nothing have the answer -100 and are skipped."""
        states, mask, pooled = told
        share = (mask / mask.sum(1, keepdim=True))[..., None]
        guesses = self.pooled(pooled), self.states((states * share).sum(1))
        known = (answers >= 0).sum().clamp(min=1)
        return sum((F.cross_entropy(g, answers, reduction="sum") for g in guesses), torch.zeros(())) / known


def motions(clips: Clips, rows: torch.Tensor) -> torch.Tensor:
    """The numbers of the motions that the prompts of these clips name, -100 for empty prompts."""
    names = list(MOVES)
    return torch.tensor([names.index(clips.motions[row]) if clips.prompts[row] else -100 for row in rows.tolist()])


def optimisers(net: Net, job: Job) -> tuple[Muon, torch.optim.AdamW]:
    """Muon for the matrices inside the blocks, AdamW for the rest; a forked run freezes its text encoders."""
    matrices: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, weight in net.transformer.named_parameters():
        inside = name.startswith(("transformer_blocks", "single_transformer_blocks"))
        (matrices if inside and weight.ndim == 2 and "norm" not in name else rest).append(weight)
    words = [*net.llama.parameters(), *net.clip.parameters()]
    for weight in words:
        weight.requires_grad_(job.direction is None)
    muon = Muon(matrices, MATRIX_RATE, job.rank, job.ranks)
    adam = torch.optim.AdamW([{"params": rest}, {"params": words}], lr=REST_RATE, betas=(0.9, 0.95), weight_decay=0.01)
    for group, top in zip((*muon.param_groups, *adam.param_groups), (MATRIX_RATE, REST_RATE, TEXT_RATE), strict=True):
        group["top"] = top
    return muon, adam


def loss(
    net: Net, rng: Rng, sample: samples.Sample, told: Told, seen: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean square error of the velocity, and the same with moving cells weighted."""
    clean, count = sample.window, len(sample.rows)
    even = (torch.from_numpy(rng.random(count)).float() + torch.arange(count)) / count  # stratified 0..1
    sigma = SHIFT * even / (1 + (SHIFT - 1) * even)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(int(rng.integers(2**31))))
    level = sigma.view(-1, 1, 1, 1, 1)
    usual = torch.from_numpy(rng.random(count)) < 0.7
    other = torch.from_numpy(rng.uniform(1, 32, count)).float()
    guidance = torch.where(usual, torch.full_like(other, EVERYDAY_GUIDANCE), other)
    velocity = net((1 - level) * clean + level * noise, sigma, sample.context, told, seen, guidance)
    error = (velocity - (noise - clean)).square()
    moves = (clean - sample.anchor).square().mean(1, keepdim=True) > MOVING
    weight = 1 + (WEIGHT - 1) * moves
    return error.detach().mean(), (error * weight).mean() / weight.mean()


def eyes() -> SiglipVisionModel:
    """The frozen vision encoder, the same random numbers every time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return vision_encoder()


@torch.no_grad()
def prepare(folder: Path, clips: Sequence[Clips]) -> tuple[list[Tokens], list[torch.Tensor]]:
    """Tokens of all prompts, and what the frozen vision encoder says about all start pictures."""
    encoder = eyes()
    llama, clip = saved_tokenizers(folder)
    seen = [
        torch.cat([encoder(pixel_values=vision(part)).last_hidden_state for part in group.pictures.split(256)])
        for group in clips
    ]
    return [tokenize(llama, clip, group.prompts) for group in clips], seen
