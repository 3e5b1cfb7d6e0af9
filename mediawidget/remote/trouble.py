"""What can go wrong with a server, each in words that say what to do."""

from __future__ import annotations

import re
from typing import TypeVar

from ..errors import MediationError

T = TypeVar("T", bound="ServerError")

_KEYS = "https://login.ndif.us"
_OTHER_TEXT = ("could not find function", "syntaxerror", "indentationerror")
"""What a function raises that was read from a file in which something else stands by now."""


class ServerError(MediationError):
    """A server did not answer as asked.

    Attributes:
        job: the id of the job on the server, where there is one.
    """

    def __init__(
        self, message: str, *, value: object, expected: str, fix: str, job: str | None = None
    ) -> None:
        self.job = job
        named = value if job is None else f"{value} (job {job})"
        super().__init__(message, value=named, expected=expected, fix=fix)


class GaveUp(ServerError):  # noqa: N818 - somebody's wish
    """The waiting was given up. The job itself goes on, and is asked for again by its id."""


class JobLostError(ServerError):
    """The server has a job no more, or not what came of it."""


class JobFailedError(ServerError):
    """A job came to an error on the server."""


class GarbledError(ServerError):
    """What came of a question says nothing, however often it is asked. The job may well go on.

    Attributes:
        why: what came.
    """

    why = ""


class TooLargeError(GarbledError):
    """What comes is larger than there is room for. The rest was not read."""


def gave_up(job: str | None) -> GaveUp:
    """Somebody called ``lm.remote.cancel()``."""
    return GaveUp(
        "The waiting for the server was given up.",
        value="lm.remote.cancel() was called",
        expected="patience",
        fix="ask the same again: a job that was accepted is not run twice",
        job=job,
    )


def unreachable(host: str, why: str, seconds: float, job: str | None = None) -> ServerError:
    """Nobody answers at the address."""
    again = "ask again: the job goes on without us and is asked for by its id"
    return ServerError(
        "The server cannot be reached.",
        value=f"{host}: {why}, tried for {seconds:.0f} s",
        expected="a server that answers there",
        fix=again
        if job
        else "check the address and the network; remote=mw.remote.Server(host, "
        "patience=mw.remote.Patience(connect=60, away=600)) waits longer",
        job=job,
    )


def uncertain(host: str, why: str) -> ServerError:
    """A request went out whole, and no id came back."""
    return ServerError(
        "The connection was cut after the request was sent and before the server gave its id.",
        value=f"{host}: {why}",
        expected="an id of the job",
        fix="ask again; if the server did accept it, it runs twice, for its id is unknown",
    )


def long_winded(host: str, job: str | None, most: int) -> ServerError:
    """A request was accepted, in more words than there is room for."""
    found = "and in them the id" if job else "which do not begin with the id"
    return ServerError(
        "The server's answer to the request is larger than there is room for.",
        value=f"{host}: more than {most:,} bytes, {found}",
        expected="the id of a job and a few words",
        fix="ask again: the job goes on without us and is asked for by its id"
        if job
        else "ask again; if the server did accept it, it runs twice, for its id is unknown",
        job=job,
    )


def too_late(host: str, job: str, seconds: float, words: str) -> ServerError:
    """The job takes longer than we wait."""
    return ServerError(
        "The server has not finished in time.",
        value=f"{host}: {words or 'no word'} after {seconds:.0f} s",
        expected="a result within lm.remote.server.patience.job seconds",
        fix="ask again: the job goes on without us and is asked for by its id",
        job=job,
    )


def lost(host: str, job: str, why: str) -> JobLostError:
    """The id is known here and not there, or what came of it is gone."""
    return JobLostError(
        "The server has this job no more.",
        value=f"{host}: {why}",
        expected="the result of a job that was accepted",
        fix="ask again: it is run anew",
        job=job,
    )


def garbled(host: str, job: str | None, why: str) -> GarbledError:
    """What came is not what a server says, of a job or of itself."""
    compare = "compare the versions: print(nnsight.ndif.compare())"
    error = GarbledError(
        "What the server sent cannot be read.",
        value=f"{host}: {why}",
        expected="what was asked for, whole",
        fix="ask again: the job goes on without us and is asked for by its id; if it stays so, "
        + compare
        if job
        else f"check the address, and {compare}",
        job=job,
    )
    error.why = why
    return error


def too_large(host: str, job: str | None, most: int) -> TooLargeError:
    """What came, or what would become of it, does not fit."""
    return TooLargeError(
        "The server sends more than there is room for.",
        value=f"{host}: more than {most:,} bytes",
        expected="a result of at most 4 GiB, and of a third of the memory that is free here"
        if job
        else "what a server says of itself",
        fix="study.engine.budget = 2**26 asks in smaller jobs; mw.load(..., remote='local') says "
        "whether as much is to be expected"
        if job
        else "check the address",
        job=job,
    )


