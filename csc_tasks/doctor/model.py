"""What the project will do with one model, a line each; `csc doctor --model MODEL`.

Read from the model's folder, or from what was fetched of it before. Its weights are loaded only for
the trial of lockstep play, in a process of its own.
"""

import contextlib
import json
import logging
import shlex
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from csc_tasks.doctor import BROKEN, NOTE, OK, Finding
from csc_tasks.doctor.model_adapter import adapter_findings
from csc_tasks.doctor.model_play import lockstep
from csc_tasks.doctor.model_template import template_findings
from csc_tasks.doctor.subject import Subject, in_bytes
from csc_tasks.errors import require
from csc_tasks.gguf import gguf_files, one_of_several, splits_as_learned


def describe(name: str, adapter: str | None = None, load: bool = False) -> Iterator[Finding]:
    """The findings about a model: a folder, a GGUF file, or a Hub id of which everything is here.

    adapter: the folder of a peft adapter on it. load: whether lockstep play is tried.
    """
    files = gguf_files(name)
    gguf = files[0] if len(files) == 1 else None
    folder = gguf.parent if gguf else local_folder(name)
    if folder is None:
        yield not_a_model(name)
        return
    if gguf and (reason := one_of_several(gguf)):
        yield Finding(BROKEN, "model", reason, "name the file that holds all of it")
        return
    subject = Subject(name, folder, Path(adapter).expanduser() if adapter else None, gguf)
    steps: dict[str, Callable[[Subject], Iterator[Finding]]] = {
        "model": model_findings,
        "weights": weight_findings,
        "context": length_findings,
        "chat template": template_findings,
        "adapter": adapter_findings,
        "lockstep play": lambda subject: lockstep(subject, load),
    }
    for step, look in steps.items():
        try:
            with quiet():
                findings = list(look(subject))
        except Exception as error:  # a model's files can be broken in any way
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            yield Finding(
                BROKEN, step, f"cannot be looked at ({reason})", "look at the model's files"
            )
            return
        yield from findings
        if any(finding.state == BROKEN for finding in findings):
            return
    yield Finding(OK, "score it with", scoring_command(subject))


def not_a_model(name: str) -> Finding:
    """What a name is that `local_folder` finds no model under."""
    folder = Path(name).expanduser()
    if (folder / "adapter_config.json").is_file():
        text = f"{name}: an adapter, not a model"
        return Finding(BROKEN, "model", text, f"csc doctor --model BASE --adapter {name}")
    if files := gguf_files(name):
        text = f"{name}: holds {len(files)} GGUF files"
        return Finding(BROKEN, "model", text, f"name one: csc doctor --model {files[0]}")
    text = f"{name}: no folder with a config.json, and no model that was fetched before"
    advice = "give the folder that save_pretrained wrote, or fetch it first (hf download ORG/NAME)"
    return Finding(BROKEN, "model", text, advice)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without what libraries say about themselves."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)


def local_folder(name: str) -> Path | None:
    """A folder with a config.json:

    `name` itself, or of a Hub id the local cache's; None without one.
    """
    folder = Path(name).expanduser()
    if (folder / "config.json").is_file():
        return folder
    if folder.exists():
        return None
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        config = try_to_load_from_cache(name, "config.json")
    except HFValidationError:
        return None
    return Path(config).parent if isinstance(config, str) else None


def scoring_command(subject: Subject) -> str:
    """The lm_eval command for this model."""
    place = subject.folder if subject.gguf else subject.name
    arguments: dict[str, object] = {"pretrained": str(place), **subject.reading}
    if subject.adapter:
        arguments["peft"] = str(subject.adapter)
    arguments |= subject.arguments
    shown = ",".join(f"{key}={value}" for key, value in arguments.items())
    words = ["lm_eval", "--model", "hf", "--model_args", shown, "--tasks", "csc_*"]
    if subject.templated:
        words.append("--apply_chat_template")
    if subject.settings:
        words += ["--metadata", json.dumps(subject.settings)]
    if subject.stop:
        words += ["--gen_kwargs", f"until={subject.stop}"]
    return shlex.join(words)


