"""Publish a board: its results as a dataset, its page as a Space, its numbers on the pages of the
models.

    csc publish board/ --repo-id ORG/csc-results            says what would be sent; nothing leaves
                                                            this machine
    csc publish board/ --repo-id ORG/csc-results --push     sends it
    csc publish board/ --repo-id ORG/csc-results --space ORG/csc-leaderboard --eval-results --push

--repo-id    a dataset repository with the raw results files, flat tables (parquet) and a card that
             shows the board
--space      a static Space that shows index.html; it holds sampled conversations, so personal data
             in them are refused as in csc push, unless pii.yaml accepts them
--eval-results   a pull request with .eval_results/csc.yaml for every model of the board (or for
                 those named) that is a repository on the Hub, for corpora that are on the Hub too;
                 what is left out is listed

What is sent is written into DIR/publish first and can be looked at there. Publishing again without
a change makes no commit and no second pull request. The Hub is the one that HF_ENDPOINT names, the
token that of HF_TOKEN or `hf auth login`.
"""

import shlex
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path

from csc_tasks import hub
from csc_tasks.errors import SettingError
from csc_tasks.out import check_writable
from csc_tasks.pii.gate import ACCEPTED, check
from csc_tasks.telling import show


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc publish`."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="a board that csc collect wrote")
    parser.add_argument(
        "--repo-id", metavar="ORG/NAME", help="the dataset repository of the results"
    )
    parser.add_argument("--space", metavar="ORG/NAME", help="the static Space of the page")
    parser.add_argument(
        "--eval-results",
        nargs="*",
        metavar="MODEL",
        help="open pull requests on all models, or on these",
    )
    parser.add_argument(
        "--licence",
        default="mit",
        metavar="ID",
        help="of the results, as the Hub calls it (default mit)",
    )
    parser.add_argument(
        "--private",
        action="store_true",
        help="create dataset and Space private; refuse existing public ones",
    )
    parser.add_argument(
        "--tag", metavar="NAME", help="tag the dataset's commit, for example 2026-11"
    )
    parser.add_argument(
        "--pii",
        default=ACCEPTED,
        metavar="FILE",
        help=f"the findings that may be published, each with why and who (default: {ACCEPTED})",
    )
    parser.add_argument("--push", action="store_true", help="really send it")


def main(args: Namespace) -> None:
    """Show what of a board folder would be published, look for personal data and tokens, and send
    it with args.push.

    Raises SettingError where nothing is to be published, DataError for personal data that nobody
    accepted, HubError where the Hub refuses.
    """
    if not args.repo_id and not args.space:
        raise SettingError(
            "nothing to publish: give --repo-id ORG/NAME (the results), --space ORG/NAME (the page)"
            " or both"
        )
    from leaderboard.folder import checked_board
    from leaderboard.publishing import eval_results, personal_data
    from leaderboard.publishing.publications import (
        STAGING,
        propose,
        results_publication,
        space_publication,
    )

    board = checked_board(args.folder)
    check_writable(args.folder / STAGING, "DIR")
    again = command(args)
    publications = []
    found = [personal_data.in_report(args.folder)]
    if args.repo_id:
        licence, tag = args.licence, args.tag
        publications.append(
            results_publication(
                args.folder, board, args.repo_id, args.space, licence, private=args.private, tag=tag
            )
        )
    if args.space:
        publications.append(
            space_publication(args.folder, board, args.space, args.repo_id, args.private)
        )
        found.append(personal_data.on_page(args.folder, board))
    proposals: dict[str, list[dict]] = {}
    if args.eval_results is not None:
        where = (args.space, "space") if args.space else (args.repo_id, "dataset")
        owner = _owner(where[0], again) if args.push else None
        proposals, left_out = eval_results.entries(board, hub.page(*where), owner)
        proposals = _chosen(proposals, args.eval_results, left_out)
    for publication in publications:
        show(*publication.lines(), sep="\n")
        found.append(personal_data.in_files(publication.files))
    check(chain.from_iterable(found), args.pii)
    if args.eval_results is not None:
        show(*_proposal_lines(proposals, left_out), sep="\n")
    if not args.push:
        show(
            f"Dry run: nothing was sent; the files are in {args.folder / STAGING}. Add --push to"
            " publish."
        )
        return
    for publication in publications:
        hub.publish(publication, again)
    for model, entries in proposals.items():
        propose(args.folder, model, entries, again)


def command(args: Namespace) -> str:
    """The command line that does the same again."""
    words = ["csc", "publish", str(args.folder)]
    for option, value in (
        ("--repo-id", args.repo_id),
        ("--space", args.space),
        ("--tag", args.tag),
        ("--pii", args.pii if args.pii != ACCEPTED else None),
    ):
        words += [option, value] if value else []
    words += ["--licence", args.licence] if args.licence != "mit" else []
    words += ["--private"] if args.private else []
    words += ["--eval-results", *args.eval_results] if args.eval_results is not None else []
    return shlex.join([*words, "--push"])


def _owner(repository: str, again: str) -> dict[str, str] | None:
    """Whose the repository with the numbers is, as EvalResultEntry wants it; asked of the Hub, so
    only where something is sent.
    """
    name = repository.partition("/")[0]
    kind = hub.owner_kind(name, again)
    return {f"source_{kind}": name} if kind else None


def _chosen(
    proposals: Mapping[str, list[dict]], names: list[str], left_out: list[str]
) -> dict[str, list[dict]]:
    if unknown := [name for name in names if name not in proposals]:
        reasons = (
            "; ".join(line for line in left_out if any(name in line for name in unknown))
            or "the board has no such model"
        )
        raise SettingError(f"--eval-results {unknown[0]}: {reasons}")
    return {model: entries for model, entries in proposals.items() if not names or model in names}


def _proposal_lines(proposals: Mapping[str, list[dict]], left_out: list[str]) -> Iterator[str]:
    from leaderboard.publishing.eval_results import PATH

    for model, entries in proposals.items():
        yield f"model {model} at {hub.endpoint()}: a pull request with {PATH}"
        yield from (
            f"  {one['dataset']['id']} {one['dataset']['task_id']}: {one['value']} ({one['notes']})"
            for one in entries
        )
    if proposals:
        yield (
            "  The Hub ranks these on a dataset's page once the dataset is registered there as a"
            " benchmark: docs/hub-registration.md"
        )
    else:
        yield "evaluation results: no model of the board can be given any"
    yield from (f"  left out: {line}" for line in left_out)


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
