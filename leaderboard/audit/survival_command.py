"""Does the order of the models survive another customer? The same models with several customers of
cscx_conv_live, beside each other.

  csc customers results/ --audit audits/recorded --audit audits/scripted --out customers/

RESULTS hold live conversations (--log_samples) of two models or more with two customers or more,
and may hold csc_conv_gen of the same models. All is counted again from the logged dialogues. For
every measure that gives an order: the models' means with each customer, and Kendall's tau between
the customers' orders with an interval over conversations. Against csc_conv_gen: by how much each
model changes where the customer hears what it says. --audit shows each customer's verdict (csc
audit-customer) beside its name: made again from these runs and a corpus that you trust (--corpus;
the demo always is), else it is claimed. --out gets customers.md, .html and .json.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from csc_tasks.arguments import add_json
from csc_tasks.errors import SettingError, require
from csc_tasks.metrics.live_metrics import ORDERED_BY
from csc_tasks.out import check_writable, replace_file, say_earlier
from csc_tasks.telling import show, show_document, tell
from leaderboard.audit.candidates import Candidates, read_candidates
from leaderboard.audit.survival_report import survival_report
from leaderboard.customer_audit import CustomerAudit, load_audit
from leaderboard.folder import dumped
from leaderboard.judging.agreement import PAGE
from leaderboard.reading.audits import Badge, badge_for
from leaderboard.reliability_report import as_html, as_markdown

NAME = "customers"


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc customers`."""
    parser.add_argument(
        "results", nargs="+", type=Path, metavar="RESULTS", help="samples files, or folders of them"
    )
    parser.add_argument(
        "--metric",
        action="append",
        metavar="NAME",
        help=f"order the models by it ({', '.join(ORDERED_BY)}; default: all); repeatable",
    )
    parser.add_argument(
        "--audit",
        action="append",
        default=[],
        type=Path,
        metavar="DIR",
        help="what csc audit-customer wrote about a customer; repeatable",
    )
    parser.add_argument(
        "--corpus",
        action="append",
        default=[],
        metavar="CORPUS",
        help="a corpus you trust, to make audits again with; repeatable (demo is always trusted)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of the intervals (default: 0)"
    )
    parser.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="where the report goes"
    )
    add_json(parser)


def main(args: Namespace) -> None:
    """Compare the orders, write the report into args.out and print it.

    Raises DataError and SettingError as reading does.
    """
    require("scipy.special", "leaderboard", "csc customers")
    if args.seed < 0:
        raise SettingError(f"--seed {args.seed}: must be 0 or more")
    check_writable(args.out)
    if (args.out / f"{NAME}.json").exists():
        say_earlier(f"{args.out} holds an earlier report, which this one replaces")
    audits = [load_audit(file) for file in args.audit]
    found = read_candidates(args.results)
    for audit in audits:
        if audit.corpus not in found.corpora:
            raise SettingError(
                f"--audit: the audit of {audit.customer} is of a corpus with content"
                f" {audit.corpus}, the runs are of {', '.join(found.corpora)}"
            )
    badges = customer_badges(found, audits, args.corpus)
    report = survival_report(found, badges, args.metric or ORDERED_BY, args.seed)
    text = as_markdown(report)
    replace_file(args.out / f"{NAME}.md", text)
    replace_file(args.out / f"{NAME}.html", PAGE.format(title=report.title, body=as_html(report)))
    replace_file(args.out / f"{NAME}.json", dumped(report))
    show(text)
    show_document(args.json, report.model_dump(mode="json"))
    tell(f"Wrote {args.out}/{NAME}.md, .html and .json")


def customer_badges(
    found: Candidates, audits: Sequence[CustomerAudit], corpora: Sequence[str]
) -> dict[str, Badge]:
    """What is said of every customer: audits that are believed, of all its runs."""
    reports = []
    if audits:
        require("sklearn", "leaderboard", "csc customers --audit")
        from leaderboard.audit.believing import believe

        files = [file for own in found.files.values() for file in own]
        reports = believe(audits, files, corpora)
    return {
        customer: badge_for(
            customer,
            own,
            [one for one in reports if one.files & own.keys() or one.whole.customer == customer],
        )
        for customer, own in found.files.items()
    }


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
