"""The tree of errors, and their sentences."""

import pickle

import pytest

from eichi import errors
from eichi.words import languages


@pytest.mark.parametrize("kind", ["OptionError", "PictureError", "ModelError", "FolderError"])
def test_wrong_input_is_one_branch(kind: str) -> None:
    assert issubclass(getattr(errors, kind), errors.InputError)


def test_a_failed_run_is_the_other() -> None:
    assert issubclass(errors.DeviceError, errors.RunError)
    assert not issubclass(errors.RunError, errors.InputError)
    assert issubclass(errors.RunError, errors.EichiError)


def test_an_error_speaks_the_language_of_the_surface() -> None:
    error = errors.PictureError("error.picture.missing", path="cat.png")
    sentences = {error.say(language) for language in languages()}
    assert len(sentences) == len(languages())
    assert all("cat.png" in sentence for sentence in sentences)
    assert str(error) == error.say("en") == "There is no image cat.png. Check the name and the folder."


def test_the_tree_is_drawn_as_it_is() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(kinds) == 11
    assert all(kind.__name__ in (errors.__doc__ or "") for kind in kinds)


def test_an_error_crosses_a_process_border() -> None:
    error = pickle.loads(pickle.dumps(errors.ModelError("error.model.unknown", name="x", known="y")))
    assert (error.id, error.values) == ("error.model.unknown", {"name": "x", "known": "y"})
