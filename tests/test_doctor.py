"""The report on the machine; torch's part is left to the runs that need torch."""

from pathlib import Path
from typing import Any

import pytest
import torch

from eichi.doctor import Report, _attention, _device, examine
from eichi.settings import Settings
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
    assert found.keys() == {"preserve_gb", "lora_cache_gb", "attention", "compile", "reproducible", "vae_tile"}
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


@pytest.mark.parametrize(("command", "cuda", "said"), [("x", None, True), ("x", "13.0", False), (None, None, False)])
def test_a_card_that_this_torch_cannot_use(
    monkeypatch: pytest.MonkeyPatch, command: str | None, cuda: str | None, said: bool
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: command)
    monkeypatch.setattr("torch.version.cuda", cuda)
    report = Report(tuple(_device(Settings(device="cpu"))))
    assert states(report, "doctor.cpu_build") == ["bad"] * said
    for finding in report.findings:
        assert all(say(finding.id, language, **finding.values) for language in languages())


def test_offline_is_told() -> None:
    assert states(examine(Settings(offline=True)), "doctor.offline") == ["good"]


def test_every_finding_can_be_said() -> None:
    for finding in examine(Settings()).findings:
        assert all(say(finding.id, language, **finding.values) for language in languages())


def test_a_folder_that_cannot_be_written_is_bad(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert states(examine(Settings(outputs=tmp_path / "file" / "out")), "error.folder.write") == ["bad"]


def test_a_missing_library_is_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eichi.doctor.LIBRARIES", ("no-such-library",))
    assert states(examine(Settings()), "doctor.library_missing") == ["bad"]
