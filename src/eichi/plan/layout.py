"""Which latent sits at which time position: the reverse and the forward layout.

The transformer sees a window of latents to make and a compressed past (or future) around it. Every latent,
made or given, carries an integer time position that its rotary code is computed from. These positions are the
whole difference between the two checkpoints:

    reverse   [start][ padding, not fed ][ window ][post][2x 2][4x 16]      time runs left to right
    forward   [start][4x 16][2x 2][recent][ window ]

Knows nothing of tensors, sections or images: numbers only, so that a plan can be shown without a model.
Source: FramePack (Zhang and Agrawala, 2025), figures 2(b) and 2(c); generation tables of the released models.
"""

from dataclasses import dataclass

# Latents of context by compression: one kept whole, two at half, sixteen at a quarter of the resolution.
CLEAN, X2, X4 = 1, 2, 16
CONTEXT = CLEAN + X2 + X4


@dataclass(frozen=True)
class Layout:
    """Integer time positions of one section, in latents.

    `start` is the anchor image, `window` what is made, `clean`, `x2` and `x4` the history at full, half and
    quarter resolution. The model is fed `start` and `clean` together, in this order.
    """

    start: tuple[int, ...]
    window: tuple[int, ...]
    clean: tuple[int, ...]
    x2: tuple[int, ...]
    x4: tuple[int, ...]


def reverse_layout(window: int, padding: int) -> Layout:
    """Positions of a section of the standard model: the history lies *after* the window.

    `padding` latents lie between the anchor image and the window; they are not fed to the model.
    """
    start, _, made, clean, x2, x4 = _split(1, padding, window, CLEAN, X2, X4)
    return Layout(start=start, window=made, clean=clean, x2=x2, x4=x4)


def forward_layout(window: int, context: int = CLEAN) -> Layout:
    """Positions of a section of the F1 model, the same for every section: the history lies before the window.

    `context` latents of it are at full resolution; the released model was trained with one.
    """
    start, x4, x2, clean, made = _split(1, X4, X2, context, window)
    return Layout(start=start, window=made, clean=clean, x2=x2, x4=x4)


def _split(*sizes: int) -> list[tuple[int, ...]]:
    """Cut 0, 1, 2 … into consecutive runs of the given sizes."""
    runs, first = [], 0
    for size in sizes:
        runs.append(tuple(range(first, first + size)))
        first += size
    return runs
