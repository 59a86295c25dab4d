"""The other processes that compute one video with this one: started, told what to do, heard, and ended.

This process leads: it alone knows the plan, the words, the VAE, the store and the files. Each time it calls its
transformer, so does every follower (`models.follower`) with the same inputs, and all exchange their shares of the
tokens (`models.parallel`). So what stops a job, repeats a section or drops a kernel happens here and nowhere else, and
followers have nothing to agree on: even what a step cache reuses follows from the sum over all.

Messages go through pipes, pickled: both ends are this program, started by this program. A follower whose leader is gone
reads the end of its pipe and ends; a leader whose follower is gone hears it and lets go of what waits for it. Then the
job fails with a word, and its finished sections stay.
"""

import logging
import pickle
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from shutil import rmtree
from struct import Struct
from typing import IO, Any

import torch
from diffusers import HunyuanVideoFramepackTransformer3DModel
from diffusers.hooks import HookRegistry, ModelHook
from torch import Tensor, nn

from eichi.catalog import Entry
from eichi.errors import EichiError, RunError
from eichi.models.attention import Kernel
from eichi.models.kernels import Kernels
from eichi.models.parallel import Seat, Table, share
from eichi.models.steering import Steering
from eichi.models.stepcache import CacheConfig, StepCache
from eichi.options import WeightsOptions
from eichi.plan.memory import Need
from eichi.settings import Runtime

log = logging.getLogger(__name__)

NAME = "eichi_lead"
FOLLOWER = "eichi.models.follower"
LENGTH = Struct("<Q")  # of a message, before it
PATIENCE = 10.0  # seconds that a follower has to end by itself


@dataclass(frozen=True)
class Begin:
    """Who a follower is: the model, how its device runs it, its seat, and how many threads it may have on a CPU."""

    entry: Entry
    runtime: Runtime
    seat: Seat
    threads: int


@dataclass(frozen=True)
class Want:
    """What its transformer is to be made of, and the size of the request where it is to fit a GPU."""

    weights: WeightsOptions
    need: Need | None


@dataclass(frozen=True)
class Sit:
    """The others are there: join them."""


@dataclass(frozen=True)
class Open:
    """A job begins to draw, by a kernel, with a step cache or without, and tells its transformer further things."""

    kernel: Kernel
    cache: CacheConfig | None
    steering: Steering


@dataclass(frozen=True)
class Pass:
    """One call of the transformer: what differs in the inputs from the call before, each with whether it lies on the
    device. The step cache is at a `branch`, which begins anew where it is `fresh`.
    """

    given: dict[str, tuple[Any, bool]]
    kernel: Kernel
    branch: str
    fresh: bool


@dataclass(frozen=True)
class Shut:
    """The job draws no more."""


@dataclass(frozen=True)
class Leave:
    """There is nothing more to do. Where the input ends without it, the leader has died."""


@dataclass(frozen=True)
class Ready:
    """A follower has what was wanted."""


@dataclass(frozen=True)
class Trouble:
    """A follower has failed, and ends."""

    error: EichiError


Told = Begin | Want | Sit | Open | Pass | Shut | Leave
Answer = Ready | Trouble


def send(pipe: IO[bytes], message: Told | Answer) -> None:
    """Write a message. Raises OSError where nobody reads it."""
    body = pickle.dumps(message)
    pipe.write(LENGTH.pack(len(body)) + body)
    pipe.flush()


def receive(pipe: IO[bytes]) -> Any:
    """The next message; None where there will be none."""
    head = pipe.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    body = pipe.read(length)
    return pickle.loads(body) if len(body) == length else None


