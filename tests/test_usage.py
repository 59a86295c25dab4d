"""Help and complaints about the words of a command, in the user's language."""

import re

import click
import pytest
from click.testing import CliRunner

from eichi import usage
from eichi.cli import commands
from eichi.usage import Number, explain
from eichi.words import ENGLISH, languages, say
from tests.messages import commands_of, run


def helped(path: tuple[str, ...], language: str) -> str:
    result = CliRunner().invoke(commands, [*path, "--help"], env={"EICHI_LANGUAGE": language}, terminal_width=400)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("language", [code for code in languages() if code != ENGLISH])
def test_help_is_in_the_language(language: str) -> None:
    for path, command in commands_of(commands):
        text = helped(path, language)
        assert text.startswith(say("cli.usage", language))
        assert say("cli.options", language) in text
        assert say("cli.show_help", language) in text
        for line in helped(path, ENGLISH).splitlines():
            said = re.sub(r"^ *(-\S.*?)?  +", "", line).strip()
            assert not (re.search(r"[a-z] [a-z]+ [a-z]", said) and said in text), line
        assert command.help


def test_the_commands_are_listed_in_the_language() -> None:
    text = helped((), "ru")
    assert "Команды" in text
    assert say("cli.generate", "ru") in text
    assert say("cli.show_version", "ru") in text
    assert say("cli.default", "ru") in helped(("ui",), "ru")
    assert "default" not in helped(("ui",), "ru")


def test_all_that_click_is_told_has_an_id() -> None:
    known = usage._ids().keys()
    for _, command in commands_of(commands):
        texts = [command.help, *(param.help for param in command.params if isinstance(param, click.Option))]
        for text in filter(None, texts):
            assert {text, re.sub(r" *\[[^\[\]]*\]$", "", text)} & {*known, *usage.OWN}, text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("plan", "--xyzzy"), "Параметра --xyzzy нет. См. eichi plan --help."),
        (("plan", "--sedd", "1"), "Параметра --sedd нет. Похожие: --seed"),
        (("plann",), "Команды plann нет. Похожие: plan"),
        (("xyz",), "Команды xyz нет. См. eichi --help."),
        (("inspect",), "Не указано: FILE. См. eichi inspect --help."),
        (("inspect", "a", "b", "c"), "Лишние слова после eichi inspect: b c."),
        (("plan", "--seed"), "Параметру --seed нужно значение. См. eichi plan --help."),
        (("plan", "--json=3"), "Параметр --json указывается без значения."),
        (("--offline",), "После eichi не указана команда."),
        (("jobs", "show", "x"), "JOB: значение 'x' не подходит (нужно целое число)."),
        (("jobs", "show", "9" * 400), f"JOB: значение '{'9' * 58}… не подходит (в числе слишком много цифр)."),
        (
            ("jobs", "list", "--limit", "2147483648"),
            "--limit: значение 2147483648 не подходит (нужно не больше 2147483647).",
        ),
        (("finish", "a", "--preview", "9" * 400, "b"), f"--preview: значение '{'9' * 58}… не подходит"),
        (("jobs", "add", "--count", "0"), "--count: значение 0 не подходит (нужно не меньше 1)."),
        (("ui", "--port", "99999"), "--port: значение 99999 вне диапазона. Используйте значение от 1 до 65535."),
        (
            ("verify-gpu", "--size", "x"),
            "--size принимает одно из этих значений: small, full. См.",
        ),
        (("memory", "--lora-gb", "x"), "--lora-gb: значение 'x' не подходит (нужно число)."),
    ],
)
def test_what_is_wrong_is_said(words: tuple[str, ...], said: str) -> None:
    answer = run(words, "ru")
    assert answer.code == 2
    assert answer.said.startswith(f"Ошибка: {said}")


@pytest.mark.parametrize(("text", "number"), [("2,5", 2.5), (" 3 ", 3.0), ("\uff13", 3.0), ("-0.5", -0.5)])
def test_a_number_may_have_a_comma(text: str, number: float) -> None:
    assert Number(whole=False).convert(text, None, None) == number


def test_whatever_else_click_says_is_marked_as_a_detail() -> None:
    class Odd(click.UsageError):
        pass

    assert "BadParameter" not in explain(click.BadParameter("what", param=click.Option(["--it"]))).say()
    assert "подробности: Odd: what" in explain(Odd("what")).say("ru")
