"""Whatever can be wrong with values and files, done by calling what commands, the page and the HTTP interface call."""

import contextlib
import json
import os
import sqlite3
import stat
import zipfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any
from unittest.mock import patch

import av
import numpy as np
import yaml
from safetensors.numpy import save_file

from eichi.catalog import ModelFolders, find
from eichi.events import Adjusted
from eichi.flags import read_request, read_sweep
from eichi.jobs.batch import Batch, expand
from eichi.jobs.lists import read_pictures, read_prompts, read_references
from eichi.jobs.queue import Queue
from eichi.jobs.repair import repair
from eichi.jobs.schema import Draft
from eichi.jobs.store import Store
from eichi.jobs.view import Figures
from eichi.library import eichi19
from eichi.library.archive import read_archive
from eichi.library.favourites import Favourites
from eichi.library.imports import import_folder
from eichi.library.loras import Loras, PresetLora, lora
from eichi.library.outside import kind_of, read_request_from
from eichi.library.prompts import PromptPresets
from eichi.library.restore import restore
from eichi.models.lorafile import read_lora
from eichi.models.loramatch import match_lora
from eichi.models.shapes import transformer_shapes
from eichi.options import FillOptions, FrameOptions, VideoOptions
from eichi.prepare import check_folder, make_fill_plan, make_frame_plan, make_plan
from eichi.settings import load_settings
from eichi.video.images import load, measure
from eichi.video.latentfile import KEY, Latents, load_latents, save_latents
from eichi.video.reader import measure_video
from eichi.video.splice import join_latents, model_of, read_source, trim_latents
from eichi.web.dropped import Reader
from eichi.web.refs import Refs
from eichi.web.uploads import Uploads
from eichi.web.visitor import Visitor
from eichi.words import ENGLISH
from tests.pictures import encoded, header

Cause = Callable[[], object]


