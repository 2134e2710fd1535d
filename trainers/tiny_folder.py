"""The folder of a tiny model: what is written into it, and over what it may be written."""

import json
from pathlib import Path

from csc_tasks.errors import SettingError
from csc_tasks.out import is_new, replace_folder

FORMAT = "csc-tasks tiny model, version 1"
"""Written into tiny.json; a folder without it is never replaced."""

ROOM = 64 << 20
"""Bytes that must be free: a model has about 12 MB, and an earlier one stays until the new one is
whole.
"""


def check_target(out: Path) -> bool:
    """Whether `out` holds an earlier model of ours, and nothing else; False where it is absent or
    empty.

    Raises SettingError for anything else, and where it cannot be written.
    """
    if is_new(out, room=ROOM):
        return False
    present = {path.relative_to(out).as_posix() for path in out.rglob("*") if not path.is_dir()}
    try:
        record = json.loads((out / "tiny.json").read_text(encoding="utf-8"))
        written = set(record["files"]) if record["format"] == FORMAT else None
    except (OSError, ValueError, LookupError, TypeError):
        written = None
    if written is None:
        raise SettingError(
            f"{out} is not empty and not a model that csc train tiny wrote; give another folder or"
            " empty this one"
        )
    strangers = sorted(present - written)
    if strangers:
        raise SettingError(
            f"{out} holds {', '.join(strangers[:3])} besides its model; move that away or give"
            " another folder"
        )
    return True


def save(model, tokenizer, record: dict, out: Path) -> dict:
    """Write the model folder beside `out` and move it into place; returns the record with the names
    of its files.
    """
    with replace_folder(out) as fresh:
        model.save_pretrained(fresh)
        tokenizer.save_pretrained(fresh)
        (fresh / "README.md").write_text(readme(record), encoding="utf-8")
        record = record | {"files": sorted([*(path.name for path in fresh.iterdir()), "tiny.json"])}
        (fresh / "tiny.json").write_text(
            json.dumps(record, ensure_ascii=False, indent=2) + "\n", encoding="utf-8"
        )
        # The weights come readable by their owner only; they get the permissions that a file made
        # here has.
        (fresh / "model.safetensors").chmod((fresh / "README.md").stat().st_mode)
        check_target(out)
    return record


def readme(record: dict) -> str:
    """The model folder's README: what this is, what it saw, and how to run it."""
    read = "\n".join(
        f"- {part['name']}, {part['config']}/{part['split']}, content {part['content_hash']}"
        for part in record["corpus"]
    )
    corpus = json.dumps(record["corpus"][0]["name"])
    return README.format(
        **record,
        tag_lines="\n".join(f"- {language}" for language in record["languages"]),
        read=read,
        name=corpus,
    )


README = """---
library_name: transformers
pipeline_tag: text-generation
language:
{tag_lines}
---
# A stand-in for checking the pipeline, not a model to use

`csc train tiny` trained these {parameters:,} parameters from scratch on one small corpus ({epochs}
epochs, {seconds:.0f} s on the CPU). They exist so that evaluation, scoring and tables can be tried
without downloading a model. The model repeats the phrases of its corpus, knows nothing else, and
its scores say nothing about any method.

It read, and nothing besides:

{read}

It knows the tasks' prompts in chat style only, so both settings below are needed:

    lm_eval --model hf --model_args pretrained=THIS_FOLDER --tasks csc_conv_ref \\
        --apply_chat_template \\
        --metadata '{{"csc_corpus": {name}, "csc_qa_corpus": {name}, "csc_prompt": "chat"}}'

`tiny.json` holds the settings, the counts and the losses.
"""
