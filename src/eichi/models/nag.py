"""Words to move away from without a second pass: guidance inside of attention (NAG, "normalized attention guidance").

In every block the tokens of the picture attend twice: to themselves and the prompt, and to themselves and the negative
prompt. With Z+ and Z- for what comes of the two, before the block's last layer:

    G = n Z+ - (n - 1) Z-                                                     n: how far away from the negative words
    G = G tau |Z+| / |G|      for a token whose |G| is more than tau |Z+|     |x|: the sum of amounts of its channels
    Z = alpha G + (1 - alpha) Z+

n = 1 gives Z+. The negative prompt's tokens go through all blocks behind the prompt's, and attend to the picture and to
one another; the prompt does not see them. SigLIP's tokens belong to the picture: both prompts stand beside the same
ones. CLIP's vector of the negative prompt is not used, since it acts outside of attention. So a block costs about one
more attention, where real CFG costs a whole second pass.

How many tokens are the negative prompt's is said with every call, so that one transformer serves both branches of real
CFG. Where several processes share the tokens, each finds out which of the words are in its share.

Source: Chen et al., 2025, arXiv 2505.21179. Written from the formulas. Knows no sections and no samplers.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import HunyuanVideoFramepackTransformer3DModel
from diffusers.hooks import HookRegistry, ModelHook
from diffusers.models.attention_dispatch import dispatch_attention_fn
from diffusers.models.embeddings import apply_rotary_emb
from torch import Tensor, distributed, nn

from eichi.models.borrowed import Dispatched

NAME = "eichi_nag"
AWAY = "away"  # what the number of negative tokens is called among the transformer's `attention_kwargs`

Places = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Nag:
    """How far away (n, 1 is not at all), how much of it is mixed in (0-1), and what a token may grow by (tau)."""

    scale: float
    alpha: float
    tau: float


@dataclass
class Words:
    """How the tokens of the words lie in a call: SigLIP's, the prompt's, the negative prompt's; none where that is not
    used.
    """

    seen: int = 0
    prompt: int = 0
    away: int = 0

    def shares(self, shared: bool) -> tuple[int, int]:
        """How many of the prompt's and of the negative prompt's tokens are here."""
        if not shared:
            return self.prompt, self.away
        rank, count = distributed.get_rank(), distributed.get_world_size()
        kinds = torch.tensor([0] * self.seen + [1] * self.prompt + [2] * self.away).tensor_split(count)[rank]
        return int((kinds == 1).sum()), int((kinds == 2).sum())


def guided(plus: Tensor, minus: Tensor, nag: Nag) -> Tensor:
    """Z [1, n, d] of Z+ and Z-, as above."""
    away = plus * nag.scale - minus * (nag.scale - 1.0)
    size, grown = (one.abs().sum(-1, keepdim=True, dtype=torch.float32) for one in (plus, away))
    away = away * (nag.tau * size / grown.clamp(min=torch.finfo(torch.float32).tiny)).clamp(max=1.0).to(away.dtype)
    return away * nag.alpha + plus * (1.0 - nag.alpha)


class NagProcessor(Dispatched):
    """What computes attention in a block: as diffusers' own for this transformer, and guided where there are negative
    words.
    """

    def __init__(self, words: Words, nag: Nag) -> None:
        self.words, self.nag = words, nag

    def __call__(
        self,
        attn: nn.Module,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        image_rotary_emb: Places | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The picture's tokens [1, n, d] and the words' [1, m, d], after attention."""
        assert attention_mask is None, "a batch has one prompt"
        count = hidden_states.shape[1]
        joint = self._joint(attn, hidden_states, encoder_hidden_states, image_rotary_emb)
        made = self._attended(joint, count) if self.words.away else self._attend(*joint)
        picture, words = made[:, :count], made[:, count:]
        if getattr(attn, "to_out", None) is not None:
            picture = attn.to_out[1](attn.to_out[0](picture))  # type: ignore[index, operator]
        if getattr(attn, "to_add_out", None) is not None:
            words = attn.to_add_out(words)  # type: ignore[operator]
        return picture, words

    def _joint(self, attn: Any, picture: Tensor, words: Tensor, places: Places | None) -> list[Tensor]:
        """Queries, keys and values [1, n + m, heads, c]; those of the words have no place."""
        own = attn.add_q_proj is not None
        layers = (
            (attn.to_q, attn.norm_q, attn.add_q_proj if own else attn.to_q, attn.norm_added_q if own else attn.norm_q),
            (attn.to_k, attn.norm_k, attn.add_k_proj if own else attn.to_k, attn.norm_added_k if own else attn.norm_k),
            (attn.to_v, None, attn.add_v_proj if own else attn.to_v, None),
        )
        joint = []
        for layer, norm, word_layer, word_norm in layers:
            one, other = (each.unflatten(2, (attn.heads, -1)) for each in (layer(picture), word_layer(words)))
            if norm is not None:
                one = norm(one) if places is None else apply_rotary_emb(norm(one), places, sequence_dim=1)
            joint.append(torch.cat([one, other if word_norm is None else word_norm(other)], dim=1))
        return joint

    def _attended(self, joint: list[Tensor], count: int) -> Tensor:
        """What comes of all tokens [1, n + m, d], `count` of which are the picture's."""
        prompt, away = self.words.shares(self.exchange is not None)
        main = joint[0].shape[1] - away
        plus = self._attend(*(one[:, :main] for one in joint))
        minus = self._attend(*(torch.cat([one[:, : main - prompt], one[:, main:]], dim=1) for one in joint))
        picture = guided(plus[:, :count], minus[:, :count], self.nag)
        return torch.cat([picture, plus[:, count:], minus[:, main - prompt :]], dim=1)

    def _attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        told = {"backend": self.backend, "parallel_config": self.exchange}
        made: Tensor = dispatch_attention_fn(query, key, value, **told)
        return made.flatten(2, 3).to(query.dtype)


