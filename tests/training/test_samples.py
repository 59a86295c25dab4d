"""What the transformer is shown equals what the program will show it: the tables of the published models."""

import torch

from eichi.plan.layout import forward_layout, reverse_layout
from training import samples
from training.cache import Clips
from training.rng import stream

COUNT = 6


def numbered() -> Clips:
    """Clips whose latent k holds the number k + 1 everywhere, and k + 101 for the still of the same moment."""
    numbers = torch.arange(1.0, 38.0).view(1, 37, 1, 1, 1).expand(COUNT, 37, 16, 4, 4).half()
    words = [""] * COUNT
    return Clips(numbers, numbers + 100, torch.zeros(COUNT, 3, 32, 32, dtype=torch.uint8), words, words)


def numbers(latents: torch.Tensor) -> list[int]:
    """The numbers of (16, t, h, w), noise rounded away."""
    return [round(float(v)) for v in latents.mean((0, 2, 3))]


def test_reverse_samples_tell_the_true_distances() -> None:
    clips = [numbered()]
    for step in range(40):
        _, sample = samples.draw(stream("test", step), clips, samples.REVERSE, COUNT)
        assert sample.layout in {reverse_layout(w, p) for w in (5, 9) for p in range(28)}
        padding, window = sample.layout.window[0] - 1, len(sample.layout.window)
        for k in range(COUNT):
            made, anchor = numbers(sample.window[k]), numbers(sample.anchor[k])[0]
            assert made == list(range(made[0], made[0] + window))
            assert anchor - 100 == made[0] - padding - 1
            behind = [n for n in numbers(sample.history[k]) if n]
            following = [n for n in behind if n < 90]
            assert following == list(range(made[-1] + 1, made[-1] + 1 + len(following)))
            if behind and behind[-1] > 90:  # a Final Frame: the still of the last moment, once, at the end
                assert behind == [*following, made[-1] + len(following) + 100]
            assert numbers(sample.history[k])[: len(behind)] == behind


def test_forward_samples_see_what_came_before() -> None:
    clips = [numbered()]
    for step in range(40):
        _, sample = samples.draw(stream("test", step), clips, samples.FORWARD, COUNT)
        assert sample.layout in {forward_layout(5), forward_layout(9)}
        for k in range(COUNT):
            first = numbers(sample.window[k])[0]
            before = list(range(max(1, first - 19), first))
            assert numbers(sample.history[k]) == [0] * (19 - len(before)) + before
            assert numbers(sample.anchor[k]) == [101]


def test_history_is_split_by_the_layout() -> None:
    history = torch.arange(19.0).view(1, 1, 19, 1, 1)
    anchor = torch.full((1, 1, 1, 1, 1), -1.0)
    behind = samples.surroundings(reverse_layout(9, 9), anchor, history)
    assert behind["latents_clean"].flatten().tolist() == [-1, 0]
    assert behind["latents_history_2x"].flatten().tolist() == [1, 2]
    assert behind["indices_latents_clean"].tolist() == [0, 19]
    before = samples.surroundings(forward_layout(9), anchor, history)
    assert before["latents_clean"].flatten().tolist() == [-1, 18]
    assert before["latents_history_2x"].flatten().tolist() == [16, 17]
    assert before["latents_history_4x"].flatten().tolist() == list(range(16))
