"""The gallery: every example runs while the site is built, and its view stands on the page, live.

``<!-- example: heads -->`` in docs/gallery.md becomes the code of docs/gallery/heads.py and a frame
with the page that this code wrote. What is shown is what ran: docs/gallery/_start.py first, then
the example, which ends by writing ``heads.html``. ``<!-- view: ... -->`` is a frame alone, a peek
that scrolls; that of an example is as tall as its view (docs/assets/frames.js).
"""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import posixpath
import re
import subprocess
import sys
from html import escape
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

LOG = logging.getLogger("mkdocs.hooks.gallery")
ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "docs" / "gallery"
MADE = ROOT / ".cache" / "gallery"
"""What the examples wrote, and of which sources: kept until one of them changes."""

LOOKS = ("light", "dark")
"""A frame asks the device and not the page around it, so each is there in both colours."""

_START = EXAMPLES / "_start.py"
_PLACE = re.compile(
    r"^<!-- (?P<kind>example|view): (?P<name>\w+), (?P<tall>\d+), (?P<narrow>\d+): "
    r"(?P<title>.+) -->$",
    re.MULTILINE,
)
_FIRST = "<!-- start of examples -->"
_TALL = """
const say = () => parent.postMessage({ mediawidgetTall: document.body.offsetHeight }, "*");
new ResizeObserver(say).observe(document.body);
addEventListener("message", say);
"""
"""The page in a frame says how tall it is. What it was made from stands on the page of its own."""
_RUN = """
import sys, time
from pathlib import Path
start, *examples = map(Path, sys.argv[1:])
common = {"__name__": "__main__"}
exec(compile(start.read_text("utf-8"), str(start), "exec"), common)
for path in examples:
    began = time.monotonic()
    exec(compile(path.read_text("utf-8"), str(path), "exec"), dict(common))
    print(f"{path.stem}: {time.monotonic() - began:.1f} s", flush=True)
"""


def examples() -> list[Path]:
    """The files of the examples, without the one that all begin with."""
    return sorted(path for path in EXAMPLES.glob("*.py") if path != _START)


def on_files(files: Files, *, config: Any) -> Files:
    """Called by MkDocs once it knows its sources: the pages of the examples join them."""
    made()
    for path in examples():
        text = (MADE / f"{path.stem}.html").read_text("utf-8")
        pages = {"html": text, **{f"{look}.html": in_look(text, look) for look in LOOKS}}
        for ending, content in pages.items():
            uri = f"gallery/{path.stem}.{ending}"
            files.append(File.generated(config, uri, content=content))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Called by MkDocs with each page's Markdown."""

    def placed(found: re.Match[str]) -> str:
        name, title = found["name"], escape(found["title"], quote=True)
        source = EXAMPLES / f"{name}.py"
        if not source.is_file():
            raise PluginError(f"{page.file.src_uri}: there is no example {name} in docs/gallery.")
        home = posixpath.relpath("gallery", posixpath.dirname(page.file.url) or ".")
        tall = f"--tall: {found['tall']}px; --tall-narrow: {found['narrow']}px"
        frames = "".join(
            f'<iframe class="{look}" src="{home}/{name}.{look}.html" title="{title}" '
            f'loading="lazy" style="{tall}"></iframe>'
            for look in LOOKS
        )
        whole = " whole" if found["kind"] == "example" else ""
        frame = (
            f'<figure class="view{whole}" markdown="0">{frames}<figcaption>{title}. '
            f'<a href="{home}/{name}.html">On a page of its own</a></figcaption></figure>'
        )
        return frame if found["kind"] == "view" else f"{_code(source)}\n\n{frame}"

    return _PLACE.sub(placed, markdown).replace(_FIRST, _code(_START))


def _code(source: Path) -> str:
    return f"```python\n{source.read_text('utf-8').strip()}\n```"


def in_look(text: str, look: str) -> str:
    """An exported page for a frame: in the colours around it, without a foot, and it says its size.

    Raises:
        PluginError: the page is written otherwise than this function knows.
    """
    digest = base64.b64encode(hashlib.sha256(_TALL.encode()).digest()).decode()
    when = "all" if look == "dark" else "not all"
    colours = f":root{{color-scheme:{look}}}"
    changes = {
        ":root{color-scheme:light dark}": f"{colours}body>footer{{display:none}}",
        "@media (prefers-color-scheme:dark){": f"@media {when}{{",
        "script-src 'sha256-": f"script-src 'sha256-{digest}' 'sha256-",
        "</body>": f"<script>{_TALL}</script></body>",
    }
    for known, changed in changes.items():
        if text.count(known) != 1:
            raise PluginError(
                f"mw.export_html writes {known!r} {text.count(known)} times, not once."
            )
        text = text.replace(known, changed)
    return text


def made() -> None:
    """Run the examples, unless the pages that are there are of these very sources."""
    stamp, now = MADE / "sources", _sources()
    pages = [MADE / f"{path.stem}.html" for path in examples()]
    if all(page.is_file() for page in pages) and stamp.is_file() and stamp.read_text() == now:
        return
    MADE.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    LOG.info("Running %d examples of the gallery", len(pages))
    command = [sys.executable, "-c", _RUN, str(_START), *map(str, examples())]
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        command,
        cwd=MADE,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise PluginError(f"An example of the gallery failed.\n{done.stderr[-3000:]}")
    for line in done.stdout.splitlines():
        LOG.debug("%s", line)
    missing = [page.name for page in pages if not page.is_file()]
    if missing:
        raise PluginError(f"Examples of the gallery wrote no page of their name: {missing}")
    stamp.write_text(now)


def _sources() -> str:
    """A digest of everything that the pages are made from."""
    digest = hashlib.sha256()
    package = [p for p in (ROOT / "mediawidget").rglob("*") if p.suffix != ".pyc" and p.is_file()]
    for path in sorted([*EXAMPLES.glob("*.py"), *package]):
        digest.update(path.relative_to(ROOT).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
