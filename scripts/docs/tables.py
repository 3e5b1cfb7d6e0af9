"""Tables of sentences become cards on a telephone: a row a card, its cells under each other.

Tables of numbers are read across, and scroll where they are too wide. Which is which is told by
how much stands in a row. The cells carry the heads of their columns, and the elements their roles,
which a browser forgets of what is not laid out as a table; docs/assets/site.css does the rest.
"""

from __future__ import annotations

import re
from typing import Any

from bs4 import BeautifulSoup, Tag

COLUMNS = 3
LETTERS = 60
"""So many columns, and so many letters in the mean row, make a table of sentences."""

_TABLE = re.compile(r"<table>.*?</table>", re.DOTALL)


def on_page_content(html: str, **_: Any) -> str:
    """Called by MkDocs with each page's HTML."""
    return _TABLE.sub(lambda found: carded(found[0]), html)


def carded(text: str) -> str:
    """A table, marked where it is one of sentences."""
    soup = BeautifulSoup(text, "html.parser")
    table = soup.table
    heads = [head.get_text(" ", strip=True) for head in soup.select("thead th")]
    rows = soup.select("tbody tr")
    letters = sum(len(row.get_text(" ", strip=True)) for row in rows)
    if table is None or len(heads) < COLUMNS or letters < LETTERS * max(1, len(rows)):
        return text
    table["data-cards"] = ""
    for row in rows:
        for head, cell in zip(heads, row.find_all("td"), strict=False):
            cell["data-head"] = head
    _keep_roles(table)
    return str(table)


def _keep_roles(table: Tag) -> None:
    table["role"] = "table"
    for names, role in (
        (["thead", "tbody"], "rowgroup"),
        (["tr"], "row"),
        (["th"], "columnheader"),
        (["td"], "cell"),
    ):
        for element in table.find_all(names):
            element["role"] = role
