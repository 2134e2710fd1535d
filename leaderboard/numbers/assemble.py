"""Measured rows -> tables, reports and samples: the data of a board folder."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from csc_tasks.file_names import safe_name
from csc_tasks.prompts import SPOKEN
from csc_tasks.runs.results_file import Identity, Measurement
from csc_tasks.runs.task_record import FORMAT_AND_CHOICE, TURNS, TaskRecord
from csc_tasks.verify import Trust
from leaderboard import trust
from leaderboard.board import (
    BREAKDOWNS,
    CONTRASTS,
    EFFICIENCY,
    Column,
    Comparison,
    Efficiency,
    Model,
    Row,
    Setting,
    Table,
    Value,
)
from leaderboard.columns import DRAFT_NOTE, columns, leading_column
from leaderboard.model_report import Diagnosis, TableGaps, Variant
from leaderboard.numbers import context_gap
from leaderboard.numbers.ceiling import NOTE as CEILING_NOTE
from leaderboard.numbers.ceiling import ceiling_of
from leaderboard.numbers.efficiency import efficiency
from leaderboard.numbers.inference import paired
from leaderboard.numbers.intervals import FEWEST
from leaderboard.numbers.measured import Measured, Rows, RunKey
from leaderboard.numbers.ranking import best_and_second, compare
from leaderboard.numbers.rows import repeat_notes, row_of, trust_of
from leaderboard.rated import notes as rating_notes
from leaderboard.reading.audits import Badge, Report, badge_of
from leaderboard.reading.comparable import TITLES, Selection, corpus_name, versions_of
from leaderboard.reading.models import in_groups

RULE = (
    "Intervals: 95 %, clustered by conversation, by t: of means with clusters - 1 degrees of"
    " freedom, of corpus metrics (BLEU, macro-F1) by the jackknife, N/A below"
    f" {FEWEST} conversations. A bounded value's is made on the logit scale, and is exact where"
    " nothing varies. Bold: better than every"
    " other row by the paired 95 % interval of the difference; underlined: next, and better than"
    " every row below by the same rule. p-values are corrected over all pairs of a column (Holm)."
)

FORCED_NOTE = (
    "As asked, an unparsed reply has no strategy and is wrong: strategy accuracy = accuracy where"
    " parsed x format rate. Forced, the strategy is the likeliest of the twelve names where the"
    " reply begins, and the reply is written after it, so that every turn has one."
)


LIVE_NOTE = (
    "The customer is simulated, and no audit of it on this corpus has passed, so nothing here is"
    " ranked (csc audit-customer, csc collect --audit)."
)


def table_ids(selections: Sequence[Selection]) -> list[str]:
    """A name for each table: its kind, the variant, and what it was split by."""
    names: list[str] = []
    for s in selections:
        words = [
            s.kind,
            *([s.config] if s.config not in ("csconv", "qa") else []),
            *(f"{k}-{v}" for k, v in s.split.items()),
        ]
        # `csc tables --table contrasts` is none of them.
        taken = [*names, CONTRASTS, BREAKDOWNS, EFFICIENCY]
        names.append(safe_name("-".join(words).replace("_", "-").replace(" ", "-"), taken))
    return names


def places_of(selections: Sequence[Selection]) -> dict[RunKey, dict[str, tuple[str, ...]]]:
    """Of every run, by the id of each table in which it stands, what this was split by, in
    words.
    """
    places: dict[RunKey, dict[str, tuple[str, ...]]] = {}
    for id_, selection in zip(table_ids(selections), selections, strict=True):
        for m in selection.measurements:
            places.setdefault((m.file, m.task), {})[id_] = _parted(selection)
    return places


def rows_of(
    selection: Selection, measured: Mapping[RunKey, Measured]
) -> dict[Identity, dict[str, Measured]]:
    """The measured tasks of each model of a table."""
    rows: dict[Identity, dict[str, Measured]] = {}
    for m in selection.measurements:
        rows.setdefault(m.identity, {})[m.task] = measured[m.file, m.task]
    return rows


def make_table(
    id_: str,
    selection: Selection,
    rows: Rows,
    models: Mapping[Identity, Model],
    raw: Mapping[RunKey, str],
    audits: Sequence[Report] = (),
) -> Table:
    """One table with values, paired comparisons and marks. raw: (results file, task) -> path of its
    copy in the board folder. audits: of customers of live conversations.
    """
    badge = badge_of(_proven(rows) or selection.measurements, audits)
    every = _columns(selection, rows, badge is None or badge.ranked)
    by_slug = {models[identity].slug: tasks for identity, tasks in rows.items()}
    made = {slug: row_of(slug, tasks, raw) for slug, tasks in by_slug.items()}
    comparisons: list[Comparison] = []
    best: dict[str, str] = {}
    second: dict[str, str] = {}
    for column in every:
        name = column.key.partition("/")[2]
        sums = {
            slug: tasks[column.task].columns[name]
            for slug, tasks in sorted(by_slug.items())
            if column.task in tasks
            and name in tasks[column.task].columns
            and made[slug].ranks(column)
        }
        compared = compare(column.key, sums)
        comparisons += compared
        own = _ranked(column, made)
        first, next_ = best_and_second(column, own, compared)
        best |= {column.key: first} if first else {}
        second |= {column.key: next_} if next_ else {}
    ordered = in_groups((models[identity] for identity in rows), _scores(every, made))
    in_order = tuple(made[model.slug] for model in ordered)
    measured = [one for tasks in rows.values() for one in tasks.values()]
    ceiling = ceiling_of(((one.ceiling, one.verified.proven) for one in measured), every)
    return Table(
        id=id_,
        kind=selection.kind,
        title=_title(selection),
        setting=_setting(selection, badge),
        documents={m.task: m.provenance.content_hash for m in selection.measurements},
        columns=every,
        rows=in_order,
        comparisons=tuple(comparisons),
        best=best,
        second=second,
        ceiling=ceiling,
        footnotes=(
            *_footnotes(selection, every, badge),
            *([CEILING_NOTE] if ceiling else []),
            *rating_notes(every, in_order),
            *repeat_notes(in_order),
        ),
    )


def _proven(rows: Rows) -> list[Measurement]:
    """The runs behind the rows of a table that can be ranked at all."""
    every = [one for tasks in rows.values() for one in tasks.values()]
    runs = [run for one in every for run in one.repeats or (one,)]
    return [run.measurement for run in runs if run.verified.proven]


def _columns(selection: Selection, rows: Rows, ranked: bool) -> tuple[Column, ...]:
    """The table's columns; what is measured in a draft language, or with a customer that no audit
    has passed, is not ranked.
    """
    signed: dict[str, dict[str, str]] = {}
    for tasks in rows.values():
        for task, found in tasks.items():
            m = found.measurement
            for name in found.values:
                signed.setdefault(task, {})[name] = m.provenance.signatures.get(name, "unsigned")
    drafts = drafts_of(selection)
    return tuple(
        column.model_copy(update={"ranked": False})
        if not ranked or (drafts and column.language in (None, *drafts))
        else column
        for column in columns(selection.kind, signed, _about(rows))
    )


def _ranked(column: Column, rows: Mapping[str, Row]) -> dict[str, Value]:
    """Slug -> the values of a column that may be ranked."""
    return {
        slug: row.values[column.key]
        for slug, row in rows.items()
        if column.key in row.values and row.ranks(column)
    }


def _scores(every: Sequence[Column], rows: Mapping[str, Row]) -> dict[str, float]:
    """Slug -> the value that rows are put in order by."""
    first = leading_column(every)
    values = _ranked(first, rows) if first else {}
    return {slug: value.value for slug, value in values.items() if value.value is not None}


def diagnoses(table: str, tasks: Mapping[str, Measured]) -> list[Diagnosis]:
    """What the samples say about one model in one table."""
    return [
        Diagnosis(table=table, task=task, **found.diagnosis)
        for task, found in tasks.items()
        if found.diagnosis
    ]


def gaps(table: str, tasks: Mapping[str, Measured]) -> list[TableGaps]:
    """Reference minus generated context, where a table has both for the model."""
    ref, gen = (_context(tasks, generated) for generated in (False, True))
    if not ref or not gen or ref.logged is None or gen.logged is None:
        return []
    found = context_gap.context_gaps(ref.logged, gen.logged, ref.means, gen.means)
    return [
        TableGaps(
            table=table, gaps=found, divergence=context_gap.divergence(ref.logged, gen.logged)
        )
    ]


def efficiencies(
    table: str, rows: Rows, models: Mapping[Identity, Model], known: Collection[tuple[str, str]]
) -> Iterator[Efficiency]:
    """What the turns of a table's rows took, but for the (model, task) that are known already."""
    for identity, tasks in rows.items():
        for task, found in tasks.items():
            slug = models[identity].slug
            if found.timings and (slug, task) not in known:
                yield efficiency(slug, task, table, found.timings)


