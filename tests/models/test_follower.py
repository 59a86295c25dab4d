"""A further process of a video: what it is told and answers, in this process, and what it fails with."""

from io import BytesIO
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from eichi.catalog import ModelFolders, find
from eichi.errors import DeviceError
from eichi.models.follower import Follower, _read, serve
from eichi.models.load import Components
from eichi.models.parallel import Seat
from eichi.models.team import Answer, Begin, Leave, Ready, Sit, Told, Trouble, Want, receive, send
from eichi.options import WeightsOptions
from eichi.plan.memory import GIB, Machine, Need
from eichi.settings import Runtime
from tests import small


@pytest.fixture(scope="module")
def begin(tmp_path_factory: pytest.TempPathFactory) -> Begin:
    folder = small.build(tmp_path_factory.mktemp("framepack"))
    return Begin(small.entry(folder), Runtime(ModelFolders(folder), "cpu"), Seat(folder / "meeting", 1, 2), 1)


def test_a_message_arrives_as_it_was_sent(begin: Begin) -> None:
    pipe = BytesIO()
    sent: list[Told | Answer] = [Want(WeightsOptions(fp8="row"), Need(64, 64)), begin, Ready()]
    for message in sent:
        send(pipe, message)
    whole = pipe.getvalue()
    pipe.seek(0)
    assert [receive(pipe) for _ in sent] == sent
    assert receive(pipe) is None
    assert receive(BytesIO(whole[:20])) is None  # who sends has ended on the way


def test_what_it_fails_with_is_told(begin: Begin) -> None:
    answers, messages = BytesIO(), SimpleQueue[Any]()
    lora = WeightsOptions.parse({"loras": ["none.safetensors"]})
    for message in (begin, Want(WeightsOptions(), None), Want(lora, None)):
        messages.put(message)
    serve(messages, answers)
    answers.seek(0)
    assert receive(answers) == Ready()
    told = receive(answers)
    assert isinstance(told, Trouble)
    assert told.error.id == "error.lora.missing"


def test_a_gpu_without_room_is_refused_before_anything_is_read(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    follower = Follower(begin)
    monkeypatch.setattr(Components, "machine", Machine(0.5 * GIB, 64 * GIB))
    with pytest.raises(DeviceError) as caught:
        follower.want(Want(WeightsOptions(), Need(640, 640, gpus=2)))
    assert caught.value.id == "error.gpus.room"
    assert "GiB" in caught.value.say()


@pytest.mark.parametrize("farewell", [True, False])
def test_who_outlives_its_leader_removes_what_that_has_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, farewell: bool
) -> None:
    """A leader that is killed removes nothing; one that lets go still needs the folder for a moment."""
    folder, said = tmp_path / "eichi-x", BytesIO()
    folder.mkdir()
    (folder / "meeting").write_bytes(b"x")
    begun = Begin(find("tiny"), Runtime(ModelFolders(tmp_path), "cpu"), Seat(folder / "meeting", 1, 2), 1)
    messages: list[Told] = [begun, Sit(), *([Leave()] if farewell else [])]
    for message in messages:
        send(said, message)
    said.seek(0)
    monkeypatch.setattr("os._exit", lambda code: None)
    heard = SimpleQueue[Any]()
    _read(heard, said)
    assert (heard.qsize(), folder.exists()) == (2, farewell)
