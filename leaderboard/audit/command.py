"""Can the customer of a live run be believed? Its conversations beside recorded people's, on the
same conversations; the verdict may be no.

  csc audit-customer --simulated results/ --recorded path/to/dataset --out audit/
  csc audit-customer --simulated results/ --recorded demo --customer openai:MODEL --out audit/

Compared are number and length of turns, the pace of telling facts, dialogue acts, questions,
complaints, politeness, the path of the mood, vocabulary and repetition, endings, invented facts,
agreeing too readily, leaking the brief, coherence, whether all conversations follow one script, and
whether a classifier can tell played from recorded customers. A customer fails on a dimension where
it is further from recorded people than chance allows (permutations of conversations, Holm over the
dimensions); it passes with 30 conversations or more, where it fails nowhere and everything could be
examined. A customer that does not pass is shown on a board, and never ranked.

--simulated takes samples of cscx_conv_live (a folder or a file), or JSON lines of live dialogues.
--out gets customer_audit.json (which csc collect reads), .md, .html and a picture per dimension.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from csc_tasks.arguments import CORPUS, add_json
from csc_tasks.errors import SettingError, require
from csc_tasks.languages import languages
from csc_tasks.out import check_writable, replace_file, say_earlier
from csc_tasks.telling import show, show_document, tell
from leaderboard.customer_audit import NAME
from leaderboard.folder import dumped


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc audit-customer`."""
    parser.add_argument(
        "--simulated", required=True, type=Path, metavar="RUN", help="live conversations"
    )
    parser.add_argument(
        "--recorded", required=True, metavar="CORPUS", help=f"{CORPUS}: what the run was made with"
    )
    parser.add_argument("--revision", help="commit, tag or branch of a Hub corpus")
    parser.add_argument("--config", default="csconv", help="its config (default: csconv)")
    parser.add_argument("--split", default="test", help="its split (default: test)")
    parser.add_argument(
        "--customer", metavar="NAME", help="which customer, where there are several"
    )
    parser.add_argument("--language", choices=tuple(languages()), help="only this language")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of the random divisions (default: 0)"
    )
    parser.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="where the audit goes"
    )
    add_json(parser)


def main(args: Namespace) -> None:
    """Audit a customer, write the audit into args.out and print it.

    Raises DataError and SettingError as reading and pairing do.
    """
    require("sklearn", "leaderboard", "csc audit-customer")
    from leaderboard.audit.auditing import audit
    from leaderboard.audit.drawing import svg
    from leaderboard.audit.reading import pair, read_played, read_recorded
    from leaderboard.audit.showing import as_html, as_markdown, verdict_line

    if args.seed < 0:
        raise SettingError(f"--seed {args.seed}: must be 0 or more")
    check_writable(args.out)
    if (args.out / f"{NAME}.json").exists():
        say_earlier(f"{args.out} holds an earlier audit, which this one replaces")
    played = read_played(args.simulated, args.customer)
    corpus = read_recorded(args.recorded, args.config, args.split, args.revision)
    pairs = pair(played, corpus.items, args.language)
    result = audit(played, pairs, corpus, args.seed)
    text = as_markdown(result)
    for dimension in result.dimensions:
        if dimension.curve is not None:
            replace_file(
                args.out / "pictures" / f"{dimension.id}.svg", svg(dimension, result.customer)
            )
    replace_file(args.out / f"{NAME}.md", text)
    replace_file(args.out / f"{NAME}.html", as_html(result))
    replace_file(args.out / f"{NAME}.json", dumped(result))
    show(text)
    show(verdict_line(result))
    show_document(args.json, result.model_dump(mode="json"))
    tell(f"Wrote {args.out}/{NAME}.json, .md, .html and pictures/")


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
