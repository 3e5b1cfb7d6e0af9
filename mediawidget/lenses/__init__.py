"""Lenses: the metric read off an intermediate layer, as if the model stopped there.

``logit_lens`` reads the residual stream through the model's own final norm and unembedding; with a
``tuned_lens`` an affine map per layer, learned to foretell the model's own output, goes before.
A lens shows what can be read off a layer. That the model reads it there is another question.

Sources: nostalgebraist 2020 (logit lens); Belrose et al. 2023 (tuned lens).
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
