"""lm_eval's `--use_cache`, kept apart for every model that uses the same file.

lm_eval finds a cached answer by the request alone, so that a file filled by one model is served to
the next as its own. While our requests are played their keys carry who answered (`identity`): the
weights, how they are stored, the tokenizer, or the model's name at a server.
"""

import hashlib
import json
import pickle
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lm_eval.api.model import CachingLM

from csc_tasks.errors import SettingError

NAMES = (
    *("pretrained", "model", "model_name", "revision", "subfolder", "peft", "delta"),
    *("tokenizer", "dtype", "quantization", "add_bos_token", "custom_prefix_token_id"),
    *("think_end_token", "chat_template_args", "lora_local_path", "_seed"),
)
"""Attributes of lm_eval's backends that tell one model from another, where they are plain values;
and the seed that a server is sent, so that a repeat with another one is no copy from a cache.
"""
HARDWARE = {
    *("tensor_parallel_size", "data_parallel_size", "pipeline_parallel_size", "device"),
    *("gpu_memory_utilization", "max_num_seqs", "swap_space", "seed", "disable_log_stats"),
    *("mem_fraction_static", "tp_size", "dp_size"),
}
"""Engine arguments (vLLM, sglang) that say where a model runs, and not which model it is."""
SAMPLED = 16
"""Values of each tensor that enter a model's fingerprint."""


class OwnCache:
    """A model's own part of a cache: what it asks for and what is stored carries `owner`.

    Every method raises SettingError when the file cannot be read or written.
    """

    def __init__(self, store: Any, owner: str, path: str) -> None:
        self.store = store
        self.owner = owner
        self.path = path

    def __contains__(self, key: str) -> bool:
        with _readable(self.path):
            return self._key(key) in self.store

    def __getitem__(self, key: str) -> Any:
        # Whatever unpickling damaged bytes raises; that a key is not there is no damage.
        with _readable(self.path, AttributeError, ImportError, IndexError, ValueError):
            return self.store[self._key(key)]

    def __setitem__(self, key: str, value: Any) -> None:
        with _readable(self.path):
            self.store[self._key(key)] = value

    def get(self, key: str, default: Any = None) -> Any:
        try:
            return self[key]
        except KeyError:
            return default

    def commit(self) -> None:
        with _readable(self.path):
            self.store.commit()

    def _key(self, key: str) -> str:
        return hashlib.sha256(f"{self.owner}\n{key}".encode()).hexdigest()


@contextmanager
def of_this_model(lm: Any, repeat: int = 0) -> Iterator[None]:
    """While this is open, a cache that `lm` has holds and gives only what this very model said, in
    this repeat of a run. Repeat 0 shares its part with runs that ask once.
    """
    if not isinstance(lm, CachingLM):
        yield
        return
    whole = lm.dbdict
    owner = identity(lm.lm) + (f" repeat {repeat}" if repeat else "")
    own = OwnCache(whole, owner, lm.cache_db)
    hook = lm.lm.cache_hook
    lm.dbdict = hook.dbdict = own
    try:
        yield
    finally:
        lm.dbdict = hook.dbdict = whole


def check_cache(path: str) -> None:
    """Raise SettingError for a `--use_cache` whose files are there and are no caches."""
    place = Path(path)
    for file in sorted(place.parent.glob(f"{place.name}_rank*.db")):
        with _readable(str(file)):
            database = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)
            try:
                (answer,) = database.execute("PRAGMA quick_check(1)").fetchone()
            finally:
                database.close()
            if answer != "ok":
                raise sqlite3.DatabaseError(answer)


def identity(model: Any) -> str:
    """A hash of what tells `model`, an lm_eval backend, from others.

    For models that run in this process it follows the weights themselves: a folder that was trained
    anew under its old name is another model, a copy of a folder is the same one. At a server it is
    the model's name, whatever the address; what the server loaded under that name cannot be seen.
    """
    known: dict[str, object] = {"backend": type(model).__name__}
    attributes = {name: getattr(model, name, None) for name in NAMES}
    known |= {name: value for name, value in attributes.items() if _plain(value)}
    engine = getattr(model, "model_args", None)
    if isinstance(engine, Mapping):
        known["engine"] = {
            name: str(value) for name, value in engine.items() if name not in HARDWARE
        }
    tokenizer = getattr(model, "tokenizer", None)
    if hasattr(tokenizer, "get_vocab"):
        known["tokenizer"] = _tokenizer(tokenizer)
    weights = getattr(model, "model", None)
    if hasattr(weights, "state_dict"):
        # The name of a folder is no part of the model that is in it.
        for name in ("pretrained", "peft", "delta", "model"):
            known.pop(name, None)
        known["weights"] = fingerprint(weights)
    text = json.dumps(known, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def fingerprint(weights: Any) -> str:
    """A hash of a torch module: its configuration, and of every tensor its name, type, shape and
    up to SAMPLED values spread over it. Tensors that are not in memory count with their shape.
    """
    import torch

    digest = hashlib.sha256()
    if hasattr(weights, "config") and hasattr(weights.config, "to_dict"):
        # Keys with an underscore hold where it was loaded from.
        settings = weights.config.to_dict().items()
        described = {key: str(value) for key, value in settings if not key.startswith("_")}
        digest.update(json.dumps(described, sort_keys=True).encode())
    for name, adapter in sorted((getattr(weights, "peft_config", None) or {}).items()):
        digest.update(f"{name} {sorted(map(str, adapter.to_dict().items()))}".encode())
    for name, tensor in weights.state_dict().items():
        if not isinstance(tensor, torch.Tensor):
            continue
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        if tensor.device.type == "meta" or not tensor.numel():
            continue
        # Fewer bytes than a tensor has, but none of its rows is left out by a stride of their size.
        places = torch.linspace(0, tensor.numel() - 1, SAMPLED, dtype=torch.float64).long()
        values = tensor.detach().reshape(-1)[places.to(tensor.device)].cpu().contiguous()
        digest.update(values.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _tokenizer(tokenizer: Any) -> dict[str, object]:
    template = getattr(tokenizer, "chat_template", None)
    vocabulary = hashlib.sha256(
        json.dumps(tokenizer.get_vocab(), sort_keys=True).encode("utf-8", "replace")
    )
    known: dict[str, object] = {
        "vocabulary": vocabulary.hexdigest(),
        "chat_template": str(template),
    }
    splitting = getattr(getattr(tokenizer, "backend_tokenizer", None), "pre_tokenizer", None)
    if splitting is not None:
        # One vocabulary gives other tokens where texts are split in another way.
        known["splitting"] = hashlib.sha256(repr(splitting).encode()).hexdigest()
    return known


def _plain(value: object) -> bool:
    return isinstance(value, str | int | float | dict)


@contextmanager
def _readable(path: str, *more: type[Exception]) -> Iterator[None]:
    kinds: tuple[type[Exception], ...] = (sqlite3.Error, pickle.UnpicklingError, EOFError, *more)
    try:
        yield
    except kinds as error:
        raise SettingError(
            f"--use_cache: {path} is no cache of lm_eval, or it is damaged ({error}); "
            "delete it or name another"
        ) from None
