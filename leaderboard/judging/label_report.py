"""How far the raters of a labelled corpus agree: people, models, and what the corpus came with.

    csc label report DIR
    csc label report DIR --out agreement/

DIR is a labelled corpus: a dataset folder that csc label run or csc label import wrote, a file, a
Hub id, or demo. For all raters, the people, the models, the samples of one model, and every two
raters: how often two of them name the same strategy first, Fleiss' kappa and Krippendorff's alpha
(nominal), each with its 95 % interval over conversations (jackknifed; exact where nothing varies).
Samples of one model agree because they are one model: that is no sign that it is right. Then what
is mistaken for what, and the turns that divide the raters most.

--out gets labels.md, labels.html (a page that stands alone) and labels.json (the same, for
programs). They quote turns of the corpus.
"""

from argparse import ArgumentParser, Namespace
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path

from csc_tasks.arguments import CORPUS, add_json
from csc_tasks.conversation import HOW_TO_LABEL, Conversation
from csc_tasks.corpora import load
from csc_tasks.errors import DataError, MissingSplit
from csc_tasks.framework import STRATEGY_IDS
from csc_tasks.out import check_writable, replace_file, say_earlier
from csc_tasks.telling import show, show_document, tell
from leaderboard.board import Value
from leaderboard.folder import dumped
from leaderboard.judging.agreement import PAGE
from leaderboard.judging.label_table import (
    Unit,
    against_others,
    agreement,
    confusion,
    confusion_of_all,
    dividing,
    kind_of,
    model_of,
    raters_of,
    units_of,
    with_majority,
)
from leaderboard.reliability_report import Report, Section, as_html, as_markdown

NAME = "labels"
SPLITS = ("train", "validation", "test")
PEOPLE, MODELS = "people (majority)", "models (majority)"
# Turns that are shown, and characters of each.
MOST, LONGEST = 20, 160

