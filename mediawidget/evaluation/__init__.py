"""How good a circuit is: what it keeps, what it misses, and against what that is held.

m(C) is the study's metric on the clean prompt of a pair with all ablated that is not in circuit C:
m(M) is that of the whole network, m(empty) with every candidate ablated. F is the mean of m over
pairs. ``Terms`` says what is ablated, how, and what the candidates are: every number hangs on it.

Names are imported when they are first used: what runs no model (``known``, ``agreement``,
``overlap``, ``stability``) needs no torch.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
