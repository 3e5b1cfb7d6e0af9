from .read_out import LensReading, logit_lens
from .training import kl_to_final, tuned_lens
from .tuned import TunedLens

__all__ = ["LensReading", "TunedLens", "kl_to_final", "logit_lens", "tuned_lens"]
