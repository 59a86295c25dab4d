"""What the transformer is shown equals what the program will show it: the tables of the published models."""

from dataclasses import replace

import torch

from eichi.plan.layout import forward_layout, reverse_layout
from training import samples, transformer
from training.cache import SIZES, Clips
from training.rng import stream

COUNT = 6


def numbered() -> Clips:
    """Clips whose latent k holds the number k + 1 everywhere."""
    numbers = torch.arange(1.0, 38.0).view(1, 37, 1, 1, 1).expand(COUNT, 37, 16, 4, 4).half()
    words = [""] * COUNT
    return Clips(numbers, torch.zeros(COUNT, 3, 32, 32, dtype=torch.uint8), words, words, words)


def numbers(latents: torch.Tensor) -> list[int]:
    """The numbers of (16, t, h, w), noise rounded away."""
    return [round(float(v)) for v in latents.mean((0, 2, 3))]


def test_reverse_samples_tell_the_true_distances() -> None:
    clips = [numbered()]
    for step in range(40):
        _, sample = samples.draw(stream("test", step), clips, samples.REVERSE, COUNT)
        if len(sample.layout.window) == 1:  # an image, not a section
            continue
        assert sample.layout in {reverse_layout(w, p) for w in (5, 9) for p in range(28)}
        padding, window = sample.layout.window[0] - 1, len(sample.layout.window)
        for k in range(COUNT):
            made, anchor = numbers(sample.window[k]), numbers(sample.anchor[k])[0]
            assert made == list(range(made[0], made[0] + window))
            assert anchor == made[0] - padding - 1
            behind = [n for n in numbers(sample.history[k]) if n]
            following = sorted({n for n in behind if n > made[-1]})
            assert following == list(range(made[-1] + 1, made[-1] + 1 + len(following)))
            if behind != following:  # a Final Frame: the last moment once more, at the end
                assert behind == [*following, made[-1] + len(following)]
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
            assert numbers(sample.anchor[k]) == [1]


def test_images_show_the_moment_of_their_position() -> None:
    clips = [numbered()]
    drawn = [samples.draw(stream("test", step), clips, samples.REVERSE, COUNT)[1] for step in range(200)]
    images = [sample for sample in drawn if len(sample.layout.window) == 1]
    assert {bool(sample.layout.x4) for sample in images} == {True, False}
    for sample in images:
        (target,), context = sample.layout.window, sample.context
        assert numbers(sample.window[0]) == [target + 1]
        assert context["latents_clean"].shape[2] == len(context["indices_latents_clean"])
        for k, position in enumerate(sample.layout.clean):
            given = round(float(sample.history[0, :, k].median()))  # of which a quarter may be masked out
            assert given in (0, position + 1)


