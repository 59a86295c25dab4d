"""What a public forge reads: the workflow calls what there is, forms and hooks are whole, links in the files beside the
documents live, the changelog has the usual form.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.blocks import PAGES, ROOT
from tests.docs.test_commands import TARGETS, TOOLS

FORGE = ROOT / ".github"
FORMS = sorted((FORGE / "ISSUE_TEMPLATE").glob("*.yml"))
OUTSIDE = [page for page in PAGES if ROOT / "docs" not in page.parents]
# Keep a Changelog's headings.
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_the_workflow_calls_what_there_is() -> None:
    jobs = read(FORGE / "workflows" / "test.yml")["jobs"]
    steps = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert {words[1] for step in steps if (words := step.split())[0] == "make"} <= TARGETS
    paths = [word for step in steps for word in step.split() if word.startswith("tests/")]
    assert paths and all((ROOT / path).exists() for path in paths)
    oldest = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    for name in ("linux", "elsewhere"):
        assert oldest == f">={jobs[name]['strategy']['matrix']['python'][0]}"


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_a_form_is_whole(path: Path) -> None:
    form = read(path)
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert form["name"] and form["description"]
    assert len({field["id"] for field in fields}) == len(fields) > 1
    assert all(field["attributes"]["label"] for field in fields)


def test_hooks_run_tools_that_there_are() -> None:
    (local,) = read(ROOT / ".pre-commit-config.yaml")["repos"]
    assert {hook["entry"].split()[0].removeprefix(".venv/bin/") for hook in local["hooks"]} <= TOOLS | {"python"}


@pytest.mark.parametrize("page", OUTSIDE, ids=lambda page: page.name)
def test_links_beside_the_documents_live(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_changelog_has_the_usual_form() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert versions[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}", version) for version in versions[1:])
    assert set(re.findall(r"^### (.*)$", text, re.MULTILINE)) <= KINDS
