"""A finished adapter -> one commit in a model repository on the Hub."""

import shlex
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path

from csc_tasks.adapter import RECORD
from csc_tasks.hub import Publication, publish
from trainers.adapter_card import write_card


def publish_adapter(args: Namespace, record: Mapping, out: Path) -> None:
    """Say what would be sent and, with --push, send it. The card gets the scores of `args.results`."""
    write_card(record, out, [Path(path) for path in args.results])
    files = {name: out / name for name in ("README.md", *sorted(set(record["files"]) - {"README.md"}))}
    publication = Publication(
        repo_id=args.repo_id, files=files, message=f"Publish an adapter for {record['recipe']['model']}", repo_type="model",
        private=args.private, marker=RECORD,
    )
    print(*publication.lines(), sep="\n")
    if not args.push:
        print("Dry run: nothing was sent. Add --push to publish.")
        return
    results = [word for path in args.results for word in ("--results", path)]
    again = ["csc", "train", "--out", args.out, "--repo-id", args.repo_id, *results, *(["--private"] if args.private else []), "--push"]
    publish(publication, shlex.join(again))
