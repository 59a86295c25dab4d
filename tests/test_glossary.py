"""The words of the field, one for each thing, and the rules that every text keeps, in every language.

The page and the command line are two texts: what a page can show has no flag, dotted key, variable, command or raw id.
"""

import re
import unicodedata
from collections.abc import Iterator

import pytest

from eichi import words
from eichi.declare import walk
from eichi.errors import ErrorView, InputError, OptionError
from eichi.events import Adjusted
from eichi.flags import _flag
from eichi.lines import in_terminal
from eichi.options import FillOptions, FrameOptions, VideoOptions

LANGUAGES = words.languages()

# Texts that only a terminal, its log or the reference shows, beside `cli.`, by what their ids begin with.
TERMINAL = [
    "cli.",
    "doctor.",
    "error.extend.",
    "fix.",
    "inspect.",
    "lora.",
    "models.",
    "queue.",
    "reference.",
    "run.",
    "start.",
    "store.",
    "ui.",
    "verify.",
    "plan.summary",
    "plan.section",
    "plan.connecting",
    "plan.anchor.",
    "plan.frame.",
    "memory.request",
    "memory.words",
    "memory.sampling",
    "memory.decoding",
    "memory.memory",
    "latents.summary",
    "latents.clip",
    "latents.later",
    "latents.bare",
    "error.usage",
    "error.set.",
    "error.sweep.",
    "error.section.form",
    "error.section.twice",
    "error.ui.",
    "error.fix.",
]
# What another word is for, by language; `Exempt` below says where it stands all the same, and why.
FORBIDDEN = {
    "en": {
        r"\bg(o|oes|oing|one) on\b": "resume, continue",
        r"\b(take|takes|taken|taking|took) over\b": "import",
        r"\bh(old|olds|olding|eld)\b": "pause; contain",
        r"\b(lie|lies|lay|lying)\b": "is at",
        r"\b(given|anew)\b|\bof (a|the) kind\b": "added, again, type",
        r"[Pp]icture": "image",
        r"[Kk]ey[ -]frame": "keyframe",
        r"\b(this|the) machine\b": "this computer",
        r"\b[Ff]etch": "download",
        r"[Ss]everal at once": "batch",
        r"real CFG|Real CFG": "CFG scale",
        r"\bsegments?\b": "section",
    },
    "ja": {
        "潜在": "latent",
        "フォルダー|ブラウザー|エンコーダー|デコーダー": "without the long mark",
        "リクエスト": "生成設定",
        "最終フレーム": "Final Frame",
        "(?<!そ)(?<!その)他の": "ほかの",
        "このコンピュータ|この機械": "このマシン",
        "実 ?CFG": "CFGスケール",
        "切り落と|切り詰め": "トリム",
        "保留": "一時停止",
        "ジョブの保存先": "ジョブのデータベース",
    },
    "zh-TW": {
        "分段": "區段",
        "幀": "影格",
        "詞元": "token",
        "權杖": "token",
        "這台機器|本機": "這台電腦",
        "校驗碼": "總和檢查碼",
        "起始圖(?!片)": "起始圖片",
        "參考圖(?!片)": "參考圖片",
        "潛在(?!張量)": "潛在張量",
        "請求": "生成設定",
        "真實 ?CFG": "CFG 比例",
        "反向生成|反向提示": "逆向, 負面提示詞",
        "保留的工作|已保留": "暫停",
        "產生(動|自然|幾乎)?影片|產生圖片|產生影格": "生成",
        "預設組合": "預設集",
        "壓縮檔": "封存檔",
    },
    "ru": {
        r"\b[Нн]абор": "пресет",
        r"[Сс]егмент": "секция",
        r"[Мм]ашин": "компьютер",
        r"[Дд]енойз": "шумоподавление",
        r"[Кк]артинк": "изображение",
        r"[Нн]астоящ\w+ CFG|[Оо]бычный CFG": "CFG Scale",
        r"[Зз]апрос": "параметры генерации",
        r"[Вв]еса FP8|[Вв]есов FP8": "оптимизация FP8",
        r"[Сс]оединяющ": "соединительная",
        r"[Хх]ранилищ": "база заданий",
        r"[Пп]роигрывател": "плеер",
    },
}
# Where a word stands all the same: what the id begins with, by language, and why.
EXEMPT: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {},
    "ja": {"リクエスト": ("error.api.",)},  # an HTTP request
    "zh-TW": {
        "請求": ("error.api.", "error.hub.", "error.origin"),  # an HTTP request
        "權杖": (  # an access token
            "ui.",
            "cli.ui.",
            "error.access.",
            "error.api.access",
            "error.ray.",
            "error.hub.",
            "cli.error.hub.",
            "label.setting.token",
            "label.setting.quota",
            "option.setting.token",
            "option.setting.quota",
            "reason.token",
            "reference.operation",
        ),
    },
    "ru": {r"[Зз]апрос": ("error.api.", "error.hub.")},  # an HTTP request
}
# What is longer than a label should be: the document's own terms, and names.
LONG = {
    "en": {"do.take"},
    "ja": set[str](),
    "zh-TW": set[str](),
    "ru": {
        "label.keyframes.final_strength",
        "label.sampling.image_strength",
        "label.sampling.guidance",
        "label.frame.references",
        "label.frame.window",
        "label.frame.denoise",
        "label.output.segments",
        "label.output.stills",
        "label.setting.preserve_gb",
        "do.open_folder",
    },
}
WIDTH = {"en": 20, "ja": 11, "zh-TW": 11, "ru": 18}
LABELS = ("label.", "choice.", "group.", "place.", "mode.", "kind.", "status.", "do.", "tool.")
SPEAKS = (".", "。", "?", "？", "…")  # the ends of texts under these ids that are no labels
# What looks like a raw id, a key or something typed, on a page.
RAW = re.compile(
    r"(?<![\w-])--[a-z]|EICHI_|\beichi (ui|jobs|models|resume|doctor|import|latents|lora|frame|generate)\b|"
    r"\b(keyframes|sampling|output|weights|kept|zeros)\.[a-z]|\{flag\}"
)
QUOTED = re.compile(r"“([^“”]*)”|「([^「」]*)」|«([^«»]*)»")
KANA = "[ぁ-んァ-ヶ一-龥]"
COUNTED = (
    "секци|кадр|файл|задани|изображени|сло[йея]|токен|шаг|клип|латент|пресет|запис(?:ь|и|ей)\\b|раза?\\b|результат"
)
YO = (
    r"\b(ее|еще|мое|свое|твое|идет|дает|создает\w*|берет\w*|ведет|расчет\w*|учет\w*|счет|отсчет\w*|объем\w*|"
    r"легк(ий|ая|ое|ие|им|ой|ую|их)|четк\w*|перенесен|определенн\w*|отраженн\w*|сохранен(н\w+)?|завершен(н\w+)?|"
    r"незавершенн\w*|изменен(н\w+)?|поврежден(н\w+)?|защищен(н\w+)?|черн(ый|ая|ое|ые|ых|ым|ого)|трех|включен|"
    r"отключен(н\w+)?)\b"
)


