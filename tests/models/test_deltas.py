"""Every kind of change against LyCORIS and PEFT: one file, the same weights to 1e-5."""

from collections.abc import Callable
from pathlib import Path

import peft
import pytest
import torch
from lycoris.functional import general, locon, loha, lokr
from safetensors.torch import load_file
from torch import Tensor, nn

from eichi.catalog import Shapes
from eichi.errors import LoraError
from eichi.models.fp8 import PIECE
from eichi.models.lora import merge as merge_into
from eichi.models.lora import open_loras
from eichi.models.lorafile import check_numbers, read_lora
from eichi.models.loramatch import match_lora
from eichi.options import WeightsOptions
from tests import loras

ALPHA, RANK, STRENGTH = 3.0, 2, 0.6
LINEAR, CONV = "transformer_blocks.0.attn.to_q", "x_embedder.proj"
SHAPES: Shapes = {
    f"{LINEAR}.weight": (24, 20),
    f"{LINEAR}.bias": (24,),
    "transformer_blocks.0.attn.to_k.weight": (24, 20),
    "transformer_blocks.0.attn.to_v.weight": (24, 20),
    f"{CONV}.weight": (24, 16, 1, 2, 2),
    "transformer_blocks.0.attn.norm_q.weight": (12,),
}
Parts = dict[str, Tensor]
DRAW = torch.Generator().manual_seed(5)


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=DRAW) * 0.3


WEIGHTS = {name: draw(*shape) for name, shape in SHAPES.items()}


def parts(**shapes: tuple[int, ...]) -> Parts:
    return {name: draw(*shape) for name, shape in shapes.items()} | {"alpha": torch.tensor(ALPHA)}


def of_loha(given: Parts) -> Tensor:
    w = [given.get(f"hada_{name}") for name in ("w1_b", "w1_a", "w2_b", "w2_a", "t1", "t2")]
    return loha.diff_weight(*w, gamma=torch.tensor(ALPHA / RANK))  # type: ignore[no-any-return]


def of_lokr(given: Parts) -> Tensor:
    names = ("w1", "w1_a", "w1_b", "w2", "w2_a", "w2_b", "t2")
    w = [given.get(f"lokr_{name}") for name in names]
    whole = w[0] is not None and w[3] is not None
    return lokr.kron_weight(*w, scale=1.0 if whole else ALPHA / RANK)  # type: ignore[no-any-return]


def of_lora(given: Parts) -> Tensor:
    down, up, mid = (given.get(f"lora_{name}.weight") for name in ("down", "up", "mid"))
    return locon.diff_weight(down, up, mid, gamma=ALPHA / RANK)  # type: ignore[no-any-return]


Kind = tuple[str, Callable[[], Parts], Callable[[Parts], Tensor]]
KINDS: dict[str, Kind] = {
    "lora": (LINEAR, lambda: parts(**{"lora_down.weight": (2, 20), "lora_up.weight": (24, 2)}), of_lora),
    "lora, Tucker": (
        CONV,
        lambda: parts(
            **{
                "lora_down.weight": (2, 16, 1, 1, 1),
                "lora_up.weight": (24, 2, 1, 1, 1),
                "lora_mid.weight": (2, 2, 1, 2, 2),
            }
        ),
        of_lora,
    ),
    "loha": (
        LINEAR,
        lambda: parts(hada_w1_a=(24, 2), hada_w1_b=(2, 20), hada_w2_a=(24, 2), hada_w2_b=(2, 20)),
        of_loha,
    ),
    "loha, Tucker": (
        CONV,
        lambda: parts(
            hada_w1_a=(2, 24), hada_w1_b=(2, 16), hada_t1=(2, 2, 1, 2, 2),
            hada_w2_a=(2, 24), hada_w2_b=(2, 16), hada_t2=(2, 2, 1, 2, 2),
        ),
        of_loha,
    ),
    "lokr": (LINEAR, lambda: parts(lokr_w1=(4, 4), lokr_w2=(6, 5)), of_lokr),
    "lokr, w1 in factors": (LINEAR, lambda: parts(lokr_w1_a=(6, 2), lokr_w1_b=(2, 5), lokr_w2=(4, 4)), of_lokr),
    "lokr, w2 in factors": (LINEAR, lambda: parts(lokr_w1=(4, 4), lokr_w2_a=(6, 2), lokr_w2_b=(2, 5)), of_lokr),
    "lokr, both": (
        LINEAR,
        lambda: parts(lokr_w1_a=(4, 2), lokr_w1_b=(2, 4), lokr_w2_a=(6, 2), lokr_w2_b=(2, 5)),
        of_lokr,
    ),
    "lokr, convolution": (CONV, lambda: parts(lokr_w1=(4, 4), lokr_w2=(6, 4, 1, 2, 2)), of_lokr),
    "lokr, Tucker": (
        CONV,
        lambda: parts(lokr_w1=(4, 4), lokr_w2_a=(2, 6), lokr_w2_b=(2, 4), lokr_t2=(2, 2, 1, 2, 2)),
        of_lokr,
    ),
    "diff": (LINEAR, lambda: {"diff": draw(24, 20)}, lambda given: given["diff"]),
    "diff of a convolution": (CONV, lambda: {"diff": draw(24, 16, 1, 2, 2)}, lambda given: given["diff"]),
    "norm": ("transformer_blocks.0.attn.norm_q", lambda: {"w_norm": draw(12)}, lambda given: given["w_norm"]),
}  # fmt: skip


