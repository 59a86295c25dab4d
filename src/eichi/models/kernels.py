"""Which kernel computes attention, and why: the one that is installed and gives the right numbers here.

Attention of n tokens has n² scores a head. Fused kernels never hold them all: FlashAttention, xformers, and torch's own
on most devices. SageAttention is fused, too, and faster, for it rounds to eight bits; so it must be asked for. Where
nothing is fused, torch would hold all scores at once, which is 17 GiB for a 640-pixel section of the full model; there,
queries go in runs whose scores stay under a limit.

What is installed may be built for another card, and on some cards it runs and gives black pictures. So a kernel is
believed once it has given, on this card and at a real size, what the formula gives: all heads, all tokens of a section,
of which some hundred rows are computed by the formula as well, which takes a moment and little memory. The verdict is
kept for the card, its driver, torch and the kernel's version. A kernel that does not pass, or whose latents are no
numbers later on, is replaced by torch's own with a word, also where it was asked for by name: a picture by a slower
kernel is what was wanted more than no picture.

The promise of equal bytes. torch's own kernels, FlashAttention and xformers add up in a fixed order in this direction;
SageAttention's authors promise nothing. Where results must repeat to the byte (`exact`), torch's own is used whatever
else is set. Not run on a GPU yet.
"""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from eichi.files import aside, private
from eichi.models.attention import Attending, Kernel, attention, dispatched
from eichi.models.meter import card, driver
from eichi.plan.memory import Need

log = logging.getLogger(__name__)

Why = Literal["asked", "installed", "fused", "none", "exact"]
Reason = Literal["good", "absent", "fails", "memory", "differs", "nan", "exact", "shared"]

PACKAGES: dict[Kernel, str] = {"flash": "flash_attn", "xformers": "xformers", "sage": "sageattention"}
FUSED = [
    SDPBackend.FLASH_ATTENTION,
    SDPBackend.EFFICIENT_ATTENTION,
    SDPBackend.CUDNN_ATTENTION,
    SDPBackend.OVERRIDEABLE,  # Intel's
]
FILE, ROUND = "kernels.json", 1  # where verdicts are kept, and the number of this way to reach them

# A section of 640 x 640 pixels of the full model.
HEADS, SIZE, TOKENS = 24, 128, Need(640, 640).tokens
ROWS, ENDS = 256, 64  # rows that are computed by the formula: spread over all, and at both ends
# Error allowed, root mean square relative to that of the result: bfloat16 costs 0.3 %, eight bits 3 %.
EXACT, ROUGH = 0.02, 0.1
COMPLAINTS = (ImportError, OSError, RuntimeError, ValueError, NotImplementedError, TypeError, AssertionError)


@dataclass(frozen=True)
class Verdict:
    """What a kernel gave here; `error` is that of its numbers where it gave any."""

    reason: Reason
    error: float | None = None

    @property
    def good(self) -> bool:
        return self.reason == "good"


@dataclass(frozen=True)
class Choice:
    """A kernel, and why: it was `asked` for, is `installed`, torch's own is `fused` or `exact`, or there is `none`.

    `dropped` is one that was wanted or would have been taken, with what is wrong with it.
    """

    kernel: Kernel
    why: Why
    dropped: tuple[Kernel, Reason] | None = None


