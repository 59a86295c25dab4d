"""Given values beat variables, variables beat the file; they are read where a process begins and nowhere else."""

import ast
import json
import os
import sys
from pathlib import Path

import pytest
from huggingface_hub.constants import is_offline_mode
from pydantic import ValidationError

from eichi.errors import OptionError
from eichi.settings import FILE, asked_language, load_settings
from eichi.words import languages

NAME = load_settings.__name__
SOURCES = Path(__file__).parents[1] / "src" / "eichi"


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


def test_a_cpu_may_compute_in_half(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not load_settings().runtime.half
    monkeypatch.setenv("EICHI_CPU_PRECISION", "half")
    assert load_settings().runtime.half


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
        ('{"language": "xx"}', ["language", "'xx'", ", ".join(languages())]),
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


@pytest.mark.parametrize(
    ("kind", "reason"), [("pipe", "does not accept"), ("folder", "a folder"), ("loop", "form a loop")]
)
def test_what_is_no_file_is_not_waited_for(home: Path, kind: str, reason: str) -> None:
    if sys.platform == "win32":
        pytest.skip("there are no pipes in folders")
    home.mkdir()
    match kind:
        case "pipe":
            os.mkfifo(home / FILE)
        case "folder":
            (home / FILE).mkdir()
        case _:
            (home / FILE).symlink_to(FILE)
    with pytest.raises(OptionError, match=f"cannot be read .*{reason}"):
        load_settings()


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


def test_whoever_runs_a_model_is_given_its_part(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home, '{"device": "cpu", "attention": "chunked", "compile": true, "lora_cache_gb": 2}')
    monkeypatch.setenv("EICHI_VAE_TILE", "128")
    monkeypatch.setenv("EICHI_PRESERVE_GB", "8")
    runtime = load_settings().runtime
    assert (runtime.models.own, runtime.cache, runtime.device) == (home / "models", home / "cache", "cpu")
    assert (runtime.attention, runtime.compiled, runtime.merged_gb) == ("chunked", True, 2.0)
    assert (runtime.tile, runtime.preserve_gb) == (128, 8.0)


@pytest.mark.skipif(os.name == "nt", reason="permissions are other things on Windows")
def test_a_home_that_others_could_read_is_tightened(home: Path) -> None:
    """Of an earlier version. Models are nobody's secret."""
    names = ("jobs.db", "settings.json", "logs/page.log", "library/last.json", "uploads/ab/a.png", "models/m/a.bin")
    for name in names:
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}", encoding="utf-8")
        path.chmod(0o644)
    home.chmod(0o755)
    load_settings()
    loose = {path.relative_to(home).as_posix() for path in home.rglob("*") if path.stat().st_mode & 0o077}
    assert loose == {"library", "logs", "uploads", "models", "models/m", "models/m/a.bin"}
    assert home.stat().st_mode & 0o777 == 0o700


def test_they_are_read_where_a_process_begins() -> None:
    """By a command, by a worker, by a call from Python; everybody else is handed them."""
    readers = {
        f"{path.relative_to(SOURCES).as_posix()} {node.name}"
        for path in SOURCES.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and any(reads(inner) for inner in ast.walk(node))
    }
    python = {
        f"__init__.py {name}"
        for name in ("make_plan", "make_frame_plan", "make_finish_plan", "finish_video", "_components")
    }
    own = {"terminal.py reporting", "jobs/worker.py main", "jobs/executors/keeper.py main", "finish/look.py look"}
    assert readers == {*own, "jobs/executors/actor.py _work"} | python


def reads(node: ast.AST) -> bool:
    """Whether the settings are named here, to be called or handed on."""
    return NAME in (getattr(node, "id", None), getattr(node, "attr", None))


@pytest.mark.parametrize(("code", "language"), [("zh_TW.UTF-8", "zh-TW"), ("RU", "ru"), ("", "en")])
def test_a_language_may_be_written_as_systems_do(
    home: Path, monkeypatch: pytest.MonkeyPatch, code: str, language: str
) -> None:
    monkeypatch.setenv("EICHI_LANGUAGE", code)
    assert load_settings().language == asked_language() == language
    monkeypatch.delenv("EICHI_LANGUAGE")
    write(home, json.dumps({"language": code or "en"}))
    assert load_settings().language == asked_language() == language


def test_what_is_said_before_the_settings_are_read_is_in_some_language(home: Path) -> None:
    write(home, "{")
    assert asked_language() == "en"


def test_a_decimal_comma_is_read_in_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EICHI_PRESERVE_GB", "6,5")
    assert load_settings().preserve_gb == 6.5


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("", ""),
        (" https://models.example/ ", "https://models.example"),
        ("https://models.example:8443/hub", "https://models.example:8443/hub"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_a_mirror_is_an_address(monkeypatch: pytest.MonkeyPatch, given: str, kept: str) -> None:
    monkeypatch.setenv("EICHI_MIRROR", given)
    assert load_settings().mirror == kept


@pytest.mark.parametrize(
    "given",
    ["http://models.example", "models.example", "ftp://models.example", "https://", "https://user:word@models.example",
     "https://models.example?a=b", "https://models.example#a", "https://[::1", "https://a:99999999", "file:///etc",
     "http://localhost.example", "https://models.example/a b", "https://models.example\\@x", "javascript:alert(1)"],
)  # fmt: skip
def test_what_is_no_safe_address_is_no_mirror(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("EICHI_MIRROR", given)
    with pytest.raises(OptionError, match="https://"):
        load_settings()


def test_a_token_is_kept_and_never_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home, '{"token": " hf_secret\\n"}')
    settings = load_settings()
    assert settings.token is not None
    assert settings.token.get_secret_value() == "hf_secret"
    assert "secret" not in f"{settings!r} {settings} {settings.model_dump_json()} {settings.model_dump()}"
    monkeypatch.setenv("EICHI_TOKEN", "hf_sécret two")
    with pytest.raises(OptionError, match="token has only") as caught:
        load_settings()
    assert "cret" not in f"{caught.value} {caught.value.values}"
    monkeypatch.setenv("EICHI_TOKEN", "")
    write(home, '{"token": ""}')
    assert load_settings().token is None
