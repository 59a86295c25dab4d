"""A client that a public generator makes of the HTTP interface's schema plans, starts, follows and lists a job.

The server is a real one in a thread, and so is the worker, in its process.
"""

import importlib
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from openapi_python_client import generate
from openapi_python_client.config import Config, ConfigFile, MetaType

from eichi.jobs.executors.local import LocalExecutor
from eichi.jobs.store import Store
from eichi.settings import load_settings
from eichi.web.desk import Desk
from tests.web.serving import serving

pytestmark = pytest.mark.slow

PICTURES = ("image/png", "image/webp")  # bytes to the generator, which knows no pictures


def made(schema: bytes, folder: Path) -> str:
    """The name of the package that the generator makes; it complains of nothing."""
    (folder / "openapi.json").write_bytes(schema)
    config = Config.from_sources(
        ConfigFile(post_hooks=[], content_type_overrides=dict.fromkeys(PICTURES, "application/octet-stream")),
        MetaType.NONE,
        document_source=folder / "openapi.json",
        file_encoding="utf-8",
        overwrite=False,
        output_path=folder / "generated_client",
    )
    assert [str(error) for error in generate(config=config)] == []
    return "generated_client"


def test_a_job_from_a_client_that_was_generated(
    home: Path, tmp_path: Path, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings()
    with Store(settings.store) as store:
        executor = LocalExecutor(store, settings)
        desk = Desk(settings, store, executor.submit, local=True)
        try:
            with serving(desk) as address:
                schema = httpx.get(f"{address}/api/openapi.json").content
                package = made(schema, tmp_path)
                monkeypatch.syspath_prepend(tmp_path)
                entry = importlib.import_module(package)
                with entry.Client(address, timeout=None, raise_on_unexpected_status=True) as client:
                    follow(package, client, picture)
        finally:
            executor.close()


def follow(package: str, client: Any, picture: Path) -> None:
    """Do with a client what a program would."""

    def operation(name: str) -> Any:
        return importlib.import_module(f"{package}.api.jobs.{name}")

    models = importlib.import_module(f"{package}.models")
    listed = operation("list_jobs").sync(client=client)
    assert (listed.jobs, listed.held) == ([], False)

    values = {"image": str(picture), "prompt": "p", "seconds": 0.5, "section_size": 0.5, "sampling": {"steps": 1}}
    options = models.VideoOptions.from_dict(values)
    plan = operation("plan_video").sync(client=client, body=options)
    assert ([section.number for section in plan.sections], plan.direction) == ([0], "reverse")
    job = operation("start_video").sync(client=client, body=options)
    assert (job.status, job.request.prompt, job.plan.sections) == (models.Status.WAITING, "p", 1)

    # What it says, as it says it, to its end; and once more from the last but one, as a browser does that was cut off.
    answer = operation("follow_job").sync(job.id, client=client)
    said = [models.Told.from_dict(json.loads(line)) for line in data(answer)]
    kinds = [told.event.kind for told in said]
    assert kinds[:2] == ["changed", "changed"]
    assert kinds[-2:] == ["finished", "changed"]
    assert "section_done" in kinds
    assert isinstance(said[-2].event, models.Finished)
    assert said[-1].event.status == "done"
    again = operation("follow_job").sync(job.id, client=client, last_event_id=said[-2].number)
    assert [json.loads(line) for line in data(again)] == [said[-1].to_dict()]

    shown = operation("show_job").sync(job.id, client=client)
    assert (shown.status, shown.result) == (models.Status.DONE, said[-2].event)
    assert [told.to_dict() for told in shown.events] == [told.to_dict() for told in said if told.event.kind != "step"]
    (listed,) = operation("list_jobs").sync(client=client).jobs
    assert (listed.id, listed.status) == (job.id, models.Status.DONE)
    files = importlib.import_module(f"{package}.api.files.list_results").sync(job.id, client=client).files
    assert Path(shown.result.video).name in files

    wrong = operation("show_job").sync(999, client=client)
    assert (type(wrong), wrong.id, wrong.values["job"]) == (models.ErrorView, "error.job.unknown", 999)
    refused = operation("act_on_job").sync(job.id, models.Action.HOLD, client=client)
    assert (refused.id, refused.values["status"]) == ("error.job.state", "done")
    assert operation("follow_job").sync(999, client=client).id == "error.job.unknown"


def data(stream: str) -> list[str]:
    """The data of each event of a stream."""
    return [line.removeprefix("data: ") for line in stream.splitlines() if line.startswith("data: ")]
