"""Taking a property out of a site: what a linear reader could tell of it there is gone.

Names are imported when they are first used; what fits a probe needs the extra ``probes``.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