def merged(path: Path, tensors: Parts, name: str, strength: float) -> Tensor:
    """A weight with a file of these tensors in it."""
    loras.write(path, tensors)
    (lora,) = open_loras(WeightsOptions.model_validate({"loras": [f"{path}:{strength}"]}).loras, SHAPES, "small")
    made = torch.empty_like(WEIGHTS[name])
    merge_into(WEIGHTS[name], made, name, [lora])
    assert lora.match.unmatched == ()
    return made


def same(made: Tensor, expected: Tensor) -> bool:
    return made.shape == expected.shape and torch.allclose(made, expected, rtol=0, atol=1e-5)


@pytest.fixture(autouse=True)
def few_rows_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of rows that do not end where a factor does."""
    monkeypatch.setattr("eichi.models.fp8.PIECE", 5 * 64)
    assert PIECE > 5 * 64


@pytest.mark.parametrize("kind", KINDS)
def test_a_change_is_lycoris_s(tmp_path: Path, kind: str) -> None:
    layer, make, theirs = KINDS[kind]
    given, weight = make(), f"{layer}.weight"
    made = merged(
        tmp_path / "a.safetensors", {f"{layer}.{key}": value for key, value in given.items()}, weight, STRENGTH
    )
    assert same(made, WEIGHTS[weight] + STRENGTH * theirs(given).view(SHAPES[weight]))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("norm",) and "diff" not in kind])
def test_lengths_of_rows_are_lycoris_s(tmp_path: Path, kind: str) -> None:
    layer, make, theirs = KINDS[kind]
    given, weight = make(), f"{layer}.weight"
    lengths = draw(24, *[1] * (len(SHAPES[weight]) - 1)).abs()
    tensors = {f"{layer}.{key}": value for key, value in given.items()} | {f"{layer}.dora_scale": lengths}
    whole = general.weight_decompose(WEIGHTS[weight] + theirs(given).view(SHAPES[weight]), lengths)
    assert same(merged(tmp_path / "a.safetensors", tensors, weight, 1.0), whole)
    half = merged(tmp_path / "b.safetensors", tensors, weight, 0.5)
    assert same(half, (WEIGHTS[weight] + whole) / 2)


@pytest.mark.parametrize("strength", [1.0, STRENGTH])
@pytest.mark.parametrize("kind", ["lora", "loha", "lokr, w2 in factors"])
def test_lengths_of_columns_are_lycoris_s(tmp_path: Path, kind: str, strength: float) -> None:
    layer, make, theirs = KINDS[kind]
    given, weight, lengths = make(), f"{layer}.weight", draw(1, 20).abs()
    tensors = {f"{layer}.{key}": value for key, value in given.items()} | {f"{layer}.dora_scale": lengths}
    expected = general.apply_dora_scale(WEIGHTS[weight], theirs(given).view(24, 20), lengths, strength)
    assert same(merged(tmp_path / "a.safetensors", tensors, weight, strength), expected)


@pytest.mark.filterwarnings("ignore:Adapter 'default'")  # PEFT takes the bias that it saves for a broken matrix
@pytest.mark.parametrize("dora", [False, True])
def test_peft_s_own_files(tmp_path: Path, dora: bool) -> None:
    """Saved by PEFT, with a bias or with magnitudes, and merged by it."""
    weight, bias = f"{LINEAR}.weight", f"{LINEAR}.bias"
    torch.manual_seed(1)
    net = nn.Module()
    net.layer = nn.Linear(20, 24)
    net.layer.load_state_dict({"weight": WEIGHTS[weight], "bias": WEIGHTS[bias]})
    config = peft.LoraConfig(
        target_modules=["layer"],
        use_dora=dora,
        lora_bias=not dora,
        r=4,
        lora_alpha=6,
        alpha_pattern={"lay.r": 8},
        init_lora_weights=False,
    )
    model = peft.get_peft_model(net, config)
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            if "magnitude" in name:
                tensor.mul_(1.5)
    model.save_pretrained(str(tmp_path))
    tensors = load_file(tmp_path / "adapter_model.safetensors")
    path = loras.write(
        tmp_path / "adapter_model.safetensors",
        {key.replace("base_model.model.layer", f"base_model.model.{LINEAR}"): one for key, one in tensors.items()},
    )
    config_file = tmp_path / "adapter_config.json"
    config_file.write_text(config_file.read_text("utf-8").replace("lay.r", "to.q"), encoding="utf-8-sig")
    layer = model.merge_and_unload().layer
    (lora,) = open_loras(WeightsOptions.model_validate({"loras": [f"{path}:1"]}).loras, SHAPES, "small")
    assert lora.match.silent == 0
    names = [weight] if dora else [weight, bias]
    assert sorted(lora.match.shares) == sorted(names)
    for name in names:
        made = torch.empty_like(WEIGHTS[name])
        merge_into(WEIGHTS[name], made, name, [lora])
        assert same(made, getattr(layer, name.rpartition(".")[2]))


def test_a_fused_layer_s_rows_go_to_their_weights(tmp_path: Path) -> None:
    """LoKr and lengths of rows over query, key and value together, a bias, and musubi's parts one by one."""
    fused = "double_blocks.0.img_attn_qkv"
    given = parts(lokr_w1=(4, 4), lokr_w2_a=(18, 2), lokr_w2_b=(2, 5))
    lengths = draw(72, 1).abs()
    tensors = {f"{fused}.{key}": value for key, value in given.items()} | {f"{fused}.dora_scale": lengths}
    names = [f"transformer_blocks.0.attn.to_{one}.weight" for one in "qkv"]
    whole = general.weight_decompose(torch.cat([WEIGHTS[name] for name in names]) + of_lokr(given), lengths)
    for name, rows in zip(names, whole.split(24), strict=True):
        assert same(merged(tmp_path / "a.safetensors", tensors, name, 1.0), rows)
    pieces = {
        f"lora_unet_{fused}.lora_{half}.{one}.weight": draw(*shape)
        for one in range(3)
        for half, shape in (("down", (2, 20)), ("up", (24, 2)))
    }
    for place, name in enumerate(names):
        up, down = (pieces[f"lora_unet_{fused}.lora_{half}.{place}.weight"] for half in ("up", "down"))
        made = merged(tmp_path / "b.safetensors", pieces, name, STRENGTH)
        assert same(made, WEIGHTS[name] + STRENGTH * up @ down)


