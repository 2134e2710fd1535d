"""The adapter folder: what a training leaves, and how it is told apart from another.

    out/adapter_config.json adapter_model.safetensors   what peft and lm_eval load
    out/csc_adapter.json   recipe, data, prompt style, counts, losses
    out/loss.json  loss.png  README.md

While it is being made the folder holds `training.json` (what is trained) and `checkpoints/`
instead; the finished files are written in there too and moved out at the end, so that a kill at any
moment leaves something to go on from.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from csc_tasks.adapter import RECORD
from csc_tasks.errors import DataError, SettingError
from csc_tasks.file_names import stays_inside
from csc_tasks.out import replace_file
from trainers.recipe import Recipe, recipe_from

FORMAT = "csc-tasks adapter, version 1"
UNFINISHED = "training.json"
CHECKPOINTS = "checkpoints"
MADE = f"{CHECKPOINTS}/adapter"
"""Where the files of a finished adapter are written before they are moved into its folder."""
MIB = 1 << 20


def read_record(folder: Path) -> dict | None:
    """The record of a finished adapter of ours, or None."""
    record = _read(folder / RECORD)
    return record if record and record.get("format") == FORMAT else None


def state_of(out: Path, identity: str, overwrite: bool) -> str:
    """What to do with `out`: "new", "resume" or "finished" for the training called `identity`.

    Raises SettingError when the folder holds anything else; another training of ours only goes with
    `overwrite`, which does not touch this one: the command that was killed goes on with --overwrite
    too.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return "new"
    if not out.is_dir():
        raise SettingError(f"{out} is a file; give a folder to write")
    finished = read_record(out)
    record = finished or _read(out / UNFINISHED)
    if not record or "identity" not in record:
        raise SettingError(
            f"{out} is not empty and holds no adapter of ours; give another folder or empty"
            " this one"
        )
    known = {
        *record.get("files", ()),
        *(name for written in (RECORD, UNFINISHED) for name in (written, _part(written))),
    }
    strangers = sorted(_present(out) - known)
    if strangers:
        raise SettingError(
            f"{out} holds {', '.join(strangers[:3])} besides its adapter; move that away or give"
            " another folder"
        )
    if not (finished or any((out / CHECKPOINTS).glob("*"))):
        return "new"
    incomplete = overwrite and finished and _missing(out, finished)
    if record["identity"] == identity and not incomplete:
        return "finished" if finished else "resume"
    if overwrite:
        return "new"
    what = "an adapter" if finished else "an unfinished training"
    raise SettingError(
        f"{out} holds {what} with another recipe, base or data; give another folder, or replace it"
        " with --overwrite"
    )


def begin(out: Path, identity: str, state: str) -> None:
    """Make `out` ready: a new training starts from nothing, a resumed one keeps its checkpoints.
    SettingError where it cannot be written.

    The folder itself stays: it may be the one that the command was started in.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path in out.iterdir() if state == "new" else ():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        _write(out / UNFINISHED, {"format": FORMAT, "identity": identity})
    except OSError as error:
        raise SettingError(
            f"{out} cannot be written ({error.strerror}); give another folder with --out"
        ) from None


def finish(out: Path, record: Mapping) -> dict:
    """Move what is in MADE into `out`, write the record, which makes it a finished adapter, and
    remove what only a resume would need.
    """
    made = out / MADE
    files = sorted(_present(made))
    # Moved one by one: a kill between them leaves files that are known to be ours.
    _write(out / UNFINISHED, {"format": FORMAT, "identity": record["identity"], "files": files})
    for name in files:
        os.replace(made / name, out / name)
    record = {"format": FORMAT, **record, "files": [*files, RECORD]}
    _write(out / RECORD, record)
    (out / UNFINISHED).unlink(missing_ok=True)
    shutil.rmtree(out / CHECKPOINTS, ignore_errors=True)
    return record


def fingerprint(model: str, commit: str | None) -> str:
    """What tells one base from another: the commit of a Hub model, or the names, sizes, first and
    last MiB of a folder's weights.
    """
    if not Path(model).is_dir():
        return f"{model}@{commit}"
    digest = hashlib.sha256()
    for file in sorted(Path(model).glob("*.safetensors")) + sorted(Path(model).glob("*.json")):
        size = file.stat().st_size
        digest.update(f"{file.name} {size}\n".encode())
        with file.open("rb") as stream:
            digest.update(stream.read(MIB))
            stream.seek(max(0, size - MIB))
            digest.update(stream.read(MIB))
    return digest.hexdigest()[:16]


def recipe_of(record: Mapping) -> Recipe:
    """The recipe in a record."""
    return recipe_from(record["recipe"], RECORD)


def finished_record(folder: Path) -> dict:
    """The record of a finished adapter. Raises DataError where there is none, or files of it are
    gone.
    """
    record = read_record(folder)
    if record is None:
        raise DataError(
            f"{folder}: no finished adapter of ours (no readable {RECORD}); train it first, with"
            " --config FILE or recipe keys"
        )
    outside = [name for name in record["files"] if not stays_inside(name)]
    if outside:
        raise DataError(
            f"{folder}: {RECORD} names {outside[0]!r}, which is no file of the folder; train it"
            " again with --overwrite"
        )
    missing = _missing(folder, record)
    if missing:
        raise DataError(
            f"{folder} lacks {', '.join(missing)} of its adapter; put that back, or train it again"
            " with --overwrite"
        )
    return record


def _missing(folder: Path, record: Mapping) -> list[str]:
    # The card is written again when it is needed.
    return [
        name for name in record["files"] if name != "README.md" and not (folder / name).exists()
    ]


def _present(out: Path) -> set[str]:
    files = (path.relative_to(out) for path in out.rglob("*") if not path.is_dir())
    return {file.as_posix() for file in files if file.parts[0] != CHECKPOINTS}


def _read(file: Path) -> dict | None:
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def _part(name: str) -> str:
    return f".{name}.part"


def _write(file: Path, content: Mapping) -> None:
    replace_file(file, json.dumps(content, ensure_ascii=False, indent=2) + "\n")