class _Told(ModelHook):  # type: ignore[misc]  # diffusers is not typed
    """Takes down, before the transformer is called, how its words lie."""

    def __init__(self, words: Words) -> None:
        super().__init__()
        self.words = words

    def pre_forward(self, module: nn.Module, *given: Any, **named: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        self.words.away = (named.get("attention_kwargs") or {}).get(AWAY, 0)
        self.words.prompt = named["encoder_hidden_states"].shape[1] - self.words.away
        self.words.seen = named["image_embeds"].shape[1]
        return given, named


class _Apart(ModelHook):  # type: ignore[misc]  # diffusers is not typed
    """Lets what reads the words read the two prompts one after the other, so that neither sees the other."""

    def __init__(self, words: Words) -> None:
        super().__init__()
        self.words = words

    def new_forward(self, module: nn.Module, states: Tensor, timestep: Tensor, mask: Tensor) -> Tensor:
        read, first = self.fn_ref.original_forward, self.words.prompt
        if not self.words.away:
            made: Tensor = read(states, timestep, mask)
            return made
        parts = (slice(None, first), slice(first, None))
        return torch.cat([read(states[:, part], timestep, mask[:, part]) for part in parts], dim=1)


@contextmanager
def nagging(transformer: HunyuanVideoFramepackTransformer3DModel, nag: Nag) -> Iterator[None]:
    """For the time of a job, a transformer that can be told negative words: behind the prompt's states, their number
    as `attention_kwargs[AWAY]`. To be entered before kernels and shares are, which are told to what is put in here.
    """
    words = Words()
    blocks = [*transformer.transformer_blocks, *transformer.single_transformer_blocks]
    before = [block.attn.processor for block in blocks]
    hooks = [(transformer, _Told(words)), (transformer.context_embedder, _Apart(words))]
    for module, hook in hooks:
        HookRegistry.check_if_exists_or_initialize(module).register_hook(hook, NAME)
    for block in blocks:
        block.attn.processor = NagProcessor(words, nag)
    try:
        yield
    finally:
        for block, processor in zip(blocks, before, strict=True):
            block.attn.processor = processor
        for module, _ in hooks:
            HookRegistry.check_if_exists_or_initialize(module).remove_hook(NAME, recurse=False)
