"""Every private part of a library that is used is still there and called as before, and is named in one file only."""

import ast
import inspect
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from diffusers import HunyuanVideoFramepackTransformer3DModel
from diffusers.hooks import group_offloading
from diffusers.models.transformers.transformer_hunyuan_video import HunyuanVideoAttnProcessor2_0

from eichi.models import borrowed
from tests import small

ROOT = Path(__file__).parents[2]
# Documented in spite of their names.
DOCUMENTED = {"_typeshed", "_mapping", "_exit", "_fields"}


def test_the_tokens_are_put_together_as_before() -> None:
    pack = HunyuanVideoFramepackTransformer3DModel._pack_history_states
    given = "self hidden_states latents_clean latents_history_2x latents_history_4x image_rotary_emb"
    tables = "image_rotary_emb_clean image_rotary_emb_history_2x image_rotary_emb_history_4x height width"
    assert list(inspect.signature(pack).parameters) == f"{given} {tables}".split()
    transformer = small.transformer()
    with borrowed.packing(transformer, lambda before: before):
        assert "_pack_history_states" in vars(transformer)
    assert "_pack_history_states" not in vars(transformer)


def test_the_kernel_is_chosen_as_before() -> None:
    processor = HunyuanVideoAttnProcessor2_0()
    assert processor._attention_backend is None
    with borrowed.attention_backend([processor], "native"):
        assert processor._attention_backend == "native"
    assert processor._attention_backend is None
    assert "backend=self._attention_backend" in inspect.getsource(HunyuanVideoAttnProcessor2_0.__call__)


def test_tokens_are_exchanged_as_before() -> None:
    processor = HunyuanVideoAttnProcessor2_0()
    assert processor._parallel_config is None
    with borrowed.exchanging([processor], "two"):
        assert processor._parallel_config == "two"
    assert processor._parallel_config is None
    assert "parallel_config=self._parallel_config" in inspect.getsource(HunyuanVideoAttnProcessor2_0.__call__)


def test_hooks_are_looked_up_as_before() -> None:
    assert group_offloading._GROUP_OFFLOADING == borrowed.GROUP_OFFLOADING


def test_their_libraries_end_before_versions_that_nobody_has_looked_at() -> None:
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").replace("_", "-")
    for name in ("diffusers", "huggingface-hub", "torch", "transformers"):
        (found,) = [re.fullmatch(rf"{name}>=([\d.]+),<([\d.]+)", one) for one in asked if one.startswith(f"{name}>")]
        assert found, f"{name} has no last version"
        pinned = re.search(rf"^{name}==([\d.]+)$", pins, re.MULTILINE)
        assert pinned and numbers(found[1]) <= numbers(pinned[1]) < numbers(found[2])


def numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def test_nobody_else_reaches_into_a_library() -> None:
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "src").rglob("*.py")}
    found = {path.name: set(private(tree)) - own(tree) - DOCUMENTED for path, tree in trees.items()}
    assert {name: names for name, names in found.items() if names} == {
        "borrowed.py": {"_attention_backend", "_pack_history_states", "_parallel_config"}
    }


def test_what_reaches_into_a_library_is_found() -> None:
    for line in ("x._a", "del x._a", "from y._b import c", "import y._b.c", "from y import _a", "getattr(x, '_a')"):
        assert list(private(ast.parse(line))), line
    assert not list(private(ast.parse("from eichi.models import load as _load\nx.__dict__\nprint('_a')")))


def private(tree: ast.AST) -> Iterator[str]:
    """Every private name that is read, set or deleted in something, imported, or handed to what does so by name."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name):
                yield from hidden(name)
            case ast.ImportFrom(module=str(module), names=names) if not module.startswith("eichi"):
                yield from hidden(*module.split("."), *(alias.name for alias in names))
            case ast.Import(names=names):
                yield from hidden(*(part for alias in names for part in alias.name.split(".")))
            case ast.Call(
                func=ast.Name(id="getattr" | "setattr" | "hasattr" | "delattr"),
                args=[_, ast.Constant(value=str(name)), *_],
            ):
                yield from hidden(name)


def hidden(*names: str) -> Iterator[str]:
    yield from (name for name in names if name.startswith("_") and not name.startswith("__"))


def own(tree: ast.AST) -> set[str]:
    """The private names that a module gives to things of its own."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                found.add(name)
    return found
