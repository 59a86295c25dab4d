"""The commands that find out about this machine, on a small model: what they print and what they write."""

import json
from pathlib import Path

import pytest

from eichi.catalog import CARD, find
from tests import small
from tests.commands.test_models import Run, eichi

__all__ = ["eichi"]  # a fixture


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small model that draws small pictures."""
    folder = small.build(tmp_path / "model")
    for place in ("eichi.catalog.find", "eichi.prepare.find"):
        monkeypatch.setattr(place, lambda name: small.entry(Path(name)))
    return folder


def test_what_was_measured_goes_into_the_card(eichi: Run, model: Path) -> None:
    code, lines, shown = eichi("calibrate", "--model", model, "--steps", 3, "--write")
    assert code == 0, shown
    found = json.loads(lines[-1])
    entry = find(str(model))
    assert entry.teacache == tuple(found["teacache"])
    assert entry.magcache == tuple(map(tuple, found["magcache"]))
    assert len(entry.magcache[0]) == 3
    assert json.loads((model / CARD).read_text(encoding="utf-8"))["like"] == "framepack"


def test_the_embedded_models_have_no_card_to_write_to(eichi: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eichi.pipeline.generate.sample_latents", lambda *_: iter(()))
    monkeypatch.setattr("eichi.pipeline.calibrate.Measured.polynomial", [1.0])
    monkeypatch.setattr("eichi.pipeline.calibrate.Measured.ratios", [1.0])
    code, _, shown = eichi("calibrate", "--model", "tiny", "--write")
    assert code == 2
    assert CARD in shown
