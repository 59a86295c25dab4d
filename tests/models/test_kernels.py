"""Which kernel is chosen, that none is believed before it was tried, and that what was found out is remembered."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from eichi.models import attention, kernels
from eichi.models.attention import Kernel
from eichi.models.kernels import FILE, Choice, Kernels, Trust, Verdict, choose, examine, fused
from eichi.models.meter import Card
from tests import small

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
GOOD, ABSENT = Verdict("good"), Verdict("absent")


def trusting(**verdicts: Verdict) -> Any:
    """What is thought of kernels; those that are not named are not installed."""

    class Told(Trust):
        def verdict(self, kernel: Kernel, device: torch.device) -> Verdict:
            return verdicts.get(kernel, GOOD if kernel in ("native", "chunked") else ABSENT)

    return Told()


@pytest.mark.parametrize(
    ("device", "here", "own", "choice"),
    [
        (CUDA, {"flash", "sage", "xformers"}, True, Choice("flash", "installed")),
        (CUDA, {"sage", "xformers"}, True, Choice("native", "fused")),
        (CUDA, {"sage", "xformers"}, False, Choice("xformers", "installed")),
        (CUDA, {"sage"}, False, Choice("chunked", "none")),
        (CPU, {"flash"}, True, Choice("native", "fused")),
        (CPU, {"xformers"}, False, Choice("chunked", "none")),
    ],
)
def test_the_choice(
    monkeypatch: pytest.MonkeyPatch, device: torch.device, here: set[str], own: bool, choice: Choice
) -> None:
    monkeypatch.setattr(kernels, "fused", lambda *_: own)
    assert choose(device, trust=trusting(**dict.fromkeys(here, GOOD))) == choice


@pytest.mark.parametrize("wanted", ["auto", "flash"])
def test_a_kernel_that_gives_other_numbers_is_dropped(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    monkeypatch.setattr(kernels, "fused", lambda *_: True)
    trust = trusting(flash=Verdict("differs", 0.4))
    assert choose(CUDA, wanted, trust=trust) == Choice("native", "fused", ("flash", "differs"))


@pytest.mark.parametrize("wanted", ["chunked", "native"])
def test_what_is_asked_for_is_used(wanted: Kernel) -> None:
    assert choose(CPU, wanted) == Choice(wanted, "asked")


def test_what_is_not_here_is_replaced_with_a_word() -> None:
    assert choose(CPU, "sage") == Choice("native", "fused", ("sage", "absent"))


def test_results_that_repeat_are_by_torchs_own_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "fused", lambda *_: True)
    trust = trusting(flash=GOOD, sage=GOOD)
    assert choose(CUDA, trust=trust, exact=True) == Choice("native", "exact")
    assert choose(CUDA, "chunked", trust=trust, exact=True) == Choice("chunked", "asked")
    assert choose(CUDA, "sage", trust=trust, exact=True) == Choice("native", "exact", ("sage", "exact"))
    assert choose(CPU, "native", trust=trust, exact=True) == Choice("native", "asked")


def test_float32_is_for_torchs_own_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "fused", lambda *_: True)
    assert choose(CUDA, dtype=torch.float32, trust=trusting(flash=GOOD)) == Choice("native", "fused")


def test_torch_has_a_fused_kernel_on_a_cpu() -> None:
    assert fused(CPU)


@pytest.fixture
def computing(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Kernels that are installed and compute what stands under "make"; what they were given stands under "shapes"."""
    told: dict[str, Any] = {"make": lambda made: made, "shapes": []}
    plain = attention.dispatched

    def dispatched(_: Kernel, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        told["shapes"].append(tuple(query.shape))
        made: torch.Tensor = told["make"](plain("native", query, key, value))
        return made

    monkeypatch.setattr(kernels, "find_spec", lambda _: object())
    monkeypatch.setattr(kernels, "dispatched", dispatched)
    return told


def refuse(made: torch.Tensor) -> torch.Tensor:
    raise RuntimeError("no kernel image is available for execution on the device")


def run_out(made: torch.Tensor) -> torch.Tensor:
    raise torch.OutOfMemoryError


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda made: made, "good"),
        (lambda made: made * 1.1, "differs"),
        (lambda made: made * 0, "differs"),
        (lambda made: made * float("nan"), "nan"),
        (refuse, "fails"),
        (run_out, "memory"),
    ],
)
def test_a_kernel_is_tried(computing: dict[str, Any], make: Any, reason: str) -> None:
    computing["make"] = make
    assert examine("flash", CPU).reason == reason


