"""Large tensors leave the process when they are freed, whatever was freed before them."""

import subprocess
import sys

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
