"""`python -m benchmarks.fakecard [GB …]`: walk what was not walked yet, on cards of all sizes or of these, and write
measured/fakecard.md. Needs torch's CUDA build: `make fakecard`.
"""

import logging
import sys
import tempfile
from pathlib import Path

from PIL import Image

from benchmarks.fakecard.once import Once
from benchmarks.fakecard.others import others
from benchmarks.fakecard.page import page
from benchmarks.fakecard.walk import Life
from benchmarks.fakecard.walked import Walked, keep, kept
from benchmarks.fakecard.ways import CARDS, FEW, LARGER, PLACED, SIDE, WAYS, write_lora
from benchmarks.printing import printing
from eichi.catalog import find

PAGE, FOUND = Path("measured/fakecard.md"), Path("build/fakecard.json")


class Walks:
    """All walks; each is kept as soon as it is over."""

    def __init__(self, found: Path) -> None:
        self.found = found
        self.walks = {walk.key: walk for walk in kept(found)}

    def add(self, walk: Walked) -> None:
        self.walks = {one.key: one for one in kept(self.found)} | {walk.key: walk}
        keep(list(self.walks.values()), self.found)
        logging.info(
            "%s, %d, %g GB: %.3f %s %.0f s", walk.name, walk.side, walk.card, walk.share, walk.wrong, walk.seconds
        )

    def lacks(self, kind: str, name: str, side: int, card: float) -> bool:
        return (kind, name, side, card) not in self.walks


def walk_all(cards: tuple[float, ...], walks: Walks, folder: Path) -> None:
    """Every way on cards of these sizes, then what is done on one."""
    picture = folder / "picture.png"
    Image.new("RGB", (64, 64)).save(picture)
    lora = write_lora(find("framepack").published["transformer"].shapes, folder / "lora.safetensors")
    once = Once()
    for card in cards:
        for side, ways in ((SIDE, WAYS), (LARGER, tuple(way for way in WAYS if way.name in FEW))):
            with Life(folder, card, once) as life:
                for way in ways:
                    if walks.lacks("way", way.name, side, card):
                        walks.add(life.run("way", way, side, picture, lora))
        if walks.lacks("told", WAYS[0].name, SIDE, card) and card != max(CARDS):
            with Life(folder, card, once, told=max(CARDS)) as life:
                walks.add(life.run("told", WAYS[0], SIDE, picture, lora))
    if max(CARDS) in cards:
        with Life(folder, max(CARDS), once) as life:
            for way in PLACED:
                if walks.lacks("placed", way.name, SIDE, max(CARDS)):
                    walks.add(life.run("placed", way, SIDE, picture, lora))
        for walk in others(folder, once, picture):
            walks.add(walk)


def main(words: list[str]) -> int:
    """Walk, and write the page; 1 where something is wrong."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for name in ("transformers", "diffusers", "eichi", "httpx"):
        logging.getLogger(name).setLevel(logging.ERROR)
    walks = Walks(FOUND)
    with tempfile.TemporaryDirectory() as folder:
        walk_all(tuple(map(float, words)) or CARDS, walks, Path(folder))
    order = {way.name: place for place, way in enumerate((*WAYS, *PLACED))}
    found = sorted(walks.walks.values(), key=lambda walk: (order.get(walk.name, 99), walk.card))
    PAGE.write_text(page(found), encoding="utf-8")
    return int(any(walk.wrong for walk in found))


if __name__ == "__main__":
    with printing():
        sys.exit(main(sys.argv[1:]))
