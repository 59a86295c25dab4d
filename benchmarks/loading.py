"""Loading a transformer with a LoRA and in eight bits, ours against diffusers with peft, on random weights.

A checkpoint of the real structure is written first; each contender then loads it in a process of its own. Memory is the
highest resident size since the libraries were imported, every weight having been used once, and what the libraries take
is told beside it; time is the processor's, on one core, with the checkpoint in the system's cache. diffusers has no
scales for eight bits: its layerwise casting is what comes nearest. Two LoRAs: one of the attention's four matrices, as
diffusers' training scripts make them, and one of every matrix in the blocks, which leaves little that need not be made
again.

OMP_NUM_THREADS=1 python -m benchmarks.loading [--blocks N] > measured/loading.md, 0.31 GB in bfloat16 a block.
"""

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.clip import peak_memory
from benchmarks.printing import printing

STRENGTH, OTHER, RANK = 0.8, 0.4, 16
MIB = 2**20
Contender = Callable[[Path, str, bool], dict[str, float]]
LORAS: dict[str, tuple[str, ...]] = {"attention": ("to_q", "to_k", "to_v", "to_out.0"), "all": ("",)}


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
    (folder / "lora").mkdir()
    for kind, endings in LORAS.items():
        lora = {}
        for name, shape in shapes.items():
            layer = name.removesuffix(".weight")
            if "transformer_blocks." in name and len(shape) == 2 and "norm" not in name and layer.endswith(endings):
                lora[f"transformer.{layer}.lora_A.weight"] = torch.randn(RANK, shape[1], dtype=torch.bfloat16) * 0.02
                lora[f"transformer.{layer}.lora_B.weight"] = torch.randn(shape[0], RANK, dtype=torch.bfloat16) * 0.02
        save_file(lora, folder / "lora" / f"{kind}.safetensors")


def ours(folder: Path, lora: str, fp8: bool) -> dict[str, float]:
    """Our weights, then another strength."""
    import torch

    from eichi.models.formats import read_config
    from eichi.models.source import FileSource
    from eichi.models.weights import Weights
    from eichi.options import WeightsOptions

    def wanted(strength: float) -> WeightsOptions:
        loras = [{"file": folder / "lora" / f"{lora}.safetensors", "strength": strength}]
        return WeightsOptions.model_validate({"loras": loras, "fp8": "row" if fp8 else "off"})

    before, start = peak_memory(), time.process_time()
    source, config = FileSource("transformer", folder), read_config(folder, {})
    weights = Weights("random", source, config, torch.bfloat16, torch.device("cpu"))
    weights.change(wanted(STRENGTH))
    touch(weights.transformer)
    told = {"load_s": time.process_time() - start, "peak_mib": peak_memory() - before, "libraries_mib": before}
    told |= {"result_mib": size(weights.transformer), "tensors": weights.made}
    start = time.process_time()
    weights.change(wanted(OTHER))
    told |= {
        "change_s": time.process_time() - start,
        "changed_tensors": weights.made,
        "change_peak_mib": peak_memory() - before,
    }
    return told


def diffusers(folder: Path, lora: str, fp8: bool) -> dict[str, float]:
    """from_pretrained, load_lora_adapter, fuse_lora; another strength is unfused and fused again."""
    import torch
    from diffusers import HunyuanVideoFramepackTransformer3DModel
    from safetensors.torch import load_file

    before, start = peak_memory(), time.process_time()
    network = HunyuanVideoFramepackTransformer3DModel.from_pretrained(folder, torch_dtype=torch.bfloat16)
    network.load_lora_adapter(load_file(folder / "lora" / f"{lora}.safetensors"), prefix="transformer")
    network.fuse_lora(lora_scale=STRENGTH)
    if fp8:
        network.unload_lora()
        network.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=torch.bfloat16)
    touch(network)
    told = {"load_s": time.process_time() - start, "peak_mib": peak_memory() - before, "libraries_mib": before}
    told |= {"result_mib": size(network)}
    if not fp8:  # from eight bits there is no way back
        start = time.process_time()
        network.unfuse_lora()
        network.fuse_lora(lora_scale=OTHER)
        told |= {"change_s": time.process_time() - start, "change_peak_mib": peak_memory() - before}
    return told


def touch(network: Any) -> None:
    """Use every page of the weights: what is mapped and was never read is not there yet."""
    import torch

    for tensor in network.state_dict().values():
        tensor.flatten().view(torch.uint8)[::4096].sum()


def size(network: Any) -> float:
    """MiB of all weights."""
    return float(sum(tensor.nbytes for tensor in network.state_dict().values()) / MIB)


def measure(
    contender: Callable[[Path, str, bool], dict[str, float]], folder: Path, lora: str, fp8: bool
) -> dict[str, float]:
    """Run one contender in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1, initializer=_ready) as pool:
        return pool.apply(contender, (folder, lora, fp8))


def _ready() -> None:
    """Import everything, so that it is not counted."""
    import torch
    from diffusers import HunyuanVideoFramepackTransformer3DModel  # noqa: F401
    from peft import LoraConfig  # noqa: F401

    import eichi.models.weights  # noqa: F401

    torch.zeros(1)


HEAD = """# Loading

A random checkpoint of the real structure, {checkpoint:.0f} MiB in bfloat16, loaded with a LoRA, in bfloat16 and in
eight bits. Made by `python -m benchmarks.loading`, which says how; on a CPU, nothing here has run on a GPU.

Memory in MiB beyond the libraries' {libraries:.0f}; the bar is 1.15 times the result and 300. Time in seconds of one
core; `change` is another strength of the same LoRA, the bar 0.3 of the load. Only the tensors that the LoRA changes are
made again. diffusers cannot change the strength in eight bits.

| LoRA | type | who | result | peak | bar | load | change | share | tensors made again |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"""


def line(lora: str, kind: str, who: str, told: dict[str, float]) -> str:
    """One row."""
    change = told.get("change_s")
    cells = [
        lora,
        kind,
        who,
        f"{told['result_mib']:.0f}",
        f"{told['peak_mib']:.0f}",
        f"{1.15 * told['result_mib'] + 300:.0f}",
        f"{told['load_s']:.1f}",
        "" if change is None else f"{change:.1f}",
        "" if change is None else f"{change / told['load_s']:.2f}",
        f"{told['changed_tensors']:.0f} of {told['tensors']:.0f}" if "tensors" in told else "",
    ]
    return f"| {' | '.join(cells)} |"


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
        lines, libraries = [], 0.0
        for lora in LORAS:
            for fp8 in (False, True):
                for contender in (ours, diffusers):
                    told = measure(contender, folder, lora, fp8)
                    libraries = told["libraries_mib"]
                    lines.append(line(lora, "FP8" if fp8 else "bfloat16", contender.__name__, told))
        print("\n".join([HEAD.format(checkpoint=checkpoint, libraries=libraries), *lines]))  # noqa: T201


if __name__ == "__main__":
    with printing():
        main()
