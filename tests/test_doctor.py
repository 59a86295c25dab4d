"""The report on the machine; torch's part is left to the runs that need torch."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from eichi.doctor import Finding, Report, _attention, _build, _device, examine
from eichi.settings import Settings
from eichi.setup.builds import Build
from eichi.setup.cards import Card
from eichi.video.metadata import LIBRARIES
from eichi.words import languages, say


@pytest.fixture(autouse=True)
def no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eichi.doctor._device", lambda settings: [])


def states(report: Report, id: str) -> list[str]:
    return [finding.state for finding in report.findings if finding.id == id]


def test_what_is_set_up_is_said_in_words() -> None:
    settings = Settings(preserve_gb=8, attention="chunked", language="ru")
    found = {one.values["key"]: one.values for one in examine(settings).findings if one.id == "doctor.setting"}
    assert found.keys() == {
        "preserve_gb",
        "lora_cache_gb",
        "attention",
        "compile",
        "reproducible",
        "vae_tile",
        "cpu_precision",
    }
    assert found["preserve_gb"]["value"] == "8 ГБ"
    assert say("doctor.setting", "ru", **found["attention"]) == "Attention: по частям"


def test_a_good_machine() -> None:
    report = examine(Settings())
    assert states(report, "doctor.library") == ["good"] * len(LIBRARIES)
    assert states(report, "doctor.codec") == ["good"]
    assert len(states(report, "doctor.folder")) == 3
    assert len(states(report, "doctor.memory")) == 1
    assert states(report, "doctor.offline") == []
    assert {"framepack", "framepack-f1"} <= {
        finding.values["name"] for finding in report.findings if finding.id == "doctor.model_absent"
    }
    assert "bad" not in {finding.state for finding in report.findings}


@pytest.mark.parametrize(
    ("wanted", "id", "state"),
    [
        ("auto", "doctor.attention.fused", "good"),
        ("chunked", "doctor.attention.asked", "good"),
        ("sage", "note.attention.dropped", "warn"),
    ],
)
def test_attention(wanted: Any, id: str, state: str) -> None:
    found = next(_attention(torch.device("cpu"), Settings(attention=wanted)))
    assert (found.id, found.state) == (id, state)


def test_slow_attention_is_worth_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eichi.models.kernels.fused", lambda *_: False)
    (found,) = _attention(torch.device("cpu"), Settings())
    assert (found.id, found.state) == ("doctor.attention.none", "warn")


RTX = Card("RTX 4090", (580, 65, 6), (8, 9))
CUDA = Build("2.13.0", "cuda", "13.0")


@pytest.mark.parametrize(
    ("build", "card", "wanted"),
    [
        (Build("2.13.0", "cpu"), None, []),
        (Build("2.13.0", "cpu"), RTX, ["fix.cpu", "doctor.fix"]),
        (Build("2.13.0", "cpu"), Card("RTX 3060", (470, 82), (8, 6)), ["start.driver"]),
        (CUDA, Card("RTX 3060", (551, 86), (8, 6)), ["fix.driver", "doctor.fix"]),
        (CUDA, Card("GTX 1080", (580, 65, 6), (6, 1)), ["fix.code", "doctor.fix"]),
        (CUDA, Card("GT 730", (580, 65, 6), (3, 5)), ["start.card.old"]),
        (CUDA, RTX, ["doctor.card_unused"]),
    ],
)
def test_torch_beside_a_card(
    monkeypatch: pytest.MonkeyPatch, build: Build, card: Card | None, wanted: list[str]
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("eichi.doctor.best", lambda: card)
    monkeypatch.setattr("eichi.doctor.build_in", lambda folder: build)
    found = list(_build())
    assert [one.id for one in found] == wanted
    assert [one.state for one in found] == ["bad", "good"][: len(found)]
    assert all(say(one.id, language, **one.values) for one in found for language in languages())


def test_a_card_that_torch_was_not_built_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eichi.doctor.best", lambda: RTX)
    monkeypatch.setattr("eichi.doctor.build_in", lambda folder: CUDA)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda: (8, 9))
    for archs, wanted in ((["sm_75", "sm_86"], []), (["sm_90", "sm_120"], ["doctor.card_old"])):
        monkeypatch.setattr("torch.cuda.get_arch_list", lambda archs=archs: archs)
        assert [one.id for one in _build()] == wanted


def test_the_build_is_said_where_the_device_that_is_set_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eichi.doctor.best", lambda: RTX)
    found = [one.id for one in _device(Settings(device="cuda"))]
    assert found == ["fix.cpu", "doctor.fix", "error.device.absent"]


def test_offline_is_told() -> None:
    assert states(examine(Settings(offline=True)), "doctor.offline") == ["good"]


def test_every_finding_can_be_said() -> None:
    for finding in examine(Settings()).findings:
        assert all(say(finding.id, language, **finding.values) for language in languages())


def test_a_folder_that_cannot_be_written_is_bad(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert states(examine(Settings(outputs=tmp_path / "file" / "out")), "error.folder.write") == ["bad"]


@pytest.mark.parametrize("name", ["torch", "av", "transformers", "starlette"])
def test_a_library_that_is_gone_is_bad_and_the_rest_is_looked_at(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr("eichi.doctor.gaps", lambda: (name,))
    monkeypatch.setattr("eichi.doctor._device", lambda settings: pytest.fail("it is gone") if name == "torch" else [])
    monkeypatch.setattr("eichi.doctor._codec", lambda: pytest.fail("it is gone") if name == "av" else [])
    report = examine(Settings())
    assert states(report, "doctor.library_missing") == ["bad"]
    assert name not in {one.values["name"] for one in report.findings if one.id == "doctor.library"}
    assert states(report, "doctor.memory")


@pytest.mark.parametrize("error", [ImportError("DLL load failed"), OSError("libcudnn.so.9: cannot open")])
def test_a_library_that_cannot_be_loaded_ends_no_report(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fails(settings: Settings) -> Iterator[Finding]:
        raise error
        yield

    monkeypatch.setattr("eichi.doctor._device", fails)
    (found,) = (one for one in examine(Settings()).findings if one.id == "doctor.unloadable")
    assert found.values == {"reason": str(error)} and found.state == "bad"


def test_a_look_makes_no_folders(tmp_path: Path) -> None:
    settings = Settings(outputs=Path("results") / "deep")
    before = set(tmp_path.rglob("*"))
    assert len(states(examine(settings), "doctor.folder")) == 3
    assert set(tmp_path.rglob("*")) == before
