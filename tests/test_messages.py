"""No English is left in what people are told in another language, whatever goes wrong.

Latin letters may stand for names only: of formats, models, programs, options, files, keys, units, and for what was
typed. `NAMES` lists those that are no option, command, choice or model of ours.
"""

import re
from string import Formatter

import click
import pytest

from eichi.catalog import known
from eichi.cli import commands
from eichi.declare import walk
from eichi.options import FillOptions, FinishOptions, FrameOptions, VideoOptions
from eichi.settings import Settings
from eichi.words import ENGLISH, languages, table
from tests.causes import Desk
from tests.messages import LANGUAGES, Message, caused, commands_of, run, words_of

# What people are told when something went wrong or deserves a word, but not what commands say of themselves.
TOLD = ("error", "note", "flag", "reason", "status")
NAMES = set(
    re.findall(
        r"\S+",
        """
        AAC AVIF CFG CLIP CRF CUDA Deflate DoRA FlashAttention PyTorch SageAttention xFormers EICHI_ EICHI_HOME
        EICHI_OUTPUTS EndFrame F1 FFmpeg FP8 Final Flux Frame FramePack GGUF GPU GiB Git HDR LFS LoHa LoKr MiB
        CPU Linux MKV MOV NVIDIA 2s
        SDR bf16 diff fp16 fp32 git lfs pull HF_ENDPOINT HF_TOKEN HTTPS_PROXY Hugging Face HTTP API Attention
        HunyuanVideo Image JPEG JSON LLaMA LoRA MB MP3 MP4 NaN PNG RAM SQLite SigLIP UTF-8 VAE WAV Web WebP YAML ZIP 4x
        alpha configs cpu cuda eichi false latent null pickle presets rank Seed seed settings token true video
        webui x x264 Transformer EICHI_OFFLINE Python pip torch uv Ray PostgreSQL auto host port install
        framepack-eichi ray local ComfyUI safetensors spandrel minterpolate GIF
        """,
    )
)
WORD = re.compile(r"[A-Za-z0-9_.-]*[A-Za-z][A-Za-z0-9_.-]*")
# A path, a flag, something in quotes: given, or the name of something.
GIVEN = re.compile(
    r"""'[^']*'|"[^"]*"|«[^»]*»|「[^」]*」|“[^”]*”|\d+x\d+(?:x\d+)?|-h|--[a-z][a-z0-9-]*|lora_\w+"""
    r"""|[\w.+-]*[/\\:][\w./\\:+-]+|[\w-]*\.[a-z0-9]{1,12}\b"""
)
# What the causes name and type, where it stands in a sentence without quotes.
TYPED = (
    *("a", "cat", "no url", "nobody", "nothing", "other", "song", "unknown"),
    *("beat, status", "favourites", "history_latents", "section_info", "transformer_blocks_0_attn_to_q"),
)
DETAIL = re.compile(r"(подробности|詳細): .*")  # a library's own words, marked as such


def names() -> set[str]:
    """What has a name in this program: options, their keys and choices, commands, models, languages."""
    fields = [
        field for kind in (VideoOptions, FrameOptions, FillOptions, FinishOptions, Settings) for field in walk(kind)
    ]
    found = {field.key for field in fields} | {str(choice) for field in fields for choice in field.choices}
    found |= {part for key in list(found) for part in key.split(".")}
    found |= {word for path, _ in commands_of(commands) for word in path}
    found |= {
        str(part.metavar or part.name).upper().rstrip(".") for _, one in commands_of(commands) for part in one.params
    }
    kinds = [part.type for _, one in commands_of(commands) for part in one.params]
    found |= {str(choice) for kind in kinds if isinstance(kind, click.Choice) for choice in kind.choices}
    return found | {"OPTIONS", "COMMAND", "ARGS"} | set(known()) | set(languages()) | NAMES


def english(sentence: str, given: tuple[str, ...] = ()) -> list[str]:
    """The words of a sentence that are neither names nor were given."""
    for text in sorted(given, key=len, reverse=True):
        sentence = re.sub(rf"(?<![\w-]){re.escape(text)}(?![\w-])", " ", sentence)
    return [word for word in map(_bare, WORD.findall(GIVEN.sub(" ", DETAIL.sub(" ", sentence)))) if word not in names()]


def _bare(word: str) -> str:
    return word.strip(".-")


def plain(text: str) -> str:
    """A text without its placeholders; what stands in them for one value or another is said, too."""
    parts = [(said, form or "") for said, _, form, _ in Formatter().parse(text)]
    return " ".join(f"{said} {re.sub(r'{.*?}', '', form).partition('=')[2]}" for said, form in parts)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("desk"))


@pytest.mark.parametrize("language", [code for code in languages() if code != ENGLISH])
def test_no_text_has_english_in_it(language: str) -> None:
    texts = {id: plain(text) for id, text in table(language).items() if id.split(".")[0] in TOLD}
    assert {id: words for id, text in texts.items() if (words := english(text))} == {}


def test_what_files_and_values_cause_is_said_without_english(desk: Desk) -> None:
    found = caused(desk)
    assert len({message.id for message in found}) > 120
    assert {id for id in table(ENGLISH) if id.startswith(("error.archive", "error.frame", "error.kept"))} - {
        message.id for message in found
    } <= {"error.archive.size", "error.archive.total", "error.archive.frame"}  # large ones, and one that a page says
    given = (str(desk.folder), *TYPED)
    left = [(m.id, words) for m in found for language in LANGUAGES if (words := english(m.say(language), given))]
    assert left == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_commands_are_told_wrong_is_said_without_english(
    desk: Desk, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(desk.folder)
    count, ids, left = 0, set[str | None](), []
    for words in words_of(desk):
        answer = run(words, language)
        assert answer.code in (0, 1, 2), (words, answer.said)
        count += bool(answer.said)
        ids.add(answer.id)
        given = (*filter(None, words), str(desk.folder))
        left += [(words, line) for line in answer.said.splitlines() if english(line, given)]
    assert count > 400
    apart = {"error.usage.choose", "error.usage.bad"}  # told as text; for what no option of ours is refused with
    assert {id for id in table(ENGLISH) if id.startswith("error.usage.")} - ids == apart
    assert left == []


def test_a_message_is_made_of_what_was_caused() -> None:
    assert Message("error.option.unknown", {"key": "x", "known": "y"}).say("ja").startswith("「x」")
    assert english("Ошибка: value is not a number, seconds, 'foo bar', PNG") == ["value", "is", "not", "a", "number"]
