"""The reliability report: how far judges and people agree, and what besides quality moves judges.
Assembled here, computed elsewhere.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from csc_tasks.errors import DataError
from leaderboard.board import Value
from leaderboard.judging import disagreements, effects, rating_tables
from leaderboard.judging.families import family
from leaderboard.judging.ratings import Comparison, Rating
from leaderboard.judging.strengths import Ranking, ranking
from leaderboard.reliability_report import Report, Section

ALL = "all"


def report(
    ratings: Sequence[Rating],
    comparisons: Sequence[Comparison],
    families: Mapping[str, str],
    signatures: Sequence[str] = (),
) -> Report:
    """Everything that ratings and comparisons say about their raters. Sections without anything to
    say are left out.

    Raises DataError where one name stands for two raters.
    """
    check_names(ratings, comparisons)
    judges = list(dict.fromkeys(rating.rater for rating in ratings if rating.kind == "judge"))
    humans = list(dict.fromkeys(rating.rater for rating in ratings if rating.kind == "human"))
    table = rating_tables.opinions(ratings)
    comparing = list(dict.fromkeys(comparison.rater for comparison in comparisons))
    sections = [
        *agreement_sections(
            table,
            [name for name in judges if name in table.scores],
            [name for name in humans if name in table.scores],
        ),
        *_some(disagreements.widest_section(ratings)),
        *_some(missing_section(ratings, comparisons)),
        *_some(position_section(comparisons, comparing)),
        *_some(disagreements.flips_section(comparisons)),
        *_some(length_section(ratings, judges)),
        *_some(self_preference_section(ratings, judges, families)),
        *_some(saturation_section(ratings, judges)),
        *_some(stability_section(ratings, judges)),
        *(section for rater in comparing for section in ranking_sections(comparisons, rater)),
    ]
    notes = [
        (
            f"{_counted(len(judges), 'judge')} and {len(humans)} people rated"
            f" {len({(r.model, r.unit) for r in ratings}):,} replies or conversations of"
            f" {len({r.model for r in ratings}):,} models; {_counted(len(comparing), 'judge')} made"
            f" {len(comparisons):,} comparisons"
        ),
        (
            "numbers in brackets are 95 % intervals over conversations (t, jackknifed where a"
            " number is no mean); – is undefined, never 0"
        ),
    ]
    return Report(
        title="How far the ratings can be believed",
        notes=tuple(notes),
        signatures=tuple(signatures),
        sections=tuple(sections),
    )


def check_names(ratings: Sequence[Rating], comparisons: Sequence[Comparison]) -> None:
    """Raise DataError where one name is a judge's and a person's, or that of two models."""
    known: dict[str, tuple[str, str]] = {}
    for rater, kind, asked in [
        *((r.rater, r.kind, r.asked) for r in ratings),
        *((c.rater, "judge", c.asked) for c in comparisons),
    ]:
        if known.setdefault(rater, (kind, asked)) != (kind, asked):
            one, other = (" ".join(filter(None, who)) for who in (known[rater], (kind, asked)))
            raise DataError(
                f"{rater} is the name of two raters ({one}; {other}); ask one again as --llm"
                " NAME=BACKEND:MODEL"
            )


def agreement_sections(
    opinions: rating_tables.Opinions, judges: Sequence[str], humans: Sequence[str]
) -> list[Section]:
    """Agreement within judges and within people per dimension, and between every two raters."""
    sections = []
    for title, raters in (("Agreement among judges", judges), ("Agreement among people", humans)):
        if len(raters) < 2:
            continue
        panel = opinions.of(raters)
        rows: list[tuple[str | int | Value, ...]] = []
        for dimension in [*sorted({key[2] for own in panel.scores.values() for key in own}), ALL]:
            result = rating_tables.agreement(
                panel if dimension == ALL else panel.in_dimension(dimension)
            )
            if result.units:
                rows.append((dimension, *_coefficients(result)))
        columns = (
            "dimension",
            "rated by two or more",
            "Fleiss' kappa",
            "ordinal alpha",
            "interval alpha",
        )
        text = (
            f"{', '.join(raters)}. Kappa and ordinal alpha on five classes, interval alpha on raw"
            " scores (0-100)."
        )
        sections.append(Section(title=title, text=text, columns=columns, rows=tuple(rows)))
    pairs = _pairs(opinions, judges, humans)
    if pairs:
        of_two: list[tuple[str | int | Value, ...]] = []
        for table, first, second in pairs:
            result = rating_tables.agreement(table.of([first, second]))
            if result.units:
                pair = f"{first} – {second}"
                of_two.append((pair, *_coefficients(result), result.spearman))
        headings = (
            "raters",
            "rated by both",
            "Fleiss' kappa",
            "ordinal alpha",
            "interval alpha",
            "Spearman",
        )
        text = (
            "All dimensions together. People's classes 1-5 stand at 10, 30, 50, 70 and 90 where raw"
            " scores are compared."
        )
        sections.append(
            Section(title="Agreement of two", text=text, columns=headings, rows=tuple(of_two))
        )
    return sections


def missing_section(ratings: Sequence[Rating], comparisons: Sequence[Comparison]) -> Section | None:
    """What became of the questions put to each judge."""
    rows: list[tuple[str | int | Value, ...]] = []
    for judge in dict.fromkeys(rating.rater for rating in ratings if rating.kind == "judge"):
        all_own = [rating for rating in ratings if rating.rater == judge]
        own = [rating for rating in all_own if not rating.failed]
        absent = [rating for rating in own if rating.scores is None]
        again = sum(rating.attempts > 1 for rating in own)
        rows.append(
            (
                judge,
                "ratings",
                len(own),
                again,
                len(absent),
                effects.missing_share(own),
                len(all_own) - len(own),
                _reasons(absent),
            )
        )
    for judge in dict.fromkeys(comparison.rater for comparison in comparisons):
        all_pairs = [comparison for comparison in comparisons if comparison.rater == judge]
        pairs = [comparison for comparison in all_pairs if not comparison.failed]
        undecided = [comparison for comparison in pairs if comparison.winner is None]
        rows.append(
            (
                judge,
                "comparisons",
                len(pairs),
                "–",
                len(undecided),
                effects.missing_share(pairs),
                len(all_pairs) - len(pairs),
                _reasons(undecided),
            )
        )
    columns = (
        "judge",
        "of",
        "asked",
        "more than once",
        "missing",
        "share missing",
        "failed turns",
        "why",
    )
    text = (
        "A reply that does not answer every item asked, by its name and in range, is asked again a"
        " few times and is then missing. Nobody is asked about a turn that failed."
    )
    return (
        Section(title="Parse failures", text=text, columns=columns, rows=tuple(rows), digits=3)
        if rows
        else None
    )


def position_section(comparisons: Sequence[Comparison], judges: Sequence[str]) -> Section | None:
    """Order and length in comparisons."""
    rows = []
    for judge in judges:
        effect = effects.position(
            [comparison for comparison in comparisons if comparison.rater == judge]
        )
        rows.append((judge, effect.first, effect.flips, effect.longer))
    columns = ("judge", "first minus second", "flips", "longer minus shorter")
    text = (
        "Every pair was shown in both orders. First minus second: 0 without an effect of order, 1"
        " if the first always wins. A flip, where the winner changed with the order, counts as a"
        " tie. The longer reply may also be the better one."
    )
    return (
        Section(title="Order in comparisons", text=text, columns=columns, rows=tuple(rows))
        if rows
        else None
    )


def length_section(ratings: Sequence[Rating], judges: Sequence[str]) -> Section | None:
    """Length in ratings."""
    rows = [(judge, *effects.length(ratings, judge)) for judge in judges]
    columns = ("judge", "points per doubling", "beyond the other raters")
    text = (
        "Between models in the same place. Longer replies may be better ones, so the second number"
        " is what this judge adds for length that the other raters, who see the same quality, do"
        " not; with two raters one's bonus is the other's malus."
    )
    known = [row for row in rows if row[1].value is not None]
    return (
        Section(title="Length in ratings", text=text, columns=columns, rows=tuple(known))
        if known
        else None
    )


def self_preference_section(
    ratings: Sequence[Rating], judges: Sequence[str], families: Mapping[str, str]
) -> Section | None:
    """Self-preference."""
    asked = {rating.rater: rating.asked for rating in ratings}
    rows = []
    for judge in judges:
        own = family(judge, families) or family(asked[judge].partition(":")[2], families)
        rows.append(
            (
                judge,
                own or "unknown",
                effects.self_preference(ratings, judge, asked[judge], families),
            )
        )
    columns = ("judge", "family", "points for its own family")
    text = (
        "What a judge gives models of its own family more than the other raters do, minus the same"
        " for other models in the same place. Undefined where its family is unknown or was not"
        " rated, or nobody else rated."
    )
    return (
        Section(title="Self-preference", text=text, columns=columns, rows=tuple(rows))
        if rows
        else None
    )


def saturation_section(ratings: Sequence[Rating], judges: Sequence[str]) -> Section | None:
    """How full the scale is."""
    rows = []
    for judge in judges:
        scale = effects.saturation(rating for rating in ratings if rating.rater == judge)
        if scale:
            usual = f"{scale.commonest:g}"
            rows.append(
                (
                    judge,
                    scale.full,
                    scale.top,
                    usual,
                    scale.commonest_share,
                    scale.different,
                    f"{scale.spread:.1f}",
                )
            )
    columns = (
        "judge",
        "share at 100",
        "share at 80 or more",
        "commonest",
        "its share",
        "different scores",
        "standard deviation",
    )
    text = (
        "A judge who gives nearly everything the same score says little about what is better,"
        " however well it agrees with others."
    )
    return (
        Section(title="Saturation", text=text, columns=columns, rows=tuple(rows)) if rows else None
    )


def stability_section(ratings: Sequence[Rating], judges: Sequence[str]) -> Section | None:
    """What was asked twice."""
    rows = []
    for judge in judges:
        repeats = effects.stability([rating for rating in ratings if rating.rater == judge])
        if repeats:
            rows.append((judge, repeats.difference, repeats.same_class, repeats.alpha))
    columns = ("judge", "mean difference in points", "same class", "interval alpha")
    text = "A seeded sample was asked a second time."
    return (
        Section(title="Asked twice", text=text, columns=columns, rows=tuple(rows)) if rows else None
    )


def ranking_sections(comparisons: Sequence[Comparison], rater: str) -> list[Section]:
    """Bradley-Terry scores of one judge, a section per task."""
    by_task: dict[str, list[Comparison]] = defaultdict(list)
    for comparison in comparisons:
        if comparison.rater == rater:
            by_task[comparison.task].append(comparison)
    rankings = {task: ranking(own) for task, own in by_task.items()}
    return [
        ranking_section(ranked, f"{rater}, {task}") for task, ranked in rankings.items() if ranked
    ]


def ranking_section(ranked: Ranking, where: str) -> Section:
    """A ranking as a table; models that share a letter are not significantly different."""
    letters = {model.model: "" for model in ranked.models}
    for letter, members in zip(_letters(), ranked.sets, strict=False):
        for model in members:
            letters[model] += letter
    rows = tuple((m.model, m.score, m.won, m.tied, m.lost, letters[m.model]) for m in ranked.models)
    text = (
        f"{ranked.comparisons:,} comparisons, {ranked.unusable:,} without a verdict in both orders"
        " left out. Bradley-Terry scores with ties (Davidson), mean 0; a difference of 1 is 2.7"
        " wins for each loss. Models that share a letter are not significantly different (95 %"
        " interval of their difference)."
    )
    if ranked.bounded:
        text += (
            " Some models were never beaten by the rest: half a win each way was added to every"
            " pair, and distances are lower bounds."
        )
    columns = ("model", "score", "won", "tied", "lost", "not significantly different")
    return Section(title=f"Comparisons: {where}", text=text, columns=columns, rows=rows)


def _coefficients(result: rating_tables.Agreement) -> tuple[int, Value, Value, Value]:
    """The cells that every table of agreement shows."""
    return result.units, result.kappa, result.ordinal, result.interval


def _pairs(
    table: rating_tables.Opinions, judges: Sequence[str], humans: Sequence[str]
) -> list[tuple[rating_tables.Opinions, str, str]]:
    """The pairs of raters worth showing, and the table that holds both."""
    pairs = [(table, a, b) for i, a in enumerate(judges) for b in judges[i + 1 :]]
    if humans:
        both = table.with_mean(rating_tables.HUMANS, humans)
        pairs += [(both, judge, rating_tables.HUMANS) for judge in judges]
        if len(judges) > 1:
            pairs.append(
                (
                    both.with_mean(rating_tables.JUDGES, judges),
                    rating_tables.JUDGES,
                    rating_tables.HUMANS,
                )
            )
    pairs += [(table, a, b) for i, a in enumerate(humans) for b in humans[i + 1 :]]
    return pairs


def _reasons(absent: Iterable[Rating | Comparison]) -> str:
    counted = Counter(item.problem.partition("; ")[0] for item in absent)
    return "; ".join(f"{count:,} {problem}" for problem, count in counted.most_common(3))


def _letters() -> Iterator[str]:
    """a to z, then a1 to z1, and so on."""
    number = 0
    while True:
        yield chr(ord("a") + number % 26) + ("" if number < 26 else str(number // 26))
        number += 1


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _some(section: Section | None) -> list[Section]:
    return [section] if section else []
