"""`python -m benchmarks`: every table; the parts are modules, so that fresh processes can import them."""

from benchmarks import clip, long

if __name__ == "__main__":
    long.main([])
    clip.main()
