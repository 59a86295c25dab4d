"""One of the further processes of a video on several GPUs: `python -m eichi.models.follower`, started by `models.team`.

It has a transformer and nothing else, and calls it whenever its leader calls its own. It reads messages from its input
and answers on its output; what libraries print goes where errors go. It ends with its input, at once and whatever it is
in: its leader has ended then, or is done with it, and nothing here is worth keeping.
"""

import logging
import os
import signal
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from shutil import rmtree
from typing import IO, Any

import torch
from torch import Tensor

from eichi.errors import DeviceError, EichiError, RunError
from eichi.models.attention import Attending, attention
from eichi.models.load import Components
from eichi.models.parallel import Table, share
from eichi.models.steering import steered
from eichi.models.stepcache import StepCache, apply_cache, remove_cache
from eichi.models.team import Begin, Leave, Open, Pass, Ready, Shut, Sit, Trouble, Want, receive, send
from eichi.plan.gpus import follower_peak
from eichi.plan.memory import GIB

log = logging.getLogger(__name__)


class Follower:
    """What one of them does with each message."""

    def __init__(self, begin: Begin) -> None:
        torch.set_num_threads(begin.threads)
        self.seat = begin.seat
        self.components = Components(begin.entry, begin.runtime, parts=("transformer",))
        self.table: Table | None = None
        self.given: dict[str, Any] = {}
        self._drawing = ExitStack()
        self._attending: Attending | None = None
        self._cache: StepCache | None = None

    def want(self, message: Want) -> None:
        """Make the transformer. Raises DeviceError where this GPU has no room for it, LoraError, ModelError."""
        machine = self.components.machine
        if message.need is not None and machine.gpu is not None:
            peak = follower_peak(self.components.entry.anatomy, message.need)
            if peak > machine.usable:
                gib = {"gpu": peak / GIB, "usable": machine.usable / GIB}
                raise DeviceError("error.gpus.room", gpus=self.seat.count, device=str(self.components.device), **gib)
        self.components.want(message.weights)
        for _ in self.components.bring("transformer"):
            pass

    def sit(self) -> None:
        """Join the others."""
        self.table = Table(self.seat, self.components.device)

    def open(self, message: Open) -> None:
        """Make ready to draw, as the leader did: a kernel, a step cache, shares."""
        assert self.table is not None, "they sit before they draw"
        transformer = self.components.transformer
        self._drawing.enter_context(steered(transformer, message.steering))
        self._attending = self._drawing.enter_context(attention(transformer, message.kernel))
        self._cache = None if message.cache is None else apply_cache(transformer, message.cache)
        self._drawing.callback(remove_cache, transformer)
        self._drawing.enter_context(share(transformer, self.table, self._cache))

    def call(self, message: Pass) -> None:
        """Call the transformer. What comes of it is the same everywhere, and the leader has it."""
        device = self.components.device
        self.given |= {name: _unpacked(value, there, device) for name, (value, there) in message.given.items()}
        assert self._attending is not None, "a job has begun to draw"
        if message.kernel != self._attending.kernel:
            self._attending.use(message.kernel)
        if self._cache is not None:
            self._cache.branch = message.branch
            if message.fresh:
                self._cache.states.pop(message.branch, None)
        with torch.inference_mode():
            self.components.transformer(**self.given)

    def shut(self) -> None:
        """The job draws no more."""
        self._drawing.close()
        self.given.clear()


def _unpacked(value: Any, there: bool, device: torch.device) -> Any:
    return value.to(device) if there and isinstance(value, Tensor) else value


def serve(messages: "SimpleQueue[Any]", leader: IO[bytes]) -> None:
    """Do what the leader says until something fails, which is told."""
    begin: Begin = messages.get()
    try:
        follower = Follower(begin)
        while True:
            match messages.get():
                case Want() as want:
                    follower.want(want)
                    send(leader, Ready())
                case Sit():
                    follower.sit()
                case Open() as opened:
                    follower.open(opened)
                case Pass() as call:
                    follower.call(call)
                case Shut():
                    follower.shut()
    except EichiError as error:
        send(leader, Trouble(error))
    except torch.OutOfMemoryError:
        send(leader, Trouble(DeviceError("error.device.memory", part="transformer")))
    except RuntimeError as error:  # torch's, a partner that is gone for one
        log.exception("process %d of those that compute one video", begin.seat.rank)
        send(leader, Trouble(RunError("error.gpus.failed", number=begin.seat.rank + 1, reason=error)))


def main() -> None:
    """The process: its input is read in a thread, so that its end is seen in the middle of a call, too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the leader too, which decides
    messages: SimpleQueue[Any] = SimpleQueue()
    leader = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    threading.Thread(target=_read, args=(messages, sys.stdin.buffer), daemon=True).start()
    serve(messages, leader)
    leader.close()
    os._exit(1)  # without waiting for what is under way on the GPU


def _read(messages: "SimpleQueue[Any]", leader: IO[bytes]) -> None:
    meeting: Path | None = None
    while not isinstance(message := receive(leader), Leave | None):
        meeting = message.seat.meeting if isinstance(message, Begin) else meeting
        messages.put(message)
    if message is None and meeting is not None:  # the leader has died, who would have removed it
        rmtree(meeting.parent, ignore_errors=True)
    os._exit(0)


if __name__ == "__main__":
    main()