def test_eight_bits_may_be_off_a_little(computing: dict[str, Any]) -> None:
    computing["make"] = lambda made: made * 1.05
    assert (examine("sage", CPU).reason, examine("xformers", CPU).reason) == ("good", "differs")


def test_a_card_is_tried_at_a_real_size(computing: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the last tokens come out wrong, as at the end of a tile, it is seen."""
    monkeypatch.setattr(kernels, "HEADS", 2)
    monkeypatch.setattr(kernels, "TOKENS", 601)
    tried = kernels._tried
    monkeypatch.setattr(kernels, "_tried", lambda attend, shape, _, kind, limit: tried(attend, shape, CPU, kind, limit))
    assert examine("flash", CUDA).good
    assert computing["shapes"][-1] == (1, 601, 2, 128)

    def spoil(made: torch.Tensor) -> torch.Tensor:
        made[:, 600:] = 0
        return made

    computing["make"] = spoil
    assert not examine("flash", CUDA).good


def test_what_was_found_out_is_kept_for_the_card_and_the_versions(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tried: list[str] = []
    here = Card("A card", 8.0, "13.0", "8.6")

    def found(kernel: Kernel, _: object) -> Verdict:
        tried.append(kernel)
        return Verdict("differs", 0.5)

    monkeypatch.setattr(kernels, "find_spec", lambda _: object())
    monkeypatch.setattr(kernels, "examine", found)
    monkeypatch.setattr(kernels, "card", lambda _: here)
    for driver in ("570.1", "570.1", "580.2"):
        monkeypatch.setattr(kernels, "driver", lambda driver=driver: driver)
        assert Trust(tmp_path).verdict("flash", CUDA) == Verdict("differs", 0.5)
    assert tried == ["flash", "flash"]
    kept = json.loads((tmp_path / FILE).read_text(encoding="utf-8"))
    assert len(kept) == 2 and all("A card" in key and torch.__version__ in key for key in kept)
    (tmp_path / FILE).write_text("[]", encoding="utf-8")  # damaged: tried again
    Trust(tmp_path).verdict("flash", CUDA)
    assert len(tried) == 3


def test_want_of_memory_is_no_lasting_verdict(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(kernels, "find_spec", lambda _: object())
    monkeypatch.setattr(kernels, "examine", lambda *_: Verdict("memory"))
    assert not Trust(tmp_path).verdict("sage", CPU).good
    assert not (tmp_path / FILE).exists()


def test_a_kernel_without_numbers_is_not_taken_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(kernels, "find_spec", lambda _: object())
    monkeypatch.setattr(kernels, "examine", lambda *_: GOOD)
    ours = Kernels(CPU, torch.float32, "sage", False, Trust(tmp_path))
    assert ours.choice == Choice("sage", "asked")
    with ours.used(small.transformer()):
        assert ours.foreign
        assert ours.fall_back() == "sage"
        assert not ours.foreign and ours.fall_back() is None
    ours.condemn("sage")
    assert ours.choice == Choice("native", "fused", ("sage", "nan"))
    assert Trust(tmp_path).verdict("sage", CPU) == Verdict("nan")


def test_the_record_names_the_kernel_on_a_card_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Kernels(CPU, torch.float32, "auto", False, Trust()).record == {}
    monkeypatch.setattr(kernels, "fused", lambda *_: True)
    monkeypatch.setattr(kernels, "package_version", {"flash": "2.8.3"}.get)
    made = [Kernels(CUDA, torch.bfloat16, wanted, False, trusting(flash=GOOD)) for wanted in ("auto", "native")]
    assert [one.record for one in made] == [{"attention": "flash 2.8.3"}, {"attention": "native"}]
