"""`python -m eichi.reference FOLDER` writes the English reference pages."""

import sys
from pathlib import Path

from eichi.reference.pages import write

if __name__ == "__main__":
    write(Path(sys.argv[1]))