Cell = str | int | Value
COEFFICIENTS = ("turns", "same", "Fleiss' kappa", "alpha")


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc label report`."""
    add = parser.add_argument
    add("corpus", metavar="DIR", help=CORPUS)
    add("--config", default="csconv", choices=("csconv", "rolecs"), help="(default: csconv)")
    add(
        "--split",
        action="append",
        default=[],
        choices=SPLITS,
        help="of this split; repeatable (default: all there are)",
    )
    add("--out", type=Path, metavar="OUT", help="where the report goes (default: only printed)")
    add_json(parser)


def main(args: Namespace) -> None:
    """Print the report on a corpus' labels, and write it into args.out.

    Raises DataError for a corpus without labels.
    """
    if args.out is not None:
        check_writable(args.out)
        if (args.out / f"{NAME}.json").exists():
            say_earlier(f"{args.out} holds an earlier report, which this one replaces")
    made = report(read(args.corpus, args.config, args.split), args.corpus)
    text = as_markdown(made)
    show(text)
    show_document(args.json, made.model_dump(mode="json"))
    if args.out is not None:
        page = PAGE.format(title=made.title, body=as_html(made))
        replace_file(args.out / f"{NAME}.json", dumped(made))
        replace_file(args.out / f"{NAME}.md", text.encode())
        replace_file(args.out / f"{NAME}.html", page.encode())
        tell(f"Wrote {args.out}/{NAME}.md, .html and .json")


def read(name: str, config: str, splits: Sequence[str]) -> list[Conversation]:
    """The conversations of a corpus in these splits, or in all there are."""
    conversations: list[Conversation] = []
    missing = []
    # A file is one split, whatever it is called.
    one_file = Path(name).expanduser().is_file() and not splits
    for split in ("test",) if one_file else splits or SPLITS:
        try:
            conversations += load(name, config, split).items
        except MissingSplit as error:
            if splits:
                raise
            missing.append(error)
    if not conversations:
        raise missing[0]
    return conversations


def report(conversations: Sequence[Conversation], name: str) -> Report:
    """Everything that the labels of a corpus say about its raters.

    Raises DataError where no turn has a label.
    """
    units = units_of(conversations)
    if not units:
        raise DataError(f"{name}: no turn has labels of raters; {HOW_TO_LABEL}")
    raters = raters_of(units)
    groups: dict[str, list[str]] = defaultdict(list)
    for rater in raters:
        groups[kind_of(rater)].append(rater)
    by_number = Counter(len(unit.firsts) for unit in units)
    numbers = ", ".join(f"{n:,} of {k}" for k, n in sorted(by_number.items(), reverse=True))
    notes = (
        (
            f"{len(units):,} turns of {len({unit.conversation_id for unit in units}):,}"
            f" conversations have labels; turns by their number of raters: {numbers}"
        ),
        "compared is the strategy that a rater names first",
        (
            "numbers in brackets are 95 % intervals over conversations (t, jackknifed where a"
            " number is no mean, exact where nothing varies); – is undefined, never 0"
        ),
    )
    sections = [
        raters_section(units, raters),
        *group_section(units, groups),
        *pairs_section(units, groups),
        *confusion_section(units, groups),
        *dividing_section(units),
    ]
    return Report(
        title="How far the labels can be believed",
        notes=notes,
        signatures=(),
        sections=tuple(sections),
    )


def raters_section(units: Sequence[Unit], raters: Sequence[str]) -> Section:
    """A row a rater."""
    rows: list[tuple[Cell, ...]] = []
    for rater in raters:
        own = [unit for unit in units if rater in unit.firsts]
        rows.append(
            (
                rater,
                kind_of(rater),
                len(own),
                f"{sum(rater in unit.several for unit in own) / len(own):.1%}",
                len({unit.firsts[rater] for unit in own}),
                against_others(units, rater, raters),
            )
        )
    return Section(
        title="Raters",
        text=(
            "Against the others: how likely another rater of the same turn, drawn at random, names"
            " the same strategy first. It is what a perfect imitator of one rater could reach."
        ),
        columns=(
            "rater",
            "kind",
            "turns",
            "names several",
            "strategies used",
            "against the others",
        ),
        rows=tuple(rows),
    )


def group_section(units: Sequence[Unit], groups: Mapping[str, list[str]]) -> list[Section]:
    """Agreement within people, models, the samples of each model, and among all."""
    people, models = groups.get("person", []), groups.get("model", [])
    of_model: dict[str, list[str]] = defaultdict(list)
    for rater in models:
        of_model[model_of(rater)].append(rater)
    panels = {
        "all raters": [rater for own in groups.values() for rater in own],
        "people": people,
        "models, the first sample of each": [own[0] for own in of_model.values()],
        **{f"samples of {model}": own for model, own in of_model.items()},
    }
    rows = [
        (what, len(own), *coefficients)
        for what, own in panels.items()
        if len(own) > 1 and (coefficients := _coefficients(units, own))
    ]
    text = (
        "Of the turns that two or more of them labelled. Samples of one model are not independent:"
        " how far they agree says how sure it is, not whether it is right."
    )
    return _section("Agreement among several", text, ("raters", "how many", *COEFFICIENTS), rows)


def pairs_section(units: Sequence[Unit], groups: Mapping[str, list[str]]) -> list[Section]:
    """Agreement of every two raters, and of the majorities of people and models."""
    people, models = groups.get("person", []), groups.get("model", [])
    own = groups.get("corpus", [])
    more = list(units)
    majorities = []
    for name, raters in ((PEOPLE, people), (MODELS, models)):
        if len(raters) > 1:
            more = with_majority(more, name, raters)
            majorities.append(name)
    kinds = [
        ("people against models", [(a, b) for a in people for b in models]),
        ("corpus against people", [(a, b) for a in own for b in people]),
        ("corpus against models", [(a, b) for a in own for b in models]),
        (
            "of several together",
            [
                *([(PEOPLE, MODELS)] if len(majorities) == 2 else []),
                *((one, PEOPLE) for one in own if PEOPLE in majorities),
                *((one, MODELS) for one in (*own, *people) if MODELS in majorities),
                *((PEOPLE, one) for one in models if PEOPLE in majorities),
            ],
        ),
        ("between people", list(combinations(people, 2))),
        ("between models", list(combinations(models, 2))),
    ]
    rows = [
        (f"{a} – {b}", kind, *coefficients)
        for kind, pairs in kinds
        for a, b in pairs
        if (coefficients := _coefficients(more, [a, b]))
    ]
    text = (
        "Of the turns that both labelled. A majority is what most of them name first, of a tie the"
        " earliest of the twelve."
    )
    return _section("Agreement of two", text, ("raters", "kind", *COEFFICIENTS), rows)


def confusion_section(units: Sequence[Unit], groups: Mapping[str, list[str]]) -> list[Section]:
    """What models name where people, or else the corpus, name something else; without those, what
    any two raters name.
    """
    people, models = groups.get("person", []), groups.get("model", [])
    reference = people or groups.get("corpus", [])
    if reference and models:
        both = with_majority(with_majority(units, PEOPLE, reference), MODELS, models)
        counts = confusion(both, PEOPLE, MODELS)
        who = "people" if people else "the corpus"
        text = f"Turns: what most of {who} name first (rows), and most models (columns)."
        if not people:
            text = "Turns: what the corpus came with (rows), and what most models name (columns)."
    else:
        counts = confusion_of_all(units)
        text = (
            "Pairs of raters of one turn: what one names first (rows) and the other (columns); the"
            " table is the same read either way."
        )
    used = [one for one in STRATEGY_IDS if any(one in pair for pair in counts)]
    rows: list[tuple[Cell, ...]] = [
        (one, *(counts.get((one, other), 0) for other in used)) for one in used
    ]
    return _section("Confusion", text, ("", *used), rows)


def dividing_section(units: Sequence[Unit]) -> list[Section]:
    """The turns that most divide."""
    divided = dividing(units)
    rows = [
        (
            unit.conversation_id,
            unit.turn,
            unit.strategy,
            "; ".join(_votes(unit)),
            unit.text if len(unit.text) <= LONGEST else f"{unit.text[:LONGEST]}…",
        )
        for unit in divided[:MOST]
    ]
    text = (
        f"On {len(divided):,} turns raters name different strategies first; the"
        f" {len(rows)} on which the fewest pairs agree. Turns count from 0."
    )
    columns = ("conversation", "turn", "strategy", "who names what first", "what was said")
    return _section("Turns that divide", text, columns, rows)


def _votes(unit: Unit) -> Iterator[str]:
    """`GT: anna, model:x`, the commonest first."""
    who: dict[str, list[str]] = defaultdict(list)
    for rater, strategy in unit.firsts.items():
        who[strategy].append(rater)
    for strategy in sorted(who, key=lambda one: (-len(who[one]), STRATEGY_IDS.index(one))):
        yield f"{strategy}: {', '.join(who[strategy])}"


def _coefficients(units: Sequence[Unit], raters: Sequence[str]) -> tuple[Cell, ...]:
    """The cells that every table of agreement shows; none where no two labelled the same turn."""
    result = agreement(units, raters)
    return (result.units, result.same, result.kappa, result.alpha) if result.units else ()


def _section(
    title: str, text: str, columns: Sequence[str], rows: Sequence[tuple[Cell, ...]]
) -> list[Section]:
    if not rows:
        return []
    return [Section(title=title, text=text, columns=tuple(columns), rows=tuple(rows))]


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
