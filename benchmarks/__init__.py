"""How fast a head grid is, beside TransformerLens and beside plain hooks: ``make bench``."""
