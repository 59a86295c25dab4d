"""Everything that one job leaves behind: the video, its poster, and on request stills, frames, section videos, latents.

Follows the events of a job and writes as they come; nothing here holds the clip's pixels. Files appear under their
names when they are complete, each frame once, and a stopped job keeps what is finished. Only latents are collected to
the end: they are a two-hundredth of the pixels.

Frames become final in other runs than sections have: a section's video is encoded for itself, where it is asked for.
The segments that the whole video is joined from stay as few as they are.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eichi.events import (
    Adjusted,
    Converted,
    Event,
    Finished,
    Flagged,
    FramesReady,
    LatentsReady,
    SectionDone,
    Stopped,
    Whole,
)
from eichi.files import aside, leave
from eichi.plan.keyframes import CONNECTING
from eichi.plan.plan import Plan, SectionPlan
from eichi.video.form import FPS, Pace
from eichi.video.join import Around, Join
from eichi.video.latentfile import Latents, save_latents
from eichi.video.metadata import Record, save_png, tags
from eichi.video.writer import Writer, writing

Finish = Callable[[Path], object]  # hears of a file that is whole

SECTIONS = "sections"  # the folder for what the videos of sections are joined from


class Outputs:
    """The files of one job, all named after `path`, the video, and with its record (`values`).

    `folder` takes what is not for the user; `finished` hears of every file there when it is whole. The video is the new
    part with what is `around` it; everything else is of the new part alone.
    """

    def __init__(
        self,
        plan: Plan,
        values: Record,
        path: Path,
        folder: Path,
        finished: Finish = lambda path: None,
        around: Around | None = None,
    ) -> None:
        self.plan = plan
        self.values = values
        self.path = path
        self.options = plan.options.output
        self.sections = 0
        self.flags: list[Flagged] = []
        self.join = Join(around, plan.frames, (plan.width, plan.height)) if around else None
        self.pace = self.join.pace if self.join else Pace(plan.frames)
        form = self.join.form if self.join else None
        self.writer = Writer(path, plan.width, plan.height, self.options.crf, folder, finished, form)
        self._folder, self._finished = folder, finished
        self._latents: dict[int, NDArray[np.float32]] = {}
        self._stills = {section.end_frame - 1: section.number for section in plan.sections}
        self._sections = self._section_writers(folder / SECTIONS, finished) if self.options.segments else {}

    @property
    def segments(self) -> list[Path]:
        """What videos are joined from, as far as it was written or taken over."""
        return [path for writer in (self.writer, *self._sections.values()) for path in writer.segments.values()]

    @property
    def complete(self) -> bool:
        """Whether every frame of the video is written."""
        return self.writer.encoded == self.pace.total

    @property
    def notes(self) -> tuple[Adjusted, ...]:
        """What is done to the videos and the sound around the new part otherwise than leave them as they are."""
        return self.join.notes if self.join else ()

    @property
    def whole(self) -> Whole | None:
        """The video with what is around the new part, None where nothing is."""
        return self.join.whole if self.join else None

    @property
    def apart(self) -> tuple[Adjusted, ...]:
        """A word on every video that what is finished does not meet yet, so that it is in no video of a stopped job."""
        joined = self._joined
        if self.join is None or joined is None or not self.writer.segments:
            return ()
        left = [side for side in self.join.sides if side not in joined.sides]
        return tuple(Adjusted("note.stopped.apart", {"path": str(side.path)}) for side in left)

    def take(self, event: Event) -> None:
        """Write what an event brings. Raises DiskError."""
        match event:
            case FramesReady(first, frames):
                self._add_at_pace(first, frames)
                self._add_to_sections(first, frames)
                with writing(self.path):
                    self._pictures(first, frames)
            case LatentsReady(_, first, latents) if self.options.latents:
                # What lies before a cut is of the video before, but for the last latent, which the new part begins at.
                self._latents[max(first, 0)] = latents[:, :, max(-first, 0) :]
            case SectionDone():
                self.sections += 1
            case Flagged():
                self.flags.append(event)

    def lay(self) -> Iterator[Converted]:
        """Encode what is around the new part and cannot be copied, before that is made.

        Raises InputError, DiskError.
        """
        if self.join:
            yield from self.join.lay(self._folder, self.options.crf, self._finished)

    def finish(self, poster: NDArray[np.uint8]) -> Finished:
        """Publish the video, its poster and what else was asked for."""
        plan = self.plan
        self._publish(self.path)
        picture = self.path.with_suffix(".png")
        with writing(picture):
            save_png(picture, poster, self.values)
            self._keep()
        leave(self._half)  # the whole video has all of it; who is watching it may on
        made, count = (plan.frames, plan.seconds), len(plan.sections)
        return Finished(str(self.path), str(picture), plan.seed, *made, count, tuple(self.flags), self.whole)

    def stop(self, made: int = 0) -> Stopped:
        """Publish what is finished of a stopped job under a name of its own; `made` sections are on disk.

        What was finished before the job was gone on with is part of it, also where it was not come to again, and so are
        the videos that it meets.
        """
        self.writer.find(0, self.pace.total)
        if self.writer.encoded:
            self.sections = max(self.sections, made)
        if not self.writer.encoded:
            return Stopped(None, self.plan.seed, 0, self.sections)
        self._publish(self._half)
        with writing(self._half):
            self._keep()
        joined = self._joined
        whole = joined.whole if joined else None
        return Stopped(str(self._half), self.plan.seed, self.writer.encoded, self.sections, whole)

    @property
    def _half(self) -> Path:
        """The video of what was finished when the job was stopped."""
        return self._named("stopped.mp4")

    def _pictures(self, first: int, frames: NDArray[np.uint8]) -> None:
        """Stills and frames among a run of frames."""
        last = self.plan.sections[-1]
        for index, pixels in enumerate(frames, start=first):
            if self.options.stills and index in self._stills:
                save_png(self._named(f"section{self._stills[index]}.png"), pixels, self._of_frame(index))
            wanted = {"none": False, "all": True, "last": last.start_frame <= index < last.end_frame}
            if wanted[self.options.frames]:
                folder = self._named("frames")
                folder.mkdir(exist_ok=True)
                save_png(folder / f"{index:06d}.png", pixels, self._of_frame(index))

    def _keep(self) -> None:
        """Section videos, as far as they are made, and latents, where they were asked for."""
        for section, writer in self._sections.items():
            if writer.encoded:
                writer.find(section.start_frame, section.end_frame)
                writer.publish(tags({**self.values, "section": section.number}))
        there = self.path.with_suffix(".safetensors")
        if self._latents and (len(self._latents) >= self.sections or not there.exists()):  # else it has more already
            runs = [self._latents[first] for first in sorted(self._latents)]
            latents = Latents(np.concatenate(runs, axis=2), min(self._latents))
            save_latents(there, latents, self.values)

    def _section_writers(self, folder: Path, finished: Finish) -> dict[SectionPlan, Writer]:
        """A writer for each section; the names of their videos are in the order of time."""
        made: dict[SectionPlan, Writer] = {}
        for section in self.plan.sections:
            which = "connecting" if section.number == CONNECTING else f"section{section.number}"
            path = self._named(f"{section.start_frame:06d}-{section.end_frame - 1:06d}_{which}.mp4")
            made[section] = Writer(path, self.plan.width, self.plan.height, self.options.crf, folder, finished)
        return made

    def _publish(self, target: Path) -> None:
        """Put the video in its place, with what is around the new part."""
        joined = self._joined
        if joined is None:
            self.writer.publish(tags(self.values), target)
            return
        segments = {first: path for (first, _), path in self.writer.segments.items()}
        with writing(target), aside(target, self._folder) as draft:
            joined.write(self._folder, segments, draft, tags(self.values))

    @property
    def _joined(self) -> Join | None:
        """What is around the new part as far as that is written."""
        if self.join is None or not self.writer.segments:
            return self.join
        spans = sorted(self.writer.segments)
        return self.join.cut(spans[0][0], spans[-1][1])

    def _add_at_pace(self, first: int, frames: NDArray[np.uint8]) -> None:
        """Give a run of frames to the video, those of them that are shown at its rate."""
        places = self.pace.places(first, first + len(frames))
        if self.pace.rate != FPS and places:
            self.writer.add(places.start, frames[[self.pace.made(place) - first for place in places]])
        elif places:
            self.writer.add(first, frames)

    def _add_to_sections(self, first: int, frames: NDArray[np.uint8]) -> None:
        """Give a run of frames to the sections that they belong to."""
        for section, writer in self._sections.items():
            start, end = max(first, section.start_frame), min(first + len(frames), section.end_frame)
            if start < end:
                writer.add(start, frames[start - first : end - first])

    def _of_frame(self, index: int) -> Record:
        """The record of one frame: the whole request, and which frame it is."""
        return {**self.values, "frame": index}

    def _named(self, end: str) -> Path:
        return self.path.with_name(f"{self.path.stem}_{end}")
