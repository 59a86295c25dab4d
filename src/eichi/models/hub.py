"""The hub over HTTP: what files a repository has, and one of them on disk, gone on with after an interruption.

Everything goes through the hub library's own session, so that its variables count here as everywhere: HF_ENDPOINT for
a mirror, HF_TOKEN, HTTPS_PROXY, HF_HUB_OFFLINE. Its own download is not used: it throws away what it has of a file
when it is interrupted, and these files are ten gigabytes each. Here a file grows under another name and gets
its own when its checksum is right.

Knows nothing of models. Has no torch.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedWriter
from pathlib import Path, PurePosixPath

import httpx2
from huggingface_hub import HfApi, constants, get_session, hf_hub_url, hf_raise_for_status
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # public, but for type checkers

from eichi.errors import EichiError, FolderError, ModelError, RunError
from eichi.files import digest, private, settle

CHUNK = 4 * 2**20  # bytes between two words on how far it is
TRIES = 5  # connections that bring nothing, one after another, before giving up
BUSY = (429, 500, 502, 503, 504)
PATIENCE = 60.0  # seconds that a server may ask to wait
Wait = Callable[[float], object]


@dataclass(frozen=True)
class RemoteFile:
    """One file of a repository. `sum` is its SHA-256 (64 digits), or git's SHA-1 (40 digits) of a small file."""

    repository: str
    commit: str
    path: str
    size: int
    sum: str

    @property
    def folder(self) -> str:
        """The folder inside the repository, empty for its top."""
        parent = str(PurePosixPath(self.path).parent)
        return "" if parent == "." else parent


def list_files(repository: str) -> list[RemoteFile]:
    """All files of a repository as it is now. Raises ModelError, RunError."""
    api = HfApi(endpoint=constants.ENDPOINT)
    with boundary(repository):
        commit = api.model_info(repository, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT).sha
        assert commit is not None, "the hub names the commit"
        tree = api.list_repo_tree(repository, recursive=True, revision=commit)
        files = [entry for entry in tree if isinstance(entry, RepoFile)]
    return [
        RemoteFile(repository, commit, file.path, file.size, file.lfs.sha256 if file.lfs else file.blob_id)
        for file in files
    ]


def fetch(file: RemoteFile, target: Path, wait: Wait = time.sleep) -> Iterator[int]:
    """Bring one file to its place, from where it was interrupted; yields how many of its bytes are here, as they come.

    Raises ModelError, RunError, FolderError. What was fetched until then is kept, unless its checksum was wrong.
    """
    part = part_of(file, target)
    with boundary(f"{file.repository}/{file.path}"):
        private(part.parent)
        with part.open("ab") as out:
            yield from _fill(file, out, wait)
            out.flush()
            os.fsync(out.fileno())
        if checksum(part, file.sum) != file.sum:
            part.unlink()
            raise RunError("error.hub.damaged", file=f"{file.repository}/{file.path}")
        settle(part, target)


def part_of(file: RemoteFile, target: Path) -> Path:
    """Where a file grows. The checksum in the name keeps a newer version from being put behind an older one's part."""
    return target.with_name(f".{target.name}.{file.sum[:12]}.part")


def checksum(path: Path, like: str) -> str:
    """A file's checksum of the kind that `like` is: SHA-256, or git's SHA-1 of a blob."""
    if len(like) == 64:
        return digest(path)
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _fill(file: RemoteFile, out: BufferedWriter, wait: Wait) -> Iterator[int]:
    """Append what is missing; where a connection drops or the server is busy, the next one goes on."""
    done, idle = out.seek(0, os.SEEK_END), 0
    while done < file.size and idle < TRIES:
        before, pause = done, 0.0
        try:
            yield from _stream(file, out)
        except (httpx2.NetworkError, httpx2.TimeoutException, httpx2.RemoteProtocolError, HfHubHTTPError) as error:
            pause = _pause(error, idle)
            if idle == TRIES - 1 or not pause:
                raise
        done = out.tell()
        idle = 0 if done > before else idle + 1
        wait(pause)


def _stream(file: RemoteFile, out: BufferedWriter) -> Iterator[int]:
    """One connection: the file from where `out` ends, or all of it from a server that knows no ranges."""
    done = told = out.tell()
    # Compressed, a range would be one of other bytes.
    headers = {**build_hf_headers(), "Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
    url = hf_hub_url(file.repository, file.path, revision=file.commit)
    with get_session().stream("GET", url, headers=headers, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT) as response:
        hf_raise_for_status(response)
        if done and response.status_code != httpx2.codes.PARTIAL_CONTENT:
            done = told = out.seek(out.truncate(0))
        for chunk in response.iter_bytes():
            done += out.write(chunk)
            if done - told >= CHUNK:
                yield (told := done)
    yield done


def _pause(error: Exception, idle: int) -> float:
    """Seconds to wait before another try, 0 where another try would end no better."""
    if not isinstance(error, HfHubHTTPError):
        return 2.0**idle
    if error.response.status_code not in BUSY:
        return 0.0
    asked = error.response.headers.get("Retry-After", "")
    return min(float(asked), PATIENCE) if asked.isdecimal() else 2.0**idle


@contextmanager
def boundary(what: str) -> Iterator[None]:
    """The one place where the hub's and the network's complaints about `what` become ours."""
    try:
        yield
    except OfflineModeIsEnabled as error:
        raise ModelError("error.hub.offline", what=what) from error
    except HfHubHTTPError as error:
        raise _refusal(what, error.response.status_code) from error
    except httpx2.HTTPError as error:
        raise RunError("error.hub.network", what=what, server=constants.ENDPOINT, reason=error) from error
    except OSError as error:
        raise FolderError("error.hub.write", what=what, reason=error) from error


def _refusal(what: str, status: int) -> EichiError:
    """The error for an HTTP status that is none of success."""
    values = {"what": what, "server": constants.ENDPOINT, "status": status}
    if status in (401, 403):
        return ModelError("error.hub.token", **values)
    if status == 404:
        return ModelError("error.hub.missing", **values)
    if status == 429:
        return RunError("error.hub.busy", **values)
    return RunError("error.hub.server", **values)
