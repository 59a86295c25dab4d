"""One transformer on several GPUs, for one video: each has all weights and a share of the tokens.

diffusers' context parallelism, with a plan of our own, since it has none for this transformer. Tokens are shared out
where the first block begins and put together where the last one ends; what tells a token its place goes with it, into
every block. Inside, attention exchanges tokens for heads ("Ulysses"), of any number. The order of tokens does not
matter to attention, so pictures and text may be cut anywhere. What reads the prompt stays whole on every GPU.

Every process makes the same job with the same seed and gets the same latents; only one of them need decode and write.
Equal to one process up to rounding; tested with two processes on a CPU, not run on GPUs yet. No command starts it.
"""

from diffusers import ContextParallelConfig, HunyuanVideoFramepackTransformer3DModel
from diffusers.models._modeling_parallel import ContextParallelInput, ContextParallelOutput
from diffusers.models.attention_processor import Attention

TOKENS = {"split_dim": 1, "expected_dims": 3}
PLACES = {"split_dim": 0, "expected_dims": 2}

Part = dict[str, ContextParallelInput | tuple[ContextParallelInput, ...]] | list[ContextParallelOutput]


def plan(transformer: HunyuanVideoFramepackTransformer3DModel) -> dict[str, Part]:
    """What is shared out and put together, by the modules where that happens."""
    places = ContextParallelInput(**PLACES), ContextParallelInput(**PLACES)
    tokens = ContextParallelInput(**TOKENS)
    whole = ContextParallelOutput(gather_dim=1, expected_dims=3)
    last = len(transformer.single_transformer_blocks) - 1
    return {
        "transformer_blocks.0": {"hidden_states": tokens, "encoder_hidden_states": tokens},
        "transformer_blocks.*": {"freqs_cis": places},
        "single_transformer_blocks.*": {"image_rotary_emb": places},
        f"single_transformer_blocks.{last}": [whole, whole],
    }


def share(transformer: HunyuanVideoFramepackTransformer3DModel, processes: int) -> None:
    """Share out the tokens of a transformer among the processes of the default group, which is there already."""
    config = ContextParallelConfig(ulysses_degree=processes, ulysses_anything=True)
    transformer.enable_parallelism(config=config, cp_plan=plan(transformer))
    for module in transformer.context_embedder.modules():
        if isinstance(module, Attention):
            module.processor._parallel_config = None