def test_a_crossed_history_goes_the_opposite_way() -> None:
    clips = numbered()
    words, said = ["right", "left"] * (COUNT // 2), ["it moves"] * COUNT
    mirrored = torch.where((torch.arange(COUNT) % 2).view(-1, 1, 1, 1, 1) == 0, clips.clips, -clips.clips)
    pairs = [replace(clips, clips=mirrored, motions=words, prompts=said)]
    mix = samples.Mix(alone=0.0, named=1.0, photos=0.0, slow=0.0, camera=False)
    crossed = 0
    for step in range(60):
        for direction in (samples.REVERSE, samples.FORWARD):
            _, sample = samples.draw(stream("crossed", step), pairs, direction, COUNT, mix)
            if len(sample.layout.window) == 1:
                continue
            for k, row in enumerate(sample.rows.tolist()):
                own = 1 if row % 2 == 0 else -1
                near = numbers(sample.history[k])[0 if direction == samples.REVERSE else -1]
                made = numbers(sample.window[k])
                if near * own < 0:
                    crossed += 1
                    turning = direction == samples.FORWARD  # the way back of the other clip
                    assert made == sorted(made, key=abs, reverse=turning) and (made[0] * own > 0) != turning
                else:
                    assert made == sorted(made, key=abs) and made[0] * own > 0
    assert crossed > 20


def test_nothing_is_left_unsaid_that_the_neighbours_do_not_show() -> None:
    clips = replace(numbered(), motions=["right"] * COUNT, prompts=["it moves"] * COUNT)
    left_out = 0
    for step in range(90):
        for direction in (samples.REVERSE, samples.FORWARD):
            _, sample = samples.draw(stream("unsaid", step), [clips], direction, COUNT)
            shown = [len([n for n in numbers(sample.history[k]) if n]) for k in range(COUNT)]
            assert all(count > 1 for count, unsaid in zip(shown, sample.unsaid.tolist(), strict=True) if unsaid)
            left_out += int(sample.unsaid.sum())
            assert not samples.draw(stream("unsaid", step), [clips], direction, COUNT, samples.CHECK)[1].unsaid.any()
            said = transformer.said_with(clips, sample)
            answers = transformer.motions(clips, said)
            assert torch.equal(said == COUNT, sample.unsaid) and torch.equal(answers == -100, sample.unsaid)
    assert left_out > 40


def test_a_section_may_follow_what_the_network_drew_itself() -> None:
    """The section made before is dressed as the program would have dressed it, and takes the place of the truth."""
    clips = [numbered()]
    mix = replace(samples.LATE, alone=0.2, drafted=1.0, unsaid=0.3)
    followed = 0
    for step in range(40):
        for direction in (samples.REVERSE, samples.FORWARD):
            _, sample = samples.draw(stream("drafted", step), clips, direction, COUNT, mix)
            if sample.earlier is None:
                continue
            earlier, size, reverse = sample.earlier.sample, len(sample.layout.window), direction == samples.REVERSE
            near = slice(size) if reverse else slice(-size, None)
            padding = sample.layout.window[0] - 1
            assert earlier.layout == (reverse_layout(size, padding + size) if reverse else forward_layout(size))
            assert not sample.unsaid[sample.earlier.places].any()
            drawn = sample.after(torch.full_like(earlier.window, 99.0))
            for k, place in enumerate(sample.earlier.places.tolist()):
                made, history = numbers(earlier.window[k]), numbers(sample.history[place])
                assert earlier.rows[k] == sample.rows[place] and history[near] == made
                first, own = numbers(sample.window[place])[0], numbers(earlier.history[k])
                assert made[0] == first + (size if reverse else -size)
                known = [n for n in own if n]
                further = [n for n in history[size:] if n] if reverse else [*range(max(1, made[0] - 19), made[0])]
                assert known[: len(further)] == further and (reverse or known == further)
                assert numbers(drawn.history[place])[near] == [99] * size
                followed += 1
            others = [k for k in range(COUNT) if k not in sample.earlier.places.tolist()]
            assert torch.equal(drawn.history[others], sample.history[others]) and drawn.earlier is None
    assert followed > 60
    assert all(
        samples.draw(stream("drafted", step), clips, samples.FORWARD, COUNT, samples.CHECK)[1].earlier is None
        for step in range(20)
    )


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


def test_processes_that_wait_for_each_other_take_equally_long() -> None:
    """Other clips of the same size, as many latents of each; but for images, which the standard model alone learns."""
    clips = [numbered(), replace(numbered(), clips=numbered().clips.repeat(1, 1, 1, 2, 2))]
    drawn = [
        [
            samples.draw(stream(direction, step), clips, direction, COUNT, common=stream("common", step))
            for direction in (samples.REVERSE, samples.FORWARD)
        ]
        for step in range(40)
    ]
    assert all(here == there for (here, _), (there, _) in drawn)
    lengths = [tuple(len(sample.layout.window) for _, sample in both) for both in drawn]
    assert {both for both in lengths if both[0] > 1} == {(5, 5), (9, 9)}


def test_a_network_for_large_pictures_is_shown_as_many_small_ones() -> None:
    """And they are what it is chosen by: two chunks."""
    assert [min(size) > 64 for size in SIZES[128]] == [True, False] * (len(SIZES[128]) // 2)
