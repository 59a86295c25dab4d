"""What is walked once beside the videos: one frame, latents, attention in runs, the embedded model, a worker.

A worker is the product's own, with a store and files: two videos, a frame and a change of the model, one after another.
Only where it looks for a model there are parts without numbers.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.fakecard.once import Once
from benchmarks.fakecard.parts import at_hand, make_parts
from benchmarks.fakecard.walk import ROOMY, Fault, Life
from benchmarks.fakecard.walked import Walked
from benchmarks.fakecard.ways import CHUNKED, EMBEDDED, PROMPT, SIDE, STEPS, WAYS
from eichi.catalog import Entry, ModelFolders
from eichi.events import Event, FileFinished, FramesReady
from eichi.jobs.queue import Queue
from eichi.jobs.store import Store
from eichi.jobs.view import Status
from eichi.jobs.worker import Worker
from eichi.models.load import Components
from eichi.options import FillOptions, FrameOptions
from eichi.pipeline import convert
from eichi.pipeline.oneframe import compute_frame, fit_picture
from eichi.prepare import make_fill_plan, make_frame_plan
from eichi.settings import Runtime, Settings
from eichi.video.latentfile import Latents, save_latents

MODEL = WAYS[0].model
CLIP = 7  # latents of a file


def others(folder: Path, once: Once, picture: Path) -> Iterator[Walked]:
    """All of it, on a card of 24 GB."""
    with Life(folder, ROOMY, once, fused=False) as life:
        yield life.run("other", CHUNKED, SIDE, picture)
    with Life(folder, ROOMY, once) as life:
        for way in EMBEDDED:
            yield life.run("other", way, SIDE, picture)
        entry = at_hand(MODEL, folder)
        for name, job in jobs(folder, picture, entry).items():
            yield life.walk(Walked("other", name, SIDE, ROOMY), entry, job)
    with Life(folder, ROOMY, once) as life:
        yield life.try_out(
            Walked("other", "a worker: two videos, a frame, another model", SIDE, ROOMY), worker(folder, picture)
        )


def jobs(folder: Path, picture: Path, entry: Entry) -> dict[str, Callable[[Components], Iterable[Event]]]:
    """What else is done with a model's parts, by name."""
    files = ModelFolders(folder)
    before, after, made = (folder / name for name in ("before.safetensors", "after.safetensors", "made.safetensors"))
    clip = folder / "clip.mp4"
    for path in (before, after):
        save_latents(path, Latents(np.zeros((1, 16, CLIP, SIDE // 8, SIDE // 8), np.float32), 0), {})

    def frame(parts: Components) -> Iterator[Event]:
        given = {"model": MODEL, "image": picture, "prompt": PROMPT, "seed": 1, "resolution": SIDE, "profile": "musubi"}
        given |= {"references": [{"image": picture, "mask": picture}], "mask": picture, "sampling": {"steps": STEPS}}
        plan = make_frame_plan(FrameOptions.parse(given), files, entry)
        return compute_frame(plan, parts, [fit_picture(fed, plan) for fed in plan.pictures])

    def between(parts: Components) -> Iterator[Event]:
        given = {"before": before, "after": after, "model": MODEL, "prompt": PROMPT, "sampling": {"steps": STEPS}}
        return convert.fill(make_fill_plan(FillOptions.parse(given), files, entry), made, parts)

    return {
        "one frame, a reference, masks": frame,
        "latents to a video": lambda parts: convert.to_mp4(before, clip, parts, 16),
        "a video to latents": lambda parts: convert.from_mp4(clip, folder / "back.safetensors", parts, (SIDE, SIDE)),
        "latents between two files": between,
    }


def complete(events: list[Event]) -> None:
    """Raises Fault for a job that ended with nothing."""
    if not any(isinstance(event, FramesReady | FileFinished) for event in events):
        raise Fault("nothing has come")


def worker(folder: Path, picture: Path) -> Callable[[], None]:
    """A worker's life, with the queue that it works off. Raises Fault where a job has not ended well."""

    def live() -> None:
        settings = Settings(home=folder / "home", outputs=folder / "out", device="cuda")

        def made(entry: Entry, runtime: Runtime) -> Components:
            return make_parts(at_hand(entry.name, folder), runtime)

        video = WAYS[0].request(picture, SIDE, 1.0, None)
        frame = FrameOptions.parse(
            {"model": MODEL, "image": picture, "prompt": PROMPT, "seed": 1, "sampling": {"steps": STEPS}}
        )
        forward = video.model_copy(update={"model": "framepack-f1"})
        here: Any = patch("eichi.prepare.locate", lambda *given: {})  # nobody looks for files
        with here, patch("eichi.jobs.worker.Components", made), Store(settings.store) as store:
            queue = Queue(store, settings.model_folders)
            drafts, _ = queue.prepare((video, video, frame, forward), folder / "out")
            queue.add(drafts)
            working = Worker(store, settings, threading.Event())
            working.work(drain=True)
            working._drop()
            wrong = [job for job in store.jobs() if job.status != Status.DONE]
        if wrong:
            raise Fault(f"job {wrong[0].id} is {wrong[0].status}: {wrong[0].error}")

    return live
