"""``make bench-mediators``: kinds of mediator, held against each other on the same pairs."""
