"""Training the transformer and the text encoders: first one network on both directions, then two that part ways.

Two processes with one thread each use two cores better than one process with two. In the joint stage each draws its
own batch (half of it reverse, half forward layouts by turns), and gradients are averaged over the processes. In the
second stage, `fork`, process 0 goes on with the reverse layout and process 1 with the forward one; only what reads the
prompts stays common to both, because both checkpoints share it.

Flow matching: x = (1 - s) clean + s noise, the network predicts noise - clean. Cells that differ from the anchor
count four times: most of a clip stands still, and without this weight the network learns to stand still first.

The text encoders have a lesson of their own: linear readers must tell the motion from what they say. Without it,
"left" and "right", which differ in one word and whose clips differ least, stay the same vector for a long time.

Guidance is learnt from a network that knows the world already and learns no more (`teach`, `guidance.py`); without one,
all guidances are the same.

Processor time is the budget, so that other work on the machine takes nothing from it. The learning rate is constant
for the first half of all minutes and then falls linearly, over both stages. Batches are drawn from streams numbered by
step, so that a resumed run continues exactly.

What ships is not the network of the last step but a running mean of all, and of that the state with the least error on
a fixed set of clips, in both directions together.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from transformers import SiglipVisionModel

from training import samples, state
from training.cache import FIRST, TRAIN, VALID, Clips, read, vision
from training.guidance import EVERYDAY_GUIDANCE, NO_GUIDANCE, Guide, guidances, guide
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
SAVE_EVERY = 480.0  # seconds
CHECK_EVERY = 1200.0  # seconds of training; a look at the validation set costs as much as a dozen steps
FIRST_SHARE = 0.1  # of all minutes; until then the second stage sees clips of the smallest sprites, if there are any
MEMORY = 0.996  # of the running mean of the weights, from step to step
CHECKED, CHECKED_BATCH = 6, 16  # batches of the validation set
DRAFT, BEGUN = 4, (0.3, 0.6)  # steps of a history the network draws itself, and the noise levels it begins at


@dataclass(frozen=True)
class Job:
    """One run of a stage: where, how long in all, and what this process does in it."""

    folder: Path
    minutes: float
    batch: int
    ranks: int
    rank: int = 0
    direction: str | None = None  # None: both, by turns
    peak: float = 1.0  # factor of all learning rates
    compiled: bool = False
    short: bool = False  # bfloat16, where it multiplies faster
    device: str = "cpu"

    @property
    def path(self) -> Path:
        return self.folder / f"{self.direction or 'joint'}.pt"

    @property
    def best(self) -> Path:
        """What is shipped of this stage."""
        return best(self.folder, self.path.stem)

    @property
    def teacher(self) -> Path:
        """Who guidance is learnt from, if there is one."""
        return teacher(self.folder, self.path.stem)

    @property
    def clock(self) -> Callable[[], float]:
        """What the budget is measured by: on another device, the processor only waits."""
        return time.process_time if self.device == "cpu" else time.perf_counter

    @property
    def end(self) -> float:
        """Seconds of training after which this stage is over."""
        return 60 * self.minutes * (JOINT if self.direction is None else 1.0)

    def rate(self, spent: float) -> float:
        """The factor of all learning rates."""
        return self.peak * min(1.0, max(0.02, 2 * (1 - spent / (60 * self.minutes))))


def joint(job: Job) -> None:
    """The first stage: one network, both directions, in as many processes as the job has ranks."""
    _spawn([replace(job, rank=rank) for rank in range(job.ranks)])


def fork(job: Job) -> None:
    """The second stage: two networks side by side, one direction each."""
    directions = (samples.REVERSE, samples.FORWARD)
    _spawn([replace(job, ranks=2, rank=rank, direction=d) for rank, d in enumerate(directions)])


def teach(folder: Path) -> None:
    """Let the second stage learn guidance from its best networks so far."""
    for direction in (samples.REVERSE, samples.FORWARD):
        state.save(teacher(folder, direction), state.load(best(folder, direction)))


def best(folder: Path, stage: str) -> Path:
    """Where the best network of a stage lies: "joint", "reverse" or "forward"."""
    return folder / f"{stage}-best.pt"


def teacher(folder: Path, stage: str) -> Path:
    """Where the network lies that a stage learns guidance from."""
    return folder / f"{stage}-teacher.pt"


def network(folder: Path, direction: str) -> Net:
    """The best network for a direction, in evaluation mode."""
    paths = [best(folder, stage) for stage in (direction, "joint")]
    return _still(folder, next((path for path in paths if path.exists()), None))


def _still(folder: Path, path: Path | None) -> Net:
    """A network that learns no more, as a file has it, or an untrained one."""
    net = Net(folder)
    if path is not None:
        net.load_state_dict(state.load(path)["model"])
    return net.eval().requires_grad_(False)


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
        self.net = Net(job.folder).to(job.device)
        self.mean = AveragedModel(self.net, multi_avg_fn=get_ema_multi_avg_fn(MEMORY))
        self.net.short = job.short
        self.teacher = _still(job.folder, job.teacher).to(job.device) if job.teacher.exists() else None
        self.optimisers = optimisers(self.net, job)
        self.readers = Readers().to(job.device)
        self.reading = torch.optim.AdamW(self.readers.parameters(), lr=READER_RATE)
        self.least, self.due = float("inf"), 0.0
        self._resume()
        self.checks = read(job.folder, VALID)
        self.checked = prepare(job.folder, self.checks)
        self._open(FIRST if self.begins else TRAIN)
        words = [*self.net.llama.parameters(), *self.net.clip.parameters(), *self.readers.parameters()]
        self.common = words if job.direction else [*self.net.transformer.parameters(), *words]
        if job.compiled:
            for block in [*self.net.transformer.transformer_blocks, *self.net.transformer.single_transformer_blocks]:
                block.compile(dynamic=True)
        self._together()
        log.info("%d clips, step %d", sum(map(len, self.clips)), self.step)

    def run(self) -> None:
        """Train until the stage's time is over."""
        saved, last = time.monotonic(), self.job.clock()
        total, parent = 0.0, parent_process()
        while self.spent < self.job.end:
            if parent is not None and not parent.is_alive():
                raise RuntimeError("whoever started this is gone; the next start goes on from the last checkpoint")
            if self.split == FIRST and not self.begins:
                self._open(TRAIN)
            total += self.learn()
            now = self.job.clock()
            self.spent, last = self._agree(self.spent + now - last), now
            self.step += 1
            if self.step % 50 == 0 and self.keeps:
                curve = self.job.path.with_suffix(".jsonl")
                state.note(curve, step=self.step, seconds=self.spent, loss=total / 50, rate=self.job.rate(self.spent))
            if self.step % 50 == 0:
                total = 0.0
            if self._agree(time.monotonic() - saved) > SAVE_EVERY:
                self.keep()
                saved = time.monotonic()
        self.due = 0.0  # the last network is compared in any case: rates have fallen to nothing by then
        self.keep()
        log.info("%s finished: %d steps, %.0f s", self.job.path.stem, self.step, self.spent)

    def learn(self) -> float:
        """One update; returns the unweighted loss."""
        job = self.job
        plain, weighted = self.lesson()
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
        self.mean.update_parameters(self.net)
        return float(plain)

    def lesson(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The unweighted loss of this step's batch, and what is to be made smaller."""
        job = self.job
        rng = stream(f"{job.direction} {job.rank}", self.step)
        direction = job.direction or (samples.REVERSE, samples.FORWARD)[(self.step + job.rank) % 2]
        early = job.direction is None and self.spent < 60 * job.minutes * LESSON
        mix = samples.EARLY if early else samples.LATE
        which, sample = samples.draw(rng, self.clips, direction, job.batch, mix, stream("common", self.step))
        said = said_with(self.clips[which], sample)
        told = self.net.read(self.tokens[which].pick(said).to(job.device))
        seen = self.seen[which][sample.rows].to(job.device)
        sample = sample.to(job.device)
        if sample.earlier is not None:
            sample = sample.after(self._drafts(rng, sample.earlier, told, seen))
        led = None if self.teacher is None else guide(self.teacher, self.tokens[which], said, sample, seen)
        plain, weighted = loss(self.net, rng, sample, told, seen, guidances(rng, job.batch), led)
        answers = motions(self.clips[which], said).to(job.device)
        return plain, weighted + READING * self.readers(told, answers)

    def _drafts(self, rng: Rng, earlier: samples.Earlier, told: Told, seen: torch.Tensor) -> torch.Tensor:
        """The sections before, as the running mean draws them from noisy ones: what follows the truth joins them."""
        places = earlier.places
        states, mask, pooled = (part[places] for part in told)
        begun = torch.from_numpy(rng.uniform(*BEGUN, len(places)))
        return draw(self._mean, rng, earlier.sample, (states, mask, pooled), seen[places], DRAFT, begun)

    @property
    def _mean(self) -> Net:
        """The running mean, as it is now."""
        mean = self.mean.module
        assert isinstance(mean, Net)
        return mean

    @property
    def begins(self) -> bool:
        """Whether it is time for the easiest clips."""
        return self.job.direction is not None and self.spent < 60 * self.job.minutes * FIRST_SHARE

    def _open(self, split: str) -> None:
        """Learn from this split from now on; what is not there is left out."""
        self.split = split
        self.clips = read(self.job.folder, split) or read(self.job.folder, TRAIN)
        self.tokens, self.seen = prepare(self.job.folder, self.clips)

    def _together(self) -> None:
        """What is common begins as the first process has it: whoever is killed may have saved one and not the other."""
        if self.job.ranks > 1:
            flat = torch.cat([weight.detach().flatten() for weight in self.common]).cpu()
            dist.broadcast(flat, 0)
            for weight, part in zip(self.common, flat.split([w.numel() for w in self.common]), strict=True):
                weight.data.copy_(part.view_as(weight))
            self.spent = self._agree(self.spent)

    @property
    def keeps(self) -> bool:
        """Whether this process writes: its network is not another's as well."""
        return self.job.rank == 0 or self.job.direction is not None

    def _average(self) -> None:
        """Average the gradients of what the processes have in common, all in one message."""
        if self.job.ranks == 1:
            return
        grads = [weight.grad for weight in self.common if weight.grad is not None]
        flat = torch.cat([g.flatten() for g in grads]).cpu()
        dist.all_reduce(flat)
        flat /= self.job.ranks
        for grad, part in zip(grads, flat.split([g.numel() for g in grads]), strict=True):
            grad.copy_(part.view_as(grad))

    def _agree(self, value: float) -> float:
        """The mean over the processes, so that all do the same at the same step."""
        if self.job.ranks == 1:
            return value
        both = torch.tensor([value], dtype=torch.float64)
        dist.all_reduce(both)
        return float(both) / self.job.ranks

    @torch.no_grad()
    def check(self) -> float:
        """The mean network's weighted loss on the validation set."""
        mean = self._mean.eval()
        tokens, seen = self.checked
        total = 0.0
        for number in range(CHECKED):
            rng = stream(VALID, number)
            direction = self.job.direction or (samples.REVERSE, samples.FORWARD)[number % 2]
            which, sample = samples.draw(rng, self.checks, direction, CHECKED_BATCH, samples.CHECK)
            told, there = mean.read(tokens[which].pick(sample.rows).to(self.job.device)), sample.to(self.job.device)
            total += float(loss(mean, rng, there, told, seen[which][sample.rows].to(self.job.device))[1])
        return total / CHECKED

    def keep(self) -> None:
        """Write what is needed to go on and, now and then, the mean network, if it is the best so far."""
        at = {"step": self.step, "spent": self.spent}
        if self.spent >= self.due:
            self.due = self.spent + CHECK_EVERY
            self._compare(at)
        if self.keeps:
            parts: dict[str, Any] = {"model": self.net, "mean": self.mean, "readers": self.readers}
            learnt = {name: part.state_dict() for name, part in (parts | {"reading": self.reading}).items()}
            memory = {"optimisers": [o.state_dict() for o in self.optimisers], "least": self.least, "due": self.due}
            state.save(self.job.path, learnt | at | memory)

    def _compare(self, at: dict[str, float]) -> None:
        score = self._agree(self.check())
        best, self.least = score < self.least, min(score, self.least)
        if best and self.keeps:
            state.save(self.job.best, {"model": self.mean.module.state_dict(), "score": score} | at)
        if self.keeps:
            state.note(self.job.path.with_name(f"{self.job.path.stem}-checks.jsonl"), score=score, **at)
            log.info("step %d, %.0f s: %.4f on the validation set, least %.4f", *at.values(), score, self.least)

    def _resume(self) -> None:
        """Continue this stage, or begin the second one with what the first has left."""
        path = self.job.path if self.job.path.exists() else self.job.folder / "joint.pt"
        if not path.exists():
            return
        saved = state.load(path)
        self.net.load_state_dict(saved["model"])
        self.step, self.spent = saved["step"], saved["spent"]
        if not saved["optimisers"]:  # adopted: weights and nothing else
            self.mean.module.load_state_dict(saved["model"])
            return
        self.mean.load_state_dict(saved["mean"])
        self.readers.load_state_dict(saved["readers"])
        self.reading.load_state_dict(saved["reading"])
        if path == self.job.path:
            self.least, self.due = saved["least"], saved.get("due", 0.0)
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
        return sum(F.cross_entropy(guess, answers, reduction="sum") for guess in guesses) / known


def said_with(clips: Clips, sample: samples.Sample) -> torch.Tensor:
    """The rows of a batch's prompts; behind those of the clips is the empty one."""
    return torch.where(sample.unsaid, len(clips), sample.rows)


def motions(clips: Clips, rows: torch.Tensor) -> torch.Tensor:
    """The numbers of the motions that prompts name, -100 for empty prompts."""
    names, prompts = list(MOVES), [*clips.prompts, ""]
    return torch.tensor([names.index(clips.motions[row]) if prompts[row] else -100 for row in rows.tolist()])


def optimisers(net: Net, job: Job) -> tuple[Muon, torch.optim.AdamW]:
    """Muon for the matrices inside the blocks, AdamW for the rest."""
    matrices: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, weight in net.transformer.named_parameters():
        inside = name.startswith(("transformer_blocks", "single_transformer_blocks"))
        (matrices if inside and weight.ndim == 2 and "norm" not in name else rest).append(weight)
    words = [*net.llama.parameters(), *net.clip.parameters()]
    # Processes whose networks are one share the work on them.
    muon = Muon(matrices, MATRIX_RATE) if job.direction else Muon(matrices, MATRIX_RATE, job.rank, job.ranks)
    adam = torch.optim.AdamW([{"params": rest}, {"params": words}], lr=REST_RATE, betas=(0.9, 0.95), weight_decay=0.01)
    for group, top in zip((*muon.param_groups, *adam.param_groups), (MATRIX_RATE, REST_RATE, TEXT_RATE), strict=True):
        group["top"] = top
    return muon, adam


def loss(
    net: Net,
    rng: Rng,
    sample: samples.Sample,
    told: Told,
    seen: torch.Tensor,
    guidance: torch.Tensor | None = None,
    led: Guide | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean square error of the velocity, and the same with moving cells weighted; `guidance` (n) is none where none is
    said, so that networks are compared by how well they know the world."""
    clean, count = sample.window, len(sample.rows)
    even = (torch.from_numpy(rng.random(count)).float() + torch.arange(count)) / count  # stratified 0..1
    sigma = SHIFT * even / (1 + (SHIFT - 1) * even)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(int(rng.integers(2**31))))
    level = sigma.view(-1, 1, 1, 1, 1)
    guidance = torch.full_like(sigma, NO_GUIDANCE) if guidance is None else guidance
    noise, level, sigma, guidance = (part.to(clean.device) for part in (noise, level, sigma, guidance))
    noisy, wanted = (1 - level) * clean + level * noise, noise - clean
    if led is not None:
        wanted = wanted + led(noisy, sigma, guidance)
    velocity = net(noisy, sigma, sample.context, told, seen, guidance)
    error = (velocity - wanted).square()
    moves = (clean - sample.anchor).square().mean(1, keepdim=True) > MOVING
    weight = 1 + (WEIGHT - 1) * moves
    return error.detach().mean(), (error * weight).mean() / weight.mean()


@torch.no_grad()
def draw(
    net: Net, rng: Rng, sample: samples.Sample, told: Told, seen: torch.Tensor, steps: int, begun: torch.Tensor
) -> torch.Tensor:
    """Windows (n, 16, w, h, w) in so many steps of Euler's method, from the noise levels `begun` (n)."""
    clean, device = sample.window, sample.window.device
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(int(rng.integers(2**31)))).to(device)
    begun = begun.float().to(device)
    level = begun.view(-1, 1, 1, 1, 1)
    x = (1 - level) * clean + level * noise
    even = torch.linspace(1, 0, steps + 1)
    sigmas = SHIFT * even / (1 + (SHIFT - 1) * even)
    guidance = torch.full_like(begun, EVERYDAY_GUIDANCE)
    for sigma, following in pairwise(sigmas.tolist()):
        velocity = net(x, sigma * begun, sample.context, told, seen, guidance)
        x = x + (following - sigma) * level * velocity
    return x


def eyes() -> SiglipVisionModel:
    """The frozen vision encoder, the same random numbers every time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return vision_encoder()


@torch.no_grad()
def prepare(folder: Path, clips: Sequence[Clips]) -> tuple[list[Tokens], list[torch.Tensor]]:
    """Tokens of all prompts and of an empty one behind them, and what the frozen vision encoder says about all start
    pictures."""
    encoder = eyes()
    llama, clip = saved_tokenizers(folder)
    seen = [
        torch.cat([encoder(pixel_values=vision(part)).last_hidden_state for part in group.pictures.split(256)])
        for group in clips
    ]
    return [tokenize(llama, clip, [*group.prompts, ""]) for group in clips], seen
