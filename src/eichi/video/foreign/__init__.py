"""What other programs write into their pictures and videos, read as the part of a request that it is.

Four forms are in use, each with a module: lines with a line of settings (A1111 and its kin), JSON with a name for each
value (SwarmUI, NovelAI, InvokeAI, Fooocus, FramePack-Studio and others), a text for each value (Easy Diffusion), the
graph of ComfyUI. Another program of one of these forms is a name in a table. What is taken means the same here: the
prompts, the seed, the steps, the scales of real and of distilled guidance. A sampler does not, as there is one here.

Nothing here trusts a text. JSON that is not understood says nothing, and is never a prompt; no text is read in more
steps than it has characters. The library for this, sd-parsers 0.6, was tried and not taken: of the files that people
brought it reads a quarter, it takes a seed out of a quoted text, and it is quadratic on some texts.
"""

from collections.abc import Mapping
from typing import Any

from eichi.declare import Plain
from eichi.reading import looks_like_json, parse_json
from eichi.video.foreign.graph import is_graph, read_graph
from eichi.video.foreign.named import read_named
from eichi.video.foreign.settings import read_lines

# Signs of a text that is read; what is longer is no request.
LIMIT = 2**20
# The text that is a prompt also where nothing else stands in it, and those whose word goes before others'.
BARE = "parameters"
FIRST = (BARE, "invokeai_metadata", "sd-metadata", "generation_data", "usercomment", "comment")
# Where programs keep the values in a table of theirs.
WITHIN = ("sui_image_params", "extraMetadata", "image", "prompt")


def read_texts(texts: Mapping[str, str]) -> Plain:
    """The options that the texts of a file have, by dotted key, as they are written there; `texts` by small name."""
    short = {name: text for name, text in texts.items() if len(text) <= LIMIT}
    for name in sorted(short, key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST)):
        if found := read_text(short[name], bare=name == BARE):
            return found
    return read_named(short)


def read_text(text: str, bare: bool = True) -> Plain:
    """The options that one text has; where it is `bare`, words without settings are a prompt."""
    text = text.strip("\0\ufeff \t\r\n")
    if looks_like_json(text):
        try:
            return _read_table(parse_json(text))
        except ValueError:
            return {}
    return read_lines(text, bare)


def _read_table(values: Any) -> Plain:
    """The options that a table of JSON has, or a table within it."""
    if not isinstance(values, dict):
        return {}
    for name in WITHIN:
        inner = values.get(name)
        if isinstance(inner, str) and looks_like_json(inner):
            try:
                inner = parse_json(inner)
            except ValueError:
                continue
        if isinstance(inner, dict) and (found := read_graph(inner) if is_graph(inner) else read_named(inner)):
            return found
    return read_graph(values) if is_graph(values) else read_named(values)
