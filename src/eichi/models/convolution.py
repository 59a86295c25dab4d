"""The VAE's convolutions on a CPU by oneDNN, where torch would go its slow way.

For one clip in float32 torch takes `slow_conv3d`, which writes every neighbourhood out before it multiplies, as long as
channels x frames x height are at most 20,480: in every layer of the embedded VAE on small pictures, in some on large
ones, and in the first of the large VAE. What it takes above that, `mkldnn_convolution`, gives the same to 1e-5. On one
core a tile of 48 x 80 is decoded in 91 ms instead of 330 with AVX-512, in 109 instead of 316 with AVX2; one of 256 x
256 is as fast as before, and encoded in half of the time. A call costs 0.04 ms more to set up, the most that is lost
where there is next to nothing to compute; so every size goes one way, and no limit changes a clip's numbers. Kernels of
one place are products of matrices, at which torch is the faster. Without AVX2 oneDNN is the slower: there, and on other
devices and in other types, all is torch's.

A hook of diffusers' on each layer of the network, so torch stays as it is for everybody else; it can be taken off.
"""

import torch
from diffusers.hooks import HookRegistry, ModelHook
from torch import Tensor, nn

NAME = "eichi_convolution"


class ConvolutionHook(ModelHook):  # type: ignore[misc]  # diffusers is not typed
    """Convolves clips [n, c, t, h, w] by oneDNN where they are float32 on a CPU."""

    def new_forward(self, layer: nn.Conv3d, clips: Tensor) -> Tensor:
        made: Tensor
        if clips.device.type != "cpu" or clips.dtype != torch.float32 or clips.ndim != 5:
            made = self.fn_ref.original_forward(clips)
            return made
        how = (layer.padding, layer.stride, layer.dilation, layer.groups)
        made = torch.ops.aten.mkldnn_convolution(clips, layer.weight, layer.bias, *how)
        return made


def apply_convolution(network: nn.Module) -> None:
    """Let a network that has no such hooks convolve this way, where this machine is faster at it."""
    if not _faster():
        return
    for layer in network.modules():
        if isinstance(layer, nn.Conv3d) and _suits(layer):
            HookRegistry.check_if_exists_or_initialize(layer).register_hook(ConvolutionHook(), NAME)


def remove_convolution(network: nn.Module) -> None:
    """Take the hooks off; the network is as it was. Does nothing where there are none."""
    HookRegistry.check_if_exists_or_initialize(network).remove_hook(NAME)


def _suits(layer: nn.Conv3d) -> bool:
    """Whether a layer looks at neighbours, and at nothing but zeros beyond the edges, as many as it says."""
    return layer.kernel_size != (1, 1, 1) and layer.padding_mode == "zeros" and not isinstance(layer.padding, str)


def _faster() -> bool:
    """Whether torch was built with oneDNN and the processor has what makes it worth while."""
    return torch.backends.mkldnn.is_available() and torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
