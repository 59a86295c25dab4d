"""Upscalers: found where people have them, read without running anything, in tiles that leave no seam."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from eichi.catalog import ModelFolders
from eichi.errors import DeviceError, ModelError
from eichi.models import upscale
from eichi.models.spandrel import library
from eichi.models.upscale import Upscaler, tell
from eichi.models.upscalers import Facts, UpscalerFile, facts_of, find_upscaler, list_upscalers
from eichi.said import Refusal

CPU = torch.device("cpu")


def networks() -> Iterator[tuple[str, nn.Module, int]]:
    """Public architectures as people have them, small, with random weights."""
    library()
    from spandrel.architectures.Compact import Compact
    from spandrel.architectures.ESRGAN import ESRGAN
    from spandrel.architectures.SPAN import SPAN

    torch.manual_seed(0)
    yield "compact", Compact(num_feat=8, num_conv=2, upscale=2), 2
    yield "span", SPAN(num_in_ch=3, num_out_ch=3, feature_channels=12, upscale=2), 2
    yield "esrgan", ESRGAN(num_filters=8, num_blocks=1, scale=4), 4


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[UpscalerFile, int]]:
    folder = tmp_path_factory.mktemp("upscalers")
    found = {}
    for name, model, scale in networks():
        path = folder / f"{name}.safetensors"
        save_file({key: one.contiguous() for key, one in model.state_dict().items()}, path)
        found[name] = UpscalerFile(name, path), scale
    return found


@pytest.fixture
def compact(files: dict[str, tuple[UpscalerFile, int]]) -> Upscaler:
    return Upscaler(files["compact"][0], CPU)


@pytest.mark.parametrize("name", ["compact", "span", "esrgan"])
def test_public_networks_run(name: str, files: dict[str, tuple[UpscalerFile, int]]) -> None:
    file, scale = files[name]
    made = Upscaler(file, CPU)
    frames = np.random.default_rng(0).integers(0, 255, (2, 18, 26, 3), dtype=np.uint8)
    enlarged = made.enlarge(frames)
    assert made.scale == scale and enlarged.shape == (2, 18 * scale, 26 * scale, 3) and enlarged.dtype == np.uint8
    assert np.array_equal(enlarged[1], made.enlarge(frames[1:])[0])


def test_tiles_leave_no_seam(compact: Upscaler) -> None:
    picture = torch.rand(2, 3, 150, 203, generator=torch.Generator().manual_seed(0))
    whole = compact.whole(picture)
    compact.tile = 48
    assert torch.allclose(compact.whole(picture), whole, atol=1e-4)


def test_where_memory_runs_out_tiles_get_smaller(compact: Upscaler, monkeypatch: pytest.MonkeyPatch) -> None:
    frames, asked = np.zeros((4, 300, 300, 3), dtype=np.uint8), []
    compact.chunk = 4
    whole = compact.whole

    def small(picture: torch.Tensor) -> torch.Tensor:
        asked.append((len(picture), compact.tile))
        if len(picture) > 1 or compact.tile > 128:
            raise torch.OutOfMemoryError
        return whole(picture)

    monkeypatch.setattr(compact, "whole", small)
    assert compact.enlarge(frames).shape == (4, 600, 600, 3)
    assert asked[:3] == [(4, 256), (1, 256), (1, 128)]
    monkeypatch.setattr(compact, "whole", lambda picture: (_ for _ in ()).throw(torch.OutOfMemoryError()))
    with pytest.raises(DeviceError):
        compact.enlarge(frames)


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_nothing_in_a_file_is_run(tmp_path: Path) -> None:
    """Tensors in the older form are read; whatever else such a file holds is refused, and not made."""
    (_, model, _), *_ = networks()
    torch.save({"params": model.state_dict()}, tmp_path / "good.pth")
    assert Upscaler(UpscalerFile("good", tmp_path / "good.pth"), CPU).scale == 2
    for zipped in (True, False):
        torch.save({"params": Evil(tmp_path / "made")}, tmp_path / "evil.pth", _use_new_zipfile_serialization=zipped)
        with pytest.raises(ModelError, match="mkdir"):
            Upscaler(UpscalerFile("evil", tmp_path / "evil.pth"), CPU)
    assert not (tmp_path / "made").exists()
    (tmp_path / "good.pth").rename(tmp_path / "good.pt")
    with pytest.raises(ModelError) as caught:
        Upscaler(UpscalerFile("good", tmp_path / "good.pt"), CPU)
    assert caught.value.id == "error.upscaler.ending"


@pytest.mark.parametrize(
    ("content", "id"),
    [
        (b"", "error.upscaler.read"),
        (b"\x08\0\0\0\0\0\0\0{}      ", "error.upscaler.network"),
        (b"no network", "error.upscaler.read"),
    ],
)
def test_damaged_files_are_named(content: bytes, id: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        Upscaler(UpscalerFile("bad", path), CPU)
    assert caught.value.id == id
    tell(str(path))
    assert Refusal.model_validate_json(capsys.readouterr().out) == Refusal.of(caught.value)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_named(
    number: float, files: dict[str, tuple[UpscalerFile, int]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also in the process that looks into a file, so that a plan says it."""
    weights = load_file(files["compact"][0].path)
    weights["body.2.weight"].view(-1)[7] = number
    save_file(weights, path := tmp_path / "spoilt.safetensors")
    with pytest.raises(ModelError) as caught:
        Upscaler(UpscalerFile("spoilt", path), CPU)
    assert (caught.value.id, caught.value.values["name"]) == ("error.upscaler.numbers", "body.2.weight")
    tell(str(path))
    assert Refusal.model_validate_json(capsys.readouterr().out) == Refusal.of(caught.value)


