"""What a job has made so far, on disk after every section, so that no work is lost.

A section's latents follow from the request, the seed and the sections before it. So the latents of the finished
sections, the fitted pictures and the request are all that is needed to go on, whatever ended the job: the noise of
finished sections is drawn again and dropped, the history is filled from their latents, and the result has the same
bytes as if nothing had happened. Files are written aside and renamed; a section counts when its file is there.

The folder lies beside the result and goes when the result is complete. A process holds it while it works there, by a
lock that the system takes back from a dead one. Frames are not kept: going on decodes the finished sections once more
(their segments of the video are found again), which costs little next to drawing them and lets every consumer of
frames see all of them.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain, count
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from eichi.catalog import Entry
from eichi.catalog import find as find_model
from eichi.errors import DiskError, InputError
from eichi.files import aside
from eichi.models.load import Components
from eichi.models.lorafile import lora_print
from eichi.options import VideoOptions
from eichi.plan.plan import Plan, make_plan
from eichi.reasons import Unfit
from eichi.text import json_text
from eichi.video.jobfolder import CARD, ENDING, JobFolder
from eichi.video.metadata import Record, record

LOCK = "lock"
THREADS = "threads"


class Checkpoint(JobFolder):
    """The folder of one unfinished job, and what is kept there."""

    def begin(
        self,
        plan: Plan,
        components: Components,
        pixels: dict[str, NDArray[np.uint8]],
        kept: Iterable[NDArray[np.float32]] = (),
    ) -> None:
        """Write down what the job is. Its pictures, fitted, and the latents of the sections that it takes over are
        copied, so that the originals may go. The card comes last: with it, everything is there. Raises DiskError.
        """
        for order, latents in enumerate(kept):
            self.keep(order, latents)
        card = {**_card(plan, components), "pictures": sorted(pixels), THREADS: torch.get_num_threads()}
        with _writing(self.folder):
            for name, picture in pixels.items():
                with aside(self.folder / _picture(name)) as draft:
                    Image.fromarray(picture).save(draft, format="PNG")
            with aside(self.folder / CARD) as draft:
                draft.write_text(json_text(card, indent=1, fallback=str), encoding="utf-8")

    def keep(self, order: int, latents: NDArray[np.float32]) -> None:
        """Keep the latents of a section, without the start image's. Raises DiskError."""
        with _writing(self.folder), aside(self._section(order)) as draft:
            save_file({"latents": torch.from_numpy(latents.copy())}, draft)

    def sections(self) -> Iterator[Tensor]:
        """The latents of the finished sections in the order they were made, each read when it is asked for.

        A damaged file ends them.
        """
        for order in count():
            try:
                yield load_file(self._section(order))["latents"].clone()  # not tied to the file, which may go
            except (SafetensorError, OSError, KeyError):
                return

    def pictures(self) -> dict[str, NDArray[np.uint8]]:
        """The job's pictures as they were fitted. Raises InputError."""
        try:
            names = self.card()["pictures"]
            return {name: np.asarray(Image.open(self.folder / _picture(name)).convert("RGB")) for name in names}
        except (OSError, KeyError) as error:
            raise InputError("error.resume.damaged", folder=self.folder, reason=error) from error

    def card(self) -> Record:
        """What `begin` wrote down. Raises InputError."""
        try:
            values: Record = json.loads((self.folder / CARD).read_text(encoding="utf-8"))
            if not isinstance(values.get("request"), dict):
                raise Unfit("reason.request")
        except (OSError, ValueError, AttributeError) as error:
            raise InputError("error.resume.damaged", folder=self.folder, reason=error) from error
        return values

    def plan(self, entry: Entry | None = None) -> Plan:
        """The plan that the job runs. Raises InputError."""
        card = self.card()
        options = VideoOptions.parse(card["request"])
        # The pictures were fitted already, and a fitted picture's own size is the nearest.
        return make_plan(options, entry or find_model(options.model), (card["width"], card["height"]))

    def check(self, plan: Plan, components: Components) -> None:
        """Refuse to go on with other weights, versions or options, naming what differs. Raises InputError."""
        before = self.card()
        now = json.loads(json.dumps(_card(plan, components), default=str))
        differences = sorted(_differences(before, now))
        if differences:
            raise InputError("error.resume.changed", folder=self.folder, what="; ".join(differences))

    @property
    def advanced(self) -> bool:
        """Whether there is a job with a finished section; a folder that has lost its card is being discarded."""
        return self.begun and self._section(0).is_file()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes out while this one works in the folder, which is made if it is not there.

        A job that ends without a finished section leaves nothing, except where the disk was full: there it begins
        again when there is room. Raises InputError where another process works in the folder.
        """
        lock = FileLock(self.folder / LOCK, timeout=0, thread_local=False)
        with _writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire()
            except Timeout as error:
                raise InputError("error.resume.running", folder=self.folder) from error
        full = False
        try:
            yield
        except DiskError:
            full = (self.folder / CARD).is_file()
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

    def _section(self, order: int) -> Path:
        return self.folder / f"section-{order:04d}.safetensors"


def checkpoint_beside(result: Path) -> Checkpoint:
    """The checkpoint of the job that makes this video."""
    return Checkpoint(result.parent / f".{result.stem}{ENDING}")


def sweep(folder: Path) -> None:
    """Remove what dead jobs without a finished section have left in a folder."""
    for left in folder.glob(f".*{ENDING}"):
        checkpoint = Checkpoint(left)
        if not checkpoint.advanced and left.is_dir():
            with suppress(InputError, DiskError), checkpoint.held():
                pass  # being let go is enough


def unfinished(*folders: Path) -> list[Checkpoint]:
    """The unfinished jobs of folders, the newest first."""
    found: list[tuple[int, Path]] = []
    for card in chain.from_iterable(folder.glob(f".*{ENDING}/{CARD}") for folder in folders):
        with suppress(FileNotFoundError):  # its job may end at this moment
            found.append((card.stat().st_mtime_ns, card.parent))
    return [Checkpoint(place) for _, place in sorted(found, reverse=True)]


def find(job: str | None, *folders: Path) -> Checkpoint:
    """The unfinished job of that name or result, or the newest one of the folders. Raises InputError."""
    found, looked = unfinished(*folders), ", ".join(map(str, folders))
    if job is not None:
        stem = Path(job).stem.removeprefix(".").removesuffix("_stopped")
        found = [checkpoint for checkpoint in found if checkpoint.result.stem == stem]
    if found:
        return found[0]
    if job is None:
        raise InputError("error.resume.nothing", folders=looked)
    raise InputError("error.resume.none", job=job, folders=looked)


def _card(plan: Plan, components: Components) -> Record:
    """What the bytes of a result follow from and must not differ; pictures and threads are taken as they were."""
    machine = {"device": components.device.type, "vae_tile": components.runtime.tile}
    loras = {f"lora {lora.file}": lora_print(lora.file) for lora in plan.options.weights.loras}
    return {**record(plan), "weights": components.fingerprint | loras, "machine": machine}


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


def _picture(name: str) -> str:
    return f"{name.replace(':', '-')}.png"


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """The one place where the system's complaints about the folder become ours."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise DiskError("error.checkpoint.write", folder=folder, reason=error) from error