def texts(language: str) -> Iterator[tuple[str, str]]:
    yield from words.written(language).items()


def shown(language: str) -> Iterator[tuple[str, str]]:
    """What a page can show, as it stands in the file."""
    yield from ((id, text) for id, text in texts(language) if not id.startswith(tuple(TERMINAL)))


def width(text: str, language: str) -> float:
    """A label's length in characters of the script: what is not wide counts half where the script is."""
    if language not in ("ja", "zh-TW"):
        return len(text)
    wide = [unicodedata.east_asian_width(sign) in "WF" for sign in text]
    return sum(1 if one else 0.5 for one in wide)


def prose(text: str) -> str:
    """A text without its placeholders and what is typed as it stands."""
    text = re.sub(r"\{[a-z_]+:-?\d+=([^{}|]*)\|([^{}]*)\}", r"\1 \2", text)
    return re.sub(r"\{[^{}]*\}", "0", re.sub(r"`[^`]*`|\{\{.*?\}\}|[a-z.]+=\S+", "", text))


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_thing_has_one_word(language: str) -> None:
    found = []
    for id, text in texts(language):
        for word, better in FORBIDDEN.get(language, {}).items():
            if not id.startswith(EXEMPT.get(language, {}).get(word, ("-",))) and re.search(word, prose(text)):
                found.append(f"{id}: {re.search(word, prose(text))[0]} -> {better}: {text}")  # type: ignore[index]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_shows_nothing_that_is_typed_elsewhere(language: str) -> None:
    found = [f"{id}: {text}" for id, text in shown(language) if RAW.search(words.OTHER.sub("", text))]
    assert not found, "\n".join(found)


