"""What several GPUs change in the plan of memory: each has all weights of the transformer and a share of the tokens.

The first of them has everything else as well. Pure arithmetic.
"""

from eichi.catalog import Anatomy
from eichi.plan.memory import Need, Placement, forecast

ALONE = Placement("kept", whole=False, beside=False)


def follower_peak(anatomy: Anatomy, need: Need) -> float:
    """Bytes at the peak on every GPU but the first."""
    sampling = forecast(anatomy, need, ALONE).phases["sampling"]
    return sum(sampling.values()) - sampling["vae"]
