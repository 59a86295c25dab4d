"""What people give to the server: pictures and sounds among the uploads, latents and videos among the results, LoRA
files.

The only way in. A file is written aside, never larger than it may be, and checked there; only then it has a place, so
that what is refused, cut off or too much for the disk leaves nothing. A picture's place is called by its content: the
same bytes are one picture, and what is made of it to be shown is kept. Knows no address and nobody who asks.
"""

import hashlib
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from PIL import Image

from eichi.errors import DiskError, EichiError, InputError
from eichi.files import digest, leave, private, settle, trim
from eichi.models.lorafile import check_numbers, read_lora
from eichi.names import fit_name
from eichi.settings import UPLOADS, Settings
from eichi.video import images
from eichi.video.clip import last_frame
from eichi.video.latentfile import measure_latents
from eichi.video.reader import measure_video, read_frames
from eichi.video.sound import kind_of
from eichi.video.sources import open_picture
from eichi.web.toolruns import LATENTS, MOVING, VIDEOS

MOST = 5000  # pictures that were given and are kept
LARGEST = 2**30  # bytes of a file that is given
STALE = 30 * 24 * 3600.0  # seconds after which a picture goes that nothing names: most are strokes of a brush
CROWDED = 24 * 3600.0  # the same where there is no room for another: masks of a month must not keep all pictures out
CUT = 3600.0  # seconds after which nobody writes any more what a server left that was killed
MARK = re.compile(r"[0-9a-f]{32}")
SHOWN, ROOM = "shown", 2**28  # the folder of the cache with what pictures are shown by, and the bytes of all of it
QUALITY = 85  # of WebP
DECODED = 2  # pictures at a time, each of which may take the whole budget of `sources`
SOUNDS = (".wav", ".mp3", ".m4a", ".aac", ".flac", ".ogg", ".opus")
# What a file that is given can be, by its ending.
ENDINGS: dict[str, tuple[str, ...]] = {"latents": (LATENTS,), "video": MOVING, "sound": SOUNDS}
# What every browser shows; the others are handed out as files.
INLINE = {"PNG", "JPEG", "WEBP", "GIF", "BMP", "AVIF"}


@dataclass(frozen=True)
class Given:
    """A picture that was given: what it is known by, its name, its size upright."""

    mark: str
    name: str
    width: int
    height: int


