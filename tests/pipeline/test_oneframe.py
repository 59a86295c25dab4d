"""From a request for one image to a PNG, on a small random checkpoint: every input reaches the model as planned."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from eichi import make_frame_plan
from eichi.catalog import ModelFolders
from eichi.errors import OptionError, RunError
from eichi.events import (
    Adjusted,
    Event,
    FrameDrawn,
    FrameFinished,
    FramesReady,
    FrameStarted,
    LatentsReady,
    Step,
    Stopped,
)
from eichi.library.whereabouts import marks_of
from eichi.models.load import Components
from eichi.options import FrameOptions
from eichi.pipeline.conditioning import encode_picture, encode_vision
from eichi.pipeline.decode import Decoder
from eichi.pipeline.oneframe import compute_frame, fit_picture, generate_frame, masked
from eichi.pipeline.sampling import schedule, shift
from eichi.plan.oneframe import FramePlan
from eichi.settings import Runtime
from eichi.video.images import fit, load
from eichi.video.latentfile import load_latents
from eichi.video.metadata import portable, read_record
from tests import small
from tests.recording import recorded

LATENT = (6, 10)  # of 48 x 80 pixels


@pytest.fixture(scope="module")
def components(tmp_path_factory: pytest.TempPathFactory) -> Components:
    folder = small.build(tmp_path_factory.mktemp("framepack"))
    return Components(small.entry(folder), Runtime(ModelFolders(folder), "cpu"))


@pytest.fixture
def calls(components: Components) -> Iterator[list[dict[str, Any]]]:
    """What the transformer is given, call by call; its answer leads to zero."""
    with recorded(components.transformer) as seen:
        yield seen


@pytest.fixture
def start(tmp_path: Path) -> Path:
    return noise(tmp_path / "start.png", 0)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    return noise(tmp_path / "other.png", 1)


def noise(path: Path, seed: int, size: tuple[int, int] = (80, 48), channels: int = 3) -> Path:
    values = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], channels), dtype=np.uint8)
    Image.fromarray(values).save(path)
    return path


def grey(path: Path, values: NDArray[np.uint8]) -> Path:
    Image.fromarray(values).save(path)
    return path


def plan_of(components: Components, picture: Path, *references: object, **values: Any) -> FramePlan:
    sampling = {"steps": 2} | values.pop("sampling", {})
    request = {"image": picture, "prompt": "a {red} star", "seed": 5, "references": references, **values}
    return make_frame_plan(FrameOptions.parse(request | {"sampling": sampling}), components.entry)


def pixels_of(plan: FramePlan, components: Components) -> NDArray[np.uint8]:
    events = compute_frame(plan, components, [fit_picture(picture, plan) for picture in plan.pictures])
    (found,) = (event.frames for event in events if isinstance(event, FramesReady))
    return found


def digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_the_events_and_the_file(components: Components, start: Path, other: Path, tmp_path: Path) -> None:
    plan = plan_of(components, start, f"{other}:12", seed=None)
    said = list(generate_frame(plan, tmp_path / "out", components))
    events = [event for event in said if not isinstance(event, Adjusted)]  # what the machine has room for
    kinds = [FrameStarted, Step, Step, FrameDrawn, LatentsReady, FramesReady, FrameFinished]
    assert [type(event) for event in events] == kinds
    done, drawn, last = events[-1], events[3], events[2]
    assert isinstance(done, FrameFinished)
    assert isinstance(drawn, FrameDrawn)
    assert isinstance(last, Step)
    assert (drawn.computed, drawn.reused, last.fraction) == (2, 0, 1.0)
    assert done.positions == {"target": [1], "clean": [0, 12], "post": [], "x2": [], "x4": []}
    assert [path.name for path in (tmp_path / "out").iterdir()] == [Path(done.image).name]
    with Image.open(done.image) as image:
        assert (image.size, image.mode) == ((80, 48), "RGB")
        assert f"Seed: {done.seed}" in image.info["parameters"]
    record = read_record(Path(done.image))
    assert (record["request"], record["files"]) == (portable(plan.options), marks_of(plan.options))
    assert (record["kind"], record["seed"], record["positions"]) == ("frame", done.seed, done.positions)
    again = list(generate_frame(plan_of(components, start, f"{other}:12", seed=done.seed), tmp_path / "b", components))
    assert isinstance(again[-1], FrameFinished)
    assert digest(again[-1].image) == digest(done.image)


def test_conditions_change_the_picture(components: Components, start: Path, other: Path, tmp_path: Path) -> None:
    half = grey(tmp_path / "half.png", np.repeat(np.array([[0, 255]], dtype=np.uint8), 40, axis=1))
    plain = pixels_of(plan_of(components, start, other), components)
    for references, values in (
        ([], {}),
        ([f"{other}:14"], {}),
        ([f"{other}:10:{half}"], {}),
        ([other, start], {}),
        ([other], {"mask": half}),
        ([other], {"target": 5}),
        ([other], {"denoise": 0.7}),
        ([other], {"prompt": "star star moves"}),
        ([other], {"sampling": {"cfg": 3.0}}),
        ([other], {"profile": "musubi", "target": 1}),
        ([other], {"profile": "oichi"}),
        ([other], {"seed": 6}),
    ):
        changed = pixels_of(plan_of(components, start, *references, **values), components)
        assert not np.array_equal(changed, plain), (references, values)


def test_what_the_model_receives(components: Components, calls: list[dict[str, Any]], start: Path, other: Path) -> None:
    plan = plan_of(components, start, f"{other}:13", profile="musubi", target=4)
    pixels_of(plan, components)
    given = calls[0]
    one, two = (encode_picture(components, fit(load(path), 80, 48, "crop")) for path in (start, other))
    assert given["indices_latents"].tolist() == [4]
    assert given["indices_latents_clean"].tolist() == [0, 13, 10]
    assert torch.equal(given["latents_clean"], torch.cat([one, two, torch.zeros_like(one)], dim=2))
    assert given["indices_latents_history_2x"].tolist() == [11, 12]
    assert given["indices_latents_history_4x"].tolist() == list(range(13, 29))
    for scale, count in (("2x", 2), ("4x", 16)):
        assert given[f"latents_history_{scale}"].shape == (1, 16, count, *LATENT)
        assert not given[f"latents_history_{scale}"].any()
    expected = torch.randn((1, 16, 1, *LATENT), generator=torch.Generator().manual_seed(5))
    assert torch.equal(given["hidden_states"], expected)


def test_oichis_quirk_reaches_the_model(
    components: Components, calls: list[dict[str, Any]], start: Path, other: Path
) -> None:
    for target in (3, 5):
        pixels_of(plan_of(components, start, other, profile="oichi", target=target), components)
    for given, target in ((calls[0], 3), (calls[2], 5)):
        assert given["indices_latents"].tolist() == given["indices_latents_history_4x"].tolist() == [target]
        assert given["indices_latents_clean"].tolist() == [0, 16]
        assert given["indices_latents_history_2x"].tolist() == [12]
        assert given["latents_history_2x"].shape == given["latents_history_4x"].shape == (1, 16, 1, *LATENT)


def test_absent_latents_have_no_position(components: Components, calls: list[dict[str, Any]], start: Path) -> None:
    pixels_of(plan_of(components, start), components)
    for scale in ("2x", "4x"):
        assert calls[0][f"indices_latents_history_{scale}"].tolist() == []
    assert calls[0]["latents_clean"].shape == (1, 16, 1, *LATENT)


def test_a_mask_takes_out_exactly_its_part(
    components: Components, calls: list[dict[str, Any]], start: Path, other: Path, tmp_path: Path
) -> None:
    values = np.full((48, 80), 255, dtype=np.uint8)
    values[:, :16], values[:, 16:24] = 0, 51
    mask = grey(tmp_path / "mask.png", values)
    pixels_of(plan_of(components, start, f"{other}:10:{mask}"), components)
    pixels_of(plan_of(components, start, other), components)
    pixels_of(plan_of(components, start, other, mask=grey(tmp_path / "b.png", np.zeros_like(values))), components)
    part, whole, black = (calls[at]["latents_clean"] for at in (0, 2, 4))
    assert torch.equal(part[:, :, 0], whole[:, :, 0])
    assert not part[:, :, 1, :, :2].any()
    assert torch.allclose(part[:, :, 1, :, 2], 0.2 * whole[:, :, 1, :, 2])
    assert torch.equal(part[:, :, 1, :, 3:], whole[:, :, 1, :, 3:])
    assert not black[:, :, 0].any()
    assert torch.equal(black[:, :, 1], whole[:, :, 1])
    assert torch.equal(calls[0]["image_embeds"], calls[4]["image_embeds"])


@pytest.mark.parametrize("how", ["crop", "letterbox"])
def test_a_mask_goes_where_its_picture_goes(components: Components, start: Path, tmp_path: Path, how: str) -> None:
    """The bright part of a picture of another shape, and the mask of that part at another size, end in one place."""
    bright = np.zeros((90, 30), dtype=np.uint8)
    bright[30:60, 10:20] = 255
    picture = grey(tmp_path / "tall.png", bright)
    mask = grey(tmp_path / "mask.png", np.kron(bright, np.ones((2, 2), dtype=np.uint8)))
    plan = plan_of(components, start, f"{picture}:10:{mask}", fit=how)
    fitted = fit_picture(plan.pictures[1], plan)
    assert fitted.mask is not None
    assert (np.abs(fitted.pixels[..., 0].astype(int) - fitted.mask) < 80).all()
    assert fitted.mask[24, 40] == 255
    if how == "letterbox":
        white = grey(tmp_path / "white.png", np.full((90, 30), 255, dtype=np.uint8))
        plan = plan_of(components, start, f"{picture}:10:{white}", fit=how)
        whole = fit_picture(plan.pictures[1], plan).mask
        assert whole is not None
        assert not whole[:, :31].any()
        assert (whole[:, 33:47] == 255).all()


def test_transparency_is_a_mask(
    components: Components, calls: list[dict[str, Any]], start: Path, tmp_path: Path
) -> None:
    rgba = np.full((48, 80, 4), 255, dtype=np.uint8)
    rgba[:, 40:, 3] = 0
    clear = grey(tmp_path / "clear.png", rgba)
    events = list(generate_frame(plan_of(components, start, clear), tmp_path, components))
    assert events[0] == Adjusted("note.frame.alpha", {"path": str(clear)})
    assert calls[0]["latents_clean"][:, :, 1, :, :5].any()
    assert not calls[0]["latents_clean"][:, :, 1, :, 5:].any()
    white = grey(tmp_path / "white.png", np.full((48, 80), 255, dtype=np.uint8))
    pixels_of(plan_of(components, start, f"{clear}:10:{white}"), components)
    assert calls[2]["latents_clean"][:, :, 1, :, 5:].all()
    opaque = noise(tmp_path / "opaque.png", 3)
    Image.open(opaque).convert("RGBA").save(opaque)
    plan = plan_of(components, start, opaque)
    assert fit_picture(plan.pictures[1], plan).mask is None


def test_a_mask_painted_on_nothing_is_a_mask(components: Components, start: Path, tmp_path: Path) -> None:
    rgba = np.full((48, 80, 4), 255, dtype=np.uint8)
    rgba[:, 40:, 3] = 0
    mask = grey(tmp_path / "mask.png", rgba)
    plan = plan_of(components, start, f"{noise(tmp_path / 'a.png', 3)}:10:{mask}")
    fitted = fit_picture(plan.pictures[1], plan)
    assert fitted.mask is not None
    assert (fitted.mask[:, :40] == 255).all()
    assert not fitted.mask[:, 40:].any()
    events = list(generate_frame(plan, tmp_path, components))
    assert events[0] == fitted.word == Adjusted("note.mask.black", {"path": str(mask)})


@pytest.mark.parametrize("strength", [0.25, 0.8])
def test_denoising_in_part_starts_from_the_picture(
    components: Components, calls: list[dict[str, Any]], start: Path, tmp_path: Path, strength: float
) -> None:
    black = grey(tmp_path / "black.png", np.zeros((48, 80), dtype=np.uint8))
    pixels_of(plan_of(components, start, denoise=strength, mask=black), components)
    image = encode_picture(components, fit(load(start), 80, 48, "crop"))
    drawn = torch.randn(image.shape, generator=torch.Generator().manual_seed(5))
    assert torch.allclose(calls[0]["hidden_states"], (1 - strength) * image + strength * drawn)
    sigmas = schedule(2, shift(15), strength)
    assert [call["timestep"].item() for call in calls] == pytest.approx([1000 * sigma for sigma in sigmas[:2]])
    assert sigmas[0] == strength


@pytest.mark.parametrize(("asked", "factor"), [(None, shift(15)), (3.0, 3.0)])
def test_the_shift_is_frame_packs_or_the_one_asked_for(
    components: Components, calls: list[dict[str, Any]], start: Path, asked: float | None, factor: float
) -> None:
    pixels_of(plan_of(components, start, sampling={"steps": 3, "shift": asked}), components)
    sigmas = schedule(3, factor)[:3]
    assert [call["timestep"].item() for call in calls] == pytest.approx([1000 * sigma for sigma in sigmas])


def test_siglip_sees_start_reference_or_both(
    components: Components, calls: list[dict[str, Any]], start: Path, other: Path
) -> None:
    one, two = (encode_vision(components, fit(load(path), 80, 48, "crop")) for path in (start, other))
    for share in (0.0, 1.0, 0.3):
        calls.clear()
        pixels_of(plan_of(components, start, other, start, vision=share), components)
        assert torch.allclose(calls[0]["image_embeds"], (1 - share) * one + share * two, atol=1e-6)
    assert not torch.allclose(one, two)


def test_the_latent_is_kept_where_asked_for(components: Components, start: Path, tmp_path: Path) -> None:
    plan = plan_of(components, start, output={"latents": True})
    events = list(generate_frame(plan, tmp_path / "out", components))
    (made,) = (event for event in events if isinstance(event, LatentsReady))
    picture, file = sorted((tmp_path / "out").iterdir())
    assert (picture.suffix, file.suffix, picture.stem) == (".png", ".safetensors", file.stem)
    kept = load_latents(file)
    assert kept.values.shape == (1, 16, 1, *LATENT)
    assert np.array_equal(kept.values, made.latents)
    assert read_record(file)["request"] == portable(plan.options)
    run = Decoder(components.vae, 1, "forward").push(0, torch.from_numpy(kept.values))
    assert run is not None
    assert np.array_equal(run[1][0], np.asarray(Image.open(picture)))


def test_a_mask_multiplies() -> None:
    latent = torch.ones(1, 2, 1, 2, 2)
    mask = np.zeros((16, 16), dtype=np.uint8)
    mask[:8, :8], mask[8:, 8:12] = 255, 255
    assert masked(latent, mask)[0, 1, 0].tolist() == [[1.0, 0.0], [0.0, 0.5]]


def test_teacache_counts(components: Components, start: Path, tmp_path: Path) -> None:
    sampling = {"steps": 6, "threshold": 1.0, "cfg": 2.0}
    events = list(generate_frame(plan_of(components, start, sampling=sampling), tmp_path, components))
    assert FrameDrawn(4, 8) in events


@pytest.mark.parametrize("last", [FrameStarted, Step, LatentsReady, FramesReady])
def test_stopped_leaves_nothing_or_all(components: Components, start: Path, tmp_path: Path, last: type[Event]) -> None:
    plan, seen = plan_of(components, start, output={"latents": True}), list[Event]()
    for event in generate_frame(plan, tmp_path / "out", components, lambda: isinstance(seen[-1], last)):
        seen.append(event)
    whole = last is FramesReady
    assert isinstance(seen[-1], FrameFinished) if whole else seen[-1] == Stopped(None, 5, 0, 0)
    assert len(list((tmp_path / "out").iterdir())) == (2 if whole else 0)


def test_nan_is_said_and_leaves_nothing(tmp_path: Path, start: Path) -> None:
    folder = small.build(tmp_path / "broken")
    model = Components(small.entry(folder), Runtime(ModelFolders(folder), "cpu"))
    torch.nn.init.constant_(model.transformer.proj_out.bias, float("nan"))
    with pytest.raises(RunError, match="The frame"):
        list(generate_frame(plan_of(model, start), tmp_path / "out", model))
    assert list((tmp_path / "out").iterdir()) == []
    assert "_pack_history_states" not in vars(model.transformer)


def test_f1_is_refused(tmp_path: Path, start: Path) -> None:
    folder = small.build(tmp_path / "f1", "framepack-f1")
    with pytest.raises(OptionError, match="standard model"):
        make_frame_plan(FrameOptions(image=start), small.entry(folder))
