"""Models that come with the package: the teaching model and models of known truth.

The hand-set models load like any other and nothing treats them otherwise; what is special about
them is that every effect is known before anything runs. Their weights are in double precision.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
