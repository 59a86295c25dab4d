"""Graphs of ComfyUI as people make them: the sampler that began is found, and what it was given."""

from typing import Any

import pytest

from eichi.video.foreign.graph import is_graph, read_graph

Graph = dict[str, Any]
CAT = {"prompt": "a cat", "negative": "dog", "seed": "5", "sampling.steps": "20", "sampling.cfg": "7"}
PROMPT = {key: CAT[key] for key in ("prompt", "seed", "sampling.steps")}
FLUX = PROMPT | {"sampling.guidance": "3.5"}


def node(kind: str, **inputs: Any) -> Graph:
    return {"class_type": kind, "inputs": inputs}


def words(text: Any) -> Graph:
    return node("CLIPTextEncode", text=text, clip=["9", 1])


def sampler(kind: str = "KSampler", **inputs: Any) -> Graph:
    given = {"seed": 5, "steps": 20, "cfg": 7, "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0]}
    return node(kind, **given | inputs)


BASE = {"5": node("EmptyLatentImage", width=8), "6": words("a cat"), "7": words("dog"), "9": node("CheckpointLoader")}
AGAIN = {"1": sampler(seed=99, steps=9, latent_image=["2", 0]), "2": node("LatentUpscale", samples=["3", 0])}
BOTH = node("ControlNetApplyAdvanced", positive=["6", 0], negative=["7", 0], control_net=["9", 0])
LOADER = node("Efficient Loader", positive="a cat", negative="dog")
APART = {
    "13": node("SamplerCustomAdvanced", noise=["25", 0], guider=["22", 0], sigmas=["17", 0], latent_image=["5", 0]),
    "16": node("KSamplerSelect", sampler_name="euler"),
    "17": node("BasicScheduler", scheduler="simple", steps=20, model=["9", 0]),
    "22": node("BasicGuider", model=["9", 0], conditioning=["26", 0]),
    "25": node("RandomNoise", noise_seed=["51", 0]),
    "26": node("FluxGuidance", guidance=3.5, conditioning=["6", 0]),
    "51": node("Seed (rgthree)", seed=5),
}
EASY = {
    "1": node("easy fullLoader", positive="a cat", negative="dog"),
    "2": node("easy preSampling", steps=20, cfg=7, seed=5, pipe=["1", 0]),
    "3": node("easy kSampler", pipe=["2", 0]),
}
FRAMEPACK = sampler("FramePackSampler", cfg=1.0, guidance_scale=10.0, total_second_length=3, negative=["8", 0])
WAN = node("WanVideoTextEncode", positive_prompt="a cat", negative_prompt="dog")
SPLIT = node("StringConcatenate", string_a=["61", 0], string_b="cat", delimiter=" ")


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        (BASE | {"3": sampler()}, CAT),
        (BASE | {"3": sampler("KSamplerAdvanced", noise_seed=5)}, CAT),
        (BASE | AGAIN | {"3": sampler()}, CAT),
        (BASE | {"3": sampler(positive=["10", 0], negative=["10", 1]), "10": BOTH}, CAT),
        (BASE | {"3": sampler(seed=["11", 0]), "11": node("PrimitiveInt", value=5)}, CAT),
        (BASE | {"3": sampler(positive=["2", 1], negative=["2", 2]), "2": LOADER}, CAT),
        (BASE | {"3": sampler(negative=["8", 0]), "8": node("ConditioningZeroOut", conditioning=["6", 0])}, PROMPT),
        (BASE | {"3": sampler(), "6": words(["60", 0]), "60": node("PrimitiveString", value="a cat")}, CAT),
        (BASE | {"3": sampler(), "6": words(["60", 0]), "60": SPLIT, "61": words("a")}, CAT | {"prompt": "a, cat"}),
        (BASE | {"3": sampler(), "6": node("CLIPTextEncodeSDXL", text_g="a cat", text_l="a cat", width=8)}, CAT),
        (BASE | APART, FLUX),
        (BASE | {"3": sampler(positive=["26", 0], cfg=1), "26": APART["26"]}, FLUX | {"negative": "dog"}),
        (BASE | {"3": FRAMEPACK}, PROMPT | {"sampling.guidance": "10.0", "sampling.cfg": "1.0", "seconds": "3"}),
        ({"1": node("WanVideoSampler", steps=20, cfg=7, seed=5, text_embeds=["2", 0]), "2": WAN}, CAT),
        (EASY, CAT),
        ({"1": node("Loader", positive="a cat", negative="dog", seed=5, steps=20, cfg=7)}, CAT),
    ],
)
def test_graphs(graph: Graph, expected: dict[str, str]) -> None:
    assert is_graph(graph)
    assert expected.items() <= read_graph(graph).items()
    assert ("negative" in read_graph(graph)) == ("negative" in expected)


ROUND = {"1": sampler(positive=["2", 0], seed=["2", 0]), "2": node("A", text=["3", 0]), "3": node("B", text=["2", 0])}


@pytest.mark.parametrize(
    "graph",
    [
        {"1": node("LoadImage", image="x.png")},
        {"1": {"class_type": "KSampler"}},
        {"1": {"class_type": "KSampler", "inputs": []}},
        {"1": {"class_type": 5, "inputs": {"positive": ["1", 0], "seed": ["1", 0], "noise": [["1"], 0]}}, "2": None},
        {"1": sampler(positive=["1", 0], negative=[{}, None])},
        ROUND,
    ],
    ids=range(6),
)
def test_graphs_that_say_nothing(graph: Graph) -> None:
    assert read_graph(graph) == {}


def test_what_leads_to_nothing_is_handed_on_so_that_it_can_be_said() -> None:
    ring = node("PrimitiveInt", value=["10", 0])
    assert read_graph(BASE | {"3": sampler(seed=["10", 0]), "10": ring})["seed"] == "['10', 0]"
    assert read_graph(BASE | {"3": sampler(seed=10**400)})["seed"] == str(10**400)
    assert read_graph(BASE | {"3": sampler(), "6": words(["a cat", "b"])})["prompt"] == ["a cat", "b"]
    for odd in (None, ["6", 0]):
        assert read_graph(BASE | {"3": sampler(), "6": words(odd)})["prompt"] == ["6", 0]
    assert "negative" not in read_graph(BASE | {"3": sampler(), "7": words("")})
