"""A finished adapter -> one commit in a model repository on the Hub."""

import json
import shlex
import tempfile
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path

from csc_tasks.adapter import RECORD
from csc_tasks.hub import Publication, publish
from csc_tasks.telling import show
from trainers.adapter_card import short_name, write_card


def publish_adapter(args: Namespace, record: Mapping, out: Path) -> None:
    """Say what would be sent and, with --push, send it. The card gets the scores of `args.results`;
    paths of this machine stay here.
    """
    write_card(record, out, [Path(path) for path in args.results])
    files = {
        name: out / name for name in ("README.md", *sorted(set(record["files"]) - {"README.md"}))
    }
    with tempfile.TemporaryDirectory() as scratch:
        publication = Publication(
            repo_id=args.repo_id,
            files=files | without_paths(files, record, Path(scratch)),
            repo_type="model",
            private=args.private,
            marker=RECORD,
            message=f"Publish an adapter for {short_name(record['recipe']['model'])}",
        )
        show(*publication.lines(), sep="\n")
        if not args.push:
            show("Dry run: nothing was sent. Add --push to publish.")
            return
        results = [word for path in args.results for word in ("--results", path)]
        again = [
            "csc",
            "train",
            "--out",
            args.out,
            "--repo-id",
            args.repo_id,
            *results,
            *(["--private"] if args.private else []),
            "--push",
        ]
        publish(publication, shlex.join(again))


def without_paths(files: Mapping[str, Path], record: Mapping, scratch: Path) -> dict[str, Path]:
    """Copies in `scratch` of the JSON files in which base or data are named by a folder, with its
    last part in place of the path.
    """
    recipe = record["recipe"]
    named = {
        recipe["model"],
        *recipe["data"],
        *record["tested"].values(),
        *(source["name"] for source in record["data"]),
    }
    named |= {recipe["test_data"]} if recipe["test_data"] else set()
    short = {
        json.dumps(name): json.dumps(short_name(name)) for name in named if short_name(name) != name
    }
    copies = {}
    for name, file in files.items():
        text = file.read_text(encoding="utf-8") if file.suffix == ".json" else ""
        shortened = text
        for path, last in short.items():
            shortened = shortened.replace(path, last)
        if shortened != text:
            copies[name] = scratch / name
            copies[name].write_text(shortened, encoding="utf-8")
    return copies
