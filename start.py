# /// script
# requires-python = "==3.11.*"
# ///
"""What start.sh and start.bat hand over to. The line above is the one place that says which Python uv brings: the one
that the tests have run on."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "src"))

from eichi.setup.start import main  # noqa: E402  # it is found only now

sys.exit(main(ROOT, sys.argv[1:]))
