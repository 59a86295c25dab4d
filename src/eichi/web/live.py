"""What changes by itself, sent to every open page as it changes: the stage, the queue, the results.

A stream of server-sent events, each a set of HTML fragments by name. The browser puts them in their places and joins
again by itself after a break, so a page that was reloaded and a server that was started anew need nothing more. Only
what differs from what this page was last sent is sent.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

from eichi.jobs.schema import Job
from eichi.jobs.view import ACTIVE, ENDED, IDLE
from eichi.text import json_text
from eichi.web.desk import Desk
from eichi.web.i18n import Words
from eichi.web.latents import render_files, render_runs
from eichi.web.lists import render_history, render_queue
from eichi.web.stage import current, render

PACE = 0.4  # seconds between two looks at the store
LISTED = 3.0  # seconds between two looks at the folder of results
ALIVE = 15.0  # seconds after which a silent stream says that it is there


class Watcher:
    """What one page was sent. Ended jobs are read again only when the others have changed."""

    def __init__(self, desk: Desk, words: Words) -> None:
        self.desk = desk
        self.words = words
        self._sent: dict[str, str] = {}
        self._seen: list[tuple[int, str]] | None = None
        self._ended: list[Job] = []
        self._looked = 0.0
        self._listed = 0.0

    def look(self) -> dict[str, str]:
        """The fragments that have changed."""
        return {
            name: html for name, html in self._fragments() if self._sent.get(name) != html and self._note(name, html)
        }

    def _note(self, name: str, html: str) -> bool:
        self._sent[name] = html
        return True

    def _fragments(self) -> Iterator[tuple[str, str]]:
        store, words, now = self.desk.store, self.words, time.time()
        open_jobs = store.jobs((*ACTIVE, *IDLE))
        seen = [(job.id, str(job.status)) for job in open_jobs]
        changed = seen != self._seen
        if changed or now - self._looked > ALIVE:
            self._ended, self._seen, self._looked = store.jobs(ENDED), seen, now
            yield "history", render_history(self._ended, words)
        shown = current([*open_jobs, *self._ended])
        paces = store.paces(shown.pace_key) if shown is not None and shown.status.active else []
        yield "stage", render(shown, words, paces, now)
        yield "queue", render_queue(open_jobs, store.held, words)
        yield "count", str(len(open_jobs) or "")
        yield "runs", render_runs(self.desk.bench.runs, words)
        if now - self._listed > LISTED or changed:
            self._listed = now
            yield "files", render_files(self.desk.listed(), words)
        yield "boot", self.desk.boot


async def stream(desk: Desk, words: Words) -> AsyncIterator[str]:
    """The events for one page, until it leaves."""
    watcher, last = Watcher(desk, words), time.monotonic()
    while True:
        changed = await asyncio.to_thread(watcher.look)
        if changed:
            yield f"data: {json_text(changed)}\n\n"
            last = time.monotonic()
        elif time.monotonic() - last > ALIVE:
            yield ": here\n\n"
            last = time.monotonic()
        await asyncio.sleep(PACE)
