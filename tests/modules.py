"""What a command imports, seen from outside, so that what starts fast keeps starting fast."""

import subprocess
import sys

HEAVY = {"torch", "diffusers", "transformers"}


def loaded(*words: str) -> tuple[set[str], str]:
    """The modules in memory when `eichi` has run these words, and what it wrote to standard error."""
    code = (
        f"import sys; sys.argv[1:] = {list(words)!r}\n"
        "from eichi.cli import main\n"
        "try: main()\n"
        "finally: print(*sys.modules, sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()), done.stderr
