"""A state folder made from the weights that ship, so that training goes on from what everyone has.

The run that made them need not be kept: the code is read off the encoder, networks and tokenizers are taken as they
are, and blocks that they lack begin without a say. Only the optimisers' memory is new, which costs a few dozen steps.
"""

import logging
import shutil
from pathlib import Path

from diffusers import AutoencoderKLHunyuanVideo, HunyuanVideoFramepackTransformer3DModel
from transformers import CLIPTextModel, LlamaModel

from training import state
from training.codec import autoencoder, install, installed
from training.decoder import glide
from training.half import widen
from training.network import Net, grow
from training.samples import FORWARD, REVERSE
from training.transformer import best

log = logging.getLogger(__name__)

FOLDERS = {REVERSE: "transformer", FORWARD: "transformer_f1"}
FLAT = (0.0, 0.0, 1.0)  # every frame by itself


def adopt(source: Path, folder: Path) -> None:
    """Begin `folder` with the model in `source`; whatever is there already stays."""
    for name in ("tokenizer", "tokenizer_2"):
        if not (folder / name).exists():
            shutil.copytree(source / name, folder / name)
    shipped = AutoencoderKLHunyuanVideo.from_pretrained(source / "vae")
    code = installed(shipped)
    _begin(folder / "codec.pt", vars(code))
    vae = autoencoder()
    vae.load_state_dict(shipped.state_dict())
    install(code, glide(widen(vae), FLAT))
    _begin(folder / "decoder.pt", state.fresh(vae))
    net = Net(folder)
    net.llama.load_state_dict(LlamaModel.from_pretrained(source / "text_encoder").state_dict())
    net.clip.load_state_dict(CLIPTextModel.from_pretrained(source / "text_encoder_2").state_dict())
    for direction, name in FOLDERS.items():
        transformer = HunyuanVideoFramepackTransformer3DModel.from_pretrained(source / name)
        grow(net.transformer, transformer)
        for path in (folder / f"{direction}.pt", best(folder, direction)):
            _begin(path, state.fresh(net))


def _begin(path: Path, content: dict[str, object]) -> None:
    if not path.exists():
        state.save(path, content)
        log.info("begun %s", path)
