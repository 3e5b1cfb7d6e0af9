"""What is not run: a new one is to be seen here."""

#: Pages with Python blocks that are not run, and how many.
NOT_RUN: dict[str, int] = {
    "docs/guides/own-model.md": 1,  # a model of the hub
    "docs/guides/big-model.md": 1,  # NDIF, with a key
    "docs/remote.md": 1,  # a model that lies on a server
}

#: Docstrings with examples that are not run, and how many.
SKIPPED: dict[str, int] = {
    "mediawidget.features.files.load": 1,  # a folder of SAELens, downloaded
    "mediawidget.loading.load": 2,  # a model of NDIF, with a key
    "mediawidget.teach.grading.grade": 1,  # a folder of students' answers
    "mediawidget.teach.slides.slides": 1,  # a notebook of the reader's
}
