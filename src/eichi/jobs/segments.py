"""What is made of a chain goes between machines that share a place: its segments, and the list of them.

The list says what the segments are made from by what is in the files, not by where they lie: whoever has the same goes
on from them, and for everybody else they are not there. It comes after the segments that it names. What a chain has
laid down on its way does not travel: it is soon made again. Knows no step of a chain.
"""

import json
import logging
import tempfile
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from hashlib import sha256
from pathlib import Path

from eichi.errors import DiskError, StoreError
from eichi.events import Event, SectionDone
from eichi.files import digest, leave
from eichi.finish.folder import SEGMENT, FinishFolder
from eichi.finish.plan import FinishPlan
from eichi.jobs.freight import Freight, parts_of
from eichi.jobs.places import Place, reaching
from eichi.jobs.schema import Job
from eichi.jobs.waybill import MOST, named
from eichi.lines import in_terminal
from eichi.options import FinishOptions
from eichi.reading import parse_json
from eichi.text import json_text
from eichi.video.card import file_checksum
from eichi.video.jobfolder import FINISH
from eichi.video.metadata import versions

log = logging.getLogger(__name__)

FILES, MADE = "files", "made_from"


class Segments:
    """The segments of one job in a place, whose keys begin with `start`; `video` is what is in its video."""

    def __init__(self, place: Place, start: str, video: str) -> None:
        self._place, self._start, self._video = place, start, video
        self._sent: dict[str, str] = {}
        self._source = ""  # what tells segments of the plan from all others, once it is known

    def fetch(self, plan: FinishPlan, folder: FinishFolder) -> None:
        """Bring here what the place has of a plan, and is not here. Raises StoreError, DiskError."""
        files = self._listed(plan)
        self._sent = dict(files)
        try:
            folder.folder.mkdir(0o700, parents=True, exist_ok=True)
            for name, checksum in files.items():
                path = folder.folder / name
                if path.is_file():
                    continue
                if self._place.get(f"{self._start}{name}", path) and file_checksum(path) != checksum:
                    leave(path)  # is made again
        except OSError as error:
            raise DiskError("error.checkpoint.write", folder=folder.folder, reason=error) from error

    def sending(
        self, events: Iterator[Event], plan: FinishPlan, folder: FinishFolder, language: str
    ) -> Iterator[Event]:
        """The events of a chain, each new segment being in the place before anybody hears of it. What cannot be brought
        there goes with the next one.
        """
        assert isinstance(events, Generator)
        with closing(events):
            for event in events:
                if isinstance(event, SectionDone) and event.computed:
                    try:
                        self._send(plan, folder)
                    except StoreError as error:
                        log.warning("%s", in_terminal(error, language))
                yield event

    def _send(self, plan: FinishPlan, folder: FinishFolder) -> None:
        with reaching(str(folder.folder)):
            there = [path for path in sorted(folder.folder.iterdir()) if SEGMENT.fullmatch(path.name)]
            new = {path.name: file_checksum(path) for path in there if path.name not in self._sent}
        for name in new:
            self._place.put(f"{self._start}{name}", folder.folder / name)
        files = {**self._sent, **new}
        with reaching(str(folder.folder)), tempfile.TemporaryDirectory() as draft:
            (file := Path(draft) / FINISH).write_text(json_text({MADE: self._made_from(plan), FILES: files}), "utf-8")
            self._place.put(f"{self._start}{FINISH}", file)
        self._sent = files

    def _listed(self, plan: FinishPlan) -> dict[str, str]:
        """The segments that the list at the place has, with their checksums; none where they are of something else."""
        with reaching(self._start), tempfile.TemporaryDirectory() as draft:
            if not self._place.get(f"{self._start}{FINISH}", file := Path(draft) / FINISH, MOST):
                return {}
            with suppress(ValueError):
                told = parse_json(file.read_bytes())
                files = named(told.get(FILES)) if isinstance(told, dict) else None
                if files and told.get(MADE) == self._made_from(plan) and all(map(SEGMENT.fullmatch, files)):
                    return files
        return {}

    def _made_from(self, plan: FinishPlan) -> str:
        """What tells segments of the job's plan from all others, on any machine; its upscaler is read once."""
        if not self._source:
            upscaler = None if plan.upscaler is None else digest(plan.upscaler.path)
            chain = plan.chain.model_copy(update={"upscale": upscaler})
            told = [chain.dump(), self._video, versions(), plan.part(0).stop]
            self._source = sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
        return self._source


def segments_of(freight: Freight, job: Job) -> Segments | None:
    """What goes of the segments of a job between machines, None where nothing does."""
    options = job.options
    video = (job.inputs or {}).get(str(options.video)) if isinstance(options, FinishOptions) else None
    return None if freight.place is None or video is None else Segments(freight.place, parts_of(job), video)
