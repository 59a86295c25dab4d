"""The known models, and folders that say what they are like."""

import json
import re
from pathlib import Path

import pytest

from eichi.catalog import CARD, FRAMEPACK_SIZES, HUNYUAN, PARTS, find, known
from eichi.errors import ModelError
from eichi.words import languages, say

PUBLISHED = {
    384: "256x576 288x512 320x448 352x416 384x384 416x352 448x320 512x288 576x256",
    512: "352x704 384x640 416x608 448x576 480x544 512x512 544x480 576x448 608x416 640x384 704x352",
    640: "416x960 448x864 480x832 512x768 544x704 576x672 608x640 "
    "640x608 640x640 672x576 704x544 768x512 832x480 864x448 960x416",
    768: "512x1024 576x960 640x896 704x832 768x768 832x704 896x640 960x576 1024x512",
    960: "640x1280 704x1152 768x1024 832x960 896x896 960x960 960x832 1024x768 1152x704 1280x640",
    1080: "720x1440 768x1344 832x1248 896x1152 960x1080 1024x1024 "
    "1056x1056 1080x960 1152x896 1248x832 1344x768 1440x720",
    1280: "832x1920 896x1728 960x1664 1024x1536 1088x1408 1152x1344 1216x1280 "
    "1280x1216 1280x1280 1344x1152 1408x1088 1536x1024 1664x960 1728x896 1920x832",
    1536: "1024x2048 1152x1920 1280x1792 1408x1664 1536x1536 1664x1408 1792x1280 1920x1152 2048x1024",
    1920: "1280x2560 1408x2304 1536x2048 1664x1920 1792x1792 1920x1920 1920x1664 2048x1536 2304x1408 2560x1280",
    2160: "1440x3232 1568x2944 1696x2720 1824x2528 1952x2368 2080x2240 2144x2144 "
    "2144x2160 2160x2144 2240x2080 2368x1952 2528x1824 2720x1696 2944x1568 3232x1440",
}


def folder(path: Path, card: str | None) -> Path:
    path.mkdir()
    if card is not None:
        (path / CARD).write_text(card, encoding="utf-8")
    return path


@pytest.mark.parametrize("id", FRAMEPACK_SIZES)
def test_published_sizes(id: int) -> None:
    sizes = FRAMEPACK_SIZES[id]
    assert all(side % 16 == 0 for size in sizes for side in size)
    published = {tuple(map(int, size.split("x"))) for size in PUBLISHED[id].split()}
    assert set(sizes) == {size for size in published if size not in ((960, 1080), (1080, 960))}
    assert len(set(sizes)) == len(sizes)


@pytest.mark.parametrize("name", known())
def test_an_entry_is_complete(name: str) -> None:
    entry = find(name)
    assert entry.name == name
    assert set(entry.parts) == set(PARTS)
    assert entry.direction == ("forward" if name.endswith("-f1") else "reverse")
    assert entry.resolution in entry.sizes
    assert entry.embedded == name.startswith("tiny")
    assert len(entry.preview.factors) == 16
    assert 2 <= len(entry.teacache) <= 5


def test_names_and_repositories() -> None:
    assert known()[:4] == ("tiny", "tiny-f1", "framepack", "framepack-f1")
    assert find("framepack").parts["transformer"].repository == "lllyasviel/FramePackI2V_HY"
    assert find("framepack-f1").parts["transformer"].repository == "lllyasviel/FramePack_F1_I2V_HY_20250503"
    assert find("framepack").resolution == 640
    assert find("tiny").parts["vae"] == find("tiny-f1").parts["vae"]
    assert find("tiny").parts["transformer"] != find("tiny-f1").parts["transformer"]


@pytest.mark.parametrize("language", languages())
def test_the_help_of_the_flag_names_every_model(language: str) -> None:
    assert set(known()) <= set(re.findall(r"[a-z0-9-]+", say("cli.option.model", language)))


def test_the_template_has_one_place_for_the_prompt() -> None:
    assert HUNYUAN.text.count("{}") == 1
    assert (HUNYUAN.head, HUNYUAN.limit, HUNYUAN.clip_limit) == (95, 256, 77)


def test_an_unknown_model_lists_the_known() -> None:
    with pytest.raises(ModelError, match=f"“wan”.*{', '.join(known())}"):
        find("wan")


@pytest.mark.parametrize("like", known())
def test_a_folder_behaves_like_the_model_it_names(tmp_path: Path, like: str) -> None:
    path = folder(tmp_path / "mine", json.dumps({"like": like}))
    (path / "transformer").mkdir()
    entry, base = find(str(path)), find(like)
    assert (entry.name, entry.root, entry.embedded) == (str(path), path, False)
    assert (entry.direction, entry.sizes, entry.preview) == (base.direction, base.sizes, base.preview)
    assert {part: (source.repository, source.folder) for part, source in entry.parts.items()} == {
        part: (None, part) for part in PARTS
    }


def test_a_copy_of_the_embedded_folder_keeps_its_two_transformers(tmp_path: Path) -> None:
    path = folder(tmp_path / "copy", '{"like": "tiny-f1"}')
    assert find(str(path)).parts["transformer"].folder == "transformer_f1"


def test_a_card_may_name_the_sizes_that_are_drawn(tmp_path: Path) -> None:
    entry = find(str(folder(tmp_path / "mine", '{"like": "framepack", "sizes": {"64": [[64, 64], [48, 80]]}}')))
    assert (entry.sizes, entry.resolution, entry.small) == ({64: ((64, 64), (48, 80))}, 64, None)
    entry = find(
        str(folder(tmp_path / "other", '{"like": "framepack", "sizes": {"64": [[64, 64]], "640": [[640, 640]]}}'))
    )
    assert entry.resolution == 640
    entry = find(str(folder(tmp_path / "third", '{"like": "tiny", "sizes": {"128": [[128, 128]]}}')))
    assert (entry.resolution, entry.small) == (128, None)


@pytest.mark.parametrize(
    "sizes", ["{}", '{"64": []}', '{"64": [[60, 64]]}', '{"64": [[0, 64]]}', '{"a": [[64, 64]]}', "3"]
)
def test_sizes_that_nothing_can_draw_make_a_bad_card(tmp_path: Path, sizes: str) -> None:
    with pytest.raises(ModelError):
        find(str(folder(tmp_path / "mine", f'{{"like": "tiny", "sizes": {sizes}}}')))


@pytest.mark.parametrize("card", [None, "{", "[]", "3", "{}", '{"like": "wan"}', '{"like": ["tiny"]}'])
def test_a_folder_without_a_good_card_is_told_how(tmp_path: Path, card: str | None) -> None:
    with pytest.raises(ModelError) as caught:
        find(str(folder(tmp_path / "mine", card)))
    assert all(word in str(caught.value) for word in (CARD, '{"like": NAME}', "framepack-f1"))


@pytest.mark.parametrize("name", ["x" * 300, "~nobody-of-this-name"])
def test_a_name_that_is_no_path_is_an_unknown_model(name: str) -> None:
    with pytest.raises(ModelError, match="no model"):
        find(name)