def test_what_is_too_large_for_half_precision_is_computed_in_full(
    compact: Upscaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    whole, called = compact.whole(picture), compact._model.forward
    lost: list[torch.Tensor] = [picture * float("inf")]
    monkeypatch.setattr(compact._model, "forward", lambda given: lost.pop() if lost else called(given))
    assert torch.equal(compact.whole(picture), whole) and not lost
    monkeypatch.setattr(compact._model, "forward", lambda given: given * float("nan"))
    with pytest.raises(ModelError) as caught:
        compact.enlarge(np.zeros((1, 16, 16, 3), dtype=np.uint8))
    assert caught.value.id == "error.upscaler.nan"


def test_upscalers_are_found_in_both_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, comfy = tmp_path / "models" / "upscalers", tmp_path / "ComfyUI" / "models" / "upscale_models"
    for folder, name in ((own, "a.pth"), (comfy, "b.safetensors"), (comfy, "a.safetensors"), (comfy, "c.onnx")):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    models = ModelFolders(tmp_path / "models", (tmp_path / "ComfyUI",))
    found = [one for one in list_upscalers(models) if not one.shipped]
    assert [(one.name, one.path.parent) for one in found] == [("a", own), ("b", comfy)]
    assert find_upscaler("b.safetensors", models).name == "b"
    assert find_upscaler(str(comfy / "a.safetensors"), models).path == comfy / "a.safetensors"
    with pytest.raises(ModelError) as caught:
        find_upscaler("c", models)
    assert caught.value.id == "error.upscaler.unknown" and "a, b" in str(caught.value)


def test_what_a_file_is_is_found_out_once(
    files: dict[str, tuple[UpscalerFile, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def look(path: Path) -> Facts:
        asked.append(path)
        return Facts(scale=4, architecture="ESRGAN", half=True)

    monkeypatch.setattr("eichi.models.upscalers._look", look)
    file = files["esrgan"][0]
    assert facts_of(file, tmp_path) == facts_of(file, tmp_path) == Facts(scale=4, architecture="ESRGAN", half=True)
    assert asked == [file.path]
    assert Facts(scale=4, architecture="ESRGAN", half=True) == upscale._facts(upscale._read(file.path), file.path)


def test_that_a_file_is_no_upscaler_is_found_out_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reasons = ["reason.os.late", "reason.damaged"]

    def look(path: Path) -> Facts:
        raise ModelError("error.upscaler.read", path=path, reason=reasons.pop(0))

    monkeypatch.setattr("eichi.models.upscalers._look", look)
    file = UpscalerFile("a", tmp_path / "a.pth")
    file.path.touch()
    for reason in ("reason.os.late", "reason.damaged", "reason.damaged"):  # the machine was slow; the file; as kept
        with pytest.raises(ModelError) as caught:
            facts_of(file, tmp_path)
        assert caught.value.plain["reason"] == reason
    assert not reasons