def unreadable(host: str, job: str | None, why: str) -> JobLostError:
    """What came of a job is not a result, or no id of it came."""
    return JobLostError(
        "What the server sent cannot be read.",
        value=f"{host}: {why}",
        expected="what was asked for, whole",
        fix="ask again: it is run anew; if it stays so, compare the versions: "
        "print(nnsight.ndif.compare())",
        job=job,
    )


def turned_away(host: str, code: int, detail: str, job: str | None = None) -> ServerError:
    """The server refused a request, with a status code of HTTP and a reason."""
    said = _short(detail) or "no reason"
    value = f"{host}: {code}, {said}"
    low = detail.lower()
    if code in (401, 403) or (code == 400 and "key" in low):
        message = "The server does not accept the key." if code != 401 else "The server asks a key."
        return ServerError(
            message,
            value=value,
            expected="a key that it knows",
            fix=f"get one at {_KEYS}; set NDIF_API_KEY in the environment",
            job=job,
        )
    if code == 400 and "version" in low:
        return _versions("The server does not work with these versions.", value, job)
    fixes = {
        404: ("The address is of no NDIF server.", "check remote='https://...'"),
        413: ("The request is too large for the server.", "ask fewer runs at once: budget=2**26"),
        422: ("The server does not read such requests.", "print(nnsight.ndif.compare())"),
        429: ("The server has too much to do.", "wait and ask again"),
        503: ("The server is not ready.", "wait some minutes and ask again"),
    }
    message, fix = fixes.get(code, ("The server refuses the request.", "wait and ask again"))
    return ServerError(message, value=value, expected="a server that takes it", fix=fix, job=job)


def failed(host: str, model: str, job: str, description: str) -> JobFailedError:
    """A job came to an error, which the server describes by a sentence or by a traceback."""
    low, said = description.lower(), _last_line(description)
    value = f"{host}: {said}"
    if "architecture" in low and "doesn't match" in low:
        place = re.search(r"module at '([^']*)'", description)
        missing = f"{host}: it has no {place[1]!r}" if place else value
        return _versions("The model on the server has other modules.", missing, job, JobFailedError)
    if "payload could not be read" in low:
        return _unread(value, low, job)
    if "could not deploy" in low or "cant_accommodate" in low or "provision" in low:
        return JobFailedError(
            "The server cannot load this model.",
            value=f"{model} on {host}: {said}",
            expected="a model that it has, or has room for",
            fix="print(nnsight.ndif.status()) lists its models; check the name and the revision",
            job=job,
        )
    if "timeout" in low and "execution" in low:
        return JobFailedError(
            "The job ran longer than the server allows.",
            value=value,
            expected="smaller jobs",
            fix="mw.Study(lm, ...).engine.budget = 2**26 cuts them smaller",
            job=job,
        )
    if "out of memory" in low or "outofmemoryerror" in low:
        return JobFailedError(
            "The server ran out of memory.",
            value=value,
            expected="smaller jobs",
            fix="study.engine.budget = 2**26 cuts them smaller",
            job=job,
        )
    return JobFailedError(
        "The server ran into an error.",
        value=value,
        expected="a result",
        fix="ask again; where it comes back: " + _trial(low),
        job=job,
    )


def _unread(value: str, low: str, job: str) -> JobFailedError:
    if any(words in low for words in _OTHER_TEXT):
        return JobFailedError(
            "The code that was sent is not the code that runs here.",
            value=value,
            expected="files that are as they were when this kernel imported them",
            fix="restart the kernel: a package was upgraded or a file edited under it",
            job=job,
        )
    return _versions("The server could not read the request.", value, job, JobFailedError)


def _trial(low: str) -> str:
    if "traceback" in low:
        return "mw.load(..., remote='local') runs the same here and shows all of it"
    return "ask the server's people, with the job's id"


def _versions(
    message: str,
    value: str,
    job: str | None,
    kind: type[T] = ServerError,  # type: ignore[assignment]
) -> T:
    return kind(
        message,
        value=value,
        expected="the same versions of nnsight, transformers and torch here and there",
        fix="print(nnsight.ndif.compare()) names what differs; install what the server has",
        job=job,
    )


def _last_line(text: str) -> str:
    """The end of a traceback, which names the error; of a sentence, its start."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return "no description"
    return _short(lines[-1] if "traceback" in text.lower() else lines[0])


def _short(text: str, most: int = 300) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else text[:most] + "..."
