"""Every address of the HTTP interface is asked for what it does not expect, and answers; it never breaks."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import given, settings
from schemathesis import Case
from schemathesis.core.result import Ok
from schemathesis.schemas import BaseSchema

from eichi.jobs.store import Store
from eichi.settings import Settings
from eichi.web.app import make_app
from eichi.web.desk import Desk

ENDLESS = "/api/v1/events"  # each question would wait until the stream lets go


@pytest.fixture(scope="module")
def interface(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BaseSchema]:
    home = tmp_path_factory.mktemp("home")
    made = Settings(home=home, outputs=home / "outputs")
    with Store(made.store) as store:
        app = make_app(Desk(made, store, lambda job: None), hosts=("*",))
        yield schemathesis.openapi.from_asgi("/api/openapi.json", app)


@pytest.mark.slow
def test_no_question_breaks_it(interface: BaseSchema) -> None:
    found = [one.ok() for one in interface.get_all_operations() if isinstance(one, Ok)]
    operations = [one for one in found if one.path != ENDLESS]
    assert len(operations) > 20
    for operation in operations:

        @settings(max_examples=8)
        @given(operation.as_strategy())
        def ask(case: Case[Any]) -> None:
            answer = case.call()
            assert answer.status_code < 500, answer.text

        ask()