class Desk:
    """A folder with a good and a bad file of every kind, and what can be done wrong with them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.picture = self.put("picture.png", encoded("PNG"))
        self.models = folder / "home" / "models"
        self.notes: list[Adjusted] = []

    def put(self, name: str, content: bytes | str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def tensors(self, name: str, shapes: Mapping[str, tuple[int, ...]], header: dict[str, str] | None = None) -> Path:
        path = self.folder / name
        save_file({key: np.ones(shape, np.float32) for key, shape in shapes.items()}, path, metadata=header)
        return path

    def latents(self, name: str, count: int, side: int = 8, **more: Any) -> Path:
        path = self.folder / name
        record = {"model": more.pop("model", "tiny"), "request": {}, "kind": "latents", "sources": []}
        save_latents(path, Latents(np.zeros((1, 16, count, side, side), np.float32), 0, ()), record | more)
        return path

    def locked(self, name: str) -> Path:
        """An archive that says that it is encrypted."""
        path = self.archive(name, {})
        data = bytearray(path.read_bytes())
        for sign, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            data[data.index(sign) + place] |= 1
        path.write_bytes(data)
        return path

    def archive(
        self, name: str, card: object, members: dict[str, bytes] | None = None, link: str = "", how: int = 0
    ) -> Path:
        path = self.folder / name
        with zipfile.ZipFile(path, "w", how) as archive:
            if card is not None:
                archive.writestr("sections/sections.yaml", card if isinstance(card, str) else yaml.safe_dump(card))
            for member, data in (members or {}).items():
                archive.writestr(zipfile.ZipInfo(member), data, how)
            if link:
                info = zipfile.ZipInfo(link)
                info.external_attr = (stat.S_IFLNK | 0o777) << 16
                archive.writestr(info, b"x")
        return path

    def plan(self, **values: Any) -> tuple[Adjusted, ...]:
        given = {"image": self.picture, "prompt": "a cat", "model": "tiny", "seconds": 2.0, "seed": 1} | values
        return make_plan(VideoOptions.parse(given), ModelFolders(self.models)).notes

    def image(self, **values: Any) -> tuple[Adjusted, ...]:
        given = {"image": self.picture, "prompt": "a cat", "model": "tiny", "seed": 1} | values
        return make_frame_plan(FrameOptions.parse(given), ModelFolders(self.models)).notes

    def causes(self) -> Iterator[Cause]:
        """All of them, one family after the other."""
        return chain(
            self.pictures(),
            self.requests(),
            self.images(),
            self.loras(),
            self.latent_files(),
            self.records(),
            self.archives(),
            self.kept(),
            self.eichi19(),
            self.jobs(),
            self.lists(),
            self.settings(),
            self.catalogue(),
        )

    def pictures(self) -> Iterator[Cause]:
        yield lambda: measure(self.folder / "none.png")
        yield lambda: measure(self.folder)
        yield lambda: measure(self.put("text.png", "no picture"))
        yield lambda: measure(self.put("huge.png", header(60_000, 60_000)))
        yield lambda: load(self.put("cut.png", encoded("PNG")[:200]))
        yield lambda: measure_video(self.folder / "none.mp4")
        yield lambda: measure_video(self.put("text.mp4", "no video"))
        yield lambda: check_folder(self.picture / "below")
        yield lambda: check_folder(self.folder / ("x" * 300))

    def requests(self) -> Iterator[Cause]:
        given: tuple[dict[str, Any], ...] = (
            {"prompt": " ", "negative": "x", "sampling": {"rescale": 0.5}, "keyframes": {"final_strength": 0.5}},
            {"keyframes": {"copies": True}, "output": {"crf": 90}, "seconds": 2.5},
            {"sampling": {"teacache": False, "cache": "mag", "threshold": 0.2}, "weights": {"fp8_math": True}},
            {"prompt": "word " * 900},
            {"image": None},
            {"resolution": 640},
            {"model": "nobody"},
            {"keyframes": {"sections": {"9": self.picture}}},
            {"keyframes": {"prompts": {"9": "x"}}},
            {"sampling": {"image_strength": 101}},
            {"model": "tiny-f1", "keyframes": {"final": self.picture}},
            {"keyframes": {"final": self.picture, "loop": "seamless"}},
            {"kept": {"sections": 1}},
            {"seconds": "abc"},
            {"nothing": 1},
            {"sampling": {"padding": 0.15}},
            {"prompt": "\ud83d"},
            {"image": 3},
            {"keyframes": {"sections": []}},
            {"weights": {"loras": "x"}},
            {"weights": {"loras": [{"strength": 1}]}},
            {"sampling": 3},
        )
        for values in given:
            yield partial(self.plan, **values)

    def images(self) -> Iterator[Cause]:
        reference = {"image": str(self.picture)}
        given: tuple[dict[str, Any], ...] = (
            {"model": "tiny-f1"},
            {"profile": "1f-mc", "references": [reference] * 3},
            {"profile": "musubi"},
            {"profile": "oichi", "target": 1},
            {"target": 9, "references": [reference | {"index": 1}]},
            {"target": 60},
            {"window": 20, "profile": "oichi"},
            {"window": 3},
            {"references": [reference | {"index": 5}] * 2},
            {"vision": 0.3},
            {"target": 1, "references": [reference | {"index": 1}]},
            {"profile": "comfy"},
            {"profile": "comfy", "target": 3, "references": [reference]},
            {"profile": "1f-mc", "target": 3},
            {"profile": "1f-mc", "target": 3, "references": [reference]},
            {"profile": "oichi", "references": [reference]},
            {"profile": "oichi", "references": [reference], "target": 60},
            {"profile": "1f-mc", "references": [reference], "window": 3},
            {"image": None},
        )
        for values in given:
            yield partial(self.image, **values)

        def swept(**flags: str) -> object:
            given = dict.fromkeys(["target", "window", "sweep_target", "sweep_window", "seeds"]) | flags
            return read_sweep(read_request(FrameOptions, (), given, load_settings()), given)

        for flags in ({"sweep_target": "9-1"}, {"sweep_target": "1", "target": "2"}, {"seeds": "0"}):
            yield partial(swept, **flags)

    def loras(self) -> Iterator[Cause]:
        shapes = transformer_shapes(find("tiny"), ModelFolders(self.models))
        rows, columns = shapes["transformer_blocks.0.attn.to_q.weight"]
        layer = "lora_unet_transformer_blocks_0_attn_to_q"

        def matched(path: Path) -> None:
            match_lora(read_lora(path), shapes, "tiny")

        pair = {f"{layer}.lora_down.weight": (1, columns), f"{layer}.lora_up.weight": (rows, 1)}
        good = self.tensors("good.safetensors", pair)
        more = self.tensors("more.safetensors", pair | {"other": (2, 2)}, {"modelspec.architecture": "flux-1-dev/lora"})
        for loras in ([f"{good}:0"], [f"{more}:0,5"], [f"{good}:0.5", f"{good}:0.2"], [f"{good}:9"]):
            yield partial(self.plan, weights={"loras": loras})
        wrong = {f"{layer}.lora_down.weight": (1, 7), f"{layer}.lora_up.weight": (9, 1)}
        other = {"lora_unet_x.lora_down.weight": (1, 7), "lora_unet_x.lora_up.weight": (9, 1)}
        for path in (
            self.folder / "none.safetensors",
            self.put("cut.safetensors", good.read_bytes()[:50]),
            self.put("pickle.safetensors", b"PK\x03\x04x"),
            self.put("page.safetensors", "<!doctype html>"),
            self.tensors("nothing.safetensors", {"a": (2, 2)}),
            self.tensors("wrong.safetensors", wrong),
            self.tensors("other.safetensors", other),
            self.tensors("ranks.safetensors", {f"{layer}.lora_down.weight": (1, 7), f"{layer}.lora_up.weight": (9, 2)}),
        ):
            yield partial(matched, path)
        alpha = self.folder / "alpha.safetensors"
        ones = {key: np.ones(shape, np.float32) for key, shape in pair.items()}
        save_file(ones | {f"{layer}.alpha": np.array(np.nan, np.float32)}, alpha)
        yield lambda: read_lora(alpha)

    def latent_files(self) -> Iterator[Cause]:
        good, small = self.latents("good.latents.safetensors", 19), self.latents("small.safetensors", 19, side=4)
        theirs = self.latents("theirs.safetensors", 19, model="framepack")
        bare = self.tensors("bare.safetensors", {KEY: (1, 16, 9, 8, 8)})
        yield lambda: load_latents(self.folder / "none.safetensors")
        yield lambda: load_latents(self.put("cut.latents", b"\x10" * 40))
        yield lambda: load_latents(self.tensors("none", {"x": (1,)}))
        yield lambda: load_latents(self.tensors("shape", {KEY: (1, 2)}))
        nan = self.folder / "nan"
        save_file({KEY: np.full((1, 16, 1, 8, 8), np.nan, np.float32)}, nan)
        yield lambda: load_latents(nan)
        yield lambda: join_latents([good, small], self.folder / "out.safetensors")
        yield lambda: trim_latents(good, self.folder / "out.safetensors", 0, 0)
        yield lambda: trim_latents(good, self.folder / "out.safetensors", 10, 9)
        yield lambda: model_of([read_source(bare)])
        yield lambda: model_of([read_source(good), read_source(theirs)])
        joined = self.folder / "joined.safetensors"
        join_latents([good, good], joined)
        for path, asked in ((small, None), (joined, None), (self.latents("odd.safetensors", 12), None), (good, 9)):
            yield partial(self.plan, kept={"latents": path, "sections": asked})
        yield lambda: self.plan(kept={"latents": self.latents("one.safetensors", 1)})
        yield lambda: self.plan(kept={"latents": self.latents("long.safetensors", 91)})
        yield lambda: self.fill(good, good, model="tiny-f1")
        yield lambda: self.fill(*[self.latents("sides.safetensors", 9, side=9)] * 2)

    def fill(self, before: Path, after: Path, **values: Any) -> object:
        options = FillOptions.parse({"before": before, "after": after, "model": "tiny"} | values)
        return make_fill_plan(options, ModelFolders(self.models))

    def records(self) -> Iterator[Cause]:
        self.put(".damaged.parts/job.json", "{")
        self.put("there.safetensors", "")
        self.put("library.json/x", "")
        with av.open(str(self.folder / "odd.mp4"), "w") as container:
            stream = container.add_stream("h264", rate=30)
            stream.width, stream.height, stream.pix_fmt = 50, 34, "yuv420p"
            frame = av.VideoFrame.from_ndarray(np.zeros((34, 50, 3), np.uint8))
            container.mux([*stream.encode(frame), *stream.encode()])
        yield lambda: restore(self.folder / "none.png", VideoOptions).notes
        yield lambda: restore(self.picture, VideoOptions).notes
        yield lambda: restore(self.latents("tool.safetensors", 9), VideoOptions).notes
        record = {"kind": "frame", "request": FrameOptions().dump()}
        made = self.folder / "frame.safetensors"
        save_latents(made, Latents(np.zeros((1, 16, 1, 8, 8), np.float32), 0, ()), record)
        yield lambda: restore(made, VideoOptions).notes
        yield lambda: kind_of("song")
        values = {"nothing": 1, "seconds": "x", "sampling": {"steps": 500, "guidance": None}, "seed": 1.5}
        yield lambda: read_request_from(VideoOptions, values)[1]

    def archives(self) -> Iterator[Cause]:
        png = encoded("PNG", 16)
        for path in (
            self.put("text.zip", "no archive"),
            self.folder / "none.zip",
            self.archive("many.zip", {}, {f"{number}.txt": b"" for number in range(2000)}),
            self.archive("out.zip", {}, {"../a.png": png}),
            self.archive("link.zip", {}, link="a.png"),
            self.archive("twice.zip", {}, {"000.png": png, "000.jpg": png}),
            self.archive("cards.zip", None),
            self.archive("yaml.zip", "a: [\n"),
            self.archive("keys.zip", "a: 1\na: 2\n"),
            self.archive("list.zip", "- a\n"),
            self.archive("alias.zip", "a: &x 1\nb: *x\n"),
            self.archive("coding.zip", None, {"sections.yaml": b"a: " + 5 * b"\x98"}),
            self.archive("packing.zip", {}, how=zipfile.ZIP_BZIP2),
            self.archive("times.zip", {}, {"000.png": bytes(4 * 2**20)}, how=zipfile.ZIP_DEFLATED),
            self.locked("locked.zip"),
        ):
            yield partial(read_archive, path, self.folder / "unpacked")
        lora_settings = {"selections": {"lora1": "old.pt", "lora2": "a.safetensors"}, "scales": "x"}
        far = {"selections": {"lora1": "a.safetensors"}, "scales": "9"}
        for number, card in enumerate(
            (
                {"section_info": [{"section": 8, "prompt": "x"}, 3], "video_settings": {"expected_sections": 9}},
                {"video_settings": {"video_length": "?", "x": 1}, "lora_settings": lora_settings, "unknown": 1},
                {"SEED": "1.5", "lora_settings": far},
            )
        ):
            members = {"sections/009.png": png, "note.txt": b""}
            path = self.archive(f"good{number}.zip", card, members)
            yield partial(self.unpacked, path)
            yield partial(self.dropped, path)

    def unpacked(self, path: Path) -> tuple[Adjusted, ...]:
        """What an archive has to say, of itself and for a request."""
        archive = read_archive(path, self.folder / "unpacked")
        return (*archive.notes, *archive.over(VideoOptions())[1])

    def dropped(self, path: Path) -> object:
        """A file dropped on the place of single images."""
        settings = load_settings()
        with Store(settings.store) as store, path.open("rb") as file:
            refs = Refs(settings, store, Uploads(settings))
            return Reader(settings, refs, Visitor(ENGLISH, True), FrameOptions, {}).read(path.name, file)

    def taken(self, favourites: Favourites, text: str) -> None:
        favourites.take_in(self.put("bad.json", text))

    def told(self, act: Cause) -> list[Adjusted]:
        """What the library tells while something is done."""
        self.notes.clear()
        act()
        return list(self.notes)

    def kept(self) -> Iterator[Cause]:
        home = self.folder / "library"
        prompts, favourites = PromptPresets(home, self.notes.append), Favourites(home, self.notes.append)
        slots = Loras(home, self.notes.append)
        favourites.save("cat", VideoOptions())
        yield lambda: prompts.apply("none")
        yield lambda: prompts.save("preset.basic", "x")
        yield lambda: favourites.get("none")
        yield lambda: favourites.save("cat", VideoOptions())
        yield lambda: favourites.save(" ", VideoOptions())
        yield lambda: slots.clear(9)
        yield lambda: lora("a", 9.0)
        slots.save(1, [PresetLora(path=Path("gone.safetensors"))])
        yield lambda: self.told(lambda: slots.apply(1))
        out = self.folder / "favourites.json"
        favourites.export(out)
        for text in ("{", '{"x": 1}', '{"eichi-favourites": 1, "favourites": {"a": 3}}', "[" * 100_000):
            yield partial(self.taken, favourites, text)
        other = Favourites(self.folder / "other", self.notes.append)
        other.save("cat", VideoOptions(prompt="x"))
        yield lambda: self.told(lambda: other.take_in(out))
        yield lambda: favourites.export(self.picture / "below.json")
        file = next((home / "library").glob("favourites*.json"), None) or next(home.rglob("favourites*.json"))
        yield lambda: self.told(lambda: (file.write_text("{"), favourites.list()))
        yield lambda: self.told(lambda: (file.write_text('{"version": 99}'), favourites.list()))
        lost = '{"version": 1, "favourites": {"a": {"kind": 3, "request": {}}}}'
        yield lambda: self.told(lambda: (file.write_text(lost), favourites.list()))

    def eichi19(self) -> Iterator[Cause]:
        base = self.folder / "webui"
        stock = next(iter(eichi19.PROMPTS))
        presets = [{"name": "a", "prompt": stock, "is_default": True}, {"name": "b", "prompt": "x"}]
        filled = {"lora1": "None", "lora2": "style.safetensors", "scales": "0.5, 1"}
        settings = {"output_folder": "results", "app_settings_eichi": {"steps": 500, "frame_save_mode": "?", "x": 1}}
        files: dict[str, Any] = {
            "presets/prompt_presets.json": {"presets": presets},
            "presets/lora_presets.json": {"presets": [{}, filled]},
            "presets/favorite_settings.json": {"favorites": [{"name": "d", "use_reference_image": True, "seed": "x"}]},
            "settings/app_settings.json": settings,
            "error/lost.json": {"prompt": "p", "image_path": "none.png", "lora_settings": {"use_lora": True}},
            "configs/bad.json": "{",
        }
        for name, values in files.items():
            self.put(f"webui/{name}", values if isinstance(values, str) else json.dumps(values))
        home = self.folder / "imported"
        for _ in range(2):  # the second time, all of it is here
            yield lambda: [note for item in import_folder(base, home)[1] for note in item.notes]
        PromptPresets(home, self.notes.append).save("", "mine")
        yield lambda: [note for item in import_folder(base, self.folder / "fresh")[1] for note in item.notes]
        yield lambda: import_folder(self.folder / "none", home)

    def jobs(self) -> Iterator[Cause]:
        url = f"sqlite:///{self.folder / 'jobs.db'}"
        with Store(url) as store:
            queue = Queue(store, ModelFolders(self.models))
            figures = Figures(model="tiny", width=64, height=64, sections=2, kept=0)
            request = {**VideoOptions(image=self.picture, prompt="a cat").dump()}
            draft = Draft("video", request, figures, "k", str(self.folder))
            job = queue.add([draft])[0].id
            yield lambda: store.job(99)
            yield lambda: queue.stop(job)
            yield lambda: queue.move(job, to=9)
            yield lambda: queue.edit(job, {"seconds": "abc"})
            yield lambda: queue.edit(job, {"nothing": "1"})
        with contextlib.closing(sqlite3.connect(self.folder / "jobs.db")) as connection:
            connection.execute("UPDATE jobs SET status = 'odd', beat = 'x'")
            connection.commit()

        def damaged() -> None:
            with Store(url) as store:
                store.job(1).check()

        def opened(url: str) -> None:
            with Store(url):
                pass

        yield damaged
        yield lambda: opened("no url")
        yield lambda: opened("nothing://x")
        yield lambda: opened(f"sqlite:///{self.picture}/jobs.db")
        yield lambda: opened(f"sqlite:///{self.put('text.db', 'no database' * 99)}")
        yield lambda: repair("postgresql://x/y")
        yield lambda: repair(f"sqlite:///{self.folder / 'none.db'}")

    def lists(self) -> Iterator[Cause]:
        folder = self.folder / "empty"
        folder.mkdir()
        self.put("mixed/a.png", encoded("PNG", 16))
        self.put("mixed/b.doc", "x")
        yield lambda: read_pictures(folder)
        yield lambda: read_pictures(self.folder / "mixed")[1]
        yield lambda: read_prompts(self.folder / "none.txt")
        yield lambda: read_prompts(self.put("blank.txt", "# x\n"))
        yield lambda: read_prompts(self.put("coded.txt", b"\xff\xfe\xfd"))
        yield lambda: read_prompts(self.put("many.txt", "a\n" * 10_001))
        yield lambda: read_references(self.put("references.txt", "a.png:99\n"))
        yield lambda: expand(VideoOptions(), Batch(windows=(1,)))
        yield lambda: expand(VideoOptions(seed=2**32 - 1), Batch(count=2))

    def settings(self) -> Iterator[Cause]:
        for name, value in (
            ("LANGUAGE", "xx"),
            ("VAE_TILE", "100"),
            ("VAE_TILE", "x"),
            ("PRESERVE_GB", "1,000"),
            ("PRESERVE_GB", "2"),
            ("OFFLINE", "maybe"),
            ("ATTENTION", "fast"),
        ):
            yield partial(self.with_variable, f"EICHI_{name}", value)
        for text in ("{", "3"):
            yield partial(self.with_settings, text)
        (self.folder / "home" / "settings.json").unlink()

    def with_settings(self, text: str) -> None:
        self.put("home/settings.json", text)
        load_settings()

    def with_variable(self, name: str, value: str) -> None:
        with patch.dict(os.environ, {name: value}):
            load_settings()

    def catalogue(self) -> Iterator[Cause]:
        bare, bad = self.folder / "weights", self.folder / "card"
        bare.mkdir()
        self.put("card/eichi.json", "{")
        self.put("like/eichi.json", '{"like": "framepack"}')
        yield lambda: find(str(bare))
        yield lambda: find(str(bad))
        yield lambda: self.located("framepack")
        yield lambda: self.located(str(self.folder / "like"))

    def located(self, name: str) -> None:
        from eichi.models.locate import locate

        locate(find(name), ModelFolders(self.models))
