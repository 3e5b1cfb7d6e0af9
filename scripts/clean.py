"""Remove what was built, and caches; with --all the environments too (standard library only)."""

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILT = (
    "mediawidget/static",
    "dist",
    "build",
    "site",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
    "mutants",
    "tests/browser/out",
    ".cache/gallery",
)
ENVIRONMENTS = (
    ".venv",
    ".venv-bench",
    ".venv-remote",
    ".venv-mutate",
    "js/node_modules",
    ".cache",
)


def main() -> None:
    """Remove and say what was removed."""
    everything = "--all" in sys.argv
    for name in (*BUILT, *(ENVIRONMENTS if everything else ())):
        path = ROOT / name
        if path.is_dir():
            shutil.rmtree(path)
            print(f"removed {name}")
    for cache in ROOT.rglob("__pycache__"):
        if not cache.is_relative_to(ROOT / ".venv"):
            shutil.rmtree(cache, ignore_errors=True)
    if not everything:
        print("kept .venv and js/node_modules (make clean ALL=1 removes them)")


if __name__ == "__main__":
    main()