def _about(rows: Rows) -> dict[str, TaskRecord]:
    """What each task of a table says of itself."""
    return {
        task: found.measurement.about for tasks in rows.values() for task, found in tasks.items()
    }


def _context(tasks: Mapping[str, Measured], generated: bool) -> Measured | None:
    """The table's first task that predicts turns in gold or in generated context."""
    placed = [
        (place.order, number, found)
        for number, found in enumerate(tasks.values())
        if (place := found.measurement.about.place("conversations"))
        and (found.measurement.unit, found.measurement.about.generated) == (TURNS, generated)
    ]
    return min(placed)[2] if placed else None


def variants(measured: Iterable[Measured]) -> list[Variant]:
    """One model's answers under every variant of the summaries, against config qa of the same
    corpus and prompt style; nothing where there is only one.
    """
    groups: dict[tuple[str, str], dict[str, Measured]] = {}
    for found in measured:
        m = found.measurement
        if m.about.place("questions"):
            asked = corpus_name(m), str(m.provenance.asked)
            groups.setdefault(asked, {})[m.provenance.config] = found
    several = {asked: own for asked, own in groups.items() if len(own) > 1}
    parts = [
        (f"{what} {asked[place]}", place)
        for asked in several
        for place, what in enumerate(("corpus", "prompt style"))
    ]
    telling = {place for place in (0, 1) if len({text for text, at in parts if at == place}) > 1}
    made: list[Variant] = []
    for asked, by_config in several.items():
        words = (f"{('corpus', 'prompt style')[place]} {asked[place]}" for place in sorted(telling))
        made += _against_plain(by_config, ", ".join(words))
    return made


