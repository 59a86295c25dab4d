"""Golden picks of generation.md §8.3 and §22, as (height, width)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eichi.catalog import FRAMEPACK_SIZES, find
from eichi.plan.size import nearest, published, usual

SQUARE = {id: (id, id) for id in FRAMEPACK_SIZES} | {1080: (1056, 1056), 2160: (2144, 2144)}
WIDE = {384: (288, 512), 512: (384, 640), 640: (480, 832), 768: (576, 960), 960: (704, 1152)} | {
    1080: (768, 1344),
    1280: (960, 1664),
    1536: (1152, 1920),
    1920: (1408, 2304),
    2160: (1568, 2944),
}


@pytest.mark.parametrize("id", FRAMEPACK_SIZES)
def test_published_picks(id: int) -> None:
    assert nearest(FRAMEPACK_SIZES[id], 500, 500) == SQUARE[id]
    assert nearest(FRAMEPACK_SIZES[id], 1920, 1080) == WIDE[id]


def test_four_to_three() -> None:
    assert nearest(FRAMEPACK_SIZES[640], 1024, 768) == (544, 704)


@pytest.mark.parametrize(
    ("picture", "now", "first"),
    [
        ((500, 500), (640, 640), (640, 608)),
        ((600, 620), (640, 608), (640, 608)),
        ((620, 600), (608, 640), (608, 640)),
        ((630, 640), (640, 640), (640, 608)),
        ((640, 630), (640, 640), (608, 640)),
        ((1920, 1080), (480, 832), (480, 832)),
    ],
)
def test_the_first_framepack_has_no_square(
    picture: tuple[int, int], now: tuple[int, int], first: tuple[int, int]
) -> None:
    entry = find("framepack")
    assert published(entry, 640, picture) == now
    assert published(entry, 640, picture, first=True) == first
    assert published(entry, 512, (500, 500), first=True) == (512, 512)
    assert published(find("tiny"), 64, (500, 500), first=True) == (64, 64)


@pytest.mark.parametrize(
    ("model", "picture", "resolution"),
    [
        ("tiny", (128, 128), 128),
        ("tiny-f1", (160, 96), 128),
        ("tiny", (159, 96), 64),
        ("tiny", (96, 64), 64),
        ("tiny", (4000, 2), 64),
        ("framepack", (96, 64), 640),
    ],
)
def test_a_picture_of_few_pixels_is_made_small(model: str, picture: tuple[int, int], resolution: int) -> None:
    assert usual(find(model), picture) == resolution


@given(st.sampled_from(sorted(FRAMEPACK_SIZES)), st.integers(1, 9999), st.integers(1, 9999))
def test_no_size_is_nearer_and_a_later_one_wins_a_tie(id: int, width: int, height: int) -> None:
    sizes = FRAMEPACK_SIZES[id]
    distance = [abs(height * w - width * h) for h, w in sizes]
    place = sizes.index(nearest(sizes, width, height))
    assert distance[place] == min(distance)
    assert min(distance) not in distance[place + 1 :]
