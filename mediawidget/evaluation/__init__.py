"""How good a circuit is: what it keeps, what it misses, and against what that is held.

Names are imported when they are first used: what runs no model (``known``, ``agreement``,
``overlap``, ``stability``) needs no torch.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
