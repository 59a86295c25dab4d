"""What a job has made so far, on disk after every section, so that no work is lost.

A section's latents follow from the request, the seed and the sections before it. So the latents of the finished
sections, the fitted pictures and the request are all that is needed to go on, whatever ended the job: the noise of
finished sections is drawn again and dropped, the history is filled from their latents, and the result has the same
bytes as if nothing had happened. Files are written aside and renamed; one counts when its checksum is on the card.

Before a job goes on, every file is compared with its checksum, and what is damaged or missing is made again: copies
from their originals, a section by drawing it, frames by encoding them. The rest is kept, as what is made again comes
out as it was. Where a section does not, as may happen on a GPU, what was made after it is made again, too.

The folder lies beside the result and goes when the result is complete. A process holds it while it works there, by a
lock that the system takes back from a dead one. Frames are not kept: going on decodes the finished sections once more
(their segments of the video are found again), which costs little next to drawing them and lets every consumer of
frames see all of them.
"""

import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from eichi.catalog import Entry
from eichi.declare import at
from eichi.errors import DiskError, InputError, PictureError
from eichi.events import Adjusted
from eichi.files import aside, remove, settle
from eichi.library.lorafolders import located
from eichi.library.outside import over
from eichi.models.load import Components
from eichi.models.lorafile import lora_print
from eichi.options import VideoOptions, files_of, put
from eichi.pipeline.job import ATTENTION, computed, mark_files
from eichi.pipeline.originals import Original, Write, picture_file, write_latents
from eichi.plan.ahead import AHEAD, same_ahead, same_past
from eichi.plan.plan import Plan
from eichi.video.card import FILES, file_checksum, read_card, write_card
from eichi.video.images import load as load_picture
from eichi.video.jobfolder import ENDING, FINISH, JobFolder, free_name
from eichi.video.metadata import Record, record
from eichi.video.outputs import SECTIONS
from eichi.video.sectionfolder import KEPT, LATENTS, RECORD, SECTION, section_file, source_file

LOCK = "lock"
PICTURES, THREADS = "pictures", "threads"
BESIDE = re.compile(r"beside-\d+\.mp4")  # a video beside the new part that had to be encoded
NEXT = "next-"  # how a file's name begins that takes the place of another one when the card says so
SEGMENT = re.compile(rf"(?:{SECTIONS}/)?(\d+)-(\d+)\.mp4")


