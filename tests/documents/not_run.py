"""Pages with Python blocks that are not run, and how many: a new one is to be seen here."""

NOT_RUN: dict[str, int] = {
    "docs/remote.md": 1,  # a model that lies on a server
}
