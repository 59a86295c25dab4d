"""`python -m benchmarks`: the comparison of one whole clip. It lives in `clip`, so that fresh processes can import it."""

from benchmarks.clip import main

main()