class Team:
    """The followers of this process. They are started when something is first wanted of them."""

    def __init__(self, entry: Entry, runtime: Runtime, devices: tuple[torch.device, ...]) -> None:
        """`devices` are those of all processes, this one's first."""
        self.entry, self.runtime, self.devices = entry, runtime, devices
        self._followers: list[_Follower] = []
        self._table: Table | None = None
        self._folder: Path | None = None
        self._passing = False  # a call of the transformer has begun and not ended

    @property
    def running(self) -> bool:
        """Whether there are followers."""
        return bool(self._followers)

    def want(self, weights: WeightsOptions, need: Need | None) -> None:
        """Let the followers make their transformers, beside what is done here meanwhile."""
        if not self._followers:
            self._start()
        for follower in self._followers:
            follower.tell(Want(weights, need))

    def ready(self) -> None:
        """Wait until all have what was wanted. Raises what one of them failed with, and RunError."""
        try:
            for follower in self._followers:
                follower.hear()
            if self._table is None:
                for follower in self._followers:
                    follower.tell(Sit())
                self._table = Table(self._seat(0), self.devices[0])
        except (EichiError, RuntimeError) as error:
            raise self._lost(error) from error

    @contextmanager
    def sharing(
        self,
        transformer: HunyuanVideoFramepackTransformer3DModel,
        cache: StepCache | None,
        kernels: Kernels,
        steering: Steering,
    ) -> Iterator[None]:
        """For the time of a job, every call of this process's transformer is one of all processes'.

        Raises what a follower failed with meanwhile, and RunError where one is gone.
        """
        assert self._table is not None, "they are ready"
        registry = HookRegistry.check_if_exists_or_initialize(transformer)
        try:
            self._tell(Open(kernels.kernel, None if cache is None else cache.config, steering))
            with share(transformer, self._table, cache):
                registry.register_hook(_Lead(self, cache, kernels), NAME)
                try:
                    yield
                finally:
                    registry.remove_hook(NAME, recurse=False)
        except torch.OutOfMemoryError:
            raise  # of this process; the others wait for it and are ended
        except RuntimeError as error:  # torch's, where an exchange ended for want of a partner
            if self._passing:
                raise self._lost(error) from error
            raise
        finally:
            if self._passing:
                self.close()  # they wait for this process in the middle of a call
            elif self._followers:
                with suppress(RunError):
                    self._tell(Shut())

    def close(self) -> None:
        """Let all followers go; those that wait for something are ended."""
        followers, self._followers = self._followers, []
        for follower in followers:
            follower.leave(wait=not self._passing)
        self._passing = False
        if self._table is not None:
            with suppress(RuntimeError):  # torch's, for one that is gone already
                self._table.leave()
            self._table = None
        if self._folder is not None:
            rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def call(self, message: Pass) -> None:
        """Let all followers call their transformers, too; until `called` they are waited for."""
        self._passing = True
        self._tell(message)

    def called(self) -> None:
        self._passing = False

    def _start(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="eichi-"))
        threads = max(1, torch.get_num_threads() // len(self.devices))
        for rank, device in list(enumerate(self.devices))[1:]:
            runtime = replace(self.runtime, device=str(device), gpus=1)
            follower = _Follower(rank, self._gone)
            self._followers.append(follower)
            follower.tell(Begin(self.entry, runtime, self._seat(rank), threads))

    def _seat(self, rank: int) -> Seat:
        assert self._folder is not None, "they are started"
        return Seat(self._folder / "meeting", rank, len(self.devices))

    def _tell(self, message: Told) -> None:
        for follower in self._followers:
            follower.tell(message)

    def _gone(self) -> None:
        """A follower has ended; whoever waits for it here is let go. In the thread that hears it."""
        if self._passing and self._table is not None:
            self._table.abort()

    def _lost(self, error: Exception) -> EichiError:
        """End all because of an error; what is to be said about it: what a follower told, where one did."""
        followers = self._followers
        self.close()
        told = [follower.trouble for follower in followers if follower.trouble is not None]
        if told:
            return told[0]
        return error if isinstance(error, EichiError) else RunError("error.gpus.lost", reason=error)


class _Follower:
    """A follower's process, seen from the leader. What it answers is heard in a thread."""

    def __init__(self, rank: int, gone: Any) -> None:
        self.trouble: EichiError | None = None
        self._rank, self._gone, self._leaving = rank, gone, False
        self._answers: SimpleQueue[Ready | None] = SimpleQueue()
        self._process = subprocess.Popen(
            [sys.executable, "-m", FOLLOWER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._thread = threading.Thread(target=self._listen, name=f"follower {rank}", daemon=True)
        self._thread.start()

    def tell(self, message: Told) -> None:
        """Send a message. Raises RunError, or what the follower failed with, where it is gone."""
        assert self._process.stdin is not None
        try:
            send(self._process.stdin, message)
        except OSError as error:
            self._thread.join()
            raise self.trouble or self._ended() from error

    def hear(self) -> None:
        """Wait until it has what was wanted. Raises as `tell`."""
        if self._answers.get() is None:
            raise self.trouble or self._ended()

    def leave(self, wait: bool) -> None:
        """Let it go, and see to it that it does."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._leaving = True
        with suppress(OSError):
            if wait:
                send(self._process.stdin, Leave())
            self._process.stdin.close()
        try:
            self._process.wait(PATIENCE if wait else 0.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._thread.join()
        self._process.stdout.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        while (answer := receive(self._process.stdout)) is not None:
            if isinstance(answer, Trouble):
                self.trouble = answer.error
            else:
                self._answers.put(answer)
        self._answers.put(None)
        if not self._leaving:
            log.error("process %d of those that compute one video has ended", self._rank)
            self._gone()

    def _ended(self) -> RunError:
        return RunError("error.gpus.ended", number=self._rank + 1, code=self._process.wait())


class _Lead(ModelHook):  # type: ignore[misc]  # diffusers is not typed
    """Lets all followers do what the leader's transformer is called for."""

    def __init__(self, team: Team, cache: StepCache | None, kernels: Kernels) -> None:
        super().__init__()
        self.team, self.cache, self.kernels = team, cache, kernels
        self._sent: dict[str, object] = {}

    def pre_forward(self, module: nn.Module, *given: Any, **named: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        assert not given, "the denoiser names what it gives"
        new = {name: value for name, value in named.items() if name not in self._sent or self._sent[name] is not value}
        self._sent |= new
        branch = "" if self.cache is None else self.cache.branch
        fresh = self.cache is not None and branch not in self.cache.states
        self.team.call(Pass({name: _packed(value) for name, value in new.items()}, self.kernels.kernel, branch, fresh))
        return given, named

    def post_forward(self, module: nn.Module, output: Any) -> Any:
        self.team.called()
        return output


def _packed(value: Any) -> tuple[Any, bool]:
    """An input as it is sent, and whether it lies on the device."""
    return (value.cpu(), value.device.type != "cpu") if isinstance(value, Tensor) else (value, False)
