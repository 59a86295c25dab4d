"""What the system tells of this machine's RAM. Without torch, for pages as well."""

import sys

import psutil


def free() -> float:
    """Bytes that a program can have now; the system's file cache, which it gives up when asked, counts as free."""
    return float(psutil.virtual_memory().available)


def total() -> float:
    """All bytes of this machine's RAM."""
    return float(psutil.virtual_memory().total)


def pinnable() -> float | None:
    """Bytes that may be pinned for a GPU, None where the system has no limit: Windows lets half of all RAM be."""
    return total() / 2 if sys.platform == "win32" else None
