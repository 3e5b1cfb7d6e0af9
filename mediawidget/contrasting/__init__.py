"""Attribution beside intervention: what a relevance says of tokens, and what patching them does.

A relevance divides one run's output among its tokens. It asks what the run looked at, not what
would follow if a token were another, so none of it is called causal here: it stands beside TIE
and PIE of the same tokens.

Source: Chefer, Gur and Wolf 2021, "Transformer interpretability beyond attention visualization".
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