class Checkpoint(JobFolder):
    """The folder of one unfinished job, and what is kept there."""

    def begin(self, plan: Plan, components: Components, originals: Mapping[str, Original]) -> None:
        """Write down what the job is. Its pictures, fitted, and the latents of the sections that it takes over are
        copied, by the names of the copies, so that the originals may go. The card comes last: with it, everything is
        there. Raises DiskError, and InputError for an original that cannot be read.
        """
        with _writing(self.folder):
            for left in self.folder.iterdir():  # of a job that was being discarded
                if left.name != LOCK:
                    remove(left)
            files = {name: self._put(name, one.write, one.lasting) for name, one in originals.items()}
            about = {PICTURES: sorted(plan.images), KEPT: plan.kept, THREADS: torch.get_num_threads(), FILES: files}
            carried = {RECORD: computed(record(plan, mark_files(plan.options, components)), components)}
            write_card(self.folder, _card(plan, components) | about | carried)

    def keep(self, order: int, latents: NDArray[np.float32], used: Iterable[Path] = ()) -> bool:
        """Keep the latents of a section, without the start image's, unless they are there. Raises DiskError.

        False where those that were lost were others: what was made after them is put away, but for segments that are
        `used` already.
        """
        name = section_file(order)
        if (self.folder / name).is_file():
            return True
        with _writing(self.folder):
            files, made = self.files(), self._put(name, lambda draft: write_latents(draft, latents))
            same = files.get(name, "") in ("", made)
            spared = set(map(self._named, used))
            for later in [] if same else [one for one in files if _after(one, order) and one not in spared]:
                remove(self.folder / later)
                del files[later]
            self._take_down({**files, name: made})
        return same

    def finished(self, segment: Path) -> None:
        """Take down that a segment of the video is whole. Raises DiskError."""
        with _writing(self.folder):
            self._take_down({**self.files(), self._named(segment): file_checksum(segment)})

    def sections(self) -> Iterator[Tensor | None]:
        """The latents of the sections in the order they are made, None for one that is not there; without an end.

        Each is read when it is asked for.
        """
        return (_latents(self.folder / section_file(order)) for order in count())

    def mend(self, plan: Plan, originals: Mapping[str, Original]) -> list[Adjusted]:
        """Put away what is damaged or was never finished, and copy originals again; a word on each part that was lost.

        Raises DiskError, and InputError where an original is not what it was.
        """
        card, whole = read_card(self.folder)
        files: dict[str, str] = card[FILES] if FILES in card else self._adopted()
        with _writing(self.folder):
            self._settle_next(files)
        lost = [name for name, checksum in files.items() if not _holds(self.folder / name, checksum)]
        for name in lost:
            if name in originals:
                self._copy(name, originals[name], files[name])
        with _writing(self.folder):
            for name in map(self._named, (*self.folder.iterdir(), *self.folder.glob(f"{SECTIONS}/*"))):
                there = name in files and (name in originals or name not in lost)
                if not there and any(kind.fullmatch(name) for kind in (SECTION, SEGMENT, BESIDE)):
                    remove(self.folder / name)
            # What is made in a lost section's place is compared with it.
            again = {name for name in lost if SEGMENT.fullmatch(name) or BESIDE.fullmatch(name)}
            self._take_down({name: files[name] for name in files if name not in again})
        words = [_word(name, plan, originals) for name in lost]
        return words if whole else [Adjusted("note.resume.card", {}), *words]

    def turn(self, plan: Plan, components: Components, originals: Mapping[str, Original]) -> Iterator[Adjusted]:
        """Go on by another plan, which has the same of the sections that are made; a word on it. Files that take the
        place of others lie beside them until the card says so. Raises DiskError, and InputError for an original that
        cannot be read.
        """
        before = self.plan(plan.entry)
        if same_ahead(before.options, plan.options):
            return
        files, made = self.files(), self.settled
        copies = {path: self.folder / picture_file(name) for name, path in before.images.items()}
        new = {picture_file(name): path for name, path in plan.images.items() if before.images.get(name) != path}
        gone = {picture_file(name) for name in before.images.keys() - plan.images.keys()}
        with _writing(self.folder):
            for name, path in new.items():
                write = partial(shutil.copyfile, copies[path]) if path in copies else originals[name].write
                files[name] = self._put(f"{NEXT}{name}", write)
            card = self.card() | _card(plan, components)
            told = record(plan, mark_files(plan.options, components) | self._marks(plan, before))
            drawn = {key: value for key, value in self.record(before).items() if key == ATTENTION}
            carried = {RECORD: told | drawn}
            left = {name: checksum for name, checksum in files.items() if name not in gone}
            write_card(self.folder, card | carried | {PICTURES: sorted(plan.images), FILES: left})
            self._settle_next(left)
            for name in gone:
                remove(self.folder / name)
        if made < len(plan.sections):
            yield Adjusted("note.ahead.taken", {"number": plan.sections[made].number})

    def pictures(self) -> dict[str, NDArray[np.uint8]]:
        """The job's pictures as they were fitted, once it is mended."""
        pictures = {name: _pixels(self.folder / picture_file(name)) for name in self.card()[PICTURES]}
        return {name: pixels for name, pixels in pictures.items() if pixels is not None}

    def around(self, plan: Plan) -> dict[str, Path]:
        """Where the videos and the sound that a plan is made for lie, by their names: here, or where the request says
        they are, on a machine that had fetched them from elsewhere.
        """
        here = {name: self.folder / source_file(name, path) for name, path in plan.around.items()}
        return {name: path if path.is_file() else plan.around[name] for name, path in here.items()}

    def vouch(self, plan: Plan, originals: Mapping[str, Original]) -> Iterator[Adjusted]:
        """Make sure that what is put around the new part is what the job began with, as `mend` does: a second name of a
        file changes with it. Raises DiskError, and InputError where an original is not what it was.
        """
        files = self.files()
        for name in (source_file(name, path) for name, path in plan.around.items()):
            if name in files and not _holds(self.folder / name, files[name]):
                self._copy(name, originals[name], files[name])
                yield _word(name, plan, originals)

    def record(self, plan: Plan) -> Record:
        """What the results carry. The originals of the pictures may be gone by now. Raises InputError."""
        values: Record = self.card().get(RECORD) or record(plan)
        return values

    def located(self, loras: Sequence[Path], entry: Entry | None = None) -> Plan:
        """The plan that the job runs; LoRA files that were moved are looked for in folders. Raises InputError."""
        return self.plan(entry, located(VideoOptions.parse(self.card()["request"]), loras))

    def check(self, plan: Plan, components: Components) -> None:
        """Refuse to go on with other weights, versions or options, naming what differs. Raises InputError.

        Prompts and pictures may be others for sections that are not made yet; an earlier version knows fewer options.
        """
        before = self.card()
        before["request"] = over(VideoOptions().dump(), before["request"])  # options that came since are as by default
        now = json.loads(json.dumps(_card(plan, components), default=str))
        planned = self.plan(plan.entry)
        if not same_ahead(planned.options, plan.options) and same_past(planned, plan, self.settled):
            for key in AHEAD:
                put(now["request"], key, at(planned.options.dump(), key))
        differences = sorted(_differences(_wherever(before), _wherever(now)))
        if differences:
            raise InputError("error.resume.changed", folder=self.folder, what="; ".join(differences))

    @property
    def advanced(self) -> bool:
        """Whether there is a job with a finished section; a folder that has lost its card is being discarded."""
        return self.begun and any(map(SECTION.fullmatch, os.listdir(self.folder)))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes out while this one works in the folder, which is made if it is not there.

        A job that ends without a finished section leaves nothing, except where the disk was full: there it begins
        again when there is room. Raises InputError where another process works in the folder.
        """
        lock = FileLock(self.folder / LOCK, timeout=0, thread_local=False)
        with _writing(self.folder):
            self.folder.mkdir(0o700, parents=True, exist_ok=True)  # its card names folders, unlike the results
            held = self.folder / LOCK
            if held.is_symlink() or not held.is_file():  # links are not followed to a lock
                remove(held)
            try:
                lock.acquire()
            except Timeout as error:
                raise InputError("error.resume.running", folder=self.folder) from error
            try:
                self._tidy()
            except OSError:
                lock.release()
                raise
        full = False
        try:
            yield
        except DiskError:
            full = self.begun
            raise
        finally:
            lock.release()
            if not (full or self.advanced):
                self.discard()

    @contextmanager
    def threads(self) -> Iterator[None]:
        """As many of torch's threads as the job began with, however many cores there are now: each number of them
        splits sums otherwise, and their last bits follow. Raises InputError.
        """
        here = torch.get_num_threads()
        torch.set_num_threads(self.card().get(THREADS, here))
        try:
            yield
        finally:
            torch.set_num_threads(here)

    def _tidy(self) -> None:
        """Remove what stands in a file's place and is none, such as a folder, a pipe, or a link to either: it can be
        neither read nor replaced. The file counts as lost.
        """
        sections = self.folder / SECTIONS
        inner = () if sections.is_symlink() else sections.glob("*")
        for path in (*self.folder.iterdir(), *inner):
            if not (path.is_dir() if path == sections else path.is_file()):
                remove(path)

    def _named(self, path: Path) -> str:
        """What the card calls a file of the folder."""
        return path.relative_to(self.folder).as_posix()

    def _settle_next(self, files: Mapping[str, str]) -> None:
        """Put files in the place of others for which the card says so, and remove those for which it did not yet."""
        for draft in self.folder.glob(f"{NEXT}*"):
            name = draft.name.removeprefix(NEXT)
            if name in files and _holds(draft, files[name]):
                settle(draft, self.folder / name)
            else:
                remove(draft)

    def _marks(self, plan: Plan, before: Plan) -> Record:
        """The marks of a plan's files that the record of the plan before has: their originals may be gone."""
        marks = self.record(before).get("files", {})
        known = {path: marks[key] for key, path in files_of(before.options).items() if key in marks}
        return {key: known[path] for key, path in files_of(plan.options).items() if path in known}

    def _put(self, name: str, write: Write, lasting: bool = True) -> str:
        """Write a file of the folder, aside and renamed; its checksum."""
        with aside(self.folder / name, lasting=lasting) as draft:
            write(draft)
            return file_checksum(draft)

    def _copy(self, name: str, original: Original, checksum: str) -> None:
        """Copy an original once more. Raises InputError where it is not what it was."""
        reason: object = "reason.checksum"
        with _writing(self.folder), aside(self.folder / name, lasting=original.lasting) as draft:
            try:
                original.write(draft)
            except InputError as error:
                reason = error
            if not _holds(draft, checksum):
                raise InputError("error.resume.original", folder=self.folder, path=original.path, reason=reason)

    def _take_down(self, files: Mapping[str, str]) -> None:
        write_card(self.folder, self.card() | {FILES: files})

    def _adopted(self) -> dict[str, str]:
        """The checksums of a job that was begun without any; an empty one for what cannot be read."""
        pictures = {self.folder / picture_file(name): _pixels for name in self.card()[PICTURES]}
        sections = {path: _latents for path in self.folder.iterdir() if SECTION.fullmatch(path.name)}
        return {
            path.name: "" if read(path) is None else file_checksum(path)
            for path, read in sorted({**pictures, **sections}.items())
        }