def test_a_difference_of_a_bias(tmp_path: Path) -> None:
    given = {"diffusion_model.double_blocks.0.img_attn_qkv.diff_b": draw(72)}
    shapes = SHAPES | {f"transformer_blocks.0.attn.to_{one}.bias": (24,) for one in "kv"}
    match = match_lora(read_lora(loras.write(tmp_path / "a.safetensors", given)), shapes, "small")
    assert sorted(match.shares) == [f"transformer_blocks.0.attn.to_{one}.bias" for one in "kqv"]
    assert [share.first for _, share in sorted(match.shares.items())] == [24, 0, 48]


def test_several_changes_are_added_to_the_original(tmp_path: Path) -> None:
    layer, make, theirs = KINDS["lora"]
    weight, lengths, paths = f"{LINEAR}.weight", draw(24, 1).abs(), []
    given = [make(), make()]
    for number, one in enumerate(given):
        tensors = {f"{layer}.{key}": value for key, value in one.items()}
        tensors |= {f"{layer}.dora_scale": lengths} if number else {}
        paths.append(loras.write(tmp_path / f"{number}.safetensors", tensors))
    expected = STRENGTH * theirs(given[0]) + general.weight_decompose(WEIGHTS[weight] + theirs(given[1]), lengths)
    for order in (paths, paths[::-1]):
        wanted = [f"{path}:{1 if path == paths[1] else STRENGTH}" for path in order]
        made = torch.empty_like(WEIGHTS[weight])
        merge_into(
            WEIGHTS[weight],
            made,
            weight,
            open_loras(WeightsOptions.model_validate({"loras": wanted}).loras, SHAPES, "x"),
        )
        assert same(made, expected)


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2]
)
def test_numbers_of_every_type(tmp_path: Path, dtype: torch.dtype) -> None:
    layer, make, theirs = KINDS["loha"]
    weight, given = f"{LINEAR}.weight", {key: value.to(dtype) for key, value in make().items()}
    made = merged(tmp_path / "a.safetensors", {f"{layer}.{key}": one for key, one in given.items()}, weight, 1.0)
    assert same(made, WEIGHTS[weight] + theirs({key: value.float() for key, value in given.items()}))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2])
@pytest.mark.parametrize("key", ["lokr_w1", "lokr_w2_b", "dora_scale"])
def test_what_is_no_number_is_found_before_and_in_the_job(tmp_path: Path, key: str, dtype: torch.dtype) -> None:
    given = {name: value.to(dtype) for name, value in KINDS["lokr, w2 in factors"][1]().items()}
    given["dora_scale"] = draw(24, 1).to(dtype)
    given[key].view(-1)[1] = torch.nan
    path = loras.write(tmp_path / "a.safetensors", {f"{LINEAR}.{name}": value for name, value in given.items()})
    with pytest.raises(LoraError, match=f"NaN.*{key}"):
        check_numbers(read_lora(path))
    lora = open_loras(WeightsOptions.model_validate({"loras": [path]}).loras, SHAPES, "small")
    with pytest.raises(LoraError, match=f"NaN.*{key}"):
        merge_into(WEIGHTS[f"{LINEAR}.weight"], torch.empty(24, 20), f"{LINEAR}.weight", lora)
