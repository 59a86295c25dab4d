"""What people see of a job, and the one table of what can be done with it: the queue does exactly that."""

import json
from itertools import product
from pathlib import Path

import pytest

from eichi.declare import at
from eichi.errors import InputError, OptionError
from eichi.jobs.queue import Queue
from eichi.jobs.runner import new_runner
from eichi.jobs.schema import Draft, Job
from eichi.jobs.view import ACTIONS, ACTIVE, IDLE, Action, Ask, JobView, Status, states
from eichi.options import FrameOptions, VideoOptions
from tests.jobs.damage import write
from tests.jobs.sections import leave

# What becomes of a job: its state and what its worker is asked for, by the action and whether a worker has the job.
BECOMES = {
    (Action.HOLD, False): (Status.HELD, None),
    (Action.HOLD, True): (Status.STOPPING, Ask.PAUSE),
    (Action.RESUME, False): (Status.WAITING, None),
    (Action.RETRY, False): (Status.WAITING, None),
    (Action.SKIP, False): (Status.STOPPED, None),
    (Action.SKIP, True): (Status.STOPPING, Ask.NOW),
    (Action.STOP, True): (Status.STOPPING, Ask.NOW),
    (Action.STOP_SECTION, True): (Status.STOPPING, Ask.SECTION),
}


@pytest.fixture
def options(picture: Path) -> VideoOptions:
    """A video of two sections."""
    return VideoOptions.parse({"image": picture, "prompt": "p", "seed": 1, "seconds": 2, "sampling": {"steps": 1}})


def drafts(queue: Queue, options: VideoOptions | FrameOptions) -> list[Draft]:
    return queue.prepare([options], Path("out"))[0] * 3


def put(queue: Queue, drafts: list[Draft], status: Status, **values: object) -> int:
    """A job in a state, between two that wait."""
    _, id, _ = (job.id for job in queue.add(drafts))
    runner = new_runner() if status in ACTIVE else None
    write(queue.store, id, status=status, runner=runner, **values)
    return id


def do(queue: Queue, id: int, action: Action) -> Job | None:
    """What a button does; some need more than their name."""
    if action is Action.EDIT:
        return queue.edit(id, {"seed": 5})
    if action is Action.AHEAD:
        return queue.ahead(id, queue.laid(id, {"keyframes": {"prompts": {"2": "other"}}}))
    if action is Action.REDO:
        return queue.redo(id, 0, seed=5)
    if action is Action.REMOVE:
        queue.remove(id)
        return queue.store.find(id)
    return queue.act(id, action)


def test_the_table_is_whole() -> None:
    ended = (Status.DONE, Status.STOPPED, Status.FAILED)
    assert list(ACTIONS) == list(Status) == [*sorted((*IDLE, *ACTIVE, *ended), key=list(Status).index)]
    assert set().union(*ACTIONS.values()) == set(Action)
    for action in Action:
        assert states(action) == tuple(status for status in Status if action in ACTIONS[status])


def test_the_queue_does_exactly_what_the_table_says(queue: Queue, options: VideoOptions, tmp_path: Path) -> None:
    options = options.model_copy(update={"seconds": 4})
    ready = drafts(queue, options)
    leave(tmp_path / ".a.parts", options, 1)
    for status, action in product(Status, Action):
        begun = {"checkpoint": str(tmp_path / ".a.parts")} if action in (Action.AHEAD, Action.REDO) else {}
        id = put(queue, ready, status, **begun)
        assert (action in queue.store.job(id).view().actions) == (action in ACTIONS[status]), (status, action)
        before = queue.store.job(id)
        order = [job.id for job in queue.waiting()]
        if action not in ACTIONS[status]:
            with pytest.raises(InputError) as refused:
                do(queue, id, action)
            if action is Action.EDIT and status.active:  # it is changed ahead, which a seed cannot be
                assert refused.value.id == "error.ahead.settled"
                continue
            told = {"job": id, "status": status, "wanted": ", ".join(sorted(states(action)))}
            assert (refused.value.id, refused.value.values) == ("error.job.state", told), (status, action)
            assert queue.store.job(id) == before
            assert [job.id for job in queue.waiting()] == order
            continue
        done = do(queue, id, action)
        place = order.index(id) if id in order else 0
        after = [job.id for job in queue.waiting()]
        if (action, status.active) in BECOMES:
            assert done is not None
            assert (done.status, done.ask) == BECOMES[action, status.active], (status, action)
        elif action in (Action.CLONE, Action.REDO):
            assert done is not None
            assert after == [*order, done.id]
            assert queue.store.job(id) == before
        elif action is Action.REMOVE:
            assert done is None
        elif action is Action.EDIT:
            assert done is not None
            assert (done.request["seed"], done.status, after) == (5, status, order)
        elif action is Action.AHEAD:
            assert done is not None
            assert at(done.request, "keyframes.prompts") == {"2": "other"}
            assert (done.status, after) == (status, order)
        else:
            assert after.index(id) == place + (1 if action is Action.DOWN else -1)


