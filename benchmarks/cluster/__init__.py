"""Several machines on one, whose processes are killed at random: every job is made once, and in the same bytes."""
