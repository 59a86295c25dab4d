"""Loading a transformer with a LoRA and in eight bits, ours against diffusers with peft, on random weights.

A checkpoint of the real structure is written first; each contender then loads it in a process of its own. Memory is the
highest resident size since the libraries were imported, every weight having been used once, and what the libraries take
is told beside it; time is the processor's. diffusers has no scales for eight bits: its
layerwise casting is what comes nearest. `python -m benchmarks.loading [--blocks N]`, 0.31 GB in bfloat16 a block.
"""

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

STRENGTH, OTHER, RANK = 0.8, 0.4, 16
MIB = 2**20


def build(folder: Path, blocks: int) -> None:
    """Random weights in bfloat16, `blocks` double and twice as many single blocks of half the real width; a LoRA."""
    import torch
    from diffusers import HunyuanVideoFramepackTransformer3DModel
    from safetensors.torch import save_file

    with torch.device("meta"):
        network = HunyuanVideoFramepackTransformer3DModel(
            num_attention_heads=12, num_layers=blocks, num_single_layers=2 * blocks, text_embed_dim=1024,
            has_image_proj=True, has_clean_x_embedder=True,
        )  # fmt: skip
    network.save_config(folder)
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    weights = {name: torch.randn(shape, dtype=torch.bfloat16) * 0.02 for name, shape in shapes.items()}
    save_file(weights, folder / "diffusion_pytorch_model.safetensors")
    lora = {}
    for name, shape in shapes.items():
        if "transformer_blocks." in name and len(shape) == 2 and "norm" not in name:
            layer = f"transformer.{name.removesuffix('.weight')}"
            lora[f"{layer}.lora_A.weight"] = torch.randn(RANK, shape[1], dtype=torch.bfloat16) * 0.02
            lora[f"{layer}.lora_B.weight"] = torch.randn(shape[0], RANK, dtype=torch.bfloat16) * 0.02
    (folder / "lora").mkdir()
    save_file(lora, folder / "lora" / "style.safetensors")


def ours(folder: Path, fp8: bool) -> dict[str, float]:
    """Our weights, then another strength."""
    import torch

    from eichi.models.weights import Weights
    from eichi.options import WeightsOptions

    def wanted(strength: float) -> WeightsOptions:
        loras = [{"file": folder / "lora" / "style.safetensors", "strength": strength}]
        return WeightsOptions.model_validate({"loras": loras, "fp8": "row" if fp8 else "off"})

    before, start = peak(), time.process_time()
    weights = Weights("random", folder, {}, torch.bfloat16, torch.device("cpu"))
    weights.change(wanted(STRENGTH))
    touch(weights.transformer)
    told = {"load_s": time.process_time() - start, "peak_mib": peak() - before, "libraries_mib": before}
    told |= {"result_mib": size(weights.transformer), "tensors": weights.made}
    start = time.process_time()
    weights.change(wanted(OTHER))
    told |= {
        "change_s": time.process_time() - start,
        "changed_tensors": weights.made,
        "change_peak_mib": peak() - before,
    }
    return told


def diffusers(folder: Path, fp8: bool) -> dict[str, float]:
    """from_pretrained, load_lora_adapter, fuse_lora; another strength is unfused and fused again."""
    import torch
    from diffusers import HunyuanVideoFramepackTransformer3DModel
    from safetensors.torch import load_file

    before, start = peak(), time.process_time()
    network = HunyuanVideoFramepackTransformer3DModel.from_pretrained(folder, torch_dtype=torch.bfloat16)
    network.load_lora_adapter(load_file(folder / "lora" / "style.safetensors"), prefix="transformer")
    network.fuse_lora(lora_scale=STRENGTH)
    if fp8:
        network.unload_lora()
        network.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=torch.bfloat16)
    touch(network)
    told = {"load_s": time.process_time() - start, "peak_mib": peak() - before, "libraries_mib": before}
    told |= {"result_mib": size(network)}
    if not fp8:  # from eight bits there is no way back
        start = time.process_time()
        network.unfuse_lora()
        network.fuse_lora(lora_scale=OTHER)
        told |= {"change_s": time.process_time() - start, "change_peak_mib": peak() - before}
    return told


def touch(network: Any) -> None:
    """Use every page of the weights: what is mapped and was never read is not there yet."""
    import torch

    for tensor in network.state_dict().values():
        tensor.flatten().view(torch.uint8)[::4096].sum()


def size(network: Any) -> float:
    """MiB of all weights."""
    return float(sum(tensor.nbytes for tensor in network.state_dict().values()) / MIB)


def peak() -> float:
    """The highest resident size of this process, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(contender: Callable[[Path, bool], dict[str, float]], folder: Path, fp8: bool) -> dict[str, float]:
    """Run one contender in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1, initializer=_ready) as pool:
        return pool.apply(contender, (folder, fp8))


def _ready() -> None:
    """Import everything, so that it is not counted."""
    import torch
    from diffusers import HunyuanVideoFramepackTransformer3DModel  # noqa: F401
    from peft import LoraConfig  # noqa: F401

    import eichi.models.weights  # noqa: F401

    torch.zeros(1)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loading", description=__doc__)
    parser.add_argument("--blocks", type=int, default=6)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        writer = multiprocessing.get_context("spawn").Process(target=build, args=(folder, args.blocks))
        writer.start()
        writer.join()
        checkpoint = (folder / "diffusion_pytorch_model.safetensors").stat().st_size / MIB
        found: dict[str, Any] = {"checkpoint_mib": round(checkpoint)}
        for fp8 in (False, True):
            for contender in (ours, diffusers):
                told = measure(contender, folder, fp8)
                key = f"{contender.__name__}, {'fp8' if fp8 else 'bfloat16'}"
                found[key] = {name: round(value, 2) for name, value in told.items()}
        print(json.dumps(found, indent=1))  # noqa: T201


if __name__ == "__main__":
    main()
