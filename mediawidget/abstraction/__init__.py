"""High-level causal models and whether a network computes what they say: interchange, IIA.

Names are imported when they are first used: what runs no network (``CausalModel``,
``counterfactuals``, ``separating``) needs no torch.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
