"""Given values beat variables, variables beat the file."""

import os
from pathlib import Path

import pytest
from huggingface_hub.constants import is_offline_mode
from pydantic import ValidationError

from eichi.errors import OptionError
from eichi.settings import FILE, load_settings


def write(home: Path, text: str) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / FILE).write_text(text, encoding="utf-8")


def test_defaults_lie_in_the_home(home: Path) -> None:
    settings = load_settings()
    assert (settings.home, settings.models) == (home, home / "models")
    assert (settings.outputs, settings.device, settings.language) == (Path("outputs"), "auto", "en")
    assert settings.store == f"sqlite:///{home / 'jobs.db'}"
    assert not home.exists()


def test_precedence(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home, '{"outputs": "file", "device": "file", "language": "ja"}')
    monkeypatch.setenv("EICHI_DEVICE", "variable")
    monkeypatch.setenv("EICHI_LANGUAGE", "ru")
    settings = load_settings()
    assert (settings.outputs, settings.device, settings.language) == (Path("file"), "variable", "ru")
    assert load_settings().language == "ru"


def test_jobs_may_be_kept_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EICHI_STORE", "postgresql://here/jobs")
    assert load_settings().store == "postgresql://here/jobs"


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        load_settings().language = "ja"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", ["settings.json", "not valid JSON"]),
        ('{"nope": 1}', ["nope"]),
        ('{"language": "xx"}', ["language", "'xx'", "en, ja, ru, zh-TW"]),
        ('{"outputs": 3}', ["outputs", "3"]),
        ('{"vae_tile": 100}', ["vae_tile", "100"]),
        pytest.param("3", ["settings.json"]),
        pytest.param("[]", ["settings.json"]),
    ],
)
def test_a_damaged_file_is_named(home: Path, text: str, words: list[str]) -> None:
    write(home, text)
    with pytest.raises(OptionError) as caught:
        load_settings()
    assert all(word in str(caught.value) for word in words)
    assert "\n" not in str(caught.value)


def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EICHI_LANGUAGE", "klingon")
    with pytest.raises(OptionError, match=r"language: 'klingon'.*EICHI_ variable"):
        load_settings()


def test_an_empty_home_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EICHI_HOME", "")
    assert load_settings().home.is_absolute()


def test_offline_holds_the_libraries_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    assert not load_settings().offline
    assert (is_offline_mode(), os.environ["HF_HUB_OFFLINE"]) == (False, "0")
    monkeypatch.setenv("EICHI_OFFLINE", "1")
    assert load_settings().offline
    assert (is_offline_mode(), os.environ["HF_HUB_OFFLINE"]) == (True, "1")


@pytest.mark.parametrize("size", ["5.9", "129", "much"])
def test_preserved_memory_has_bounds(monkeypatch: pytest.MonkeyPatch, size: str) -> None:
    assert load_settings().preserve_gb is None
    monkeypatch.setenv("EICHI_PRESERVE_GB", size)
    with pytest.raises(OptionError, match="preserve_gb"):
        load_settings()
    monkeypatch.setenv("EICHI_PRESERVE_GB", "6.5")
    assert load_settings().preserve_gb == 6.5
