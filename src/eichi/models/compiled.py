"""The blocks of the transformer compiled by torch: faster steps after a slow first one. Opt-in, by EICHI_COMPILE.

Only the blocks, one after another ("regional"): blocks of a kind are alike, so torch compiles two graphs instead of
sixty, and what lies between them, which looks at sizes and caches, stays as it is. Hooks (step cache, streaming) stay
outside of the graphs. Not run on a GPU yet.
"""

from torch import nn


def compile_blocks(transformer: nn.Module, backend: str = "inductor") -> None:
    """Compile every block in place; nothing is compiled before it is first called."""
    for row in (transformer.transformer_blocks, transformer.single_transformer_blocks):
        for block in row:  # type: ignore[union-attr]
            block.compile(backend=backend)
