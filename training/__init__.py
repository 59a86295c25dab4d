"""How the embedded model is made: a synthetic world, a codec, a small network, all trained from nothing on a CPU.

`python -m training all` runs every stage; each stage may be run alone and continues where it was interrupted.
Nothing in `eichi` imports this package: it produces the weights that ship in `eichi/models/tiny`.
"""
