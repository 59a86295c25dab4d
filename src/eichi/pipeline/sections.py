"""The history that a section sees, and the drawing of one section's latents.

Both directions keep the nineteen newest latents and no more: 1 at full, 2 at half, 16 at a quarter of the resolution
(F1, where it goes on from a video, as many at full resolution as are asked for).
The standard model makes the end of a video first, so its history lies after the window and new latents go in front;
F1's history lies before the window and new latents go behind. Slots that nothing has filled yet are zero.

Knows nothing of pictures, prompts' words, files or frames.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from diffusers import HunyuanVideoFramepackTransformer3DModel
from torch import Tensor

from eichi.catalog import Direction
from eichi.models.nag import AWAY
from eichi.models.rotary import SCALE
from eichi.models.stepcache import StepCache
from eichi.options import StepOptions
from eichi.pipeline.conditioning import PromptStates
from eichi.pipeline.sampling import guide, schedule, shift, start, unipc
from eichi.plan.layout import CLEAN, X2, X4, Layout
from eichi.plan.timeline import FRAMES_PER_LATENT

PATCH = 2  # the transformer's tokens are 2 x 2 latent pixels


@dataclass(frozen=True)
class Context:
    """What lies around a window, in time order, at three resolutions; `x2` and `x4` may be absent, which is no latent.

    A history has 1 latent (up to 9 where a video is continued), 2 and 16: `clean` [1, c, 1, h, w],
    `x2` [1, c, 2, h, w], `x4` [1, c, 16, h, w].
    """

    clean: Tensor
    x2: Tensor
    x4: Tensor


class History:
    """The nineteen latents next to the window, newest nearest to it; more where `clean` is more than 1 at full
    resolution. `latents` is [1, c, clean + 18, h, w] in time order.
    """

    def __init__(self, direction: Direction, like: Tensor, clean: int = CLEAN) -> None:
        """Empty history for latents shaped like `like` [1, c, 1, h, w]."""
        self.direction = direction
        self.clean, self.count = clean, clean + X2 + X4
        self.latents = torch.zeros_like(like).repeat(1, 1, self.count, 1, 1)

    def push(self, latents: Tensor) -> None:
        """Take in new latents [1, c, n, h, w], in time order."""
        if self.direction == "reverse":
            self.latents = torch.cat([latents, self.latents], dim=2)[:, :, : self.count]
        else:
            self.latents = torch.cat([self.latents, latents], dim=2)[:, :, -self.count :]

    def context(self) -> Context:
        """What the next section sees."""
        if self.direction == "reverse":
            return Context(*torch.split(self.latents, [self.clean, X2, X4], dim=2))
        x4, x2, clean = torch.split(self.latents, [X4, X2, self.clean], dim=2)
        return Context(clean, x2, x4)


@dataclass(frozen=True)
class SectionInputs:
    """All that one section's latents are drawn from. `anchor` [1, c, 1, h, w] sits at position 0.

    Sampling starts from `strength` parts of noise, the rest being `image` [1, c, 1, h, w]. `negative` is there where it
    counts.
    """

    layout: Layout
    anchor: Tensor
    context: Context
    image: Tensor
    strength: float
    vision: Tensor
    positive: PromptStates
    negative: PromptStates | None


class Denoiser:
    """The transformer's prediction of x0 for one section, guided; counts its evaluations."""

    def __init__(
        self,
        transformer: HunyuanVideoFramepackTransformer3DModel,
        section: SectionInputs,
        options: StepOptions,
        cache: StepCache | None,
    ) -> None:
        self.transformer = transformer
        self.section = section
        self.options = options
        self.cache = cache
        self.evaluations = 0
        self.device, self.dtype = transformer.device, transformer.dtype
        self.fixed = self._fixed()
        self.words, self.away = section.positive, 0
        if options.nag != 1.0:
            self.words, self.away = self._beside()
        self._told: dict[tuple[int, float], dict[str, float]] = {}

    def __call__(self, state: Tensor, sigma: float) -> Tensor:
        """x0 [1, c, w, h, w'] in float32 from a state at noise level `sigma`."""
        velocity = self._evaluate("positive", self.words, state, sigma, self.away)
        if self.options.cfg != 1.0:
            assert self.section.negative is not None, "it counts"
            negative = self._evaluate("negative", self.section.negative, state, sigma)
            velocity = guide(velocity, negative, self.options.cfg, self.options.rescale)
        return state - sigma * velocity

    @property
    def counts(self) -> tuple[int, int]:
        """Evaluations that were computed, and those that the cache saved."""
        reused = self.cache.reused if self.cache is not None and self.evaluations else 0
        return self.evaluations - reused, reused

    def restart(self) -> None:
        """Begin the section: forget the evaluations before, here and in the cache."""
        self.evaluations = 0
        if self.cache is not None:
            self.cache.reset()

    def _evaluate(self, branch: str, words: PromptStates, state: Tensor, sigma: float, away: int = 0) -> Tensor:
        if self.cache is not None:
            self.cache.branch = branch
        self.evaluations += 1
        velocity: Tensor = self.transformer(
            hidden_states=state.to(self.dtype),
            timestep=torch.tensor([1000.0 * sigma], device=self.device, dtype=self.dtype),
            encoder_hidden_states=words.states,
            encoder_attention_mask=words.mask,
            pooled_projections=words.pooled,
            return_dict=False,
            **self.fixed,
            **self._beyond(sigma, away),
        )[0]
        return velocity.float()

    def _beyond(self, sigma: float, away: int) -> dict[str, dict[str, float]]:
        """What the transformer is told beside the inputs of the library's: nothing where that is not asked for."""
        options = self.options
        if options.nag == 1.0 and options.rope == 1.0:
            return {}
        scale = options.rope if 1000.0 * sigma >= options.rope_from else 1.0
        told = self._told.setdefault((away, scale), {AWAY: away, SCALE: scale})  # the same object, for `models.team`
        return {"attention_kwargs": told}

    def _beside(self) -> tuple[PromptStates, int]:
        """The prompt with the negative one's states behind its own, and how many those are."""
        words, away = self.section.positive, self.section.negative
        assert away is not None, "it counts"
        states, mask = (torch.cat(both, dim=1) for both in ((words.states, away.states), (words.mask, away.mask)))
        return PromptStates(states, mask, words.pooled), away.states.shape[1]

    def _fixed(self) -> dict[str, Tensor]:
        """The inputs that are the same at every step.

        Vision's strength s is what SigLIP's last hidden state is multiplied with: at 0 it is that of no picture.
        """
        section, layout = self.section, self.section.layout
        vision, strength = section.vision, self.options.vision
        given = torch.cat([section.anchor, section.context.clean], dim=2)
        return {
            "image_embeds": vision if strength == 1.0 else vision * strength,
            "indices_latents": torch.tensor(layout.window),
            "guidance": torch.tensor([1000.0 * self.options.guidance], device=self.device, dtype=self.dtype),
            "latents_clean": given.to(self.device, self.dtype),
            "indices_latents_clean": torch.tensor([*layout.start, *layout.clean]),
            "latents_history_2x": self._present(section.context.x2),
            "indices_latents_history_2x": torch.tensor(layout.x2),
            "latents_history_4x": self._present(section.context.x4),
            "indices_latents_history_4x": torch.tensor(layout.x4),
        }

    def _present(self, latents: Tensor) -> Tensor:
        """Latents as the transformer takes them; absent ones have a stand-in, see `models.emptyhistory`."""
        given = latents if latents.shape[2] else torch.zeros_like(self.section.anchor)
        return given.to(self.device, self.dtype)


