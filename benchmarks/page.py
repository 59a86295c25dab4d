"""What it takes to use the page, in Chromium, beside an earlier one: `python -m benchmarks page [--before FOLDER]`.

FOLDER is a checkout of a commit before this one, 6359217 being the last whose page was made of Gradio, which this
Python must have then. Both pages are measured in one run on the same machine, in turns, so that what else the machine
does falls on both; told are medians and how many times as much the earlier one takes.

* start: from the command to the first answer for a page, and what the processor works for it, which is what to read on
  a machine that does other things too
* first load: requests and bytes as they go over the wire until it is silent, in a browser that has been nowhere
* usable: from the address to a form with all controls and the first plan
* another place: from a click on Queue to its list
* keystroke: from a key in the prompt to what the server says of the prompt, and what the server works for it
* memory: of the server alone, and with as many tabs of one browser as come up, 20 at most
* 1,000 jobs: until the list is complete, the first message of the stream on a server that has just started, and a job
  in the middle moved up by its button, until its row has moved
"""

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil
from playwright.sync_api import Browser, Page, sync_playwright
from playwright.sync_api import Error as BrowserError

from benchmarks.clip import PROMPT, picture
from benchmarks.servers import PATIENCE, Program, Wire, fill, first_message, serving
from tests.machine import NO_BROWSER, chromium

TABS = 20
JOBS = 1000
KEYS = 10
SILENCE = 1.0  # seconds without a byte after which a load is over
HANGS = 30.0  # seconds after which a tab is taken for one that does not come up
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
# Notes when all of some nodes are there for the first time.
NOTE = """
((wanted) => {
  const watch = new MutationObserver(() => {
    if (!wanted.every((one) => document.querySelector(one))) return;
    watch.disconnect();
    window.eichiCame = performance.now();
  });
  watch.observe(document, { subtree: true, childList: true, attributes: true });
})(%s)
"""
CAME = "() => window.eichiCame"
# From an event to what the page shows of it; `place` is the place of a row in its list, else the text of a node.
ARM = """([event, selector, row]) => {
  const read = () => row === null ? document.querySelector(selector)?.textContent
    : [...document.querySelectorAll(selector)].findIndex((one) => one.matches(row));
  const before = read();
  window.eichiTook = new Promise((done) => {
    let begin = null;
    addEventListener(event, () => { begin = performance.now(); }, { capture: true, once: true });
    const watch = new MutationObserver(() => {
      if (begin === null || read() === before) return;
      watch.disconnect();
      done(performance.now() - begin);
    });
    watch.observe(document, { subtree: true, childList: true, characterData: true });
  });
}"""
TOOK = "() => window.eichiTook"


@dataclass(frozen=True)
class Side:
    """One of two pages: where its source is, and where on it things are."""

    name: str
    source: Path
    entry: str
    usable: tuple[str, ...]
    image: str
    planned: str  # there when the plan of a picture is shown
    prompt: str
    meter: str
    queue: str  # the link or tab of the queue
    arrived: str  # the list of the queue
    rows: str
    row: str  # of a job
    up: tuple[str, ...]  # within a row or on the page, one after the other
    stream: str


def sides(before: Path | None) -> Iterator[Side]:
    """The pages that are measured."""
    if before is not None:
        yield Side(
            name="before",
            source=before / "src",
            entry="/en/",
            usable=("#option-image input", "[name='sampling.steps']", "#plan p", "[data-live=stage] .stage"),
            image="#option-image input[type=file]",
            planned="#plan:has-text('145')",
            prompt="#option-prompt textarea",
            meter="#meter",
            queue="#queue-place-button",
            arrived="[data-live=queue] > *",
            rows="ol.jobs > li",
            row="[data-job='{id}']",
            up=("ol.jobs > [data-job='{id}'] [data-do=up]",),
            stream="/api/v1/live/en",
        )
    yield Side(
        name="now",
        source=Path(__file__).parents[1] / "src",
        entry="/en/create",
        usable=("body[data-ready]", "#plan[data-planned]"),
        image="picture-drop[name=image] input[type=file]",
        planned="#plan-line:has-text('145')",
        prompt="#video-prompt",
        meter="#prompt-meter",
        queue="nav a[data-place=queue]",
        arrived="main[data-place=queue]",
        rows="#jobs > li",
        row="[data-id='{id}']",
        up=("#jobs > [data-id='{id}'] [aria-haspopup=menu]", "[role=menu] [role=menuitem] >> nth=1"),
        stream="/api/v1/events?language=en",
    )


Figures = dict[str, float]


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, metavar="FOLDER")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args(words)
    if chromium() is None:
        raise SystemExit(NO_BROWSER)
    print(machine())  # noqa: T201
    measured = list(sides(arguments.before))
    found: dict[str, list[Figures]] = {side.name: [] for side in measured}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=SWITCHES)
        for turn in range(arguments.rounds):
            for side in measured:
                home = Path(folder) / f"{side.name}-{turn}"
                found[side.name].append(quiet(side, browser, home) | crowded(side, browser, home))
        browser.close()
    table({name: middle(rounds) for name, rounds in found.items()})