def model_findings(subject: Subject) -> Iterator[Finding]:
    """Architecture, parameters and memory; reads configuration and tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    if subject.gguf:
        require("gguf", "real", "a GGUF file")
        if note := splits_as_learned(subject.gguf):
            yield Finding(NOTE, "tokenizer", note)
    reading: dict[str, Any] = subject.reading
    subject.config = AutoConfig.from_pretrained(subject.folder, **reading)
    subject.tokenizer = AutoTokenizer.from_pretrained(subject.folder, **reading)
    with torch.device("meta"):
        automatic: Any = AutoModelForCausalLM  # its methods have no types
        subject.skeleton = automatic.from_config(subject.config)
    count = subject.skeleton.num_parameters()
    quantized = getattr(subject.config, "quantization_config", None)
    if quantized:
        if isinstance(quantized, dict):
            method = quantized.get("quant_method")
        else:
            method = quantized.quant_method
        size = f"quantised by {getattr(method, 'value', method)}"
    else:
        dtype = subject.config.dtype or torch.float32
        size = f"{in_bytes(count * dtype.itemsize)} in {str(dtype).removeprefix('torch.')}"
        if subject.gguf:
            size += f", unpacked from {subject.gguf.name} at every start"
    text = f"{type(subject.skeleton).__name__}, {in_words(count)} parameters, {size}"
    yield Finding(OK, "model", text)
    rows = getattr(subject.skeleton.get_input_embeddings(), "num_embeddings", None)
    tokens = len(subject.tokenizer)
    # Without its files transformers makes an empty tokenizer for some models and says nothing.
    if not subject.tokenizer.encode("a", add_special_tokens=False):
        text = f"no tokenizer in {subject.folder}: what is made without one knows no letters"
        yield Finding(BROKEN, "tokenizer", text, "save the model's own tokenizer beside it")
    elif rows and rows < tokens:
        text = f"the tokenizer knows {tokens:,} tokens, and the model has embeddings for {rows:,}"
        yield Finding(BROKEN, "vocabulary", text, "take the model's own tokenizer")


def weight_findings(subject: Subject) -> Iterator[Finding]:
    """Weights that are not there; nothing where all are."""
    if subject.gguf:
        return
    wanted: set[str] = set()
    for index in subject.folder.glob("*.index.json"):
        weight_map = json.loads(index.read_text(encoding="utf-8")).get("weight_map", {})
        wanted |= set(weight_map.values())
    missing = sorted(name for name in wanted if not (subject.folder / name).exists())
    kinds = ("*.safetensors", "pytorch_model*.bin")
    if missing:
        text = f"{len(missing)} of {len(wanted)} files are missing ({missing[0]})"
        yield Finding(BROKEN, "weights", text, "fetch the model again")
    elif not any(any(subject.folder.glob(kind)) for kind in kinds):
        yield Finding(
            BROKEN, "weights", f"there are none in {subject.folder}", "fetch the model again"
        )


def length_findings(subject: Subject) -> Iterator[Finding]:
    """How long a prompt may be, as lm_eval's hf backend finds it."""
    length = None
    for config in (getattr(subject.config, "text_config", None), subject.config):
        for name in ("n_positions", "max_position_embeddings", "n_ctx"):
            length = length or getattr(config, name, None)
    # A tokenizer that knows no limit says 10^30.
    if length is None and subject.tokenizer.model_max_length < 10**9:
        length = subject.tokenizer.model_max_length
    if length:
        yield Finding(OK, "context", f"{length:,} tokens")
    else:
        text = "the model names none, so lm_eval takes 2,048 tokens"
        yield Finding(NOTE, "context", text, "add max_length=N to --model_args")


def in_words(count: int) -> str:
    """A number of parameters for people."""
    for size, word in ((1e9, "billion"), (1e6, "million")):
        if count >= size:
            return f"{count / size:.2f} {word}"
    return f"{count:,}"