def test_no_placeholder_is_filled_with_what_only_programs_read() -> None:
    """Reasons, statuses, kinds, placements, parts and choices have words."""
    worded = {"reason", "wanted", "kind", "level", "part", "kernel", "choices"}
    bare = {name: re.compile(rf"\{{{name}\}}") for name in worded}
    exempt = {"error.lora.kind", "error.request.kind"}  # kinds of files by their names; the unknown kind itself
    found = [id for id, text in shown("en") for name in bare if bare[name].search(text) and id not in exempt]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("language", LANGUAGES)
def test_labels_are_short_and_no_sentences(language: str) -> None:
    found, limit, long = [], WIDTH.get(language, WIDTH["en"]), LONG.get(language, LONG["en"])
    for id, text in words.table(language).items():
        label = id.startswith(LABELS) and not id.startswith("tool.value.") and not text.endswith((".", "。", "?", "？"))
        if label and width(text, language) > limit and id not in long:
            found.append(f"{id}: {text} {width(text, language):g}")
    assert not found, "\n".join(found)
    assert {id for id in LONG.get(language, ()) if width(words.table(language)[id], language) <= limit} == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_help_is_one_sentence(language: str) -> None:
    for id, text in shown(language):
        if id.startswith("option.") or id.endswith("_help"):
            said = prose(text)
            assert said.endswith(("。",) if language in ("ja", "zh-TW") else (".",)), f"{id}: {text}"
            assert len(re.findall(r"[.!?](?=\s|$)|[。！？]", said)) == 1, f"{id}: {text}"
            if language == "ja":
                assert re.search(r"(です|ます|ません|ください)(（[^（）]*）)?。$", said), f"{id}: {text}"


def test_signs_are_those_of_the_language() -> None:
    wrong = {
        "en": r"[\"']",
        "ja": rf"：|{KANA}\(|\([^()]*{KANA}|\d (個|枚|件|回|つ|本|番目|組)|\d(秒|GiB|GB|MB|ビット)|{KANA} ?[,;!?]",
        "zh-TW": r"[一-龥」）][,;!?(]|[一-龥」）]: |\)[一-龥]|[，。：；] ",
        "ru": rf"[\"“”]|\d\.\d(?<!1\.9)(?<!License 2\.0)|{YO}",
    }
    for language, pattern in wrong.items():
        signs = {id: re.search(pattern, prose(text)) for id, text in texts(language)}
        found = [f"{id}: {sign[0]}: {words.written(language)[id]}" for id, sign in signs.items() if sign]
        assert not found, "\n".join(found)


