"""Pages with Python blocks that are not run, and how many: a new one is to be seen here."""

NOT_RUN: dict[str, int] = {
    "docs/guides/own-model.md": 1,  # a model of the hub
    "docs/guides/big-model.md": 1,  # NDIF, with a key
    "docs/remote.md": 1,  # a model that lies on a server
}
