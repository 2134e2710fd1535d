"""Unpack a GGUF file into an ordinary model folder, once.

    csc convert MODEL.gguf --out DIR
    csc train --config rolecs --model DIR --out adapter

A model that exists only as a GGUF file can be scored as it is (`lm_eval --model hf --model_args
pretrained=FOLDER,gguf_file=FILE`), with adapters on it too. Training, NF4 and merging need ordinary
weights, and so do most servers. The folder holds what transformers makes of the file: weights in
float32 (--dtype), tokenizer, chat template and the tokens at which generation stops. Weights that
were quantised stay as coarse as they are. It is read again before it is put in place, and has to
hold the same weights and give the same tokens. A model that lies in several files is joined first
(llama-gguf-split --merge); a file without a weight that its model needs is refused.
"""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from csc_tasks.compat.transformers import gguf_ends
from csc_tasks.errors import ModelError, SettingError, require
from csc_tasks.gguf import gguf_files, one_of_several, splits_as_learned
from csc_tasks.out import replace_folder
from csc_tasks.telling import tell
from trainers.merge import check_folder
from trainers.merge_check import differing_weights

DTYPES = ("float32", "bfloat16", "float16")
PROBE = "[Greeting] Hello, how can I help?\n您好，请问有什么可以帮您？ 12:30\n\n1  2"
"""Text that both tokenizers have to read alike."""


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc convert`."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a GGUF file, or a folder with one")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder")
    parser.add_argument("--dtype", choices=DTYPES, default=DTYPES[0], help="default: float32")


def main(args: Namespace) -> None:
    """Write args.file as a model folder into args.out. Raises SettingError or ModelError for what
    cannot be read or written.
    """
    for library, extra in (("torch", "hf"), ("transformers", "hf"), ("gguf", "real")):
        require(library, extra, "csc convert")
    check_folder(args.out, "--out")
    file = the_file(args.file)
    count = convert(file, args.out, args.dtype)
    template = "" if has_template(args.out) else "; there is no chat template in it"
    tell(f"{args.out}: {file.name} as {count:,} weights in {args.dtype}{template}")
    left_out = weights_in(file) - count
    if left_out > 0:
        print(
            f"note: {left_out:,} more weights of {file.name} are of no use to transformers, which"
            " left them out: llama.cpp may answer otherwise",
            file=sys.stderr,
        )


def the_file(path: Path) -> Path:
    """The one GGUF file that `path` stands for. Raises SettingError where there is none, or
    several, or one part of a model.
    """
    files = gguf_files(path)
    if reason := next(filter(None, map(one_of_several, files)), None):
        raise SettingError(reason)
    if len(files) == 1:
        return files[0]
    if files:
        names = ", ".join(file.name for file in files)
        raise SettingError(f"{path}: holds {len(files)} GGUF files ({names}); name one of them")
    raise SettingError(f"{path}: no GGUF file, and no folder with one (a .gguf beside no config)")


def convert(file: Path, out: Path, dtype: str = DTYPES[0]) -> int:
    """Write the model in a GGUF file as a folder of safetensors; the number of its weights.

    Raises ModelError for a file that transformers cannot read, and where the folder does not load
    as what was written.
    """
    import torch
    from transformers import AutoTokenizer

    kind = getattr(torch, dtype)
    tokenizer, model = _read(file, kind)
    with replace_folder(out) as fresh:
        model.save_pretrained(fresh)
        tokenizer.save_pretrained(fresh)
        different = sorted(differing_weights(model.state_dict(), _weights(fresh, kind)))
        if different:
            raise ModelError(
                f"{file}: nothing is written: transformers loads other weights than it saved"
                f" ({', '.join(different[:3])})"
            )
        again = AutoTokenizer.from_pretrained(fresh)
        if again.encode(PROBE) != tokenizer.encode(PROBE) or (
            again.chat_template != tokenizer.chat_template
        ):
            raise ModelError(
                f"{file}: nothing is written: transformers loads the tokenizer that it saved as"
                " another one"
            )
    return int(model.num_parameters())


def weights_in(file: Path) -> int:
    """How many weights a GGUF file holds, whatever their types."""
    import gguf

    return sum(int(tensor.n_elements) for tensor in gguf.GGUFReader(file).tensors)


def has_template(folder: Path) -> bool:
    """Whether the tokenizer of a model folder has a chat template."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder).chat_template is not None


def plain_model(loaded: Any, kind: Any) -> Any:
    """A model with the weights of one that was loaded from a GGUF file.

    transformers refuses to save the loaded one, whose configuration still says how it was
    quantised.
    """
    import copy

    import torch

    config = copy.deepcopy(loaded.config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    config.dtype = kind
    with torch.device("meta"):
        model = type(loaded)(config)
    model.load_state_dict(loaded.state_dict(), assign=True)
    model.tie_weights()
    model.generation_config = loaded.generation_config
    return model


def _read(file: Path, kind: Any) -> tuple[Any, Any]:
    """(tokenizer, model) of a GGUF file."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    folder, where = str(file.parent), {"gguf_file": file.name}
    if note := splits_as_learned(file):
        print(f"note: {note}", file=sys.stderr)
    what = "not a GGUF file that transformers can read"
    try:
        AutoConfig.from_pretrained(folder, **where)
        what = "holds no tokenizer that transformers can read"
        tokenizer = AutoTokenizer.from_pretrained(folder, **where)
        what = "holds no weights that transformers can read"
        both: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=kind, output_loading_info=True, **where
        )
        loaded, loading = both
    # The reader of these files raises whatever the bytes make it raise.
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise ModelError(f"{file}: {what} ({reason})") from None
    if missing := sorted(loading["missing_keys"]):
        # transformers makes them up, and only warns.
        raise ModelError(
            f"{file}: lacks {len(missing)} of the weights that a {type(loaded).__name__} needs"
            f" ({', '.join(missing[:3])}); take a whole file"
        )
    model = plain_model(loaded, kind)
    ends = gguf_ends(file)
    if ends:
        # transformers takes the end of text alone, and a chat model ends a turn.
        model.generation_config.eos_token_id = ends if len(ends) > 1 else ends[0]
    return tokenizer, model


def _weights(folder: Path, kind: Any) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=kind).state_dict()


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
