"""Side-by-side measurements, run by hand with `make bench`; nothing here is a test."""