def _against_plain(by_config: Mapping[str, Measured], within: str) -> Iterator[Variant]:
    plain = by_config.get("qa")
    for config, found in sorted(by_config.items()):
        for name, value in found.values.items():
            trusts = {trust_of(run, name) for run in (found, plain) if run and name in run.values}
            apart = None
            if config != "qa" and plain and name in plain.columns and name in found.columns:
                apart, _ = paired(found.columns[name], plain.columns[name])
            yield Variant(
                config=config,
                within=within,
                claimed=trusts != {Trust.RESCORED},
                metric=name,
                value=value,
                difference=apart,
            )


def _title(selection: Selection) -> str:
    parts = _parted(selection)
    return TITLES.get(selection.kind, selection.kind) + (f" ({'; '.join(parts)})" if parts else "")


def _parted(selection: Selection) -> tuple[str, ...]:
    """What tells a table from others of its kind, in words."""
    config = selection.config
    parts = [f"summaries {config.removeprefix('qa_')}"] if config.startswith("qa_") else []
    parts += [f"{name.replace('_', ' ')}: {value}" for name, value in selection.split.items()]
    return tuple(parts)


def _setting(selection: Selection, badge: Badge | None) -> Setting:
    """What the rows share; a value that only models have (a prompt style) is taken from one."""
    rows = sorted(
        selection.measurements,
        key=lambda m: (m.identity.baseline, m.provenance.prompt == SPOKEN),
    )
    first = rows[0]
    p = first.provenance
    revision = next((m.provenance.revision for m in rows if m.provenance.revision), None)
    return Setting(
        corpus=corpus_name(first),
        config=p.config,
        split=p.split,
        revision=revision,
        languages=tuple(p.languages),
        task_version=versions_of(selection.measurements),
        prompt=p.asked,
        chat_template=first.templated,
        limit=first.limit,
        reference=p.reference,
        customer=badge.customer if badge else None,
        audit=badge.text if badge else None,
        audit_page=badge.page if badge else None,
    )


def drafts_of(selection: Selection) -> list[str]:
    """The languages of a table that no native speaker has reviewed yet; what is measured in them is
    not ranked.
    """
    return sorted({code for m in selection.measurements for code in m.provenance.draft_languages})


def _footnotes(selection: Selection, every: Sequence[Column], badge: Badge | None) -> list[str]:
    signatures = {(c.label, c.signature): None for c in every if not c.rater}
    notes = [RULE, trust.RULE, *(f"{label}: {signature}" for label, signature in signatures)]
    rows = [m for m in selection.measurements if not m.identity.baseline]
    settings = Counter(dict(m.identity.settings).get("gen_kwargs", "default") for m in rows)
    if len(settings) > 1:
        notes.append(
            "Generation settings differ between rows:"
            f" {'; '.join(f'{text:.80}' for text, _ in settings.most_common())}"
        )
    if limit := selection.measurements[0].limit:
        notes.append(
            f"A part only: --limit, {limit} of {selection.measurements[0].provenance.rows}"
            " documents."
        )
    if selection.kind == FORMAT_AND_CHOICE:
        notes.append(FORCED_NOTE)
    if badge:
        notes.append(f"Customer: {rows[0].provenance.played}; {badge.text}.")
        notes += [] if badge.ranked else [LIVE_NOTE]
    elif any(m.about.generated for m in rows):
        notes.append(
            "Generated context: the customer's turns stay as recorded and may not fit what the"
            " model said before."
        )
    if (
        selection.kind in ("conversations",)
        and len(selection.measurements[0].provenance.languages) > 1
    ):
        notes.append(
            "Several languages: text metrics stand per language; strategy metrics are over both."
        )
    if drafts := drafts_of(selection):
        notes.append(
            f"{DRAFT_NOTE} ({', '.join(drafts)}): no native speaker has reviewed its prompts yet,"
            " so nothing here is ranked."
        )
    return notes
