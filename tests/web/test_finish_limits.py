"""Previews of a chain over HTTP: few at a time."""

import pytest

from eichi.errors import RunError
from eichi.options import FinishOptions
from eichi.web import glimpse
from eichi.web.desk import Desk
from eichi.web.glimpse import Glimpses


def test_who_asks_while_many_wait_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    glimpses, asked = Glimpses(), FinishOptions.parse({"video": "a.mp4"})

    def again(self: Glimpses, *rest: object) -> bytes:
        depth.append(1)
        return self.make(asked, 0.0, desk.settings)

    depth: list[int] = []
    monkeypatch.setattr(Glimpses, "_made", again)
    with pytest.raises(RunError) as caught:
        glimpses.make(asked, 0.0, desk.settings)
    assert caught.value.id == "error.finish.glimpses" and len(depth) == glimpse.WAITING
    monkeypatch.setattr(Glimpses, "_made", lambda *_: b"png")
    assert glimpses.make(asked, 0.0, desk.settings) == b"png"  # every place is free again
