"""A folder of eichi 1.9 is taken over, and the report says everything."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json, to_json

from eichi.cli import commands
from eichi.errors import InputError
from eichi.events import Adjusted
from eichi.library import imports
from eichi.library.eichi19 import PROMPTS
from eichi.library.favourites import Favourites
from eichi.library.imports import Item, import_folder
from eichi.library.loras import Loras, lora
from eichi.library.prompts import PromptPresets
from eichi.options import FrameOptions, VideoOptions
from eichi.words import languages
from tests.library.test_archive import EICHI, PNG, pack

STOCK = sorted(PROMPTS)[0]
STANDARD = {
    "resolution": 768,
    "mp4_crf": 20,
    "steps": 30,
    "cfg": 1.0,
    "gs": 8.5,
    "use_teacache": False,
    "use_all_padding": True,
    "all_padding_value": 0.7,
    "end_frame_strength": 0.5,
    "keep_section_videos": True,
    "save_section_frames": True,
    "save_tensor_data": True,
    "frame_save_mode": "最終セクションのみ全フレーム画像保存",
    "gpu_memory_preservation": 6,
    "use_vae_cache": False,
    "alarm_on_completion": True,
}
OICHI = {
    "resolution": 640,
    "prompt": "wears the dress",
    "steps": 20,
    "latent_window_size": 11,
    "use_clean_latents_2x": False,
    "use_reference_image": True,
    "target_index": 2,
    "history_index": 13,
    "reference_long_edge": True,
    "seed": 77,
    "use_random_seed": False,
    "use_lora": True,
    "lora1": "style.safetensors",
    "lora2": "無",
    "lora3": "Нет",
    "lora_scales": "0.4,0.8,0.8",
    "latent_index": 0,
}


def put(base: Path, name: str, values: Any) -> None:
    path = base / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(values if isinstance(values, str) else json.dumps(values, ensure_ascii=False), encoding="utf-8")


@pytest.fixture
def eichi19(tmp_path: Path) -> Path:
    """A folder as eichi 1.9 leaves it."""
    base = tmp_path / "FramePack" / "webui"
    prompts = [
        {"name": f"デフォルト 1: {STOCK[:20]}...", "prompt": STOCK, "is_default": True},
        {"name": "デフォルト 2: edited", "prompt": "edited by hand", "is_default": True},
        {"name": "mine", "prompt": "A character walks. A character runs!\n", "is_default": False},
        {"name": "起動時デフォルト", "prompt": "my start", "is_default": True, "is_startup_default": True},
    ]
    put(base, "presets/prompt_presets.json", {"presets": prompts, "default_startup_prompt": "my start"})
    empty = {"lora1": "なし", "lora2": "None", "lora3": "Нет", "scales": "0.8,0.8,0.8"}
    filled = empty | {"lora1": "None", "lora2": "style.safetensors", "lora3": "gone.safetensors", "scales": "0.5, 1"}
    put(base, "presets/lora_presets.json", {"presets": [empty, filled], "default_preset_index": 0})
    put(base, "presets/favorite_settings.json", {"favorites": [{"name": "dress", "timestamp": "t", **OICHI}]})
    settings = {
        "output_folder": "results",
        "log_settings": {"log_enabled": False},
        "app_settings_eichi": STANDARD,
        "app_settings_f1": {"resolution": 640, "image_strength": 1.01, "frame_save_mode": "Не сохранять"},
        "app_settings_oichi": {"steps": 12},
    }
    put(base, "settings/app_settings.json", "\ufeff" + json.dumps(settings))
    put(base, "settings/vae_settings.json", {"use_tiling": True})
    config = {
        "config_name": "dance",
        "format_version": "2.0",
        "image_path": "config_images\\cat_0123.png",
        "prompt": "dances",
        "lora_settings": {
            "use_lora": True,
            "lora_scales": "0.6,0.8,0.8",
            "lora_mode_key": "directory_selection",
            "lora_dropdown_files": ["style.safetensors", "none_option", "none_option"],
        },
        "other_params": {},
    }
    put(base, "configs/dance.json", config)
    put(base, "queue/dance.json", config)
    put(base, "error/lost.json", {"prompt": "p", "image_path": "none.png", "error": {"message": "x"}})
    for name in ("lora/style.safetensors", "config_images/cat_0123.png"):
        put(base, name, "")
    pack(base / "section_export_1.zip", EICHI, {"sections/000.png": PNG})
    (base / "other.zip").write_bytes(b"x")
    return base


def named(items: list[Item], file: str) -> list[tuple[str, str, bool, list[str]]]:
    return [
        (item.kind, item.name, item.taken, [note.id.removeprefix("note.") for note in item.notes])
        for item in items
        if item.file == file
    ]


def of(home: Path) -> tuple[PromptPresets, Favourites, Loras]:
    notes: list[Adjusted] = []
    return PromptPresets(home, notes.append), Favourites(home, notes.append), Loras(home, notes.append)


def test_prompts(eichi19: Path, home: Path) -> None:
    _, items = import_folder(eichi19, home)
    prompts, _, _ = of(home)
    own = [(preset.name, preset.text) for preset in prompts.list() if not preset.built_in]
    assert own == [
        ("デフォルト 2: edited", "edited by hand"),
        ("mine", "A character walks. A character runs!\n"),
    ]
    assert prompts.startup == "my start"
    assert named(items, "presets/prompt_presets.json") == [
        ("prompt", f"デフォルト 1: {STOCK[:20]}...", False, ["import.built_in"]),
        ("prompt", "デフォルト 2: edited", True, []),
        ("prompt", "mine", True, []),
        ("startup", "my start", True, []),
    ]


def test_lora_presets(eichi19: Path, home: Path) -> None:
    _, items = import_folder(eichi19, home)
    folder = eichi19 / "lora"
    slots = of(home)[2].list()
    assert slots[2].loras == (lora(folder / "style.safetensors", 0.5), lora(folder / "gone.safetensors", 1.0))
    assert [number for number, slot in slots.items() if slot.loras] == [2]
    assert named(items, "presets/lora_presets.json") == [
        ("slot", "1", False, ["import.empty"]),
        ("slot", "2", True, ["import.lora"]),
    ]


def test_settings_become_favourites(eichi19: Path, home: Path) -> None:
    _, items = import_folder(eichi19, home)
    favourites = of(home)[1]
    standard = favourites.apply("eichi 1.9")
    assert standard == VideoOptions.parse(
        {
            "model": "framepack",
            "resolution": 768,
            "keyframes": {"final_strength": 0.5},
            "sampling": {"steps": 30, "guidance": 8.5, "teacache": False, "padding": 0.7},
            "output": {"crf": 20, "segments": True, "stills": True, "latents": True, "frames": "last"},
        }
    )
    forward = favourites.apply("eichi 1.9 F1")
    assert forward == VideoOptions.parse(
        {"model": "framepack-f1", "resolution": 640, "sampling": {"image_strength": 1.01}}
    )
    single = favourites.apply("eichi 1.9 oichi")
    assert isinstance(single, FrameOptions)
    assert (single.profile, single.sampling.steps) == ("oichi", 12)
    told = named(items, "settings/app_settings.json")
    assert [(kind, taken) for kind, _, taken, _ in told] == [
        ("favourite", True),
        ("favourite", True),
        ("favourite", True),
        ("folder", False),
        ("file", False),
    ]
    (rest,) = [note for item in items if item.name == "eichi 1.9" for note in item.notes]
    assert rest.values == {"keys": "alarm_on_completion, gpu_memory_preservation, use_vae_cache"}
    (place,) = [item.notes[0].values["folder"] for item in items if item.kind == "folder"]
    assert place == str(eichi19 / "results")


def test_favourites(eichi19: Path, home: Path) -> None:
    _, items = import_folder(eichi19, home)
    kept = of(home)[1]
    single = kept.apply("dress")
    assert isinstance(single, FrameOptions)
    assert (single.model, single.profile, single.target, single.window) == ("framepack", "oichi", 2, 11)
    assert (single.prompt, single.seed, single.fit, single.zeros.x2) == ("wears the dress", 77, "letterbox", False)
    assert kept.get("dress").request["weights"]["loras"] == [f"{eichi19 / 'lora' / 'style.safetensors'}:0.4"]
    assert named(items, "presets/favorite_settings.json") == [
        ("favourite", "dress", True, ["import.no_place", "import.reference"])
    ]


def test_queued_configurations(eichi19: Path, home: Path) -> None:
    _, items = import_folder(eichi19, home)
    kept = of(home)[1]
    request = kept.apply("dance")
    assert (request.model, request.prompt) == ("framepack-f1", "dances")
    assert request.image == eichi19 / "config_images" / "cat_0123.png"
    assert kept.get("dance").request["weights"]["loras"] == [f"{eichi19 / 'lora' / 'style.safetensors'}:0.6"]
    assert named(items, "queue/dance.json") == [("favourite", "dance", False, ["import.same"])]
    assert named(items, "error/lost.json") == [("favourite", "lost", True, ["import.picture"])]


def test_section_archives(eichi19: Path, home: Path) -> None:
    _, items = import_folder(eichi19, home)
    request = of(home)[1].apply("section_export_1")
    assert isinstance(request, VideoOptions)
    assert (request.prompt, request.seconds, request.model) == ("猫が歩く\nslowly", 6.0, "framepack")
    assert request.keyframes.sections[0].read_bytes() == PNG
    assert request.keyframes.sections[0].is_relative_to(home)
    assert named(items, "other.zip") == [("file", "other.zip", False, ["error.archive.damaged"])]


def test_nothing_is_taken_twice_and_nothing_of_theirs_changes(eichi19: Path, home: Path) -> None:
    before = {path: path.read_bytes() for path in eichi19.rglob("*") if path.is_file()}
    import_folder(eichi19, home)
    first = {name: favourite for name, favourite in of(home)[1].list().items()}
    _, again = import_folder(eichi19, home)
    assert [item.name for item in again if item.taken] == []
    assert of(home)[1].list() == first
    assert {path: path.read_bytes() for path in eichi19.rglob("*") if path.is_file()} == before


def test_what_is_here_stays(eichi19: Path, home: Path) -> None:
    prompts, favourites, loras = of(home)
    prompts.save("mine", "other")
    prompts.save("", "start here")
    favourites.save("dance", VideoOptions(prompt="other"))
    loras.save(2, [lora("here.safetensors")])
    _, items = import_folder(eichi19, home)
    assert (prompts.apply("mine"), prompts.apply("mine (2)"), prompts.startup) == (
        "other",
        "A character walks. A character runs!\n",
        "start here",
    )
    assert (favourites.apply("dance").prompt, favourites.apply("dance (2)").prompt) == ("other", "dances")
    assert loras.list()[2].loras == (lora("here.safetensors"),)
    told = [note.id for item in items for note in item.notes]
    assert (told.count("note.library.renamed"), told.count("note.import.other")) == (2, 2)


@pytest.mark.parametrize("path", ["FramePack", "FramePack/webui", "FramePack/webui/presets"])
def test_the_folder_is_found(eichi19: Path, tmp_path: Path, home: Path, path: str) -> None:
    assert import_folder(tmp_path / path, home)[0] == eichi19


@pytest.mark.parametrize("path", [".", "none", "FramePack/webui/lora"])
def test_another_folder_is_refused(eichi19: Path, tmp_path: Path, home: Path, path: str) -> None:
    with pytest.raises(InputError, match="not a folder of eichi"):
        import_folder(tmp_path / path, home)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"presets": [3], "favorites": [3]}',
        '{"presets": 3, "favorites": {"a": 1}}',
        "[" * 99_999,
    ],
)
def test_a_damaged_file_keeps_nothing_else_from_being_taken(eichi19: Path, home: Path, text: str) -> None:
    for name in ("presets/prompt_presets.json", "presets/lora_presets.json", "presets/favorite_settings.json"):
        put(eichi19, name, text)
    _, items = import_folder(eichi19, home)
    told = {"note.import.damaged", "note.import.entry"}
    damaged = [item.file for item in items if any(note.id in told for note in item.notes)]
    assert len(damaged) == 3
    assert "eichi 1.9" in of(home)[1].list()


def test_a_bad_entry_is_left_out_and_named(eichi19: Path, home: Path) -> None:
    bad: list[Any] = [
        5,
        None,
        {},
        {"name": None, "prompt": None},
        {"name": "x"},
        {"prompt": "p"},
        {"name": 5, "prompt": "p"},
        [],
    ]
    put(eichi19, "presets/prompt_presets.json", {"presets": [*bad, {"name": "good", "prompt": "p"}]})
    put(eichi19, "presets/favorite_settings.json", {"favorites": [*bad, {"name": "good", "steps": 9}]})
    filled = {"lora1": "style.safetensors", "scales": "0.5"}
    put(eichi19, "presets/lora_presets.json", {"presets": [None, {"lora1": 5}, "x", filled, None, filled]})
    _, items = import_folder(eichi19, home)
    prompts, favourites, loras = of(home)
    assert prompts.apply("good") == "p"
    assert favourites.get("good").request["sampling"]["steps"] == 9
    assert [number for number, slot in loras.list().items() if slot.loras] == [4]
    told = [(item.kind, item.name) for item in items for note in item.notes if note.id == "note.import.entry"]
    assert [int(name) for kind, name in told if kind == "prompt"] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [int(name) for kind, name in told if kind == "favourite"] == [1, 2, 3, 4, 6, 7, 8]
    assert named(items, "presets/lora_presets.json") == [
        ("slot", "1", False, ["import.entry"]),
        ("slot", "2", False, ["lora.form", "import.empty"]),
        ("slot", "3", False, ["import.entry"]),
        ("slot", "4", True, []),
        ("slot", "5", False, ["import.entry"]),
        ("slot", "6", False, ["import.slots"]),
    ]


@pytest.mark.parametrize(("settings", "told"), [(None, "empty"), ({}, "empty"), ([1], "settings"), ("x", "settings")])
def test_settings_that_are_none(eichi19: Path, home: Path, settings: Any, told: str) -> None:
    odd = {"frame_save_mode": [7], "prompt": {"a": 1}, "steps": [], "use_lora": 5, "lora1": [1]}
    values = {"app_settings_eichi": settings, "app_settings_f1": odd, "app_settings_oichi": odd, "output_folder": None}
    put(eichi19, "settings/app_settings.json", values)
    _, items = import_folder(eichi19, home)
    found = named(items, "settings/app_settings.json")
    assert found[0] == ("favourite", "eichi 1.9", False, [f"import.{told}"])
    assert [(name, taken) for _, name, taken, _ in found[1:]] == [("eichi 1.9 F1", True), ("eichi 1.9 oichi", True)]


@pytest.mark.parametrize("picture", [5, "a\0b", ["x"]])
def test_a_picture_that_is_no_name(eichi19: Path, home: Path, picture: Any) -> None:
    put(eichi19, "configs/odd.json", {"image_path": picture, "prompt": "kept"})
    _, items = import_folder(eichi19, home)
    assert of(home)[1].apply("odd").prompt == "kept"
    assert named(items, "configs/odd.json") == [("favourite", "odd", True, ["option.unknown"])]


def test_a_file_of_a_million_entries(eichi19: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "MOST", 3)
    put(eichi19, "presets/favorite_settings.json", {"favorites": [5] * 10})
    _, items = import_folder(eichi19, home)
    assert [item.notes[0].id for item in items if item.file.endswith("favorite_settings.json")] == [
        *["note.import.entry"] * 3,
        "note.more",
    ]


def test_values_that_do_not_fit_are_said(eichi19: Path, home: Path) -> None:
    put(eichi19, "settings/app_settings.json", {"app_settings": {"steps": 500, "frame_save_mode": "?", "gs": "x"}})
    _, items = import_folder(eichi19, home)
    (item,) = [item for item in items if item.file == "settings/app_settings.json"]
    assert item.taken
    keys = sorted(str(note.values["key"]) for note in item.notes)
    assert keys == ["output.frames", "sampling.guidance", "sampling.steps"]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)
keys = st.sampled_from(
    ["name", "prompt", "lora1", "scales", "lora_scales", "is_default", "steps", "lora_settings", "seed"]
)


@given(entries=st.lists(st.dictionaries(keys, values, max_size=5) | values, max_size=3))
def test_whatever_is_in_a_file_there_is_a_report(tmp_path_factory: pytest.TempPathFactory, entries: list[Any]) -> None:
    base = tmp_path_factory.mktemp("a")
    put(base, "presets/prompt_presets.json", {"presets": entries})
    put(base, "presets/lora_presets.json", {"presets": entries})
    put(base, "presets/favorite_settings.json", {"favorites": entries})
    for place, entry in enumerate(entries):
        put(base, f"configs/{place}.json", json.dumps(entry))
    _, items = import_folder(base, base / "home")
    assert len(from_json(to_json(items))) == len(items)
    shutil.rmtree(base)


Run = Callable[..., Result]


@pytest.fixture
def run() -> Run:
    def invoke(*words: object) -> Result:
        return CliRunner().invoke(commands, ["import", *map(str, words)])

    return invoke


def test_the_command_reports(eichi19: Path, home: Path, run: Run) -> None:
    told = json.loads(run(eichi19, "--json").stdout.splitlines()[-1])
    assert (told["folder"], told["taken"]) == (str(eichi19), sum(item["taken"] for item in told["items"]))
    assert {item["kind"] for item in told["items"]} == {"prompt", "startup", "slot", "favourite", "folder", "file"}


@pytest.mark.parametrize("language", languages())
def test_the_command_speaks(
    eichi19: Path, run: Run, monkeypatch: pytest.MonkeyPatch, language: str, home: Path
) -> None:
    monkeypatch.setenv("EICHI_LANGUAGE", language)
    lines = run(eichi19).stdout.splitlines()
    assert str(eichi19) in lines[-1]
    assert all(line.startswith(("✓ ", "– ", "    ")) for line in lines[:-1])
    assert not [line for line in lines if "import." in line]


def test_the_command_refuses(tmp_path: Path, run: Run) -> None:
    refused = run(tmp_path, "--json")
    assert refused.exit_code == 2
    assert json.loads(refused.stdout)["error"] == "error.import.nothing"
