"""Directions of a site as mediators: made, compared, and held against what fools them.

Names are imported when they are first used.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
