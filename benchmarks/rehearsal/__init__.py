"""A rehearsal at full size: a random checkpoint as large as the published one, run without a GPU. `make rehearsal`."""
