"""The hub over HTTP: what files a repository has, and one of them on disk, gone on with after an interruption.

Everything goes through the hub library's own session, so that its variables count here as everywhere: HF_ENDPOINT for
a mirror, HF_TOKEN, HTTPS_PROXY, HF_HUB_OFFLINE. Its own download is not used: it throws away what it has of a file
when it is interrupted, and these files are ten gigabytes each. Here a file grows under another name and gets its own
when its checksum is right, which is computed as the bytes come: nothing is read twice but what an earlier try left.

A server is believed nothing. What it says of files is checked before anything is done with it, an answer that cannot
be the file (a page to log in, another length) is refused before it touches what is here, and the token is sent to the
server that it is for and not to where that sends us.

Knows nothing of models. Has no torch.
"""

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from glob import escape
from io import BufferedRandom
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import httpx2
from huggingface_hub import HfApi, constants, get_session, hf_hub_url, hf_raise_for_status
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, OfflineModeIsEnabled
from huggingface_hub.hf_api import ModelInfo, RepoSibling
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # public, but for type checkers
from pydantic import SecretStr

from eichi.errors import EichiError, FolderError, ModelError, RunError
from eichi.files import digest, private, settle
from eichi.names import fit_name
from eichi.reasons import Reason, because
from eichi.settings import LOCAL, Settings
from eichi.text import encodable

CHUNK = 4 * 2**20  # bytes between two words on how far it is
READ = 64 * 2**20  # bytes between two words on what an earlier try left
TRIES = 10  # connections that bring nothing, one after another, before giving up: five minutes in all
AGAIN = 1  # times that a file is fetched anew whose checksum is wrong
BUSY = (408, 429, 500, 502, 503, 504)
PATIENCE = 300.0  # seconds that a server may ask to wait
LONGEST = 60.0  # seconds that are waited where it says none
COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
SUM = COMMIT  # SHA-256, or git's SHA-1
# What a library raises over an answer that is none of the hub's.
GARBLED = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
MARK = 12  # digits of a checksum that stand in the name of a file that grows
Wait = Callable[[float], object]


@dataclass(frozen=True)
class Server:
    """Whom files are asked of. Without an address it is the hub library's own; the token is for this address alone."""

    address: str = ""
    token: SecretStr | None = None

    @classmethod
    def of(cls, settings: Settings) -> "Server":
        return cls(settings.mirror, settings.token)

    @property
    def url(self) -> str:
        return self.address or constants.ENDPOINT

    @property
    def credential(self) -> str | bool | None:
        """What the hub library is told of tokens: this one, none, or (None) the one that it knows itself.

        That one is for its own server, and none travels in the open.
        """
        parts = urlsplit(self.url)
        if parts.scheme != "https" and parts.hostname not in LOCAL:
            return False
        if self.token is not None:
            return self.token.get_secret_value()
        return None if self.url.rstrip("/") == constants.ENDPOINT.rstrip("/") else False

    @property
    def named(self) -> dict[str, str]:
        """The variables that a server and its token are set by, for a sentence: ours, or the hub library's."""
        own = self.address or self.token is not None
        return {
            "mirror": "EICHI_MIRROR" if self.address else "HF_ENDPOINT",
            "secret": "EICHI_TOKEN" if own else "HF_TOKEN",
        }


@dataclass(frozen=True)
class RemoteFile:
    """One file of a repository. `sum` is its SHA-256 (64 digits), or git's SHA-1 (40 digits) of a small file."""

    repository: str
    commit: str
    path: str
    size: int
    sum: str

    @property
    def name(self) -> str:
        return f"{self.repository}/{self.path}"

    @property
    def folder(self) -> str:
        """The folder inside the repository, empty for its top."""
        parent = str(PurePosixPath(self.path).parent)
        return "" if parent == "." else parent


@dataclass(frozen=True)
class Repository:
    """A repository at a commit. `licence` is what its card calls it, empty where it says nothing, `link` where it is.

    A `gated` one is opened to those who agreed to something on its page.
    """

    name: str
    commit: str
    files: tuple[RemoteFile, ...]
    licence: str = ""
    link: str = ""
    gated: bool = False


@dataclass(frozen=True)
class Trouble:
    """Nothing comes, for this reason; after so many seconds it goes on by itself, after 0 when it can."""

    file: str
    seconds: float
    reason: Reason = field(default_factory=dict)


def look(name: str, server: Server | None = None, commit: str | None = None) -> Repository:
    """A repository as it is now, or was at a commit. Raises ModelError, RunError."""
    server = server or Server()
    api = HfApi(endpoint=server.url, token=server.credential)
    with boundary(name, server):
        try:
            told = api.model_info(name, revision=commit, files_metadata=True, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT)
            return _repository(name, told, server)
        except HfHubHTTPError:
            raise
        except GARBLED as error:
            raise RunError("error.hub.page", what=name, server=server.url) from error


