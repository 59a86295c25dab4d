"""Labels that eichi 1.9 stored where values belong, in its four languages, and the values they mean.

Its lengths and sizes of sections are labels with a number in them, its LoRA files a word for "none" or a file name
beside a text of strengths. Only what was stored is here; nothing is ever written in this form.
"""

import re
from collections.abc import Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

from eichi.errors import OptionError
from eichi.events import Adjusted
from eichi.library.loras import STRENGTH, PresetLora, lora

NOTHING = {"", "なし", "None", "none", "無", "Нет"}

FRAMES = {
    "保存しない": "none",
    "Do not save": "none",
    "不保存": "none",
    "Не сохранять": "none",
    "全フレーム画像保存": "all",
    "Save all frame images": "all",
    "保存所有幀圖像": "all",
    "Сохранить все изображения кадров": "all",
    "最終セクションのみ全フレーム画像保存": "last",
    "Save all frame images for final section only": "last",
    "僅保存最終區域的所有幀圖像": "last",
    "Сохранить все изображения кадров только для последней секции": "last",
}


def number(label: Any) -> Any:
    """The first number of a label, `6秒` or `0,5 с`; the label itself where there is none."""
    found = re.search(r"\d+(?:[.,]\d+)?", str(label))
    return label if found is None else float(found.group().replace(",", "."))


def switch(value: Any) -> Any:
    """A truth value in the forms that YAML 1.1 and JSON write it; anything else as it is."""
    if isinstance(value, str):
        return {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}.get(
            value.strip().lower(), value
        )
    return value


def loras(names: Sequence[Any], scales: Any, folder: Path | None, on: bool) -> tuple[list[PresetLora], list[Adjusted]]:
    """LoRA files from what its three boxes and the text of strengths held.

    Only the last part of a name counts, as they all lay in one folder. Files that are no safetensors are left out.
    """
    found: list[PresetLora] = []
    notes: list[Adjusted] = []
    strengths = _strengths(scales, notes)
    chosen = [text for label in names if (text := str(label or "").strip()) not in NOTHING]
    # The boxes left empty are not counted: the first strength is that of the first file.
    for place, text in enumerate(chosen):
        name = PureWindowsPath(text).name
        if not name.lower().endswith(".safetensors"):
            notes.append(Adjusted("note.lora.form", {"name": text}))
            continue
        path = Path(name) if folder is None else folder / name
        strength = strengths[place] if place < len(strengths) else STRENGTH
        try:
            found.append(lora(path, strength, on))
        except OptionError:
            notes.append(Adjusted("note.lora.strength", {"name": name, "asked": strength, "used": STRENGTH}))
            found.append(lora(path, STRENGTH, on))
    return found, notes


def _strengths(scales: Any, notes: list[Adjusted]) -> list[float]:
    """The strengths of a text such as `0.8,1,0.5`; none of them where one cannot be read, as in eichi."""
    try:
        return [float(part) for part in str(scales or "").split(",") if part.strip()]
    except ValueError:
        notes.append(Adjusted("note.lora.scales", {"scales": str(scales), "used": STRENGTH}))
        return []
