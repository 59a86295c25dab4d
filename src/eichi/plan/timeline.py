"""Seconds, frames, latents, sections, paddings: the arithmetic of time, exact.

A video of S sections of w latents has wS + 1 latents and 4wS + 1 frames at 30 frames a second: the first latent is
one frame, every other four. Where another video goes before it, the first latent is that one's last, and its frames are
not made again: 4wS are new. All lengths here are whole numbers or fractions; nothing is rounded twice.
"""

from fractions import Fraction

FPS = 30
FRAMES_PER_LATENT = 4

# Latents made per section, by the section's nominal length in seconds.
WINDOWS = {1.0: 9, 0.5: 5}


def latent_count(window: int, sections: int) -> int:
    """Latents of a whole video, the start image's included."""
    return window * sections + 1


def frame_count(latents: int) -> int:
    """Frames that a run of latents from the start of a video decodes to."""
    return FRAMES_PER_LATENT * (latents - 1) + 1


def latents_for(frames: int) -> int:
    """The fewest latents that hold so many frames from the start of a video; none for none."""
    return -(-(frames - 1) // FRAMES_PER_LATENT) + 1 if frames else 0


def section_count(seconds: float, window: int, own: int = 1) -> int:
    """The S >= 1 whose real length is nearest to the wish; a tie takes the shorter video.

    `own` frames are the start picture's: none where a video is continued.
    """
    wish = Fraction(str(seconds)) * FPS - own
    span = FRAMES_PER_LATENT * window
    lower = max(1, int(wish // span))
    return min((lower, lower + 1), key=lambda count: (abs(span * count - wish), count))


def real_seconds(frames: int) -> float:
    """Length of a video in seconds."""
    return frames / FPS


def paddings(sections: int) -> tuple[int, ...]:
    """Distance between the anchor and the window of each section in generation order, in windows.

    The true distance up to four sections; beyond, a schedule that the released model was tuned for.
    """
    if sections <= 4:
        return tuple(range(sections - 1, -1, -1))
    return (3, *(2,) * (sections - 3), 1, 0)


def padding_latents(sections: int, window: int, value: float | None) -> tuple[int, ...]:
    """Paddings in latents; `value` (0-3, one decimal) replaces every one but the last, which stays 0."""
    if value is None:
        return tuple(count * window for count in paddings(sections))
    # A tenth is not a binary fraction: int(0.7 * 10) must not lose a latent.
    size = int(Fraction(str(value)) * window)
    return (*(size,) * (sections - 1), 0)


def frame_span(start: int, stop: int) -> tuple[int, int]:
    """The frames [first, end) that belong to the latents [start, stop) of a video; latent 0 owns frame 0."""
    first = 0 if start == 0 else frame_count(start)
    return first, frame_count(stop)
