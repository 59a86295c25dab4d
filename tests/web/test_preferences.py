"""The settings are drawn from their declarations, and changed by who sits at the machine alone."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from eichi.errors import InputError, OptionError
from eichi.settings import FILE, load_settings
from eichi.web.desk import Desk
from eichi.web.fieldset import FieldSet
from eichi.web.i18n import Words
from eichi.web.preferences import Preferences
from eichi.words import languages

WORDS = Words("en")
SHOWN = (
    "outputs",
    "device",
    "lora_folders",
    "log_level",
    "preserve_gb",
    "lora_cache_gb",
    "attention",
    "compile",
    "vae_tile",
)


@pytest.fixture
def preferences(desk: Desk) -> Preferences:
    """The place as who sits at the machine has it."""
    desk.local = True
    return Preferences(desk, WORDS)


def given(preferences: Preferences, **changed: Any) -> dict[str, Any]:
    """What a page sends: everything that is shown, some of it changed."""
    return {"mode": "reverse", **preferences.now, **changed}


def kept(home: Path) -> Any:
    return json.loads((home / FILE).read_text("utf-8"))


@pytest.mark.parametrize("language", languages())
def test_every_setting_of_a_group_has_a_control_with_words_and_bounds(desk: Desk, language: str) -> None:
    place = Preferences(desk, Words(language))
    html = FieldSet(place.fields.values(), place.words, opened=True).html.html_template
    assert re.findall(r'(?:input|select|textarea)[^>]* id="option-setting-[^"]+" name="([^"]+)"', html) == [*SHOWN]
    assert place.now.keys() == {*SHOWN}
    assert 'name="preserve_gb" aria-describedby="option-setting-preserve-gb-help" min="6" max="128"' in html
    assert all(f'<option value="{one}">' in html for one in ("sage", "chunked", "debug", "cuda"))


def test_what_was_changed_is_written_and_nothing_else(preferences: Preferences, home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / FILE).write_text('{"language": "ja"}', encoding="utf-8")
    preferences.save(given(preferences, preserve_gb=8, attention="sage", compile=True))
    assert kept(home) == {"language": "ja", "preserve_gb": 8, "attention": "sage", "compile": True}
    assert (load_settings().preserve_gb, load_settings().attention) == (8.0, "sage")
    assert preferences.desk.settings.preserve_gb == 8.0
    preferences.save(given(preferences, preserve_gb=None, vae_tile=None))  # emptied: left to the program
    assert (kept(home)["preserve_gb"], "vae_tile" in kept(home)) == (None, False)
    assert load_settings().preserve_gb is None


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("preserve_gb", 5, "GPU memory to preserve: 5 is out of range. Use a value from 6 to 128."),
        ("preserve_gb", "much", "GPU memory to preserve: 'much' cannot be used"),
        ("vae_tile", 100, "VAE tile: 100 is between two steps. Use a multiple of 32."),
        ("attention", "best", "Attention: 'best' is not"),
        ("log_level", "loud", "Log: 'loud' is not"),
    ],
)
def test_a_wrong_value_is_named_and_nothing_is_written(
    preferences: Preferences, home: Path, key: str, value: object, sentence: str
) -> None:
    with pytest.raises(OptionError, match=re.escape(sentence)):
        preferences.save(given(preferences, **{key: value}, compile=True))
    assert not (home / FILE).exists()
    assert not preferences.desk.settings.compile


def test_from_elsewhere_settings_are_seen_and_not_changed(preferences: Preferences, home: Path) -> None:
    assert "automatic" not in preferences.facts()
    preferences.desk.local = False
    assert "GPU memory to preserve</dt><dd>automatic" in preferences.facts()
    with pytest.raises(InputError, match="Only someone at the computer itself"):
        preferences.save(given(preferences, outputs="/etc"))
    assert not (home / FILE).exists()


def test_what_a_variable_fixes_is_said(preferences: Preferences, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "has no effect" not in preferences.remarks()
    monkeypatch.setenv("EICHI_DEVICE", "cpu")
    assert "a change here has no effect: Device." in preferences.remarks()