def test_russian_counts_need_no_plural() -> None:
    """«секций: {n}», as {n} of them would have three forms."""
    numbers = r"\{(?!number\b|order\b|profile\b|name\b|path\b|model\b|file\b|first\b|part\b)[a-z_]+\} "
    found = [f"{id}: {text}" for id, text in texts("ru") if re.search(numbers + rf"(?:{COUNTED})", text)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_takes_the_name_of_a_button_or_field_from_it(language: str) -> None:
    named = {text: id for id, text in texts(language) if id.startswith(("do.", "label.", "group.", "place.", "tool."))}
    found = []
    for id, text in shown(language):
        quoted = ["".join(parts) for parts in QUOTED.findall(text)]
        found += [f"{id}: {{@{named[one]}}} for {one}" for one in quoted if one in named]
    assert not found, "\n".join(found)


def test_a_text_within_a_text_exists_and_has_none_itself() -> None:
    for language in LANGUAGES:
        raw = words.written(language)
        for id, text in raw.items():
            for other in words.OTHER.findall(text):
                assert "{" not in raw[other], f"{id}: {other}"
    assert "“Generate”" in words.say("stage.empty")
    assert "「生成開始」" in words.say("stage.empty", "ja")


def test_what_the_command_line_says_otherwise_is_said_to_the_page_too() -> None:
    own = [id.removeprefix("cli.") for id in words.table("en") if re.match(r"cli\.(error|option|note)\.", id)]
    assert [id for id in own if id not in words.table("en")] == []
    typed = [id for id in own if words.table("en")[id] == words.table("en")[f"cli.{id}"]]
    assert [id for id in typed if id.startswith(("error.", "note."))] == []


def test_an_error_has_two_texts() -> None:
    error = OptionError("error.option.range", key="sampling.steps", value="0", low=1, high=100)
    assert error.say() == "“Steps”: 0 is out of range. Use a value from 1 to 100."
    assert error.say("ru").startswith("«Количество шагов»: значение 0")
    assert in_terminal(error, "en").startswith("--steps: 0 is out of range.")
    view = ErrorView.of(error, "ja")
    assert (view.key, view.message.partition(":")[0]) == ("sampling.steps", "「ステップ数」")
    absent = InputError("error.image.required", flag="--image")
    assert absent.say() == "A start image is needed. Add one under “Image”."
    assert in_terminal(absent, "en") == "A start image is needed. Add one with --image."


def test_an_entry_is_named_with_its_number() -> None:
    error = OptionError("error.option.value", key="keyframes.sections.4", value="x", reason="reason.path")
    assert error.say().startswith("“Section keyframes”, section 4: x cannot be used")
    assert in_terminal(error, "en").startswith("--section 4: x")
    listed = OptionError("error.option.value", key="weights.loras.0.strength", value="9", reason="reason.number")
    assert listed.say("zh-TW").startswith("「LoRA」第 1 項：9")
    bare = OptionError("error.option.step", key="sampling.rescale", value="x", step=0.1)
    assert in_terminal(bare, "en").startswith("--set sampling.rescale: x")
    nobody = OptionError("error.option.value", key="no.such.key", value="x", reason="reason.number")
    assert nobody.say().startswith("“no.such.key”: x")


def test_choices_are_called_what_a_page_calls_them() -> None:
    error = OptionError("error.option.choice", key="weights.fp8", value="'blue'", choices="off, tensor, row")
    assert "Choose one of: off, per tensor, per row." in error.say()
    assert "オフ、テンソルごと、行ごと" in error.say("ja")
    assert "off, tensor, row" in in_terminal(error, "en")


def test_a_note_is_told_to_a_terminal_by_its_flag() -> None:
    note = Adjusted("note.from.forward", {"key": "keyframes.final", "model": "framepack-f1"})
    assert in_terminal(note, "en").startswith("--final was in the file")
    assert words.say(note.id, "en", **note.values).startswith("“Final Frame” was in the file")


def test_flags_have_the_help_of_the_command_line() -> None:
    for kind in (VideoOptions, FrameOptions, FillOptions):
        for field in (field for field in walk(kind) if field.flag is not None):
            assert words.typed(field.id) == f"cli.{field.id}"

    def command() -> None: ...

    _flag(walk_one(VideoOptions, "weights.fp8"))(command)
    assert "tensor" in command.__click_params__[0].help  # type: ignore[attr-defined]
    assert "tensor" not in words.say("option.weights.fp8")


def walk_one(kind: type[VideoOptions], key: str):  # type: ignore[no-untyped-def]
    return next(field for field in walk(kind) if field.key == key)
