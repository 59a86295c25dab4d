"""A visitor's language: the chosen one, the machine's, the browser's; times as people say them."""

import pytest

from eichi.web.i18n import Words, choose
from eichi.words import languages


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        ("ru", "ru"),
        ("ru-RU,ru;q=0.9,en;q=0.8", "ru"),
        ("xx-XX,ja;q=0.7,en;q=0.3", "ja"),
        ("zh-TW", "zh-TW"),
        ("zh-Hant-HK", "zh-TW"),
        ("zh-CN,zh;q=0.9", "zh-TW"),
        ("xx;q=0.9,en-GB;q=0.1", "en"),
        ("xx", "en"),
        ("", "en"),
        ("ja;q=broken,ru", "ru"),
        ("en;q=0.1,ja;q=0.2", "ja"),
    ],
)
def test_the_browser_is_asked(accept: str, language: str) -> None:
    assert choose(accept) == language


def test_what_was_chosen_beats_the_machine_and_that_the_browser() -> None:
    assert choose("ja", chosen="ru", fixed="zh-TW") == "ru"
    assert choose("ja", fixed="zh-TW") == "zh-TW"
    assert choose("ja", chosen="../../etc", fixed="xx") == "ja"


def test_a_language_says_its_own_name() -> None:
    names = {code: Words(code)("page.language") for code in languages()}
    assert len(set(names.values())) == len(names)
    assert {"en": "English", "ja": "日本語", "ru": "Русский", "zh-TW": "繁體中文"}.items() <= names.items()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (190, "3 min 10 s"), (7260, "2 h 1 min"), (-3, "0 s")],
)
def test_times(seconds: float, text: str) -> None:
    assert Words("en").span(seconds) == text


def test_a_name_without_words_stands_for_itself() -> None:
    assert Words("ru").pick("choice.frame.profile.kisekae", "kisekae") == "kisekae"
    assert Words("ru").pick("place.queue", "x") == "Очередь"
