"""Alpha from wherever it stands, by PEFT's own rule for names, and within bounds."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft.utils.other import get_pattern_key
from torch import Tensor

from eichi.errors import LoraError
from eichi.models.lorafile import LoraFile, lora_print, read_lora
from eichi.models.lorasettings import Clock, Patterns
from tests import loras

QUERY, KEY, MLP = (
    "transformer_blocks.0.attn.to_q",
    "transformer_blocks.1.attn.to_k",
    "single_transformer_blocks.0.proj_mlp",
)
RANK = 4
PAIRS: dict[str, tuple[Tensor, Tensor]] = {
    name: (torch.ones(RANK, 6), torch.ones(6, RANK)) for name in (QUERY, KEY, MLP)
}


def write(path: Path, header: dict[str, str] | None = None) -> Path:
    return loras.write(path, loras.lettered("transformer.", PAIRS), header)


def factors(file: LoraFile) -> list[float]:
    return [{layer.name: layer.factor for layer in file.layers}[name] for name in PAIRS]


@pytest.mark.parametrize(
    ("header", "alpha"),
    [
        ({"lora_alpha": "16"}, 16),
        ({"network_alpha": "16.0"}, 16),
        ({"ss_network_alpha": "2"}, 2),
        ({"ss_network_alpha": "None"}, None),
        ({"alpha": "16", "rank": "4"}, 16),
        ({"transformer.lora_alpha": "16"}, 16),
        ({"lora_config": '{"r": 4, "lora_alpha": 8}'}, 8),
        ({"lora_adapter_metadata": '{"transformer.lora_alpha": 8, "text_encoder.lora_alpha": 3}'}, 8),
        ({"lora_adapter_metadata": '{"lora_alpha": "8"}'}, 8),
        ({"lora_adapter_metadata": '{"lora_alpha": 8, "use_rslora": true}'}, 16),
        ({"lora_adapter_metadata": '{"lora_alpha": 8, "use_rslora": "false"}'}, 8),
        ({"lora_adapter_metadata": '{"r": 4}', "ss_network_alpha": "8"}, 8),
        ({"lora_adapter_metadata": '{"lora_alpha": null}'}, None),
        ({"lora_alpha": "0"}, None),
        ({"lora_adapter_metadata": "", "peft_config": " "}, None),
        ({"lora_adapter_metadata": "", "lora_alpha": "8"}, 8),
        ({}, None),
    ],
)
def test_alpha_in_a_header(tmp_path: Path, header: dict[str, str], alpha: float | None) -> None:
    file = read_lora(write(tmp_path / "a.safetensors", header))
    assert factors(file) == [1.0 if alpha is None else alpha / RANK] * 3
    assert all((layer.alpha is None) == (alpha is None) for layer in file.layers)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        *[
            ("lora_adapter_metadata", text, "cannot be read")
            for text in ("[1]", "null", "5", '"x"', "{", "[" * 100_000)
        ],
        *[
            ("lora_adapter_metadata", f'{{"lora_alpha": {text}}}', "is no number")
            for text in ("NaN", "1e400", "9" * 400, "[8]", "true", '"x"', "{}")
        ],
        *[
            ("lora_adapter_metadata", f'{{"lora_alpha": 8, "alpha_pattern": {text}}}', words)
            for text, words in (
                ('["to_q"]', "cannot be read"),
                ('"to_q"', "cannot be read"),
                ('{"to_q": null}', "is no number"),
                ('{"to_(q": 2}', "cannot be read"),
                (json.dumps({"a" * 300: 2}), "cannot be read"),
            )
        ],
        ("lora_adapter_metadata", '{"lora_alpha": 8, "use_rslora": "perhaps"}', "cannot be read"),
        ("lora_alpha", "much", "is no number"),
    ],
)
def test_settings_that_cannot_be_are_one_sentence(tmp_path: Path, key: str, value: str, words: str) -> None:
    path = write(tmp_path / "a.safetensors", {key: value})
    with pytest.raises(LoraError, match=words) as caught:
        read_lora(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "table",
    [
        {"to_q": 2, "to_k": 8},
        {"attn.to_q": 2, "attn": 8},
        {r".*\.0\..*": 2},
        {r"^transformer_blocks.0.attn.to_q": 2, "to_(q|k)": 8},
        {r"single_.*": 2, r"transformer_blocks\.\d+\.attn\.to_[qk]": 8},
        {"o_q": 2, "to_": 8, "transformer_blocks": 16},
        {"^attn.to_q": 2, "^transformer_blocks.0.attn.to_q": 8, r"attn\.to_k": 16, "proj.mlp": 4},
        {"attn_to_q": 2, "att..to_q": 8, "a..n.to_k": 16, r"att\..to_k": 1, ".*mlp": 3, "proj_mlp": 5},
        {"proj_mlp": 5, ".*mlp": 3, r"blocks.\d{1,2}.attn.to_q": 2, "attn.to_q": 7},
    ],
)
def test_names_are_matched_as_peft_does(tmp_path: Path, table: dict[str, Any]) -> None:
    for name in PAIRS:
        assert Patterns(tmp_path, table, Clock()).find(name) == table.get(get_pattern_key(list(table), name))


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("name", ["adapter_model.safetensors", "my style.safetensors"])
def test_settings_beside_the_file(tmp_path: Path, name: str, coding: str) -> None:
    path, config = write(tmp_path / name), tmp_path / "adapter_config.json"
    before = lora_print(path)
    config.write_text(json.dumps({"r": RANK, "lora_alpha": 2, "alpha_pattern": {"to_q": 8}}), encoding=coding)
    assert factors(read_lora(path)) == [2.0, 0.5, 0.5]
    assert lora_print(path) != before  # what the weights become depends on it
    config.write_text("[", encoding=coding)
    with pytest.raises(LoraError, match=r"adapter_config\.json cannot be read"):
        read_lora(path)


def test_settings_of_another_file_are_not_taken(tmp_path: Path) -> None:
    path, config = write(tmp_path / "my style.safetensors"), tmp_path / "adapter_config.json"
    config.write_text(json.dumps({"r": 16, "lora_alpha": 2}))
    assert factors(read_lora(path)) == [1.0] * 3  # of another rank
    config.write_text(json.dumps({"r": RANK, "lora_alpha": 2}))
    write(tmp_path / "other.safetensors")
    assert factors(read_lora(path)) == [1.0] * 3  # nobody knows whose


@pytest.mark.parametrize("pattern", ["(?:a|aa)+b", "(?:a|a)+b"])
def test_an_expression_that_takes_years_is_given_up(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(LoraError, match="cannot be read"):
        Patterns(tmp_path, {pattern: 2}, Clock(0.02)).find("a" * 80)


def test_thousands_of_patterns_take_no_time(tmp_path: Path) -> None:
    """Each layer named, as diffusers writes them: comparing all with all would be millions."""
    names = [f"transformer_blocks.{number}.attn.to_{letter}" for number in range(60) for letter in "qkvo"]
    patterns = Patterns(tmp_path, {name: number for number, name in enumerate(names)}, Clock())
    assert [patterns.find(name) for name in names] == list(range(len(names)))


@pytest.mark.parametrize(
    "pattern", ["(a{1000}){1000}(b{1000}){1000}|1", "((a{9}){9}){9}", "(?:a{,9}){20,}", "a{101}", "(?:a+){e<=50}b"]
)
def test_what_is_repeated_too_often_is_not_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    """Libraries write it out: these are gigabytes."""
    monkeypatch.setattr("eichi.models.lorasettings.regex.compile", None)
    with pytest.raises(LoraError, match="cannot be read"):
        Patterns(tmp_path, {pattern: 2}, Clock())


def test_too_many_patterns_are_not_looked_at(tmp_path: Path) -> None:
    with pytest.raises(LoraError, match="2001 > 2000"):
        Patterns(tmp_path, {f"a.{number}(": 2 for number in range(2001)}, Clock())


def test_all_tables_share_one_time(tmp_path: Path) -> None:
    clock = Clock(0)
    with pytest.raises(LoraError, match="cannot be read"):
        Patterns(tmp_path, {"to_[qk]": 2}, clock)
    early = Patterns(tmp_path, {"to_[qk]": 2}, Clock(9))
    early.clock = clock
    for patterns in (early, Patterns(tmp_path, {"to_q": 2}, clock)):
        with pytest.raises(LoraError, match="cannot be read"):
            patterns.find("a.to_q")
