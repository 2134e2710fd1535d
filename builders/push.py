"""Publish a dataset folder on the Hub as one commit.

    csc push DIR --repo-id ORG/NAME         says what would be sent; nothing leaves this machine
    csc push DIR --repo-id ORG/NAME --push  sends it

The repository is created where it is absent. Publishing again without a change makes no commit;
run.json (times, costs) differs between identical builds, so it goes along with other changes and is
no reason for a commit of its own. A split that the folder no longer has is deleted there too.

Refused are folders that no builder of ours wrote or that hold other files, rows that are not those
the card describes, a card without a licence, access tokens, and personal data: numbers of phones,
identity documents, bank cards and accounts, e-mail addresses. Each is listed once, masked, with a
name; it is published only when pii.yaml (--pii FILE) accepts it with why and who. The Hub is the
one that HF_ENDPOINT names, the token that of HF_TOKEN or `hf auth login`.
"""

import re
import shlex
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path

from builders.cards import registration
from builders.dataset import TEXT_FILES, filled_splits, parquet_name, read_folder
from builders.partial import check_whole
from builders.schema import SPLITS
from csc_tasks.errors import DataError
from csc_tasks.hub import Publication, publish
from csc_tasks.live.stored import CONFIG as BRIEFS
from csc_tasks.pii import Match, find_in_row, find_tokens
from csc_tasks.pii.gate import ACCEPTED, check
from csc_tasks.telling import show, tally
from csc_tasks.verify.manifest import NAME as MANIFEST
from csc_tasks.verify.manifest import write_manifest

RUN_RECORD = "run.json"
# What `csc push` itself may have put into a repository: of this, whatever the folder no longer has
# is deleted.
OURS = (
    r"eval\.yaml|figures/[^/]+\.png"
    rf"|(csconv|rolecs|qa|qa_\w+)/({'|'.join(SPLITS)})-\d+-of-\d+\.parquet"
)


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc push`."""
    parser.add_argument("folder", metavar="DIR", help="a dataset folder that a builder wrote")
    parser.add_argument(
        "--repo-id", required=True, metavar="ORG/NAME", help="the dataset repository"
    )
    parser.add_argument(
        "--private", action="store_true", help="create it private; refuse an existing public one"
    )
    parser.add_argument(
        "--pr", action="store_true", help="open a pull request instead of committing to main"
    )
    parser.add_argument("--tag", metavar="NAME", help="tag the commit, for example v1.0")
    parser.add_argument(
        "--pii",
        default=ACCEPTED,
        metavar="FILE",
        help=f"the findings that may be published, each with why and who (default: {ACCEPTED})",
    )
    parser.add_argument("--push", action="store_true", help="really send it")


def main(args: Namespace) -> None:
    """Show what a dataset folder would publish, look for personal data, and send it with args.push.

    Raises SettingError for a folder that is no dataset, DataError for personal data that nobody
    accepted, HubError where the Hub refuses.
    """
    folder = Path(args.folder)
    record, rows = read_folder(folder)
    check_whole(folder, record)
    licence = card_licence(folder / "README.md")
    if not (folder / MANIFEST).exists():  # built by an earlier version
        asked = {name: own for name, own in filled_splits(record).items() if name != BRIEFS}
        write_manifest(folder, args.repo_id, asked)
    publication = Publication(
        repo_id=args.repo_id,
        files=files_of(folder, record),
        message=f"Publish {_contents(record)}",
        private=args.private,
        pull_request=args.pr,
        tag=args.tag,
        passengers=frozenset({RUN_RECORD}),
        stale=OURS,
        marker="build.json",
    )
    show(*publication.lines(), f"licence: {licence}", sep="\n")
    if framework := registration.refused(folder / registration.NAME):
        tally(
            f"left out: {registration.NAME}: the Hub knows no evaluation framework {framework!r}"
            " and would refuse the commit; see docs/hub-registration.md"
        )
    check(chain(findings(rows), token_findings(publication.files)), args.pii)
    if not args.push:
        show("Dry run: nothing was sent. Add --push to publish.")
        return
    publish(publication, command(args))


def command(args: Namespace) -> str:
    """The command line that does the same again."""
    words = ["csc", "push", args.folder, "--repo-id", args.repo_id]
    words += [
        option
        for option, given in (
            ("--private", args.private),
            ("--pr", args.pr),
        )
        if given
    ]
    words += ["--tag", args.tag] if args.tag else []
    words += ["--pii", args.pii] if args.pii != ACCEPTED else []
    return shlex.join([*words, "--push"])


def files_of(folder: Path, record: Mapping) -> dict[str, Path]:
    """Path in the repository -> local file: the card first, then the data in the card's order."""
    data = [
        parquet_name(config, split) for config, parts in record["splits"].items() for split in parts
    ]
    figures = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))
    sent = {
        name: folder / name for name in (*TEXT_FILES, *data, *figures) if (folder / name).is_file()
    }
    if registration.refused(folder / registration.NAME):
        del sent[registration.NAME]
    return sent


def card_licence(card: Path) -> str:
    """The licence in a card's front matter. Raises DataError where there is none: nobody could use
    the data.
    """
    import yaml

    match = re.match(r"---\n(.*?)\n---\n", card.read_text(encoding="utf-8"), re.DOTALL)
    try:
        front_matter = yaml.safe_load(match[1]) if match else None
    except yaml.YAMLError as error:
        raise DataError(
            f"{card}: the front matter is not YAML ({' '.join(str(error).split())}); build the"
            " folder again"
        ) from None
    licence = front_matter.get("license") if isinstance(front_matter, dict) else None
    if not licence or not isinstance(licence, str | list):
        raise DataError(
            f"{card}: there is no licence; the front matter needs `license:` with an identifier the"
            " Hub knows, such as mit"
        )
    return licence if isinstance(licence, str) else ", ".join(map(str, licence))


def findings(rows: Mapping[str, Mapping[str, list[dict]]]) -> Iterator[tuple[str, Match]]:
    """(place, match) of every number and address in the rows (config -> split -> rows) that leads
    to a person.
    """
    for config, splits in rows.items():
        for split, part in splits.items():
            for row in part:
                name = row["conversation_id"] + (
                    f" question {row['turn_index']}" if "turn_index" in row else ""
                )
                for place, match in find_in_row(row):
                    yield f"{config}/{split} {name} {place}", match


def token_findings(files: Mapping[str, Path]) -> Iterator[tuple[str, Match]]:
    """(file, match) of access tokens in the card, in the settings of the build and in its run
    record. (An author's address may stand there.)
    """
    for name in TEXT_FILES:
        if name in files:
            text = files[name].read_text(encoding="utf-8")
            yield from ((name, match) for match in find_tokens(text))


def _contents(record: Mapping) -> str:
    sizes = {
        f"{config}/{split}": content["rows"]
        for config, parts in record["splits"].items()
        for split, content in parts.items()
    }
    return ", ".join(
        f"{name} ({rows:,} row{'s' if rows != 1 else ''})" for name, rows in sizes.items()
    )


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
