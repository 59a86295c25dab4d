"""What `eichi ui` says before it serves: where the page is, the password, and why it cannot begin."""

from pathlib import Path

import pytest

from eichi.errors import FolderError
from eichi.terminal import FAILED, WRONG_INPUT
from eichi.web import app
from tests.test_cli import Run, eichi

__all__ = ["eichi"]  # a fixture


def test_a_page_for_others_is_shown_by_an_address_that_a_browser_takes(
    eichi: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0.0.0.0 is where a server listens; on Windows no browser goes there."""
    monkeypatch.setattr(app, "serve", lambda settings, server, port, inbrowser, language, ready, access: ready())
    first = eichi("ui", "--server", "0.0.0.0", "--port", 8002)
    assert first.code == 0
    assert "http://127.0.0.1:8002/" in first.err
    assert "Password" in first.err
    assert "Password" not in eichi("ui", "--server", "::").err  # it is kept, and shown only once
    assert "http://box.example:8001/" in eichi("ui", "--server", "box.example").err


def test_a_home_that_cannot_be_written_is_said(eichi: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a container whose folder belongs to somebody else."""

    def refused(folder: Path) -> None:
        raise FolderError("error.folder.write", folder=folder, reason=PermissionError(13, "Permission denied"))

    monkeypatch.setattr("eichi.prepare.check_folder", refused)
    refusal = eichi("ui", "--server", "0.0.0.0")
    assert refusal.code in (FAILED, WRONG_INPUT)
    assert refusal.err.startswith("Error: Nothing can be written to ")