class Uploads:
    """The files that were given to a machine's server."""

    def __init__(self, settings: Settings, texts: Callable[[], list[str]] | None = None) -> None:
        """`texts` are all that may name a picture; without them none is removed to make room."""
        self.settings, self.texts = settings, texts
        self._place = threading.Lock()  # two of one content are one, and the last free place is had once
        self._decoding = threading.Semaphore(DECODED)

    @property
    def folder(self) -> Path:
        """Where pictures are kept that were given."""
        return uploads(self.settings)

    @property
    def full(self) -> bool:
        """Whether as many pictures were given as are kept."""
        if not self.folder.is_dir():
            return False
        return sum(not name.startswith(".") for name in os.listdir(self.folder)) >= MOST  # not those that come

    def picture(self, name: str, content: BinaryIO) -> Given:
        """Take in a picture, if it is one. Raises InputError, DiskError."""
        return self.given(self._keep(fit_name(name).lstrip(".") or "picture.png", content, images.load))

    def file(self, name: str, content: BinaryIO, kinds: Sequence[str] = ()) -> Path:
        """Take in what is not a picture; who has a place for some `kinds` alone is told what these are. Raises
        InputError, DiskError.
        """
        suffix = Path(fit_name(name)).suffix.lower()
        known = [ending for kind in kinds or ENDINGS for ending in ENDINGS[kind]]
        if suffix not in known:
            raise InputError("error.upload.kind", name=fit_name(name) or "?", known=", ".join(known))
        return (self.sound if suffix in SOUNDS else self.result)(name, content)

    def sound(self, name: str, content: BinaryIO) -> Path:
        """Take in a sound, beside the pictures. Raises InputError, DiskError."""
        return self._keep(fit_name(name).lstrip("."), content, kind_of)

    def _keep(self, base: str, content: BinaryIO, check: Callable[[Path], object]) -> Path:
        """Take in what is called by its content. Raises InputError, DiskError."""
        if self.full and self.texts is not None:
            self.tidy(self.texts, CROWDED)
        if self.full:
            raise InputError("error.upload.count", limit=MOST)
        private(self.folder)
        draft = self.folder / f".{uuid4().hex}.part"
        try:
            with _saying(base, draft):
                mark = _write(content, draft, base)
                with self._decoding:
                    check(draft)
                return self._settle(draft, mark, base)
        finally:
            leave(draft)

    def adopt(self, path: Path) -> Path | None:
        """A picture of this machine among the uploads, so that it can be shown; None where it is gone."""
        try:
            if path.is_relative_to(self.folder):
                os.utime(path.parent)  # used again: it is not long ago that it was given
                return path if path.is_file() else None
            draft = self.folder / f".{uuid4().hex}.part"
            private(self.folder)
            try:
                shutil.copyfile(path, draft)
                draft.chmod(0o600)
                return self._settle(draft, digest(draft)[:32], fit_name(path.name))
            finally:
                leave(draft)
        except OSError:
            return None

    def find(self, mark: str) -> Path | None:
        """The picture that is known by a mark."""
        return None if MARK.fullmatch(mark) is None else _in(self.folder / mark)

    def mark(self, path: Path) -> str | None:
        """What a picture among the uploads is known by."""
        mine = path.parent.parent == self.folder and MARK.fullmatch(path.parent.name)
        return path.parent.name if mine else None

    def given(self, path: Path) -> Given:
        """What is known of a picture among the uploads. Raises PictureError."""
        width, height = images.measure(path)
        return Given(path.parent.name, path.name, width, height)

    def small(self, path: Path, side: int) -> bytes:
        """A picture, or a video's first, as every browser shows it, WebP with no side longer. Raises InputError."""
        video = path.suffix.lower() in VIDEOS
        return self.shown(path, side, lambda: _first(path) if video else images.load(path))

    def last(self, path: Path, side: int) -> bytes:
        """A video's last picture in the same way. Raises InputError."""
        return self.shown(path, side, lambda: Image.fromarray(last_frame(path)), "last")

    def shown(self, path: Path, side: int, make: Callable[[], Image.Image], which: str = "") -> bytes:
        """What `make` shows of a file, WebP with no side longer; `which` tells it from what else is shown of the file.

        It is kept in the cache. Raises InputError.
        """
        state = path.stat()
        said = f"{path}\0{state.st_mtime_ns}\0{state.st_size}\0{which}"
        name = hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()
        target = self.settings.cache / SHOWN / f"{name[:32]}-{side}.webp"
        with suppress(OSError):
            return target.read_bytes()
        with self._decoding:
            picture = make()
            picture.thumbnail((side, side), Image.Resampling.LANCZOS)
        made = BytesIO()
        picture.save(made, "WEBP", quality=QUALITY)
        with suppress(OSError):  # it is shown all the same
            private(target.parent)
            draft = target.with_name(f".{uuid4().hex}.part")  # two may make it at once
            draft.write_bytes(made.getvalue())
            settle(draft, target, lasting=False)
            trim(target.parent, "*", ROOM)
        return made.getvalue()

    def result(self, name: str, content: BinaryIO) -> Path:
        """Take in latents or a video, among the results. Raises InputError, DiskError."""
        base = fit_name(name)
        suffix = Path(base).suffix.lower()  # cameras write theirs in capitals
        if suffix not in (LATENTS, *MOVING) or base.startswith("."):
            raise InputError("error.upload.kind", name=base or "?", known=", ".join((LATENTS, *MOVING)))
        folder = self.settings.outputs.absolute()
        folder.mkdir(parents=True, exist_ok=True)
        check: Callable[[Path], object] = measure_latents if suffix == LATENTS else measure_video
        stem = Path(base).stem

        def free() -> Path:
            path, number = folder / f"{stem}{suffix}", 1
            while path.exists():
                number += 1
                path = folder / f"{stem}_{number}{suffix}"
            return path

        return self._take(content, base, folder, check, free)

    def lora(self, name: str, content: BinaryIO) -> Path:
        """Take in a LoRA file, into the program's own folder. Raises InputError, LoraError, DiskError."""
        base = fit_name(name)
        if Path(base).suffix.lower() != LATENTS or base.startswith("."):
            raise InputError("error.upload.kind", name=base or "?", known=LATENTS)
        folder = self.settings.loras[0].absolute()
        path = folder / base

        def free() -> Path:
            if path.exists():
                raise InputError("error.upload.exists", name=base)
            return path

        free()  # said before a gigabyte is sent
        private(folder)
        return self._take(content, base, folder, lambda draft: check_numbers(read_lora(draft)), free)

    def tidy(self, texts: Callable[[], list[str]], stale_after: float = STALE) -> None:
        """Remove what was given long ago and is named in none of these texts, and what was never whole.

        The texts are asked for only where something is old: at most starts nothing is, and jobs may be many.
        """
        now, stale = time.time(), list[Path]()
        for path in self.folder.iterdir():
            try:
                age = now - path.stat().st_mtime
            except FileNotFoundError:  # what was still coming has its place
                continue
            if path.name.startswith("."):
                if age > CUT:
                    leave(path)
            elif age > stale_after:
                stale.append(path)
        if not stale:
            return
        try:
            kept = texts()
        except OSError:  # what cannot be read may name any of them
            return
        for path in stale:
            if not any(path.name in text for text in kept):
                leave(path)

    def _take(
        self, content: BinaryIO, base: str, folder: Path, check: Callable[[Path], object], free: Callable[[], Path]
    ) -> Path:
        draft = folder / f".{uuid4().hex}{Path(base).suffix.lower()}"
        try:
            with _saying(base, draft):
                _write(content, draft, base, private=folder != self.settings.outputs.absolute())
                check(draft)
                with self._place:
                    path = free()
                    settle(draft, path)
        finally:
            leave(draft)
        return path

    def _settle(self, draft: Path, mark: str, base: str) -> Path:
        """The place of a picture, which is had before if there is one of its content."""
        place = self.folder / mark
        with self._place:
            known = _in(place)
            if known is not None:
                os.utime(place)
                return known
            if self.full:
                raise InputError("error.upload.count", limit=MOST)
            private(place)
            try:
                settle(draft, place / base)
            except OSError:
                place.rmdir()
                raise
        return place / base


