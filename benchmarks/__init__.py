"""How fast sweeps are, beside other programs and beside their own arithmetic: ``make bench``."""
