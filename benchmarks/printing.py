"""What every table is printed with: the streams of a command, and one sentence where it cannot go on."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from eichi.console import console
from eichi.errors import EichiError


@contextmanager
def printing() -> Iterator[None]:
    """Standard output as a command has it; a full disk, of the table or of its work, ends it in a sentence."""
    try:
        with console():
            yield
    except (EichiError, OSError) as error:
        sys.exit(f"Error: {getattr(error, 'strerror', None) or error}")
