"""The graph of ComfyUI: nodes by number, each with the values and the links that go into it.

What was drawn is what a sampler was given: from the first one the links are gone back to the nodes that hold its
texts and numbers. Nodes of extensions are read by the names of what goes into them, which are much alike. Every node is
looked at a bounded number of times, however the links run.
"""

from collections.abc import Mapping
from typing import Any

from eichi.declare import Plain
from eichi.video.foreign.named import plain, read_named, read_values

# Samplers that are looked at, and links that are gone back for one number.
MOST, FAR = 8, 8
# Links with words, by the side that they are for; one of a node that has no sides is for both.
SIDES = {
    "prompt": ("positive", "conditioning", "text_embeds", "hyvid_embeds"),
    "negative": ("negative", "text_embeds", "hyvid_embeds"),
}
# Links to nodes that hold more of what a sampler is given.
APART = ("noise", "guider", "sigmas", "pipe", "settings")
DRAWN = {*SIDES["prompt"], "guider", "pipe"}
SEEDED = {"seed", "noise_seed", "noise"}
# Values of a sampler that mean the same here, by their plain names.
TAKEN = {"seed", "noiseseed", "steps", "cfg", "guidancescale", "embeddedguidancescale", "guidance", "totalsecondlength"}
GUIDANCE = "guidance"
# What a node that holds one number calls it.
NUMBER = ("seed", "value", "noise_seed", "int", "float", "number", "steps", "cfg")
# The node after which words have no effect.
BLANK = "ConditioningZeroOut"
# What nodes that hold words call them, those that say most first, and how other links begin that lead on to such nodes.
WORDS = (
    ("populated_text",),
    ("text",),
    ("t5xxl",),
    ("text_g", "text_l"),
    ("clip_l",),
    ("prompt",),
    ("positive_prompt",),
    ("string",),
    ("value",),
)
ONWARD = ("cond", "text", "string", "prompt", "positive", "any", "input")


def is_graph(values: Mapping[str, Any]) -> bool:
    """Whether a table is such a graph."""
    return any(isinstance(node, dict) and "class_type" in node for node in values.values())


def read_graph(values: Mapping[str, Any]) -> Plain:
    """The options that a graph drew with, by dotted key; nothing of a graph without words."""
    graph = _Graph(values)
    for name in graph.samplers():
        if found := graph.sampler(name):
            return found
    # Loaders of some extensions hold both texts, and samplers are linked to them in ways of their own.
    return next((found for inputs in graph.inputs.values() if (found := _loader(inputs))), {})


def _loader(inputs: Mapping[str, Any]) -> dict[str, str]:
    """The options of a node that holds both texts."""
    if not all(isinstance(inputs.get(side), str) for side in ("positive", "negative")):
        return {}
    return read_named({"prompt" if name == "positive" else name: value for name, value in inputs.items()})


def _leads(value: Any) -> bool:
    """Whether a value has the form of a link: the number of a node and a place in what comes out of it."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[1], int)


class _Graph:
    """The nodes of a graph by number: their kinds, and what goes into them."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        nodes = {name: node for name, node in values.items() if isinstance(node, dict)}
        self.inputs = {name: node["inputs"] for name, node in nodes.items() if isinstance(node.get("inputs"), dict)}
        self.kinds = {name: str(node.get("class_type")) for name, node in nodes.items()}

    def samplers(self) -> list[str]:
        """The samplers, those first that go on from no other."""
        found = [name for name in self.inputs if self._draws(name)][:MOST]
        return sorted(found, key=lambda name: bool(self._before(name) & {*found}))

    def sampler(self, name: str) -> Plain:
        """What a sampler was given; nothing where it was given no words, links where they lead to none of one side."""
        parts = self._parts(name)
        texts: dict[str, str] = {}
        ends: Plain = {}
        numbers: Plain = {}
        lost: Plain = {}  # what is given, but leads to nothing that can be taken
        for inputs in parts:
            for key in inputs:
                if plain(key) in TAKEN:
                    value = self._number(inputs[key])
                    (lost if value is None else numbers).setdefault(key, inputs[key] if value is None else value)
        for ours, links in SIDES.items():
            link = next((inputs[key] for inputs in parts for key in links if key in inputs), None)
            words, on_the_way, end = self._words(link, links[0])
            if not words and end is not None:
                ends[ours] = end
            guidance = next((self.inputs[node][GUIDANCE] for node in on_the_way if GUIDANCE in self.inputs[node]), None)
            if guidance is not None:
                value = self._number(guidance)
                (lost if value is None else numbers).setdefault(GUIDANCE, guidance if value is None else value)
            texts[ours] = ", ".join(words)
        if not any(texts.values()):
            return {}
        return {key: text or ends[key] for key, text in texts.items() if text or key in ends} | read_values(
            lost | numbers
        )

    def _draws(self, name: str) -> bool:
        inputs = self.inputs[name]
        given = any(self._link(inputs[key]) for key in DRAWN & inputs.keys())
        return given and ("sampler" in self.kinds[name].lower() or bool(SEEDED & inputs.keys()))

    def _link(self, value: Any) -> str | None:
        """The node that a link comes from, None for what is no link: that is a number of a node and a place."""
        if isinstance(value, list) and len(value) == 2:
            name = str(value[0])
            return name if name in self.inputs else None
        return None

    def _parts(self, name: str) -> list[Mapping[str, Any]]:
        """What goes into a sampler and into the nodes that hold more of it."""
        names = [name]
        for one in names:  # grows on the way
            inputs = self.inputs[one]
            for key in APART:
                link = self._link(inputs.get(key))
                if link is not None and link not in names and len(names) <= FAR:
                    names.append(link)
        return [self.inputs[one] for one in names]

    def _before(self, name: str) -> set[str]:
        """All nodes that lead to one."""
        found: set[str] = set()
        left = [name]
        while left:
            for value in self.inputs[left.pop()].values():
                link = self._link(value)
                if link is not None and link not in found:
                    found.add(link)
                    left.append(link)
        return found

    def _number(self, value: Any) -> Any:
        """A number, or the one at the other end of links; None where there is none."""
        for _ in range(FAR):
            link = self._link(value)
            if link is None:
                return value if isinstance(value, str | int | float) else None
            inputs = self.inputs[link]
            held = [inputs[key] for key in NUMBER if key in inputs]
            value = next(iter(held), next((one for one in inputs.values() if self._link(one)), None))
        return None

    def _words(self, link: Any, side: str) -> tuple[list[str], list[str], Any]:
        """The texts that a link comes from, in their order, the nodes on the way, and what stands in their place.

        The last is None where there is nothing, or no words on purpose.
        """
        texts: dict[str, None] = {}
        seen: dict[str, None] = {}
        left, meant, end = [link], link is None, link
        while left:
            value = left.pop()
            name = self._link(value)
            if isinstance(value, str):
                texts |= {value.strip(): None} if value.strip() else {}
                meant = meant or not value.strip()
            elif name is None:
                end = value if isinstance(value, list | dict) else end
                meant = meant or _leads(value)
            elif self.kinds[name] == BLANK:
                meant = True
            elif name not in seen:
                seen[name] = None
                left += reversed(self._onward(self.inputs[name], side))
        return [*texts], [*seen], None if meant else end

    def _onward(self, inputs: Mapping[str, Any], side: str) -> list[Any]:
        """The words of a node, or the links that lead on to some: of a node with two sides those of one side."""
        for group in ((side, f"{side}_prompt", f"text_{side}"), *WORDS):
            if held := [inputs[key] for key in group if key in inputs]:
                return held
        return [value for key, value in inputs.items() if key.startswith(ONWARD)]
