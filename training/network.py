"""The transformer of the embedded model: its configuration, how it starts, and how it is called.

`Net` is everything that learns together: the transformer and the two text encoders in front of it.

Half of the attention heads start by looking at their own place in other frames: query and key get the same constant
vector on the axes that carry height and width, whose product under the rotary code peaks at equal positions. From
random weights, finding "the same place, earlier" is the slowest thing such a network learns.
"""

from contextlib import nullcontext
from pathlib import Path

import torch
from diffusers import HunyuanVideoFramepackTransformer3DModel
from torch import nn

from eichi.models.emptyhistory import allow_empty_history
from training.codec import CHANNELS
from training.text import WIDTH, Tokens, Told, encoders, read, saved_tokenizers

HEADS, HEAD = 4, 32
DUAL, SINGLE = 2, 4
AXES = (8, 12, 12)  # of a head's 32 numbers: time, height, width
SHARPNESS = 1.4


def transformer() -> HunyuanVideoFramepackTransformer3DModel:
    """An untrained transformer."""
    model = HunyuanVideoFramepackTransformer3DModel(
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        num_attention_heads=HEADS,
        attention_head_dim=HEAD,
        num_layers=DUAL,
        num_single_layers=SINGLE,
        num_refiner_layers=1,
        text_embed_dim=WIDTH,
        pooled_projection_dim=WIDTH,
        rope_axes_dim=AXES,
        has_image_proj=True,
        image_proj_dim=WIDTH,
        has_clean_x_embedder=True,
    )
    _look_around(model)
    return model


@torch.no_grad()
def _look_around(model: HunyuanVideoFramepackTransformer3DModel) -> None:
    """Give half of the heads of every block a sense of place; the network's output starts at zero."""
    place = torch.zeros(HEADS // 2, HEAD)
    # The two fastest frequencies of either axis: the others hardly change over a picture of 4 x 4 tokens.
    for begin in (AXES[0], AXES[0] + AXES[1]):
        place[:, begin : begin + 4] = 2.0
    place[1::2, :] *= 0.6
    for block in [*model.transformer_blocks, *model.single_transformer_blocks]:
        for projection in (block.attn.to_q, block.attn.to_k):
            projection.bias[: place.numel()] = place.flatten()
        for norm in (block.attn.norm_q, block.attn.norm_k):
            norm.weight.fill_(SHARPNESS)
    # Clean latents enter by the same projection as noisy ones, so that like meets like.
    model.clean_x_embedder.proj.load_state_dict(model.x_embedder.proj.state_dict())
    model.proj_out.weight.zero_()
    model.proj_out.bias.zero_()


@torch.no_grad()
def grow(model: HunyuanVideoFramepackTransformer3DModel, known: HunyuanVideoFramepackTransformer3DModel) -> None:
    """Load the weights of a network that may have fewer single blocks into `model`.

    Every further block is a copy of the last one of `known` whose output is silenced, so that both networks do the same
    until the new one learns otherwise.
    """
    blocks, has = model.single_transformer_blocks, len(known.single_transformer_blocks)
    content = dict(known.state_dict())
    for number in range(has, len(blocks)):
        for name, weight in known.single_transformer_blocks[-1].state_dict().items():
            silent = name.startswith("proj_out.")
            key = f"single_transformer_blocks.{number}.{name}"
            content[key] = torch.zeros_like(weight) if silent else weight.clone()
    model.load_state_dict(content)


class Net(nn.Module):
    """The transformer with its text encoders.

    `short` is whether the transformer multiplies in bfloat16 where it learns: a seventh faster, a quarter less memory.
    """

    short = False

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.transformer = transformer()
        self.llama, self.clip = encoders(*saved_tokenizers(folder))

    def forward(
        self,
        noisy: torch.Tensor,
        sigma: torch.Tensor,
        context: dict[str, torch.Tensor],
        told: Told,
        seen: torch.Tensor,
        guidance: torch.Tensor,
    ) -> torch.Tensor:
        """The velocity (noise minus clean) of noisy windows (n, 16, w, h, w); `sigma` and `guidance` are (n)."""
        states, mask, pooled = told
        brief = torch.autocast(noisy.device.type, torch.bfloat16) if self.short else nullcontext()
        with brief, allow_empty_history(self.transformer):
            velocity: torch.Tensor = self.transformer(
                hidden_states=noisy,
                timestep=1000 * sigma,
                encoder_hidden_states=states,
                encoder_attention_mask=mask,
                pooled_projections=pooled,
                image_embeds=seen,
                guidance=1000 * guidance,
                return_dict=False,
                **context,
            )[0]
        return velocity.float()

    def read(self, tokens: Tokens) -> Told:
        """Text states, mask and pooled vector of tokenised prompts."""
        return read(self.llama, self.clip, tokens)
