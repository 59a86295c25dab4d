"""How much of a prompt each text encoder reads: exact, without weights and without torch.

LLaMA reads up to 256 tokens behind its template, CLIP up to 77 with a mark at either end. So a long prompt has three
parts: words that both see, words that only LLaMA sees, words that are cut. Counting runs at every keystroke of a page,
hence the bare tokenizers library, which the encoders' own tokenizers are built on.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import BPE

from eichi.catalog import Entry, ModelFolders, Template
from eichi.errors import ModelError
from eichi.models.formats import Print, file_print
from eichi.models.locate import locate_part

WHOLE = "tokenizer.json"
KEPT = 1024  # readings
CLIP_MARKS = 2  # its beginning and its end mark count among the 77
# CLIP's words: contractions, runs of letters, single digits, runs of other signs.
CLIP_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


@dataclass(frozen=True)
class Reading:
    """How a text is read: tokens used of each limit, and what both encoders see, what only LLaMA sees, what is cut."""

    text: str
    llama: int
    llama_limit: int
    clip: int
    clip_limit: int
    both: str
    llama_only: str
    cut: str


class Meter:
    """Counts the tokens of prompts for one model."""

    def __init__(self, template: Template, tokenizer: Path, tokenizer_2: Path) -> None:
        """Reads the two tokenizers' folders. Raises ModelError where their files are missing or damaged."""
        self.template = template
        with _reading(tokenizer):
            self._llama = Tokenizer.from_file(str(tokenizer / WHOLE))
            # Saved tokenizers may carry a truncation of their own.
            self._llama.no_truncation()
            self._llama.encode("a word")  # some damage is found only here
        with _reading(tokenizer_2):
            self._clip = _clip_tokenizer(tokenizer_2)
            self._clip.no_truncation()
            self._clip.no_padding()
            self._clip.encode("a word", add_special_tokens=False)
        # Of all prompts of a request a keystroke changes one.
        self.read = lru_cache(maxsize=KEPT)(self._read)

    def _read(self, prompt: str) -> Reading:
        """How this prompt is read."""
        head, tail = self.template.text.split("{}")
        offset = len(head)
        whole = self._llama.encode(head + prompt + tail)
        llama = [
            (start - offset, stop - offset)
            for start, stop in whole.offsets[self.template.head :]
            if start - offset < len(prompt) and stop > offset
        ]
        clip = self._clip.encode(prompt, add_special_tokens=False).offsets
        room = self.template.clip_limit - CLIP_MARKS
        end = _end(llama, self.template.limit, prompt)
        seen = min(_end(clip, room, prompt), end)
        return Reading(
            text=prompt,
            llama=len(llama),
            llama_limit=self.template.limit,
            clip=len(clip) + CLIP_MARKS,
            clip_limit=self.template.clip_limit,
            both=prompt[:seen],
            llama_only=prompt[seen:end],
            cut=prompt[end:],
        )


def find_meter(entry: Entry, models: ModelFolders) -> Meter | None:
    """What counts the tokens of a model's prompts; None where its tokenizers are not on this machine.

    Raises ModelError where their files are damaged.
    """
    llama, clip = (locate_part(entry, part, models) for part in ("tokenizer", "tokenizer_2"))
    if llama is None or clip is None or not (llama / WHOLE).is_file():
        return None
    return _meter(entry.template, llama, clip, (file_print(llama), file_print(clip)))


@lru_cache(maxsize=4)
def _meter(template: Template, llama: Path, clip: Path, _: tuple[Print, Print]) -> Meter:
    """Kept, since reading LLaMA's 128 thousand tokens takes longer than a plan, and sweeps and pages make many."""
    return Meter(template, llama, clip)


@contextmanager
def _reading(folder: Path) -> Iterator[None]:
    """The one place where complaints about a tokenizer's files become ours. The library's are bare Exceptions, and
    where it was sure of something, a panic, which is none.
    """
    try:
        yield
    except BaseException as error:
        if not (isinstance(error, Exception) or type(error).__name__ == "PanicException"):
            raise
        raise ModelError("error.model.damaged", model=folder.parent, part=folder.name, reason=error) from error


def _end(spans: list[tuple[int, int]], room: int, prompt: str) -> int:
    """The character behind the last token that fits; all of the prompt where all tokens fit."""
    return len(prompt) if len(spans) <= room else spans[room - 1][1]


def _clip_tokenizer(folder: Path) -> Tokenizer:
    """CLIP's tokenizer from its one file, or from the vocabulary and the merges that the published one comes as."""
    if (folder / WHOLE).is_file():
        return Tokenizer.from_file(str(folder / WHOLE))
    vocabulary, merges = BPE.read_file(str(folder / "vocab.json"), str(folder / "merges.txt"))
    tokenizer = Tokenizer(BPE(vocabulary, merges, end_of_word_suffix="</w>", unk_token="<|endoftext|>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(CLIP_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    return tokenizer
