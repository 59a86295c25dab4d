"""What every command has around it."""

import os
import signal

import pytest

from eichi.terminal import ending


@pytest.mark.skipif(os.name == "nt", reason="there a process is ended at once")
def test_what_asks_a_process_to_end_does_what_control_c_does() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), ending():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before
