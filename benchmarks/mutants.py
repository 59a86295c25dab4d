"""How much the tests notice: one small change to the source at a time, and the tests that should fail: `make mutants`.

mutmut makes the changes. Which of them are tried, on which tests, and what became of each, is kept here: first the test
file that mirrors the source, then those that import it and the mirrors of the sources that do, the quickest first. What
outlives them all is listed with its change. A change that never ends counts as noticed: the limit follows from the time
that the tests take without it.

The sample is drawn by a digest of the change itself, so that it stays nearly the same while the source goes on, a
larger one contains a smaller one, and results that are kept (in build/mutants) stay valid. Tests run on copies of the
working tree, forked from a process that has loaded the libraries: importing them takes longer than most tests.
"""

import argparse
import difflib
import hashlib
import json
import os
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from typing import Literal

import libcst
from mutmut.mutation.file_mutation import Mutation, create_mutations

from benchmarks.printing import printing
from benchmarks.trees import Index, Outcome, Tree

SOURCES = ("plan/**/*.py", "pipeline/**/*.py", "video/**/*.py", "jobs/**/*.py", "models/lora*.py")
NEIGHBOURS = 25.0  # seconds of work for tests beyond the mirror, without a change
GRACE, SLACK = 5.0, 3.0  # seconds, and times the work without a change, until tests count as endless

Verdict = Literal["killed", "survived"]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Mutant:
    """One change to one file: what the line was and what it becomes. `key` tells it from all others."""

    key: str
    path: str
    line: int
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.before.strip()}  =>  {self.after.strip()}"


class Source:
    """The changes to one file, by key."""

    def __init__(self, root: Path, path: str) -> None:
        self.path = path
        self.code = (root / path).read_text(encoding="utf-8")
        with chdir(root):  # where mutmut looks for its settings
            self.module, made, _, _ = create_mutations(path, self.code)
        self.made: dict[str, Mutation] = {}
        seen: Counter[str] = Counter()
        for mutation in made:
            place = mutation.contained_by_top_level_function
            function = place.name.value if isinstance(place, libcst.FunctionDef) else ""
            if not function and not self._constant(mutation):
                continue
            old, new = (_text(node) for node in (mutation.original_node, mutation.mutated_node))
            what = "\0".join((path, function, old, new))
            seen[what] += 1
            self.made[hashlib.sha256(f"{what}\0{seen[what]}".encode()).hexdigest()[:16]] = mutation

    def _constant(self, mutation: Mutation) -> bool:
        """Whether a change outside of functions is one of a value, and not of a type's name, which does nothing."""
        for statement in self.module.body:
            if isinstance(statement, libcst.SimpleStatementLine) and isinstance(statement.body[0], libcst.Assign):
                target = statement.body[0].targets[0].target
                named = isinstance(target, libcst.Name) and not target.value.isupper()
                if named and _holds(statement, mutation.original_node):
                    return False
        return True

    def changed(self, key: str) -> tuple[Mutant, str]:
        """A change, and the file's text with it."""
        mutation = self.made[key]
        module = self.module.deep_replace(mutation.original_node, mutation.mutated_node)
        assert isinstance(module, libcst.Module)
        old, new = self.code.splitlines(), module.code.splitlines()
        blocks = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
        _, first, last, start, end = next(block for block in blocks if block[0] != "equal")
        return Mutant(key, self.path, first + 1, " ".join(old[first:last]), " ".join(new[start:end])), module.code


def _text(node: libcst.CSTNode) -> str:
    return libcst.Module([]).code_for_node(node)


def _holds(node: libcst.CSTNode, wanted: libcst.CSTNode) -> bool:
    return node is wanted or any(_holds(child, wanted) for child in node.children)


def draw(sources: dict[str, Source], seed: int, count: int) -> list[tuple[str, str]]:
    """A sample of (path, key), in the order of its digests."""
    every = [(path, key) for path, source in sources.items() for key in source.made]
    every.sort(key=lambda one: hashlib.sha256(f"{seed} {one[1]}".encode()).digest())
    return every[:count]


