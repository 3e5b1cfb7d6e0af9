"""Models from a name, a folder or a module of torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any, overload

import torch
from torch import nn

from .architectures import ModulePaths
from .errors import MediationError, require
from .lm import LM
from .memory import use_cpu_share
from .model_classes import model_class
from .networks.network import Network
from .networks.points import Point
from .pooling import refuse_no_padding
from .remote.keeping import Cache
from .remote.server import Server
from .remote.where import Serving, refuse_of_here, where
from .shipping import keep_sources
from .text_parts import refuse_images, text_part

TEACHING_MODEL = Path(__file__).parent / "models" / "teaching"


@overload
def load(
    source: str | Path | nn.Module | None = None,
    *,
    tokenizer: Any = None,
    paths: ModulePaths | None = None,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
    revision: str | None = None,
    points: None = None,
    remote: bool | str | Server | Serving = False,
    cache: str | Path | Cache | None = None,
) -> LM: ...
@overload
def load(
    source: nn.Module,
    *,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
    points: Mapping[str, str | Point] | Sequence[str],
    classes: Sequence[str] = (),
) -> Network: ...
def load(  # noqa: PLR0913 - what a model is loaded with, and what another network is
    source: str | Path | nn.Module | None = None,
    *,
    tokenizer: Any = None,
    paths: ModulePaths | None = None,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
    revision: str | None = None,
    points: Any = None,
    classes: Sequence[str] = (),
    remote: bool | str | Server | Serving = False,
    cache: str | Path | Cache | None = None,
) -> LM | Network:
    """Load a model for interventions.

    Args:
        source: None for the embedded teaching model (no network); a folder or a hub name; or an
            instantiated model, which is left in evaluation mode. Of a Gemma 3 that reads images
            too, the language model is loaded.
        tokenizer: needed with an instantiated model.
        paths: where the modules are, for an architecture that is not in the table. They are tried
            in a pass over three tokens.
        device: default: a GPU if there is one, for a named model; an instantiated model stays.
        dtype: default float32 for a named model; of an instantiated one in another type of
            number a copy is loaded.
        revision: of a hub name.
        points: of an instantiated network that is no language model: {name: path of a module},
            where it can be edited; ``networks.Point(path, layout, side)`` says more.
        classes: of such a network, the names of what it tells apart, for people.
        remote: True for a model whose weights are on NDIF, with the key of NDIF_API_KEY or of
            nnsight's login; the address of another such server, an ``mw.remote.Server``, or
            an ``mw.remote.Loopback``. "local" runs it here, every request written and read as
            for a server: a dry run.
        cache: a folder for what a server answers, so that nobody who shares it asks it again;
            an ``mw.remote.Cache`` has a limit too.

    Returns:
        An ``LM``; with ``points`` a ``Network``, in evaluation mode.

    Raises:
        MediationError: no tokenizer, no such model, an architecture whose modules are not
            known, paths that lead nowhere or to something else, or a server's classifier that
            takes one prompt a pass.

    Example:
        >>> mw.load()
        LM('teaching model', 6 layers x 4 heads)
        >>> llama = mw.load("meta-llama/Llama-3.1-70B", remote=True)  # doctest: +SKIP
        >>> mw.Study(llama, pair).sweep("head")  # doctest: +SKIP
    """
    _refuse_no_source(source, revision)
    keep_sources()
    runs, folder = where(remote, cache)
    if points is not None:
        of_text = {"tokenizer": tokenizer, "paths": paths, "revision": revision, "remote": runs}
        _refuse_of_other(of_text, "a language model", "leave it out beside points")
        return _network(source, points, classes, device, dtype)
    named = None if isinstance(classes, tuple) and not classes else classes
    _refuse_of_other({"classes": named}, "a network with points", "points={'a': 'conv1'}")
    if isinstance(runs, Server):
        refuse_of_here(source, device)
        lm = _on_server(source, tokenizer, paths, dtype, revision, (runs, folder))
    elif isinstance(source, nn.Module):
        module = _moved(source, device, dtype)
        use_cpu_share()
        name = _module_name(module)
        lm = LM(_text_part(module, paths), tokenizer, name=name, paths=paths)
    else:
        lm = _here(source, tokenizer, paths, (device, dtype), revision)
    if runs == "local":
        from .remote.meta import written_for_a_server

        written_for_a_server(lm)
    if lm.backend is not None:
        refuse_no_padding(lm)
    return lm


def _here(
    source: Any, tokenizer: Any, paths: Any, kind: tuple[Any, Any], revision: str | None
) -> LM:
    """A saved model with its weights."""
    device, dtype = kind
    dtype = _floating(dtype) or torch.float32
    with _reading(source, revision) as (place, options):
        loader: Callable[..., Any] = model_class(place, **options).from_pretrained
        module = loader(place, dtype=dtype, **options)
        read = _tokenizer(place, tokenizer, options)
    module = _text_part(module, paths)
    # The teaching model answers sooner on a CPU than a kernel launch takes.
    default = "cuda" if source is not None and torch.cuda.is_available() else "cpu"
    module = _moved(module, default if device is None else device, None)
    use_cpu_share()
    lm = LM(module, read, name=_saved_name(source), paths=paths)
    if tokenizer is None:
        lm.set_origin(str(place), revision)
    return lm


def _on_server(
    source: Any,
    tokenizer: Any,
    paths: Any,
    dtype: Any,
    revision: str | None,
    runs: tuple[Server, Cache | None],
) -> LM:
    """A saved model without its weights, which a server has."""
    from .remote.connection import Remote
    from .remote.deployments import other_precision
    from .remote.meta import Served, weightless

    kind = _floating(dtype)
    with _reading(source, revision) as (place, options):
        loader = model_class(place, **options)
        read, served = _tokenizer(place, tokenizer, options), Served.of(place)

        def there(dtype: torch.dtype | None) -> Remote:
            model = weightless(place, loader, read, revision=revision, dtype=dtype)
            # A loopback has another port in each session; its names say which weights it has.
            return Remote(runs[0], model, runs[1], "loopback" if served.name else None)

        remote = asked = there(kind)
        other = other_precision(asked, kind)
        if other is not None:
            remote = there(other)
            remote.counter = asked.counter
    module: nn.Module = remote.model._module  # noqa: SLF001 - nnsight has no public name for it
    if paths is None:
        refuse_images(module)
    lm = LM(module, read, name=served.name or _saved_name(source), paths=paths, remote=remote)
    if tokenizer is None:
        lm.set_origin(served.origin or str(place), revision)
    return lm


def _text_part(module: nn.Module, paths: object) -> nn.Module:
    """What is loaded of a module; of one whose paths are given, all of it."""
    return text_part(module) if paths is None else module


@contextmanager
def _reading(source: Any, revision: str | None) -> Iterator[tuple[str | Path, dict[str, Any]]]:
    """While a saved model is read: where it is, and what is said to transformers' loaders."""
    place = TEACHING_MODEL if source is None else source
    options: dict[str, Any] = {"revision": revision}
    if Path(place).exists():
        options["local_files_only"] = True
    try:
        with _quiet_loading():
            yield place, options
    except OSError as error:
        raise MediationError(
            "The model could not be loaded.",
            value=f"{source!r}: {str(error).splitlines()[0]}",
            expected="a folder with a transformers model, or the name of one on the hub",
            fix="check the name and the network; mw.load() needs neither",
        ) from error


