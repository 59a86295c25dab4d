"""`python -m benchmarks [long|clip|start|page|queue|ray …]`: one table, or all; parts are modules, too."""

import sys

from benchmarks import clip, long, page, queue, ray, start
from benchmarks.printing import printing

TABLES = {
    "long": long.main,
    "clip": clip.main,
    "start": start.main,
    "page": page.main,
    "queue": queue.main,
    "ray": ray.main,
}

if __name__ == "__main__":
    with printing():
        for name in sys.argv[1:2] or TABLES:
            TABLES[name](sys.argv[2:])
