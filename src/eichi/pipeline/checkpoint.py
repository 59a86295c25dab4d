"""What a job has made so far, on disk after every section, so that no work is lost.

A section's latents follow from the request, the seed and the sections before it. So the latents of the finished
sections, the fitted pictures and the request are all that is needed to go on, whatever ended the job: the noise of
finished sections is drawn again and dropped, the history is filled from their latents, and the result has the same
bytes as if nothing had happened. Files are written aside and renamed; a section counts when its file is there.

The folder lies beside the result and goes when the result is complete.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from eichi.catalog import Entry
from eichi.catalog import find as find_model
from eichi.errors import InputError, RunError
from eichi.models.load import Components
from eichi.options import VideoOptions
from eichi.plan.plan import Plan, make_plan
from eichi.video.metadata import record

CARD = "job.json"
ENDING = ".parts"


@dataclass(frozen=True)
class Checkpoint:
    """The folder of one unfinished job."""

    folder: Path

    @property
    def result(self) -> Path:
        """The video that the job makes."""
        return self.folder.parent / f"{self.folder.name.removeprefix('.').removesuffix(ENDING)}.mp4"

    @property
    def begun(self) -> bool:
        """Whether there is something to go on from."""
        return (self.folder / CARD).is_file()

    def begin(self, plan: Plan, components: Components, pixels: dict[str, NDArray[np.uint8]]) -> None:
        """Write down what the job is; `pixels` are its pictures, fitted, so that the originals may go."""
        card = {**record(plan), "weights": components.fingerprint, "pictures": sorted(pixels)}
        draft = self.folder / f"{CARD}.part"
        with _writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            for name, picture in pixels.items():
                Image.fromarray(picture).save(self.folder / _picture(name), format="PNG")
            draft.write_text(json.dumps(card, ensure_ascii=False, indent=1, default=str), encoding="utf-8")
            os.replace(draft, self.folder / CARD)

    def keep(self, order: int, latents: NDArray[np.float32]) -> None:
        """Keep the latents of a section, without the start image's. Raises RunError."""
        path = self._section(order)
        draft = path.with_name(f"{path.name}.part")
        with _writing(self.folder):
            save_file({"latents": torch.from_numpy(latents.copy())}, draft)
            os.replace(draft, path)

    def sections(self) -> list[Tensor]:
        """The latents of the finished sections in the order they were made; a damaged file ends the list."""
        found: list[Tensor] = []
        while self._section(len(found)).is_file():
            try:
                found.append(load_file(self._section(len(found)))["latents"])
            except (SafetensorError, OSError, KeyError):
                break
        return found

    def pictures(self) -> dict[str, NDArray[np.uint8]]:
        """The job's pictures as they were fitted. Raises InputError."""
        try:
            names = self.card()["pictures"]
            return {name: np.asarray(Image.open(self.folder / _picture(name)).convert("RGB")) for name in names}
        except (OSError, KeyError) as error:
            raise InputError("error.resume.damaged", folder=self.folder, reason=error) from error

    def card(self) -> dict[str, Any]:
        """What `begin` wrote down. Raises InputError."""
        try:
            values: dict[str, Any] = json.loads((self.folder / CARD).read_text(encoding="utf-8"))
            if not isinstance(values.get("request"), dict):
                raise ValueError("no request in it")
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
        now = json.loads(json.dumps({**record(plan), "weights": components.fingerprint}, default=str))
        differences = sorted(_differences(before, now))
        if differences:
            raise InputError("error.resume.changed", folder=self.folder, what="; ".join(differences))

    def discard(self) -> None:
        """Give the space back."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _section(self, order: int) -> Path:
        return self.folder / f"section-{order:04d}.safetensors"


def beside(result: Path) -> Checkpoint:
    """The checkpoint of the job that makes this video."""
    return Checkpoint(result.parent / f".{result.stem}{ENDING}")


def unfinished(folder: Path) -> list[Checkpoint]:
    """The unfinished jobs of a folder, the newest first."""
    cards = folder.glob(f".*{ENDING}/{CARD}")
    return [Checkpoint(card.parent) for card in sorted(cards, key=lambda card: card.stat().st_mtime_ns, reverse=True)]


def find(job: str | None, folder: Path) -> Checkpoint:
    """The unfinished job of that name or result, or the newest one of the folder. Raises InputError."""
    found = unfinished(folder)
    if job is not None:
        stem = Path(job).stem.removeprefix(".").removesuffix("_stopped")
        found = [checkpoint for checkpoint in found if checkpoint.result.stem == stem]
    if not found:
        raise InputError("error.resume.none", job=job or "*", folder=folder)
    return found[0]


def _differences(before: dict[str, Any], now: dict[str, Any], prefix: str = "") -> list[str]:
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
        raise RunError(
            "error.checkpoint.write", folder=folder, reason=getattr(error, "strerror", None) or error
        ) from error