def _tokenizer(place: str | Path, given: Any, options: Mapping[str, Any]) -> Any:
    from transformers import AutoTokenizer

    return given or AutoTokenizer.from_pretrained(place, **options)


def _saved_name(source: object) -> str:
    return str(source) if source else "teaching model"


def _refuse_of_other(options: Mapping[str, object], kind: str, fix: str) -> None:
    """Raise where an option is of another kind of model, and would be read by nobody."""
    given = {name: value for name, value in options.items() if value is not None}
    if given:
        raise MediationError(
            f"This is an option of {kind}.",
            value=", ".join(f"{name}={value!r}"[:80] for name, value in given.items()),
            expected="None",
            fix=fix,
        )


def _network(source: object, points: Any, classes: Any, device: Any, dtype: Any) -> Network:
    if not isinstance(source, nn.Module):
        raise MediationError(
            "The points of a network are modules of torch.",
            value=repr(source)[:200],
            expected="a torch module and its points",
            fix="mw.load(module, points={'first': 'conv1'})",
        )
    module = _moved(source, device, dtype)
    use_cpu_share()
    return Network(module, points, name=_module_name(module), classes=classes)


def _refuse_no_source(source: object, revision: object) -> None:
    require(
        source is None or isinstance(source, nn.Module) or _is_name(source),
        "A model is loaded from somewhere.",
        value=source,
        expected="None, the name of a model on the hub, a folder, or a torch module",
        fix="mw.load(), mw.load('openai-community/gpt2'), mw.load(model, tokenizer=tokenizer)",
    )
    require(
        revision is None or isinstance(revision, str),
        "A revision is the name of a branch, a tag or a commit.",
        value=revision,
        expected="None or a text",
        fix="mw.load('openai-community/gpt2', revision='main')",
    )