def make_noise(section: SectionInputs, generator: torch.Generator) -> Tensor:
    """The noise [1, c, window, h, w] that a section starts from.

    Drawn on the CPU in float32 whatever the device, so that a seed means the same everywhere; and for every section in
    turn, kept ones too, so that a section's noise does not depend on what is kept.
    """
    _, channels, _, height, width = section.image.shape
    return torch.randn((1, channels, len(section.layout.window), height, width), generator=generator)


def sample_section(denoiser: Denoiser, noise: Tensor, factor: float | None = None) -> Iterator[Tensor]:
    """Draw a section's latents from its noise; yields the prediction after every step, the last is the result.

    `factor` is the schedule's shift, by default the one that FramePack has for so many tokens.
    """
    section, options = denoiser.section, denoiser.options
    factor = factor or shift(noise[0, 0].numel() // PATCH**2)
    begin = start(noise, section.image, section.strength).to(denoiser.device)
    yield from unipc(denoiser, begin, schedule(options.steps, factor, section.strength))


def close_loop(latents: Tensor, picture: Tensor, strength: float, moment: float) -> Tensor:
    """Let a section [1, c, w, h, w'] run into a picture [1, c, 1, h, w'] that follows it, so that a loop has no cut.

    The model only comes near the picture. What is missing is spread over the section, a share for every frame, so the
    loop closes with a step no larger than the others: half a frame's, and a frame's share. Times are in frames from
    the section's begin on; `moment` says which of its four frames a latent stands for.
    """
    window = latents.shape[2]
    times = FRAMES_PER_LATENT * torch.arange(window) + moment
    ahead = (FRAMES_PER_LATENT * window + 0.5 - float(times[-1])) / FRAMES_PER_LATENT
    reached = latents[:, :, -1:] + (latents[:, :, -1:] - latents[:, :, -2:-1]) * ahead
    shares = strength * times / (FRAMES_PER_LATENT * window + 1)
    return latents + (picture - reached) * shares.view(1, 1, -1, 1, 1)
