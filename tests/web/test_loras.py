"""The place for LoRA: what is in the folder, what is taken in, which names a browser may say, five presets."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from eichi.errors import EichiError, InputError
from eichi.options import VideoOptions
from eichi.web.desk import Desk
from eichi.web.i18n import Words
from eichi.web.lorafolder import Chosen, LoraPlace, LoraView, Presets

# The only layer of the smallest change: of the embedded model's first block, 64 channels wide.
LAYER = "transformer.transformer_blocks.0.attn.to_q"


@pytest.fixture
def file(desk: Desk) -> Path:
    from eichi.catalog import find
    from eichi.models.shapes import transformer_shapes

    out, into = transformer_shapes(find("tiny"), desk.settings.models)["transformer_blocks.0.attn.to_q.weight"]
    path = desk.loras.folder / "style.safetensors"
    path.parent.mkdir(parents=True)
    pair = {f"{LAYER}.lora_A.weight": np.ones((1, into)), f"{LAYER}.lora_B.weight": np.ones((out, 1))}
    save_file({name: values.astype(np.float32) for name, values in pair.items()}, path)
    return path


def test_files_are_listed_with_the_models_that_they_fit(desk: Desk, file: Path) -> None:
    file.with_name("broken.safetensors").write_bytes(b"\x80\x04.")
    broken, style = desk.loras.list("ru")
    assert (style.name, style.said) == (file.name, "")
    assert "tiny" in style.fits
    assert broken.fits == ()
    assert any("а" <= letter <= "я" for letter in str(broken.said))
    desk.loras.name(file.parent.parent / "gone.safetensors")  # a request named it
    assert desk.loras.list("en")[-1] == LoraView(name="gone.safetensors", fits=(), said=None)


def test_files_below_and_in_other_folders_are_listed(desk: Desk, file: Path, tmp_path: Path) -> None:
    for path in (file.parent / "a" / file.name, tmp_path / "more" / file.name, tmp_path / "more" / "b.SAFETENSORS"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(file.read_bytes())
    deep = b'{"__metadata__": {"lora_config": "' + b"[" * 100_000 + b'"}}'
    (tmp_path / "more" / "odd.safetensors").write_bytes(len(deep).to_bytes(8, "little") + deep)
    desk.adjust(desk.settings.model_copy(update={"lora_folders": str(tmp_path / "more")}))
    listed = {view.name: view for view in desk.loras.list("en")}
    assert [*listed] == [
        "a/style.safetensors",
        "style.safetensors",
        "b.SAFETENSORS",
        "odd.safetensors",
        "more/style.safetensors",
    ]
    assert [*listed].count("style.safetensors") == 1
    assert [name for name, view in listed.items() if "tiny" not in view.fits] == ["odd.safetensors"]
    place = LoraPlace(desk.loras, Words("en"))
    for name in ("a/style.safetensors", "more/style.safetensors", "b.SAFETENSORS"):
        (chosen,) = place.values([{"name": name, "strength": 0.5}])
        assert desk.loras.name(chosen["file"]) == name


def test_what_is_given_is_looked_at_before_it_has_its_place(desk: Desk, file: Path) -> None:
    """Deep JSON, a number that is none: nobody ever sees the file, and the sentence has the name that was given."""
    deep = b"[" * 100_000
    bad = file.read_bytes()[:-4] + b"\xff\xff\xff\xff"
    for content in (len(deep).to_bytes(8, "little") + deep, bad):
        with pytest.raises(EichiError, match=r"[/\\]new\.safetensors"):
            desk.receive_lora("new.safetensors", io.BytesIO(content))
    header = json.dumps({"__metadata__": {"eichi": "[" * 100_000}}).encode()
    with pytest.raises(EichiError):
        desk.receive("new.safetensors", io.BytesIO(len(header).to_bytes(8, "little") + header))
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    assert [view.name for view in desk.loras.list("en")] == [file.name]


def test_only_lora_files_are_taken_in(desk: Desk, file: Path) -> None:
    content = file.read_bytes()
    assert desk.receive_lora("a/b/other.safetensors", io.BytesIO(content)).parent == file.parent
    for name, given in (("style.safetensors", content), ("x.pt", content), ("x.safetensors", b"\x80\x04.")):
        with pytest.raises(EichiError):
            desk.receive_lora(name, io.BytesIO(given))
    assert sorted(path.name for path in file.parent.iterdir()) == ["other.safetensors", "style.safetensors"]


def test_a_browser_says_names_and_no_paths(desk: Desk, file: Path, tmp_path: Path) -> None:
    place = LoraPlace(desk.loras, Words("en"))
    assert place.values([{"name": file.name, "strength": 0.5}]) == [{"file": file, "strength": 0.5}]
    for name in ("../style.safetensors", str(file), "none.safetensors", ""):
        with pytest.raises(InputError):
            place.values([{"name": name, "strength": 1.0}])
    # What a favourite brought along is known by its name.
    other = tmp_path / "elsewhere.safetensors"
    other.write_bytes(file.read_bytes())
    request = VideoOptions.parse({"weights": {"loras": [{"file": other, "strength": 1.5}]}})
    chosen = place.show(request)["value"]
    assert chosen == [{"name": other.name, "strength": 1.5}]
    assert place.values(chosen) == [{"file": other, "strength": 1.5}]


def test_presets(desk: Desk, file: Path) -> None:
    presets = Presets(desk.settings.home, desk.loras, lambda note: None)
    assert presets.list() == {number: [] for number in range(1, 6)}
    presets.save(2, [Chosen(name=file.name, strength=0.3)])
    assert presets.list()[2] == [Chosen(name=file.name, strength=0.3)]
    for number, strength in ((6, 0.5), (1, 3.0)):
        with pytest.raises(EichiError):
            presets.save(number, [Chosen(name=file.name, strength=strength)])
