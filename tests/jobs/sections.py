"""What a job has on disk of its sections, without drawing any: numbers in their place."""

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from eichi.options import VideoOptions
from eichi.plan.plan import Plan
from eichi.prepare import make_plan
from eichi.settings import load_settings
from eichi.video.card import FILES, file_checksum, write_card
from eichi.video.metadata import record
from eichi.video.sectionfolder import copy_file, section_file, source_file


def leave(folder: Path, options: VideoOptions, made: int) -> Plan:
    """The first `made` sections of a job in a folder, with their card; section n is full of n + 1. With copies
    of the videos that it is made for.
    """
    plan = make_plan(options, load_settings().model_folders)
    folder.mkdir(parents=True)
    files = {}
    for order in range(made):
        path = folder / section_file(order)
        shape = (1, 16, plan.window, plan.height // 8, plan.width // 8)
        save_file({"latents": np.full(shape, order + 1, np.float32)}, path)
        files[path.name] = file_checksum(path)
    for name, given in plan.around.items():
        copy = folder / source_file(name, given)
        copy_file(given, copy)
        files[copy.name] = file_checksum(copy)
    card = {"request": plan.options.dump(), "width": plan.width, "height": plan.height, "pictures": sorted(plan.images)}
    write_card(folder, card | {FILES: files, "kept": plan.kept, "record": record(plan)})
    return plan
