"""The networks of a model without their weights: the library's classes, made of a config, with no memory for tensors.

Every parameter is on the device "meta" until somebody gives it a tensor; what a network computes for itself, tables of
angles and positions, is there. Knows no files.
"""

import eichi.models.libraries  # noqa: F401  # before they come in one by one

# isort: split
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from diffusers import AutoencoderKLHunyuanVideo, HunyuanVideoFramepackTransformer3DModel
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    LlamaConfig,
    LlamaModel,
    SiglipVisionConfig,
    SiglipVisionModel,
)

# Under which name the config of a network with several towers has that of one of them.
TOWERS = {"text_encoder": "text_config", "text_encoder_2": "text_config", "image_encoder": "vision_config"}


# What gives weights their first numbers, by name.
DRAWN = {"normal_", "uniform_", "trunc_normal_", "kaiming_uniform_", "constant_", "fill_", "zero_"}


class Hollow(TorchFunctionMode):
    """While it is entered, what is only room for weights has none: tensors that are empty at first are on "meta".

    Nor are numbers drawn for them, which on "meta" takes longer than reading the embedded model's.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        given = dict(kwargs or {})
        if getattr(func, "__name__", "") in DRAWN and (drawn := args[0] if args else given["tensor"]).is_meta:
            return drawn
        if func is torch.empty and given.get("device") is None:
            given["device"] = "meta"
        return func(*args, **given)


def make_network(part: str, config: Mapping[str, Any]) -> nn.Module:
    """The network of a part by its config. Raises what its library raises for one that is none."""
    told = dict(config.get(TOWERS.get(part, ""), config))
    with Hollow():
        network: nn.Module = _CLASSES[part](told)
    for name in network.state_dict():  # norms begin as ones, which were made
        put(network, name, network.get_parameter(name).to("meta"))
    return network.requires_grad_(False).eval()


def put(network: nn.Module, name: str, tensor: Tensor) -> None:
    """Put a tensor in the place of a parameter or buffer of a network."""
    owner, _, attribute = name.rpartition(".")
    module = network.get_submodule(owner)
    parameter = isinstance(getattr(module, attribute), nn.Parameter)
    setattr(module, attribute, nn.Parameter(tensor, requires_grad=False) if parameter else tensor)


def hollow(network: nn.Module) -> list[str]:
    """The names of what has no memory yet."""
    named = (*network.named_parameters(), *network.named_buffers())
    return [name for name, tensor in named if tensor.is_meta]


_CLASSES: dict[str, Callable[[dict[str, Any]], nn.Module]] = {
    "transformer": HunyuanVideoFramepackTransformer3DModel.from_config,
    "vae": AutoencoderKLHunyuanVideo.from_config,
    "text_encoder": lambda config: LlamaModel(LlamaConfig.from_dict(config)),
    "text_encoder_2": lambda config: CLIPTextModel(CLIPTextConfig.from_dict(config)),
    "image_encoder": lambda config: SiglipVisionModel(SiglipVisionConfig.from_dict(config)),
}