def checkpoint_beside(result: Path) -> Checkpoint:
    """The checkpoint of the job that makes this video."""
    return Checkpoint(result.parent / f".{result.stem}{ENDING}")


def new_checkpoint(folder: Path) -> Checkpoint:
    """The checkpoint of a video that is begun now, its folder made: no other process takes its name. Raises
    DiskError.
    """
    while True:
        checkpoint = checkpoint_beside(free_name(folder, ".mp4"))
        with _writing(checkpoint.folder), suppress(FileExistsError):
            checkpoint.folder.mkdir(0o700)
            return checkpoint


@contextmanager
def named(folder: Path, suffix: str) -> Iterator[Path]:
    """A name for a result that is made at once, which no other process takes until the end. Raises DiskError."""
    with ExitStack() as stack:
        while True:
            path = free_name(folder, suffix)
            checkpoint = checkpoint_beside(path)
            if checkpoint.folder.exists():
                continue
            with suppress(InputError):  # taken within the same millisecond
                stack.enter_context(checkpoint.held())
                break
        yield path


def sweep(folder: Path) -> None:
    """Remove what dead jobs without a finished section have left in a folder."""
    for left in folder.glob(f".*{ENDING}"):
        checkpoint = Checkpoint(left)
        if not checkpoint.advanced and left.is_dir() and not (left / FINISH).exists():
            with suppress(InputError, DiskError), checkpoint.held():
                pass  # being let go is enough


