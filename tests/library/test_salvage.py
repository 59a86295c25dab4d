"""What is wrong is taken out, as little of it as may be, and the rest stays."""

from pydantic import BaseModel, ConfigDict

from eichi.library.salvage import salvage


class Row(BaseModel):
    model_config = ConfigDict(extra="forbid")

    path: str = ""
    strength: float = 1.0


class Content(BaseModel):
    rows: list[Row] = []
    table: dict[int, Row] = {}


class Strict(Content):
    model_config = ConfigDict(extra="forbid")


GIVEN = {
    "rows": [{"path": "a", "strength": "much"}, {"path": 3, "strength": 2}, None],
    "table": {1: {"path": "b"}, 2: {"nope": 1, "path": "c"}, "x": {}},
}


def test_the_innermost_value_goes() -> None:
    content, rest, lost = salvage(Content.model_validate, GIVEN)
    assert rest == {"rows": [{"path": "a"}, {"strength": 2}], "table": {1: {"path": "b"}, 2: {"path": "c"}}}
    assert content == Content.model_validate(rest)
    assert [(one.key, one.value) for one in lost] == [
        ("rows.0.strength", "much"),
        ("rows.1.path", 3),
        ("rows.2", None),
        ("table.2.nope", 1),
        ("table.x", {}),
    ]
    assert lost[3].wrong["type"] == "extra_forbidden"


def test_or_the_entry_that_holds_it() -> None:
    content, rest, lost = salvage(Content.model_validate, GIVEN, depth=2)
    assert (rest, content.rows, list(content.table)) == ({"rows": [], "table": {1: {"path": "b"}}}, [], [1])
    assert [one.key for one in lost] == ["rows.0", "rows.1", "rows.2", "table.2", "table.x"]
    assert len(GIVEN["rows"]) == 3


def test_much_that_is_wrong_goes_at_once() -> None:
    rounds = 0

    def read(values: dict[str, object]) -> Content:
        nonlocal rounds
        rounds += 1
        return Content.model_validate(values)

    rows = [{"path": place, f"nope{place}": 1} for place in range(3000)]
    content, _, lost = salvage(read, {"rows": [*rows, 5]})
    assert (rounds, len(lost), len(content.rows)) == (2, 6001, 3000)


def test_a_key_that_is_no_text_goes() -> None:
    given = {"rows": [{"path": "a", "\ud800": 1}], "\udfff": 2}
    content, rest, lost = salvage(Strict.model_validate, given)
    assert (content, rest) == (Strict(rows=[Row(path="a")]), {"rows": [{"path": "a"}]})
    assert sorted((one.key, one.value) for one in lost) == [("rows.0.\ud800", 1), ("\udfff", 2)]
