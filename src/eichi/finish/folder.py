"""The hidden folder of a video that is being finished: its card, its segments, what was laid down on the way.

A segment counts when it is there: it was written aside. The card says what the segments are parts of, and what they
were made with; where that is not what is asked for any more, they go. The folder is held by one process at a time,
and goes when the result is complete.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from eichi.errors import DiskError, InputError, OptionError
from eichi.events import Json
from eichi.files import aside, read_file, remove
from eichi.finish.plan import FinishPlan
from eichi.finish.source import SPOOLED
from eichi.options import FinishOptions
from eichi.reading import parse_json
from eichi.reasons import Unfit
from eichi.text import json_text
from eichi.video.jobfolder import ENDING, FINISH, free_name
from eichi.video.metadata import versions
from eichi.video.sources import stamp
from eichi.video.writer import writing

LOCK, POSTER = "lock", ".png"
SEGMENT = re.compile(r"\d{6}-\d{6}\.\w+")


@dataclass(frozen=True)
class FinishFolder:
    """The folder of one job; `result` is the file that it makes."""

    folder: Path
    ending: str

    @property
    def result(self) -> Path:
        stem = self.folder.name.removeprefix(".").removesuffix(ENDING)
        return self.folder.parent / f"{stem}{self.ending}"

    @property
    def poster(self) -> Path:
        """The picture beside the result."""
        return self.result.with_suffix(POSTER)

    def segment(self, plan: FinishPlan, number: int) -> Path:
        """Where a segment lies: named by the frames that are in it."""
        shown = plan.shown(number)
        return self.folder / f"{shown.start:06d}-{shown.stop - 1:06d}{plan.form.part}"

    def begin(self, plan: FinishPlan) -> bool:
        """Write down what the job is; False where there were segments of something else, which are gone. Raises
        DiskError.
        """
        card, path, same = card_of(plan), self.folder / FINISH, True
        with writing(self.folder):
            if path.is_file():
                same = _read(path) == card
            if not same:
                for one in self.folder.glob("*-*"):
                    remove(one)
                remove(self.folder / SPOOLED)
            with aside(path) as draft:
                draft.write_text(json_text(card, indent=1), encoding="utf-8")
        return same

    @property
    def made(self) -> int:
        """How many segments are there."""
        with suppress(OSError):
            return sum(map(bool, map(SEGMENT.fullmatch, os.listdir(self.folder))))
        return 0

    @property
    def advanced(self) -> bool:
        """Whether there is something to go on from."""
        return bool(self.made) or (self.folder / SPOOLED).is_dir()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes out. A job that ends with nothing made leaves nothing. Raises InputError where one works
        in the folder, DiskError.
        """
        lock = FileLock(self.folder / LOCK, timeout=0, thread_local=False)
        with writing(self.folder):
            self.folder.mkdir(0o700, parents=True, exist_ok=True)
            try:
                lock.acquire()
            except Timeout as error:
                raise InputError("error.resume.running", folder=self.folder) from error
        try:
            yield
        finally:
            lock.release()
            if not self.advanced:
                self.discard()

    def discard(self) -> None:
        """Give the space back."""
        with suppress(OSError):
            remove(self.folder / FINISH)
        shutil.rmtree(self.folder, ignore_errors=True)


def new_folder(folder: Path, ending: str) -> FinishFolder:
    """The folder of a job that is begun now: no other process takes its name. Raises DiskError."""
    while True:
        with writing(folder):
            path = free_name(folder, ending)
            made = FinishFolder(path.with_name(f".{path.stem}{ENDING}"), ending)
            with suppress(FileExistsError):
                made.folder.mkdir(0o700)
                return made


def left_over(folder: Path, plan: FinishPlan) -> FinishFolder | None:
    """The folder of the same job that was interrupted, None where there is none that is free.

    One that was left when its result was complete goes.
    """
    card = card_of(plan)
    for path in sorted(folder.glob(f".*{ENDING}/{FINISH}")):
        there = FinishFolder(path.parent, plan.form.ending)
        if _read(path) == card:
            with suppress(InputError, DiskError), there.held():
                if not (there.result.exists() and there.poster.exists()):
                    return there
                there.discard()
    return None


def asked(folder: Path) -> FinishOptions:
    """What the job in a folder is to make. Raises InputError for a card that cannot be read."""
    try:
        card = parse_json(read_file(folder / FINISH).decode("utf-8"))
        request = card.get("request") if isinstance(card, dict) else None
        if not isinstance(request, dict):
            raise Unfit("reason.request")
        return FinishOptions.parse(request)
    except (OSError, ValueError, OptionError) as error:
        raise InputError("error.resume.chain", folder=folder, card=FINISH, reason=error) from error


def card_of(plan: FinishPlan) -> Json:
    """What segments are made from: the request, the files by size and time, the libraries.

    Files are named so that they are found from everywhere. Raises InputError for one that is gone.
    """
    files = [plan.options.video.absolute(), *([plan.upscaler.path] if plan.upscaler else [])]
    states = [[str(path), *stamp(path)] for path in files]
    request = plan.options.dump()
    request["video"] = str(files[0])
    if plan.upscaler is not None and plan.chain.upscale not in (plan.upscaler.name, plan.upscaler.path.name):
        request["finish"]["upscale"] = str(plan.upscaler.path)
    card = {"request": request, "files": states, "versions": versions()}
    plain: Json = json.loads(json_text(card, fallback=str))
    return plain


def _read(path: Path) -> Any:
    """A card, None where it cannot be read."""
    try:
        return parse_json(read_file(path).decode("utf-8"))
    except (OSError, ValueError):
        return None
