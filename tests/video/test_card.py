"""The card of a job is there twice; either copy is enough, and what is no longer as it was written is told."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from eichi.errors import InputError
from eichi.video.card import CARD, FILES, TWIN, file_checksum, read_card, write_card

VALUES: dict[str, Any] = {
    "request": {"prompt": "猫", "seed": 1}, "width": 80, "height": 48, "pictures": ["image.png"],
    FILES: {"section-0000.safetensors": "ab"},
}  # fmt: skip


def test_what_was_written_is_read(tmp_path: Path) -> None:
    write_card(tmp_path, VALUES)
    assert read_card(tmp_path) == (VALUES, True)
    assert (tmp_path / CARD).read_bytes() == (tmp_path / TWIN).read_bytes()


def test_jobs_of_earlier_versions_go_on(tmp_path: Path) -> None:
    """The names on a card and the way it is summed up are those of the cards that lie in people's folders."""
    text = json.dumps(VALUES, ensure_ascii=False, sort_keys=True)
    checksum = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    for name in ("job.json", "job-twin.json"):
        (tmp_path / name).write_text(json.dumps({**VALUES, "checksum": checksum}), encoding="utf-8")
    assert read_card(tmp_path) == (VALUES, True)
    bare = {key: value for key, value in VALUES.items() if key != "files"}
    (tmp_path / "job.json").write_text(json.dumps(bare), encoding="utf-8")
    (tmp_path / "job-twin.json").unlink()
    assert read_card(tmp_path) == (bare, True)  # as there were before there were checksums


@pytest.mark.parametrize("name", [CARD, TWIN])
@pytest.mark.parametrize("content", [None, "", "[1]", '{"request": {}}', "changed", "without"])
def test_one_copy_is_enough_and_two_are_too_few(tmp_path: Path, name: str, content: str | None) -> None:
    write_card(tmp_path, VALUES)
    text = (tmp_path / name).read_text(encoding="utf-8")
    plain = json.loads(text)
    if content is None:
        (tmp_path / name).unlink()
    else:
        made = {"changed": text.replace('"seed": 1', '"seed": 2'), "without": json.dumps(VALUES)}.get(content, content)
        assert made != text
        (tmp_path / name).write_text(made, encoding="utf-8")
    assert read_card(tmp_path) == ({key: value for key, value in plain.items() if key != "checksum"}, False)
    other = TWIN if name == CARD else CARD
    (tmp_path / other).write_text("{}", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_card(tmp_path)
    assert caught.value.id == "error.resume.damaged"


def test_a_checksum_is_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"frames")
    assert file_checksum(tmp_path / "a") == hashlib.blake2b(b"frames", digest_size=16).hexdigest()
    with pytest.raises(IsADirectoryError):
        file_checksum(tmp_path)