class Session:
    """Tries changes one after the other, and keeps what became of them in a file."""

    def __init__(self, root: Path, folder: Path, say: Say) -> None:
        self.index, self.folder, self.say = Index(root), folder, say
        self.results, self.plain = folder / "results.jsonl", folder / "plain.json"
        kept = json.loads(self.plain.read_text(encoding="utf-8")) if self.plain.exists() else {}
        self.outcomes = {tests: Outcome(**outcome) for tests, outcome in kept.items()}
        self._lock = threading.Lock()
        self._asking: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)  # by the tests that are tried

    def known(self) -> dict[str, Verdict]:
        """What became of the changes that were tried, by key; the last word counts."""
        if not self.results.exists():
            return {}
        rows = [json.loads(line) for line in self.results.read_text(encoding="utf-8").splitlines()]
        return {row["key"]: row["verdict"] for row in rows}

    def judge(self, tree: Tree, mutant: Mutant, code: str) -> None:
        """Note whether a test notices a change, and which."""
        by = next(self._noticed(tree, mutant, code), "")
        verdict: Verdict = "killed" if by else "survived"
        with self._lock, self.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(mutant) | {"verdict": verdict, "by": by}) + "\n")
        self.say(f"{verdict:8} {mutant}" + (f"  [{by}]" if by else ""))

    def _noticed(self, tree: Tree, mutant: Mutant, code: str) -> Iterator[str]:
        """The tests that fail with a change."""
        for tests in self._order(tree, mutant.path):
            plain = self._plain(tree, tests)
            with tree.holding(mutant.path, code):
                outcome = tree.run(tests, GRACE + SLACK * plain.seconds, plain.failed)
            if outcome.failed:
                yield outcome.failed[0] if outcome.ended else f"{tests} does not end"

    def _order(self, tree: Tree, path: str) -> list[str]:
        """The test files for a source file, in the order of asking them."""
        others = sorted(self.index.neighbours(path), key=lambda tests: self._plain(tree, tests).seconds)
        total = accumulate(self._plain(tree, tests).seconds for tests in others)
        chosen = [tests for tests, worked in zip(others, total, strict=True) if worked <= NEIGHBOURS]
        return self.index.mirror(path) + chosen

    def _plain(self, tree: Tree, tests: str) -> Outcome:
        """How tests end without a change, tried once. Those that fail are left out from then on."""
        with self._asking[tests]:
            if tests not in self.outcomes:
                outcome = tree.run(tests)
                with self._lock:
                    self.outcomes[tests] = outcome
                    kept = {name: asdict(outcome) for name, outcome in self.outcomes.items()}
                    self.plain.write_text(json.dumps(kept, indent=1), encoding="utf-8")
                for failed in outcome.failed:
                    self.say(f"left out: {failed} fails without a change")
            return self.outcomes[tests]


def mutate(root: Path, folder: Path, seed: int, count: int, again: bool, jobs: int, say: Say) -> list[Mutant]:
    """Try a sample of changes, go on where an earlier try ended; returns those that no test noticed.

    With `again`, those that outlived the tests before are tried once more.
    """
    folder.mkdir(parents=True, exist_ok=True)
    session = Session(root, folder, say)
    files = sorted(path for glob in SOURCES for path in (root / "src" / "eichi").glob(glob))
    sources = {path: Source(root, path) for path in (file.relative_to(root).as_posix() for file in files)}
    chosen = draw(sources, seed, count)
    known = session.known()
    todo = [one for one in chosen if one[1] not in known or (again and known[one[1]] == "survived")]
    trees = [Tree(root, folder / f"tree{number}") for number in range(min(jobs, len(todo)))]
    work = iter(todo)
    lock = threading.Lock()

    def go(tree: Tree) -> None:
        while True:
            with lock:
                path, key = next(work, ("", ""))
                if not key:
                    return
                mutant, code = sources[path].changed(key)
            session.judge(tree, mutant, code)

    with ThreadPoolExecutor(max(1, len(trees))) as pool:
        for done in [pool.submit(go, tree) for tree in trees]:
            done.result()
    known = session.known()
    survivors = [sources[path].changed(key)[0] for path, key in chosen if known[key] == "survived"]
    killed = len(chosen) - len(survivors)
    for mutant in survivors:
        say(f"not noticed: {mutant}")
    say(f"seed {seed}: {killed} of {len(chosen)} noticed, {killed / max(1, len(chosen)):.1%}")
    return survivors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--again", action="store_true", help="try those once more that no test noticed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # before the libraries are loaded, as the tests want it
    root = Path(__file__).parent.parent
    mutate(root, root / "build" / "mutants", given.seed, given.count, given.again, given.jobs, print)


if __name__ == "__main__":
    with printing():
        main()