class Trust:
    """Verdicts on kernels, kept in a folder; without one, for as long as this lives."""

    def __init__(self, folder: Path | None = None) -> None:
        self._file = folder and folder / FILE
        self._found: dict[str, Verdict] = {}

    def verdict(self, kernel: Kernel, device: torch.device) -> Verdict:
        """What is thought of a kernel on a device; found out by trying where nobody knows."""
        package = PACKAGES.get(kernel)
        if package is None:
            return Verdict("good")
        if find_spec(package) is None:
            return Verdict("absent")
        key = self._key(kernel, device)
        found = self._found.get(key) or self._kept().get(key)
        if found is None:
            found = examine(kernel, device)
            log.info("attention: %s on %s is %s, error %s", kernel, device, found.reason, found.error)
            self.remember(kernel, device, found)
        self._found[key] = found
        return found

    def remember(self, kernel: Kernel, device: torch.device, verdict: Verdict) -> None:
        """Keep a verdict; one for want of memory is for this time alone."""
        key = self._key(kernel, device)
        self._found[key] = verdict
        if self._file is None or verdict.reason == "memory":
            return
        kept = {name: [one.reason, one.error] for name, one in (self._kept() | {key: verdict}).items()}
        try:
            private(self._file.parent)
            with aside(self._file, lasting=False) as draft:
                draft.write_text(json.dumps(kept, indent=1), encoding="utf-8")
        except OSError as error:
            log.warning("what is known of attention kernels is not kept for the next time: %s", error)

    def _kept(self) -> dict[str, Verdict]:
        """What the file holds; nothing where it is not there or damaged."""
        try:
            told = json.loads(self._file.read_bytes()) if self._file else {}
            return {str(key): Verdict(reason, error) for key, (reason, error) in told.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def _key(self, kernel: Kernel, device: torch.device) -> str:
        """What a verdict holds for."""
        here = card(device)
        named = str(device) if here is None else f"{here.name}, {here.capability}, CUDA {here.cuda}, {driver()}"
        return f"{kernel} {package_version(kernel)}, torch {torch.__version__}, {named}, {ROUND}"


class Kernels:
    """The attention of one model on one device: what is wanted, and what computes it while a job draws."""

    def __init__(
        self, device: torch.device, dtype: torch.dtype, wanted: str, exact: bool, trust: Trust, alone: bool = True
    ) -> None:
        """`exact` is whether results must repeat to the byte, `alone` whether no other process shares the tokens."""
        self.device, self.dtype, self.trust = device, dtype, trust
        self.wanted, self.exact, self.alone = wanted, exact, alone
        self._now: Attending | None = None
        self._chosen: dict[tuple[str, bool], Choice] = {}

    @property
    def choice(self) -> Choice:
        """The kernel of the next job."""
        key = self.wanted, self.exact
        if key not in self._chosen:
            self._chosen[key] = choose(self.device, self.wanted, self.dtype, self.trust, self.exact, self.alone)
        return self._chosen[key]

    @property
    def planned(self) -> str:
        """What times are forecast for: what is wanted, unless another is taken."""
        choice = self.choice
        return self.wanted if choice.dropped is None else choice.kernel

    @contextmanager
    def used(self, transformer: nn.Module) -> Iterator[None]:
        """Let the blocks of a transformer use the kernel for the time of a job."""
        with attention(transformer, self.choice.kernel) as self._now:
            try:
                yield
            finally:
                self._now = None

    @property
    def kernel(self) -> Kernel:
        """What computes attention now, or will in the next job."""
        return self.choice.kernel if self._now is None else self._now.kernel

    @property
    def foreign(self) -> bool:
        """Whether a job draws by a kernel that is not torch's own."""
        return self._now is not None and self._now.kernel in PACKAGES

    def fall_back(self) -> Kernel | None:
        """Draw by torch's own from here on; the kernel that goes, None where it was torch's own already."""
        if self._now is None or not self.foreign:
            return None
        gone = self._now.kernel
        self._now.use("native" if fused(self.device, self.dtype) else "chunked")
        return gone

    def condemn(self, kernel: Kernel) -> None:
        """A kernel gave no numbers where torch's own did: it is not taken any more."""
        self.trust.remember(kernel, self.device, Verdict("nan"))
        self._chosen.clear()

    @property
    def record(self) -> dict[str, str]:
        """What the bytes of a result follow from on a card beside the request: a kernel and its version.

        Nothing on a CPU, where there is one way.
        """
        if self.device.type != "cuda":
            return {}
        kernel = self.choice.kernel
        return {"attention": f"{kernel} {package_version(kernel) or ''}".strip()}


def package_version(kernel: Kernel) -> str | None:
    """The version of a kernel's package, None for torch's own or where it tells none."""
    package = PACKAGES.get(kernel)
    try:
        return package and version(package)
    except PackageNotFoundError:  # built where it stands, or under another name
        return None


def choose(
    device: torch.device,
    wanted: str = "auto",
    dtype: torch.dtype | None = None,
    trust: Trust | None = None,
    exact: bool = False,
    alone: bool = True,
) -> Choice:
    """The kernel to use on a device for numbers of a type, by default what published models compute in there.

    Where tokens are shared out, so not `alone`, diffusers has no way to call xformers.
    On a GPU the packages' kernels know halves only, so a model in float32 uses torch's own whatever was asked for.
    """
    trust, gpu = trust or Trust(), device.type == "cuda"
    own = Choice("native", "fused") if fused(device, dtype) else Choice("chunked", "none")
    if gpu and dtype == torch.float32 and wanted in (*PACKAGES, "auto"):
        return own
    if exact and gpu and wanted not in ("native", "chunked"):
        kernel: Kernel = wanted  # type: ignore[assignment]  # the setting has no others
        return Choice(own.kernel, "exact", None if wanted == "auto" else (kernel, "exact"))
    if wanted == "xformers" and not alone:
        return Choice(own.kernel, own.why, ("xformers", "shared"))
    if wanted != "auto":
        kernel = wanted  # type: ignore[assignment]
        verdict = trust.verdict(kernel, device)
        if verdict.good:
            return Choice(kernel, "asked")
        return Choice(own.kernel, own.why, (kernel, verdict.reason))
    if not gpu:
        return own
    flash = trust.verdict("flash", device)
    if flash.good:
        return Choice("flash", "installed")
    dropped: tuple[Kernel, Reason] | None = None if flash.reason == "absent" else ("flash", flash.reason)
    if own.kernel == "chunked" and alone and trust.verdict("xformers", device).good:
        return Choice("xformers", "installed", dropped)
    return Choice(own.kernel, own.why, dropped)


def fused(device: torch.device, dtype: torch.dtype | None = None) -> bool:
    """Whether torch's own attention has a fused kernel here for numbers of a type."""

    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        with sdpa_kernel(FUSED):
            return dispatched("native", query, key, value)

    kind = dtype or (torch.float32 if device.type == "cpu" else torch.bfloat16)
    return _tried(attend, (1, 128, 2, SIZE), device, kind, EXACT).good


def examine(kernel: Kernel, device: torch.device) -> Verdict:
    """Try a kernel here: on little first, which tells whether it runs at all, then at a real size. The latter on a
    card alone.
    """

    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return dispatched(kernel, query, key, value)

    gpu, limit = device.type == "cuda", ROUGH if kernel == "sage" else EXACT
    kind = torch.bfloat16 if gpu else torch.float32
    small = _tried(attend, (1, 256, 2, SIZE), device, kind, limit)
    if not small.good or not gpu:
        return small
    return _tried(attend, (1, TOKENS, HEADS, SIZE), device, kind, limit)


def _tried(
    attend: Callable[[Tensor, Tensor, Tensor], Tensor],
    shape: tuple[int, int, int, int],
    device: torch.device,
    kind: torch.dtype,
    limit: float,
) -> Verdict:
    """What attention of random numbers [1, n, heads, d] comes out as, beside the formula."""
    try:
        generator = torch.Generator(device).manual_seed(0)
        with torch.inference_mode():
            given = (torch.randn(shape, generator=generator, device=device, dtype=kind) for _ in range(3))
            query, key, value = given
            made = attend(query, key, value)
            if not all(bool(head.isfinite().all()) for head in made.unbind(2)):
                return Verdict("nan")
            error = _error(made, query, key, value)
    except torch.OutOfMemoryError:
        return Verdict("memory")
    except COMPLAINTS as complaint:
        log.info("attention does not run: %s", complaint)
        return Verdict("fails")
    return Verdict("good" if error <= limit else "differs", round(error, 5))


def _error(made: Tensor, query: Tensor, key: Tensor, value: Tensor) -> float:
    """How far some rows of attention are from the formula in float32, a head at a time: [rows, n] scores."""
    count = query.shape[1]
    spread = torch.linspace(0, count - 1, min(ROWS, count)).long()
    rows = torch.cat([spread, torch.arange(min(ENDS, count)), torch.arange(max(0, count - ENDS), count)]).unique()
    rows = rows.to(query.device)
    off = whole = 0.0
    for head in range(query.shape[2]):
        scores = query[0, rows, head].float() @ key[0, :, head].float().T / query.shape[-1] ** 0.5
        expected = scores.softmax(-1) @ value[0, :, head].float()
        off += float((made[0, rows, head].float() - expected).square().sum())
        whole += float(expected.square().sum())
    return float((off / whole) ** 0.5)
