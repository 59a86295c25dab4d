"""Which terms are told: by what is fetched, and by where it comes from."""

from collections.abc import Iterable

import pytest

from eichi.catalog import PartSource
from eichi.models import licences as module
from eichi.models.licences import LICENCES, Licence, licences
from eichi.words import languages, table

OWN = Licence("own", "https://example.org", ("transformer", "vae"), repository="example/own")


def ids(repository: str | None, parts: Iterable[str]) -> list[str]:
    """The terms of a model whose transformer comes from somewhere, and its VAE from where all have it."""
    sources = {"transformer": PartSource(repository, ""), "vae": PartSource("example/all", "")}
    return [one.id for one in licences(sources, list(parts))]


def test_terms_of_one_repository_are_those_of_its_weights_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LICENCES", (*LICENCES, OWN))
    assert ids("example/own", ["transformer", "vae"]) == ["hunyuan", "own"]
    assert ids("example/own", ["vae"]) == ["hunyuan"]
    assert ids("example/other", ["transformer", "vae"]) == ["hunyuan"]
    assert ids(None, ["transformer"]) == []


@pytest.mark.parametrize("language", languages())
def test_terms_have_words_in_every_language(language: str) -> None:
    assert {f"licence.{one.id}{end}" for one in LICENCES for end in ("", "_text")} <= set(table(language))
