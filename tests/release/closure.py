"""What an installation brings with it, and environments that have that and nothing else."""

from __future__ import annotations

import sys
import sysconfig
import venv
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath

from lock import normal
from packaging.requirements import Requirement

HERE = Path(sysconfig.get_path("purelib"))


def needed(requirements: Iterable[str]) -> dict[str, Distribution]:
    """The installed distributions that these requirements bring, those that they need included.

    Raises:
        AssertionError: one is not installed here.
    """
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(Requirement(line), "") for line in requirements]
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = normal(requirement.name)
        for wanted in ("", *requirement.extras):
            if (name, wanted) in seen:
                continue
            seen.add((name, wanted))
            try:
                found[name] = distribution(requirement.name)
            except PackageNotFoundError:
                raise AssertionError(f"{requirement} is not installed: make setup") from None
            waiting += [(Requirement(line), wanted) for line in found[name].requires or ()]
    return found


def _links(told: Distribution) -> Iterator[tuple[Path, Path]]:
    """What of a distribution to link, and where in an environment; its programs are left out."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for name in {_top(PurePosixPath(str(file))) for file in told.files or ()}:
        if name.parts[0] != "..":
            yield HERE / name, Path("lib") / version / "site-packages" / name
        elif name.parts[3:4] == ("share",):
            yield (HERE / name).resolve(), Path(*name.parts[3:])


def _top(file: PurePosixPath) -> PurePosixPath:
    """The whole folder of a package; of what is beside the libraries the very file."""
    return file if file.parts[0] == ".." else PurePosixPath(file.parts[0])


def environment(folder: Path, requirements: Iterable[str]) -> Path:
    """An environment with these requirements alone, linked to those that are installed here.

    What nothing declares is not there, so that an import of it fails as it would for a user.

    Returns:
        Its Python.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    for told in needed(requirements).values():
        for source, place in _links(told):
            link = folder / place
            link.parent.mkdir(parents=True, exist_ok=True)
            if source.exists() and not link.exists():
                link.symlink_to(source)
    return folder / "bin" / "python"
