"""Find a Chromium for the browser tests (standard library only).

Looked at in this order: $CHROMIUM, the PATH, the one that Playwright downloaded. A program counts
when it starts and says its version; Ubuntu's `chromium-browser` is a stub for a snap, which cannot
see the tests' folders. Run as a script, it prints the path; with --install it first installs
Debian's package where nothing was found (as root).
"""

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MACOS = "/Applications/{0}.app/Contents/MacOS/{0}"


class ChromiumError(Exception):
    """No Chromium was found; the text says how to get one."""


def find() -> Path:
    """Return the path of a Chromium that starts; ChromiumError says what to run."""
    named = os.environ.get("CHROMIUM")
    if named:
        program = Path(shutil.which(named) or named)
        if not starts(program):
            raise ChromiumError(f"CHROMIUM={named} does not start, or is a snap.")
        return program
    for path in _candidates():
        if starts(path):
            return path
    raise ChromiumError(_advice())


def starts(path: Path) -> bool:
    """Whether this is a browser: it says its version, and is not a snap."""
    if not path.is_file() or "snap" in path.resolve().parts:
        return False
    try:
        command = [str(path), "--version", "--no-sandbox"]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    version = re.search(r"(Chromium|Chrome)\D* \d+", answer.stdout)
    return answer.returncode == 0 and version is not None and "snap" not in answer.stdout


def install() -> None:
    """Install Debian's package; only where that is possible and needed."""
    if not (_is_debian() and os.geteuid() == 0):
        raise ChromiumError(_advice())
    print("Installing the package chromium, for the browser tests.", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "--quiet=2"], check=False)
    command = ["apt-get", "install", "--yes", "--no-install-recommends", "chromium"]
    answer = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False)
    if answer.returncode != 0:
        raise ChromiumError(f"Could not install it. Run: {' '.join(command)}")


def _candidates() -> list[Path]:
    found = [Path(path) for name in NAMES if (path := shutil.which(name))]
    if platform.system() == "Darwin":
        found += [Path(MACOS.format(name)) for name in ("Chromium", "Google Chrome")]
    playwright = _of_playwright()
    return [*found, playwright] if playwright else found


def _of_playwright() -> Path | None:
    """Where Playwright keeps the Chromium that `playwright install` downloads."""
    code = (
        "from playwright.sync_api import sync_playwright\n"
        "with sync_playwright() as p: print(p.chromium.executable_path)"
    )
    command = [sys.executable, "-c", code]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return Path(answer.stdout.strip()) if answer.returncode == 0 else None


def _is_debian() -> bool:
    # Ubuntu's package of that name only fetches a snap.
    try:
        return platform.freedesktop_os_release().get("ID") == "debian"
    except OSError:
        return False


def _advice() -> str:
    if _is_debian():
        command = "sudo apt-get install chromium"
    else:
        command = f"{sys.executable} -m playwright install --with-deps chromium"
    return (
        "The browser tests need Chromium, and none was found (a snap will not do).\n"
        f"  Run: {command}\n"
        "  or name one: make test CHROMIUM=/path/to/chromium"
    )


def main() -> int:
    """Print the path of a Chromium; return the exit status."""
    try:
        try:
            path = find()
        except ChromiumError:
            if "--install" not in sys.argv or os.environ.get("CHROMIUM"):
                raise
            install()
            path = find()
    except ChromiumError as error:
        print(error, file=sys.stderr)
        return 1
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
