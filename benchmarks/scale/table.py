"""What came of crowds, in rows."""

from collections.abc import Sequence

from benchmarks.scale.measure import Case, Found

COLUMNS = (
    *("workers", "case", "jobs", "efficiency", "loading", "lost", "jobs an hour", "waited", "slowest 5 %"),
    *("statements a second", "database busy", "deaths", "failed", "taken while alive", "simulated in"),
)
CALLS = (
    "call",
    "calls",
    "statements each",
    "ms in the database",
    "ms beside it",
    "ms waited for it",
    "share of the database",
)


def table(columns: Sequence[str]) -> str:
    """The head of a table."""
    return f"| {' | '.join(columns)} |\n{'| --- ' * len(columns)}|"


def row(found: Found) -> str:
    """A line for a case."""
    case = found.case
    cells = (
        *(f"{case.workers}", _case(case), f"{case.jobs}", f"{found.efficiency:.3f}", f"{found.loading:.3f}"),
        *(f"{found.lost:.3f}", f"{found.an_hour:.0f}", _seconds(found.waited[0]), _seconds(found.waited[1])),
        *(f"{found.statements:.0f}", f"{found.busy:.1%}", f"{found.deaths}", f"{found.failed}", f"{found.stolen}"),
        _seconds(found.seconds),
    )
    return f"| {' | '.join(cells)} |"


def calls(found: Found) -> str:
    """What a crowd asked of the store, by kind."""
    whole = sum(tally.database for tally in found.tallies.values())
    lines = [table(CALLS)]
    for kind, tally in sorted(found.tallies.items(), key=lambda item: -item[1].database):
        each = 1000 / tally.calls
        cells = (
            *(kind, f"{tally.calls}", f"{tally.statements / tally.calls:.1f}", f"{tally.database * each:.2f}"),
            *(f"{tally.beside * each:.2f}", f"{tally.waited * each:.2f}", f"{tally.database / whole:.0%}"),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _case(case: Case) -> str:
    words = ["queue full" if case.load is None else f"{case.load:.0%} of the load"]
    if case.deaths:
        words.append(f"each dies every {1 / case.deaths:.0f} h")
    if not case.sorting:
        words.append("models not looked at")
    return ", ".join(words)


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:.1f} min"
