"""The C library's memory, told to give large blocks back at once.

glibc raises the size above which a block is mapped on its own as such blocks are freed, and has a heap for every
thread. Tensors of tens of megabytes then live in heaps that are never quite empty, and the peak of a process wanders
upwards by a sixth over a long clip. With the size fixed and one heap, peaks stay where they are. Linux with glibc only;
elsewhere nothing is done.
"""

import ctypes
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD, ARENA_MAX = -1, -3, -8  # the numbers of mallopt's parameters in malloc.h
LARGE = 8 * 2**20  # bytes


def give_back() -> None:
    """From here on, for the whole process."""
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library
        return
    for parameter, value in ((MMAP_THRESHOLD, LARGE), (TRIM_THRESHOLD, LARGE), (ARENA_MAX, 1)):
        mallopt(parameter, value)
