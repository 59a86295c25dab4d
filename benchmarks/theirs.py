"""diffusers' FramePack pipeline, put together from our components, for the benchmarks and the parity test."""

from typing import Any

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, HunyuanVideoFramepackPipeline
from numpy.typing import NDArray
from PIL import Image

from eichi.catalog import Entry
from eichi.models.load import Components
from eichi.plan.timeline import frame_count


def assemble(parts: Components) -> Any:
    """The library's pipeline on the weights of our components."""
    pipe = HunyuanVideoFramepackPipeline(
        text_encoder=parts.text_encoder,
        tokenizer=parts.tokenizer,
        transformer=parts.transformer,
        vae=parts.vae,
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        text_encoder_2=parts.text_encoder_2,
        tokenizer_2=parts.tokenizer_2,
        image_encoder=parts.image_encoder,
        feature_extractor=parts.feature_extractor,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def request(
    entry: Entry, pixels: NDArray[np.uint8], prompt: str, sections: int, window: int, steps: int, seed: int
) -> dict[str, Any]:
    """What the pipeline is called with for a video of so many sections; `pixels` is the fitted start picture."""
    height, width, _ = pixels.shape
    return {
        "image": Image.fromarray(pixels),
        "prompt": prompt,
        "prompt_template": {"template": entry.template.text, "crop_start": entry.template.head},
        "height": height,
        "width": width,
        "num_frames": frame_count(window) * sections,
        "latent_window_size": window,
        "num_inference_steps": steps,
        "guidance_scale": 10.0,
        "generator": torch.Generator().manual_seed(seed),
    }