def quiet(side: Side, browser: Browser, home: Path) -> Figures:
    """A server with nothing to do: its start, the first load, what people wait for, its memory."""
    with serving(side.source, home, side.entry) as program:
        found = {"start, s": program.started, "start, worked, s": program.worked, "memory, MB": program.megabytes}
        found |= first_load(side, browser, program)
        with visiting(browser) as page:
            found["usable, s"] = come(side, page, program.address)
            found |= keystroke(side, page, program)
            begin = time.perf_counter()
            page.click(side.queue)
            page.wait_for_selector(side.arrived)
            found["another place, s"] = time.perf_counter() - begin
        return found | tabs(side, browser, program)


@contextmanager
def visiting(browser: Browser) -> Iterator[Page]:
    """A page in a browser that has been nowhere."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.set_default_timeout(1000 * PATIENCE)
    yield page
    context.close()


def come(side: Side, page: Page, address: str) -> float:
    """Seconds from an address until the page is usable."""
    page.add_init_script(NOTE % json.dumps(side.usable))
    page.goto(address + side.entry, wait_until="commit")
    for selector in side.usable:
        page.wait_for_selector(selector, state="attached")
    return float(page.evaluate(CAME)) / 1000


def first_load(side: Side, browser: Browser, program: Program) -> Figures:
    """What goes over the wire until a page is there."""
    with Wire(program.port) as wire, visiting(browser) as page:
        come(side, page, wire.address)
        while (rest := wire.changed + SILENCE - time.perf_counter()) > 0:
            page.wait_for_timeout(1000 * rest)
        return {"requests": wire.requests, "first load, kB": wire.bytes / 1e3}


def keystroke(side: Side, page: Page, program: Program) -> Figures:
    """Milliseconds from a key in the prompt to what the server says of it, and those that it works for that."""
    page.set_input_files(side.image, picture())
    page.wait_for_selector(side.planned)
    prompt = page.locator(side.prompt)
    page.evaluate(ARM, ["keydown", side.meter, None])
    prompt.fill(PROMPT)
    prompt.press(",")
    page.evaluate(TOOK)
    page.wait_for_timeout(1000 * SILENCE)
    took, begin = [], program.worked
    for turn in range(KEYS):
        page.evaluate(ARM, ["keydown", side.meter, None])
        prompt.press("," if turn % 2 else "Backspace")
        took.append(float(page.evaluate(TOOK)))
    worked = 1000 * (program.worked - begin) / KEYS
    return {"keystroke, ms": median(took), "keystroke, worked, ms": worked}


def tabs(side: Side, browser: Browser, program: Program) -> Figures:
    """The tabs of one browser that come up, and the server's memory then."""
    with visiting(browser) as first:
        count = 0
        for page in [first, *(first.context.new_page() for _ in range(TABS - 1))]:
            page.set_default_timeout(1000 * HANGS)
            try:
                come(side, page, program.address)
            except BrowserError:
                break
            count += 1
        return {"tabs": count, "memory with them, MB": program.megabytes}


def crowded(side: Side, browser: Browser, home: Path) -> Figures:
    """A server with a long queue."""
    home = home.with_name(f"{home.name}-crowded")
    fill(side.source, home, picture(), PROMPT, JOBS)
    with serving(side.source, home, side.entry) as program:
        seconds, size = first_message(program.port, side.stream)
        found: Figures = {"first message, s": seconds, "first message, kB": size / 1e3}
        with visiting(browser) as page:
            come(side, page, program.address)
            begin = time.perf_counter()
            page.click(side.queue)
            page.locator(side.rows).nth(JOBS - 1).wait_for(state="attached")
            found["list of 1,000 complete, s"] = time.perf_counter() - begin
            found["moved up, s"] = moved(side, page)
        return found


def moved(side: Side, page: Page) -> float:
    """Seconds from the button of a job in the middle to its other place."""
    id = JOBS // 2
    *before, last = (one.format(id=id) for one in side.up)
    for selector in before:
        page.click(selector)
    page.locator(last).scroll_into_view_if_needed()
    page.evaluate(ARM, ["click", side.rows, side.row.format(id=id)])
    page.click(last)
    return float(page.evaluate(TOOK)) / 1000


def middle(rounds: Sequence[Figures]) -> Figures:
    """The median of every figure."""
    return {name: median(figures[name] for figures in rounds) for name in rounds[0]}


def table(found: dict[str, Figures]) -> None:
    """A row for each figure, as in a document."""
    heads = ["", *found, *(["times"] if len(found) > 1 else [])]
    print("|" + "|".join(f" {head} " for head in heads) + "|\n|" + " --- |" * len(heads))  # noqa: T201
    for name in next(iter(found.values())):
        figures = [each[name] for each in found.values()]
        cells = [shown(figure) for figure in figures]
        cells += [shown(figures[0] / figures[1])] if len(figures) > 1 else []
        print(f"| {name} | " + " | ".join(cells) + " |")  # noqa: T201


def shown(figure: float) -> str:
    """Three digits that mean something."""
    return f"{figure:.0f}" if figure >= 100 or figure == int(figure) else f"{figure:.3g}"


def machine() -> str:
    """What everything was measured on."""
    names = [line for line in cpu_lines() if line.startswith("model name")]
    name = names[0].partition(":")[2].strip() if names else platform.processor()
    memory = psutil.virtual_memory().total / 2**30
    return f"{name}, {os.cpu_count()} cores, {memory:.0f} GiB, load {psutil.getloadavg()[0]:.1f}"


def cpu_lines() -> list[str]:
    """What Linux says of the processor."""
    place = Path("/proc/cpuinfo")
    return place.read_text(encoding="utf-8").splitlines() if place.exists() else []
