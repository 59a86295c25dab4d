"""Large tensors come in large pages, and leave the process when they are freed, whatever was freed before them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import torch
from eichi.models.allocator import give_back

def held():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

give_back()
for size in range(1, 30):  # what makes glibc keep larger and larger blocks
    torch.ones(size * 2**18)
before = held()
blocks, pins = [], []
for _ in range(8):
    blocks.append(torch.ones(24 * 2**18))
    pins.append(torch.ones(2**15))
del blocks
print((held() - before) // 2**20)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's own ways")
def test_large_blocks_are_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 40


PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
LARGE = """
import eichi.models.load
import torch

tensor = torch.ones(16 * 2**20)
(line,) = [line for line in open("/proc/self/smaps_rollup") if line.startswith("AnonHugePages")]
print(int(line.split()[1]) // 2**10)
"""


@pytest.mark.skipif(not PAGES.exists() or "[never]" in PAGES.read_text(), reason="a system without large pages")
def test_large_blocks_come_in_large_pages() -> None:
    # Without what the import of `eichi` has set here: the process must come to it by itself, and in time.
    own = {name: value for name, value in os.environ.items() if not name.startswith("THP_")}
    done = subprocess.run([sys.executable, "-c", LARGE], env=own, capture_output=True, text=True, check=True)
    assert int(done.stdout) > 32