def test_every_action_was_looked_at() -> None:
    rest = {Action.CLONE, Action.REDO, Action.REMOVE, Action.EDIT, Action.AHEAD, Action.UP, Action.DOWN}
    assert {action for action, _ in BECOMES} | rest == set(Action)


@pytest.mark.parametrize("action", [Action.EDIT, Action.AHEAD, Action.REDO, Action.REMOVE])
def test_what_needs_more_than_a_name_is_no_button_of_the_queue(
    queue: Queue, options: VideoOptions, action: Action
) -> None:
    id = put(queue, drafts(queue, options), Status.WAITING)
    with pytest.raises(OptionError, match=action):
        queue.act(id, action)


def test_the_ends_of_the_queue(queue: Queue, options: VideoOptions) -> None:
    first, last = (job.id for job in queue.add(queue.prepare([options] * 2, Path("out"))[0]))
    for id, action in ((first, Action.UP), (last, Action.DOWN)):
        with pytest.raises(InputError, match="from 1 to 2"):
            queue.act(id, action)


def test_what_makes_no_sense_for_a_job_is_not_offered(
    queue: Queue, options: VideoOptions, picture: Path, tmp_path: Path
) -> None:
    def offered(id: int) -> set[Action]:
        return set(queue.store.job(id).view().actions)

    frame = FrameOptions.parse({"image": picture, "seed": 1})
    short = options.model_copy(update={"seconds": 1.0})
    for single in (frame, short):
        running = put(queue, drafts(queue, single), Status.RUNNING)
        assert ACTIONS[Status.RUNNING] - offered(running) == {Action.STOP_SECTION, Action.AHEAD, Action.REDO}
    ready = drafts(queue, options)
    stops = {Action.STOP, Action.SKIP, Action.STOP_SECTION}
    for ask, gone in ((Ask.NOW, stops), (Ask.SECTION, {Action.STOP_SECTION}), (Ask.PAUSE, set())):
        assert ACTIONS[Status.STOPPING] - offered(put(queue, ready, Status.STOPPING, ask=ask)) == gone | {Action.REDO}
    checkpoint = tmp_path / ".a.parts"
    checkpoint.mkdir()
    held = put(queue, ready, Status.HELD, checkpoint=str(checkpoint))
    assert ACTIONS[Status.HELD] - offered(held) == {Action.EDIT, Action.AHEAD, Action.REDO}
    with pytest.raises(InputError, match="has started"):
        do(queue, held, Action.EDIT)
    for made, gone in ((1, {Action.EDIT}), (2, {Action.EDIT, Action.AHEAD})):
        leave(tmp_path / f".{made}.parts", options, made)
        held = put(queue, ready, Status.HELD, checkpoint=str(tmp_path / f".{made}.parts"))
        assert ACTIONS[Status.HELD] - offered(held) == gone


def test_a_view_is_what_is_in_the_row(queue: Queue, options: VideoOptions) -> None:
    error = '{"id": "error.run.nan", "values": {"number": 2}}'
    job = queue.store.job(put(queue, drafts(queue, options), Status.FAILED, error=error))
    view = job.view("ru")
    assert (view.request, view.prompt, view.seed, view.begun, view.damaged) == (options, "p", 1, False, ())
    assert job.error is not None
    assert view.message == job.error.say("ru")
    assert "секции 2" in str(view.message)
    assert JobView.model_validate_json(view.model_dump_json()) == view


@pytest.mark.parametrize(
    "error",
    [{"id": "error.of.tomorrow", "values": {"a": 1}}, {"id": "error.run.nan", "values": {}}],
    ids=["id", "values"],
)
def test_a_sentence_that_is_not_known_here_is_its_id(
    queue: Queue, options: VideoOptions, error: dict[str, object]
) -> None:
    job = queue.store.job(put(queue, drafts(queue, options), Status.FAILED, error=json.dumps(error)))
    assert job.view().damaged == ()
    assert str(job.view().message).startswith(str(error["id"]))
