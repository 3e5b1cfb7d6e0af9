"""Pages with Python blocks that are not run, and how many: a new one is to be seen here."""

NOT_RUN: dict[str, int] = {}