def uploads(settings: Settings) -> Path:
    """Where the pictures of a machine's pages are kept."""
    return (settings.home / UPLOADS).absolute()


def media_type(path: Path) -> str | None:
    """What a browser is told that a picture is, by its content; None for what not every browser shows."""
    with open_picture(path) as image:
        kind = image.format or ""
    return Image.MIME.get("JPEG" if kind == "MPO" else kind) if kind in INLINE or kind == "MPO" else None


@contextmanager
def _saying(base: str, draft: Path) -> Iterator[None]:
    """Errors about a draft, by the name that was given. Raises InputError, DiskError."""
    try:
        yield
    except EichiError as error:
        error.values = {key: base if str(value) == str(draft) else value for key, value in error.values.items()}
        raise
    except OSError as error:
        raise DiskError("error.upload.write", name=base, reason=error) from error


def _write(content: BinaryIO, draft: Path, base: str, *, private: bool = True) -> str:
    """Write what is given, of bounded size, onto the disk; what its content is known by. Raises InputError, OSError."""
    mark = hashlib.sha256()
    draft.touch(0o600 if private else 0o666, exist_ok=False)
    with draft.open("wb") as file:
        while part := content.read(2**20):
            if file.tell() + len(part) > LARGEST:
                raise InputError("error.upload.large", name=base, limit=LARGEST // 2**20)
            file.write(part)
            mark.update(part)
        file.flush()
        os.fsync(file.fileno())  # a rename can reach the disk before the content does
    return mark.hexdigest()[:32]


def _first(path: Path) -> Image.Image:
    """The first frame of a video. Raises InputError."""
    with closing(read_frames(path)) as frames:
        frame = next(frames, None)
    if frame is None:
        raise InputError("error.video.read", path=path, reason="reason.video")
    return Image.fromarray(frame.pixels)


def _in(place: Path) -> Path | None:
    """The file of a picture's folder."""
    try:
        found = sorted(path for path in place.iterdir() if not path.name.startswith(".") and path.is_file())
    except OSError:
        return None
    return found[0] if found else None