def _repository(name: str, told: ModelInfo, server: Server) -> Repository:
    """What the hub tells of a repository. Raises ValueError for what it cannot be."""
    if told.sha is None or not COMMIT.fullmatch(told.sha):
        raise ValueError(told.sha)
    files = tuple(_remote(name, told.sha, one) for one in told.siblings or ())
    card: dict[str, object] = dict(vars(told.card_data)) if told.card_data else {}
    licence, link = str(card.get("license_name") or card.get("license") or ""), str(card.get("license_link") or "")
    if link and "://" not in link:  # a file of the repository
        link = f"{server.url}/{name}/blob/main/{link.lstrip('./')}"
    safe = link if link.startswith("https://") else ""  # it is shown to be pressed
    return Repository(name, told.sha, files, licence[:100], safe, bool(told.gated))


def _remote(repository: str, commit: str, told: RepoSibling) -> RemoteFile:
    size, sum = told.size, told.lfs.sha256 if told.lfs else told.blob_id
    if not isinstance(told.rfilename, str) or not encodable(told.rfilename):
        raise ValueError(told.rfilename)
    if not isinstance(size, int) or size < 0 or not isinstance(sum, str) or not SUM.fullmatch(sum):
        raise ValueError(told.rfilename)
    return RemoteFile(repository, commit, told.rfilename, size, sum)


def check_path(file: RemoteFile) -> None:
    """Raise ModelError for a file that must not be written: outside of its folder, or where some system cannot."""
    parts = file.path.split("/")
    if any(not part or part.startswith(".") or fit_name(part) != part for part in parts):
        raise ModelError("error.hub.name", repository=file.repository, file=file.path)


def fetch(
    file: RemoteFile, target: Path, wait: Wait = time.sleep, server: Server | None = None
) -> Iterator[int | Trouble]:
    """Bring one file to its place, from where it was interrupted; yields how many of its bytes are here, as they come.

    Raises ModelError, RunError, FolderError. What was fetched until then is kept, unless its checksum was wrong: then
    it is fetched once more from the beginning.
    """
    server, part = server or Server(), part_of(file, target)
    with boundary(file.name, server):
        private(part.parent)
        for other in begun(target):
            if other != part:  # of another version
                other.unlink()
        with part.open("a+b") as out:
            growing = _Growing(file, out)
            yield from growing.take_in()
            yield from _fill(server, growing, wait)
            for _ in range(AGAIN):
                if growing.sum != file.sum:
                    growing.empty()
                    yield Trouble(file.name, 0.0, {"reason": "reason.checksum.again"})
                    yield from _fill(server, growing, wait)
            out.flush()
            os.fsync(out.fileno())
        if growing.sum != file.sum:
            part.unlink()
            raise RunError("error.hub.damaged", file=file.name)
        settle(part, target)


def part_of(file: RemoteFile, target: Path) -> Path:
    """Where a file grows. The checksum in the name keeps a newer version from being put behind an older one's part."""
    return target.with_name(f".{target.name}.{file.sum[:MARK]}.part")


def begun(target: Path) -> list[Path]:
    """What has come of a file, of any version, and is not all of it."""
    return list(target.parent.glob(f".{escape(target.name)}.{'[0-9a-f]' * MARK}.part"))


def checksum(path: Path, like: str) -> str:
    """A file's checksum of the kind that `like` is: SHA-256, or git's SHA-1 of a blob."""
    if len(like) == 64:
        return digest(path)
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


class Summing:
    """A checksum of the kind that `like` is, of so many bytes, as they come."""

    def __init__(self, like: str, size: int) -> None:
        git = b"blob %d\0" % size
        self._hash = hashlib.sha256() if len(like) == 64 else hashlib.sha1(git, usedforsecurity=False)

    def add(self, chunk: bytes) -> None:
        self._hash.update(chunk)

    @property
    def sum(self) -> str:
        return self._hash.hexdigest()


class _Growing:
    """A file on its way: what there is of it, and the checksum of that."""

    def __init__(self, file: RemoteFile, out: BufferedRandom) -> None:
        self.file, self.out, self.done = file, out, 0
        self._summing = Summing(file.sum, file.size)

    @property
    def sum(self) -> str:
        return self._summing.sum

    @property
    def left(self) -> int:
        return self.file.size - self.done

    def take_in(self) -> Iterator[Trouble]:
        """Read what an earlier try left, and say so."""
        here = self.out.seek(0, os.SEEK_END)
        if here > self.file.size:
            self.empty()
            here = 0
        self.out.seek(0)
        while chunk := self.out.read(CHUNK):
            self._summing.add(chunk)
            self.done += len(chunk)
            if self.done % READ == CHUNK:
                yield Trouble(self.file.name, 0.0, {"reason": "reason.reread"})
        self.out.seek(0, os.SEEK_END)

    def add(self, chunk: bytes) -> None:
        """Append bytes, of more than the file has none."""
        chunk = chunk[: self.left]
        self.out.write(chunk)
        self._summing.add(chunk)
        self.done += len(chunk)

    def empty(self) -> None:
        """Begin anew."""
        self.out.seek(self.out.truncate(0))
        self.done, self._summing = 0, Summing(self.file.sum, self.file.size)


