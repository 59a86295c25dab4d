"""`python -m benchmarks [long|clip|start …]`: one table, or all; parts are modules that fresh processes can import."""

import sys

from benchmarks import clip, long, start
from benchmarks.printing import printing

TABLES = {"long": long.main, "clip": clip.main, "start": start.main}

if __name__ == "__main__":
    with printing():
        for name in sys.argv[1:2] or TABLES:
            TABLES[name](sys.argv[2:])
