"""What every command has around it."""

import os
import signal

import pytest

from eichi.terminal import interrupt, reporting

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there a process is ended at once")


def test_what_asks_a_process_to_end_does_what_control_c_does() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit, match="130"), reporting(False):
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_job_stops_after_its_step_and_the_second_time_at_once(number: signal.Signals) -> None:
    with interrupt() as stop:
        assert not stop()
        signal.raise_signal(number)
        assert stop()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