def _fill(server: Server, growing: _Growing, wait: Wait) -> Iterator[int | Trouble]:
    """Append what is missing; where a connection drops or the server is busy, the next one goes on."""
    idle = 0
    while growing.left:
        before, error = growing.done, None
        try:
            yield from _stream(server, growing)
        except (httpx2.NetworkError, httpx2.TimeoutException, httpx2.RemoteProtocolError, HfHubHTTPError) as caught:
            error = caught
        if not growing.left:
            break
        idle = 0 if growing.done > before else idle + 1
        pause = _pause(error, idle)
        if pause is None or idle >= TRIES:
            raise error or RunError("error.hub.page", what=growing.file.name, server=server.url)
        yield Trouble(growing.file.name, pause, _reason(error))
        wait(pause)
        yield growing.done  # whoever has ended it meanwhile asks for nothing more


def _stream(server: Server, growing: _Growing) -> Iterator[int]:
    """One connection: the file from where it ends here, or all of it from a server that knows no ranges."""
    told, file = growing.done, growing.file
    # Compressed, a range would be one of other bytes.
    headers = {**build_hf_headers(token=server.credential), "Accept-Encoding": "identity"}
    if growing.done:
        headers["Range"] = f"bytes={growing.done}-"
    url = hf_hub_url(file.repository, file.path, revision=file.commit, endpoint=server.url)
    with get_session().stream("GET", url, headers=headers, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT) as response:
        if response.status_code == httpx2.codes.RANGE_NOT_SATISFIABLE:
            growing.empty()  # it has another file, or cannot count
            return
        hf_raise_for_status(response)
        start = _start(server, file, response)
        if start != growing.done:
            growing.empty()
            if start:  # of no use from there
                return
            told = 0
        for chunk in response.iter_bytes():
            growing.add(chunk)
            if growing.done - told >= CHUNK:
                yield (told := growing.done)
            if not growing.left:
                break
    yield growing.done


def _start(server: Server, file: RemoteFile, response: httpx2.Response) -> int:
    """The byte that an answer begins with. Raises RunError for one that cannot be the file."""
    headers = response.headers
    start, size = 0, headers.get("Content-Length", "")
    if response.status_code == httpx2.codes.PARTIAL_CONTENT:
        found = re.fullmatch(r"bytes (\d{1,18})-\d+/(\d+|\*)", headers.get("Content-Range", ""))
        start, size = (int(found[1]), found[2]) if found else (-1, "")
    page = headers.get("Content-Type", "").startswith("text/html")
    other = "Content-Encoding" not in headers and size.isdecimal() and size.lstrip("0") != str(file.size or "")
    if page or other:
        raise RunError("error.hub.page", what=file.name, server=server.url)
    return start


def _pause(error: Exception | None, idle: int) -> float | None:
    """Seconds to wait before another try, None where another try would end no better."""
    ours = min(2.0 ** max(idle - 1, 0), LONGEST)
    if not isinstance(error, HfHubHTTPError):
        return ours
    if error.response.status_code not in BUSY:
        return None
    asked = error.response.headers.get("Retry-After", "")
    if asked.isdecimal():
        return min(float(asked), PATIENCE)
    with suppress(ValueError, TypeError):
        then = parsedate_to_datetime(asked)
        return min(max(0.0, (then - datetime.now(UTC)).total_seconds()), PATIENCE)
    return ours


def _reason(error: Exception | None) -> Reason:
    """Why a connection brought no more."""
    if isinstance(error, HfHubHTTPError):
        return {"reason": "reason.status", "status": error.response.status_code}
    return {"reason": "reason.os.broken"} if error is None else because(error)


@contextmanager
def boundary(what: str, server: Server) -> Iterator[None]:
    """The one place where the hub's and the network's complaints about `what` become ours."""
    try:
        yield
    except OfflineModeIsEnabled as error:
        raise ModelError("error.hub.offline", what=what) from error
    except HfHubHTTPError as error:
        raise _refusal(what, error, server) from error
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise RunError("error.hub.network", what=what, server=server.url, reason=error, **server.named) from error
    except OSError as error:
        raise FolderError("error.hub.write", what=what, reason=error) from error


def _refusal(what: str, error: HfHubHTTPError, server: Server) -> EichiError:
    """The error for an HTTP status that is none of success."""
    status = error.response.status_code
    values = {"what": what, "server": server.url, "status": status} | server.named
    if isinstance(error, GatedRepoError):
        page = f"{server.url}/{'/'.join(what.split('/')[:2])}"
        return ModelError("error.hub.gated", page=page, **values)
    if status in (401, 403):
        return ModelError("error.hub.token", **values)
    if status == 404:
        return ModelError("error.hub.missing", **values)
    if status == 429:
        return RunError("error.hub.busy", **values)
    return RunError("error.hub.server", **values)