def _card(plan: Plan, components: Components) -> Record:
    """What the bytes of a result follow from and must not differ; pictures and threads are taken as they were."""
    machine = {"device": components.device.type, "vae_tile": components.runtime.tile}
    if components.runtime.half:
        machine["precision"] = "half"
    loras = {f"lora {place}": lora_print(lora.file) for place, lora in enumerate(plan.options.weights.loras, start=1)}
    request = {"request": plan.options.dump(), "model": plan.entry.name}  # with the folders that going on needs
    known = {key: value for key, value in record(plan).items() if key != FILES}  # the card has files of its own
    return {**known, **request, "weights": components.fingerprint | loras, "machine": machine}


def _wherever(card: Record) -> Record:
    """The same without the places of LoRA files: what is in them counts, not where they lie."""
    request = card["request"]
    weights = request.get("weights") or {}
    loras = [{**lora, "file": ""} for lora in weights.get("loras", ())]
    return {**card, "request": {**request, "weights": {**weights, "loras": loras}}}


def _differences(before: Record, now: Record, prefix: str = "") -> list[str]:
    """The keys whose values are not what they were, with both values."""
    found: list[str] = []
    for key, value in now.items():
        old = before.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            found += _differences(old, value, f"{prefix}{key}.")
        elif old != value:
            found.append(f"{prefix}{key} {old} → {value}")
    return found


def _latents(path: Path) -> Tensor | None:
    """The latents of a section, None where they cannot be read."""
    try:
        return load_file(path)[LATENTS].clone()  # not tied to the file, which may go
    except (SafetensorError, OSError, KeyError):
        return None


def _pixels(path: Path) -> NDArray[np.uint8] | None:
    """A fitted picture, None where it cannot be read."""
    try:
        return np.asarray(load_picture(path))
    except PictureError:
        return None


def _holds(path: Path, checksum: str) -> bool:
    """Whether a file is there and as it was written."""
    try:
        return file_checksum(path) == checksum
    except OSError:
        return False


def _after(name: str, order: int) -> bool:
    """Whether a file follows from the latents of a section, by its name: later sections, and any frames."""
    section = SECTION.fullmatch(name)
    return int(section[1]) > order if section else SEGMENT.fullmatch(name) is not None


def _word(name: str, plan: Plan, originals: Mapping[str, Original]) -> Adjusted:
    """What is said of a file that was lost."""
    if name in originals:
        return Adjusted("note.resume.copy", {"path": originals[name].path.name})
    if BESIDE.fullmatch(name):
        return Adjusted("note.resume.copy", {"path": name})
    if section := SECTION.fullmatch(name):
        return Adjusted("note.resume.section", {"number": plan.sections[int(section[1])].number})
    segment = SEGMENT.fullmatch(name)
    assert segment is not None, "nothing else is taken down"
    return Adjusted("note.resume.frames", {"first": int(segment[1]), "last": int(segment[2])})


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """The one place where the system's complaints about the folder become ours."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise DiskError("error.checkpoint.write", folder=folder, reason=error) from error
