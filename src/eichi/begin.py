"""Where the command line begins: a library that is gone or cannot be loaded is said in one sentence.

So it knows nothing but what needs no library. Asked of the command line itself that sentence could not be said: it is
what cannot be loaded then.
"""

import json
import os
import sys

from eichi.setup.start import FAILED, language_for
from eichi.setup.whole import gaps
from eichi.words import say


def main() -> None:
    """Run the command line."""
    try:
        from eichi.cli import main as run

        run()
    except ImportError as error:
        if (error.name or "").partition(".")[0] == __package__:  # a mistake of ours
            raise
        _tell(error)
        sys.exit(FAILED)


def _tell(error: ImportError) -> None:
    """What is wrong with the libraries, as every other error is said."""
    gone, lines = ", ".join(gaps()), str(error).strip().splitlines()
    id = "error.gaps" if gone else "error.library"
    values = {"names": gone} if gone else {"reason": (lines or [type(error).__name__])[0]}
    language = language_for(sys.argv, os.environ)
    sentence = say(id, language, **values)
    if "--json" in sys.argv:
        line = {"error": id, "message": sentence, "field": None, "values": values}
        sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    sys.stderr.write(say("cli.error", language, sentence=sentence) + "\n")