def _is_name(source: object) -> bool:
    return isinstance(source, str | Path) and bool(str(source).strip())


def _floating(dtype: object) -> torch.dtype | None:
    """The type of a model's numbers, refused unless a network can compute with it."""
    known = isinstance(dtype, torch.dtype) and dtype.is_floating_point
    require(
        dtype is None or known,
        "A model computes with floating point numbers.",
        value=dtype,
        expected="torch.float32, torch.float64, torch.bfloat16 or torch.float16",
        fix="mw.load(..., dtype=torch.bfloat16)",
    )
    return dtype  # type: ignore[return-value]


def _moved(module: nn.Module, device: object, dtype: object) -> nn.Module:
    """The module on a device; a copy of it in another type of number, for that loses digits."""
    wanted = _floating(dtype)
    if wanted is not None and _in_another(module, wanted):
        module = _copied(module).to(dtype=wanted)
    if device is None:
        return module
    try:
        return module.to(device=torch.device(device))  # type: ignore[call-overload]
    except torch.OutOfMemoryError:
        raise
    except (AssertionError, OverflowError, RuntimeError, TypeError, ValueError) as error:
        raise MediationError(
            "The model cannot be moved there.",
            value=f"device={device!r}: {(str(error).splitlines() or [''])[0]}",
            expected="a device that this machine has, such as 'cpu' or 'cuda'",
            fix="mw.load(..., device='cpu')",
        ) from error


def _in_another(module: nn.Module, dtype: torch.dtype) -> bool:
    """Whether weights are of another type; buffers may be of more bits, as angles often are."""
    weights = {one.dtype for one in module.parameters() if one.is_floating_point()}
    kept = {one.dtype for one in module.buffers() if one.is_floating_point()}
    return bool(weights - {dtype}) or any(one.itemsize < dtype.itemsize for one in kept)


def _copied(module: nn.Module) -> nn.Module:
    """A deep copy, of tensors also that a module has computed and kept.

    Raises:
        MediationError: the module holds what cannot be copied.
    """
    held = (value for one in module.modules() for value in vars(one).values())
    computed = (one for one in held if isinstance(one, torch.Tensor) and not one.is_leaf)
    memo: dict[int, Any] = {id(one): one.detach().clone() for one in computed}
    try:
        return deepcopy(module, memo)
    except torch.OutOfMemoryError:
        raise
    except (NotImplementedError, RuntimeError, TypeError) as error:
        raise MediationError(
            "The model cannot be copied, and in another precision its own weights lose digits.",
            value=(str(error).splitlines() or [""])[0],
            expected="a module that copy.deepcopy takes",
            fix="mw.load(module.to(dtype)), if the module's own weights may change",
        ) from error


@contextmanager
def _quiet_loading() -> Iterator[None]:
    """No bar for reading weights: a notebook would keep it as output."""
    from transformers.utils import logging as transformers_logging

    logging: Any = transformers_logging
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _module_name(module: nn.Module) -> str:
    path = getattr(getattr(module, "config", None), "_name_or_path", "")
    return path or type(module).__name__
