"""Cards by name and by what a driver tells: the two must agree, and a laptop's is no desktop's."""

import pytest

from eichi.plan.cards import ADA, CARDS, Described, find_card, known_cards, work_out


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("NVIDIA GeForce RTX 4090", "RTX 4090"),
        ("NVIDIA GeForce RTX 4060 Ti", "RTX 4060 Ti"),
        ("NVIDIA GeForce RTX 4070 Ti SUPER", "RTX 4070 Ti SUPER"),
        ("NVIDIA GeForce RTX 3080", "RTX 3080"),
        ("NVIDIA A100-SXM4-80GB", "A100"),
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("NVIDIA H100 PCIe", "H100 PCIe"),
        ("NVIDIA L20", "L20"),
        ("rtx4080super", "RTX 4080 SUPER"),
        ("5090", "RTX 5090"),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", None),
        ("NVIDIA GeForce RTX 4090 D", None),
        ("NVIDIA RTX A4000", None),
        ("NVIDIA L40", None),
        ("Tesla T4", None),
        ("", None),
    ],
)
def test_names(name: str, found: str | None) -> None:
    card = find_card(name)
    assert (card.name if card else None) == found


def test_every_card_is_found_by_its_name() -> None:
    assert [find_card(name) for name in known_cards()] == list(CARDS)


@pytest.mark.parametrize(
    ("told", "like"),
    [
        (Described("NVIDIA GeForce RTX 3060", 12, (8, 6), 28, 1.777, 192, 7.501), "RTX 3060"),
        (Described("NVIDIA GeForce RTX 4090", 24, ADA, 128, 2.52, 384, 10.501), "RTX 4090"),
        (Described("NVIDIA GeForce RTX 5090", 32, (12, 0), 170, 2.407, 512, 14.001), "RTX 5090"),
        (Described("NVIDIA L40S", 48, ADA, 142, 2.52, 384, 9.001), "L40S"),
        (Described("NVIDIA A100", 80, (8, 0), 108, 1.41, 5120, 1.593), "A100"),
        (Described("NVIDIA H100", 80, (9, 0), 132, 1.83, 5120, 2.619), "H100"),
    ],
)
def test_what_is_worked_out_is_what_is_published(told: Described, like: str) -> None:
    made, known = work_out(told), find_card(like)
    assert made is not None
    assert known is not None
    assert made.bf16 == pytest.approx(known.bf16, rel=0.02)
    assert made.memory == pytest.approx(known.memory, rel=0.02)
    assert (made.fp8 is None) == (known.fp8 is None)
    assert made.generation == known.generation


def test_of_another_generation_nothing_is_known() -> None:
    assert work_out(Described("NVIDIA GeForce GTX 1080", 8, (6, 1), 20, 1.733, 256, 5.005)) is None
