"""Models of learned metrics: where they lie, what they are called in a signature, and one clear
error when they cannot be loaded.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from csc_tasks.errors import CscError, ModelError, SettingError
from csc_tasks.gguf import gguf_files

if TYPE_CHECKING:
    import torch

_DESCRIPTIONS = {".json", ".txt", ".model", ".jinja"}


@contextmanager
def loading(metric: str, model: str) -> Iterator[None]:
    """Turn whatever goes wrong while `model` is loaded for `metric` into a ModelError that says
    what can be done.

    Anything is caught: which exception a missing, foreign or damaged model gives is a matter of the
    library that reads it.
    """
    try:
        yield
    except CscError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ModelError(
            f"{metric} cannot load {model} ({reason[:200]}); {ways_out(metric)}"
        ) from error


def ways_out(metric: str) -> str:
    """The two things a user can do about a model that is not there."""
    return (
        "choose other metrics with csc_metrics, or give the folder of a local copy with"
        f" csc_{metric}_model"
    )


def place(metric: str, model: str) -> str:
    """What the libraries take for `model`: the absolute path of a folder, or a Hub id as it is.

    Raises ModelError for something that can only be a path and leads to no folder.
    """
    folder = Path(model).expanduser()
    # What reads these models (encoders, sequence to sequence) reads no such file, and csc convert
    # makes chat models of them.
    if files := gguf_files(model):
        raise ModelError(
            f"{metric} cannot load {model}: {files[0].name} is a GGUF file, which no learned metric"
            f" reads; {ways_out(metric)}, with safetensors in it"
        )
    if folder.is_dir():
        return os.path.abspath(folder)
    if (
        folder.is_absolute()
        or model.startswith((".", "~"))
        or model.count("/") > 1
        or os.path.exists(folder)
    ):
        raise ModelError(
            f"{metric} cannot load {model}: there is no such folder; {ways_out(metric)}"
        )
    return model


@cache
def identity(model: str) -> str:
    """`name@commit` of a Hub model, also when it is given as a folder of the Hub's cache;
    `folder#hash` of any other folder.

    The hash, 12 hexadecimal digits of sha256, covers configuration, vocabulary and weights, so a
    copy elsewhere has the same one.
    """
    if not os.path.isdir(model):
        return f"{model}@{_cached_commit(model) or 'unknown'}"
    words = Path(model).parts
    if len(words) > 2 and words[-2] == "snapshots" and words[-3].startswith("models--"):
        return f"{words[-3].removeprefix('models--').replace('--', '/')}@{words[-1][:12]}"
    return f"{words[-1]}#{_content_hash(Path(model))}"


def hub_name(model: str) -> str:
    """The name a model goes by in tables of models: the Hub id, or the last part of a folder's
    name.
    """
    return identity(model).partition("@")[0] if "@" in identity(model) else Path(model).name


def _cached_commit(model: str) -> str | None:
    from huggingface_hub import try_to_load_from_cache

    for name in ("config.json", "modules.json"):
        file = try_to_load_from_cache(model, name)
        if isinstance(file, str):
            words = Path(file).parts
            return words[words.index("snapshots") + 1][:12]
    return None


def _content_hash(folder: Path) -> str:
    files = [
        path
        for path in folder.rglob("*")
        if path.is_file() and not re.search(r"(^|/)\.", path.relative_to(folder).as_posix())
    ]
    weights = [path for path in files if path.suffix == ".safetensors"] or [
        path for path in files if path.match("pytorch_model*.bin")
    ]
    digest = hashlib.sha256()
    for path in sorted([path for path in files if path.suffix in _DESCRIPTIONS] + weights):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
    return digest.hexdigest()[:12]


def complete(
    metric: str, model: str, info: Mapping[str, Any], optional: tuple[str, ...] = ()
) -> None:
    """Raise ModelError when loading made up weights that `model` does not hold; keys that contain
    an `optional` word do not matter.

    Libraries fill such gaps with random numbers and a warning, and the scores would be noise.
    """
    lacking = [
        key
        for key in sorted(map(str, info["missing_keys"]))
        if not any(word in key for word in optional)
    ]
    lacking += sorted(str(key) for key in info.get("mismatched_keys") or ())
    if lacking:
        raise ModelError(
            f"{metric} cannot use {model}: it lacks {len(lacking)} of the weights that are needed"
            f" (first: {lacking[0]}); {ways_out(metric)}"
        )


def device(name: str | None) -> "torch.device":
    """The torch device called `name`; None is the current CUDA device where there is one, else the
    CPU.

    Raises SettingError for a device that does not exist here.
    """
    import torch

    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(name)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise SettingError(
            f"csc_metric_device={name!r}: no such device here ({str(error).splitlines()[0]}); cpu"
            " always works"
        ) from None
    return chosen
