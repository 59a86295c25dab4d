"""What is said of the embedded model is what was measured."""

from pathlib import Path

from training.page import BARS, BEFORE, FIGURES, MODELS, TARGET, TRUTH, WEIGHTS, Measured, card, page

GOOD = {bar.name: bar.least for bar in BARS} | {"worst seam": 2.0}


def test_the_card_and_the_page_have_the_figures_that_lie_beside() -> None:
    assert (WEIGHTS / "README.md").read_text(encoding="utf-8") == card()
    assert TARGET.read_text(encoding="utf-8") == page()


def test_a_figure_that_falls_short_is_said_to(tmp_path: Path) -> None:
    figures = {name: dict(GOOD) for name in (*MODELS, TRUTH)}
    figures["tiny-f1"]["spin"], figures[TRUTH]["wave"] = 0.1, 0.0  # of the world itself nothing is asked
    target = tmp_path / "model.md"
    Measured(3, 128, figures).write(tmp_path / "model" / FIGURES)
    told = page(target)
    assert [line.count("10.0 %") for line in told.splitlines() if "not reached" in line] == [1]
    assert "on 3 held-out pictures of 128 x 128" in told
    assert "before" not in told.lower()
    Measured(2, 128, {name: GOOD | {"spin": 0.05} for name in MODELS}).write(tmp_path / "model" / BEFORE)
    (row,) = (line for line in page(target).splitlines() if line.startswith("| spins"))
    assert [cell.strip() for cell in row.split("|")][3:8] == ["85.0 %", "10.0 %", "5.0 %", "5.0 %", "85.0 %"]
