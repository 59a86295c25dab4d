"""The text of a section archive, `sections.yaml`. Knows nothing of what the keys mean."""

from pathlib import Path

import yaml

from eichi.declare import Plain
from eichi.errors import InputError
from eichi.yamltext import parse_yaml

NAMES = ("sections.yaml", "sections.yml")


def read_card(path: Path, text: str) -> Plain:
    """The keys and values of the YAML text in an archive. Raises InputError."""
    try:
        values = parse_yaml(text, InputError("error.archive.alias", path=path, name=NAMES[0]))
    except (yaml.YAMLError, ValueError) as error:
        raise InputError("error.archive.card", path=path, name=NAMES[0], reason=error) from error
    if not isinstance(values, dict):
        raise InputError("error.archive.card", path=path, name=NAMES[0], reason="reason.table")
    return values
