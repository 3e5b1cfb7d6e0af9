"""Run traces in the sandbox of a real NDIF server: make .venv-remote, then tests/remote.

    remote.py [PYTEST ARGUMENT...]

.venv-remote holds NDIF's server package and looks everything else up in .venv, but for mediawidget:
no server has that, so a trace must carry all that it needs (standard library only).
"""

import hashlib
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv-remote"
PYTHON = VENV / "bin" / "python"
REQUIREMENTS = ROOT / "tests" / "remote" / "requirements.txt"


def main() -> int:
    """Make the environment where it is missing; return the exit status of pytest."""
    provide()
    tests = ["-m", "remote", "-p", "no:xdist", "tests/remote", *sys.argv[1:]]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *tests], cwd=ROOT, check=False
    ).returncode


def provide() -> None:
    """Make .venv-remote, unless it was made with the same pins.

    Raises:
        SystemExit: a step failed; its words are on the screen.
    """
    packages = sysconfig.get_path("purelib")
    wanted = f"{sys.version} {packages} {REQUIREMENTS.read_text()}"
    stamp, digest = VENV / "made-with", hashlib.sha256(wanted.encode()).hexdigest()
    if stamp.is_file() and stamp.read_text() == digest:
        return
    print("test-remote: making .venv-remote with NDIF's server (once)", flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    _call(sys.executable, "-m", "venv", "--without-pip", str(VENV))
    library = VENV / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    # A path by itself: the .pth files in there, mediawidget's among them, are not read.
    (library / "site-packages" / "project.pth").write_text(packages + "\n")
    # The package asks for Python 3.12; its sandbox needs no more than we do.
    install = ("install", "-qq", "--no-deps", "--ignore-requires-python", "-r", str(REQUIREMENTS))
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(PYTHON))
    _call(*pip, *install)
    stamp.write_text(digest)


def _call(*command: str) -> None:
    if subprocess.run(command, check=False).returncode:
        raise SystemExit(f"test-remote: failed: {' '.join(command)}")


if __name__ == "__main__":
    sys.exit(main())
