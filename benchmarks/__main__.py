"""`python -m benchmarks`: one whole clip side by side; it lives in `clip`, so that fresh processes can import it."""

from benchmarks.clip import main

main()
