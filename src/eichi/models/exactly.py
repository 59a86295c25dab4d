"""Equal bytes on a card: torch told to use only kernels that repeat themselves. Opt-in, by EICHI_REPRODUCIBLE.

What a process computes on a CPU repeats itself as it is; there nothing is changed. On a card, libraries may choose a
kernel by how fast it ran just now, and some add up in whatever order their threads come. Torch then takes those that
do not, where it has them, and warns of what it has none for. cuBLAS reads its part when it is first used, so this is
called before anything is computed. It costs time, and promises nothing between cards of different kinds. Not run on a
GPU yet.
"""

import os

import torch

CUBLAS = "CUBLAS_WORKSPACE_CONFIG"
FIXED = ":4096:8"  # workspaces of one size each, as NVIDIA says


def repeat(device: torch.device, wanted: bool) -> None:
    """From here on, for the whole process."""
    if device.type != "cuda":
        return
    if wanted:
        os.environ.setdefault(CUBLAS, FIXED)
    torch.use_deterministic_algorithms(wanted, warn_only=True)
    # Nothing is read here before it is written.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # torch's is not typed
    torch.backends.cudnn.deterministic = wanted
    torch.backends.cudnn.benchmark = False
    torch.backends.cuda.enable_cudnn_sdp(not wanted)  # its attention promises nothing
