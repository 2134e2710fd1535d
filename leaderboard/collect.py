"""Make a board from results: every number with its interval, paired comparisons, a diagnosis per
model, and a page to look at.

  csc collect results/ --out board/ --corpus path/to/dataset
  csc collect results/ rescored/ --replace --out board/ --reported tables.json --split-by prompt
  csc collect judged/ humans/ --replace --out board/ --reliability reliability/reliability.json
  csc tables board/

RESULTS are files or folders that lm_eval (--output_path DIR --log_samples), `csc score` or `csc
baselines --out` wrote. Without logged samples a row has its numbers, and no comparison and no
diagnosis. Ratings by `csc judge` and `csc human import` are columns like any other;
--reliability shows the report of `csc agreement` beside them.

Every number that needs no weights is computed again from the raw replies, as csc verify does, and
stands for what a file claims; what differs is named. A row is re-scored where all its numbers were,
and its documents are those of a corpus that you hold (--corpus; the demo is always trusted), partly
re-scored where some were, else claimed. Only re-scored numbers are compared, ranked and sent on;
ratings are ranked where the replies that they rate are proven.

Rows that cannot be compared are never mixed: another task version, corpus content or revision,
prompt style, chat template, reference, number of documents (--limit) or metric signature is an
error that names the rows, or makes separate tables with --split-by. Runs that differ only in their
seed are repeats, as those within one run are (csc_repeats), and make one row: means over them, how
far they are apart, and, where replies were sampled, how often all of them are right (pass^k). Two
runs of one model that differ in one other condition are a contrast, with paired differences (csc
tables --table contrasts). Of several runs of one model, task, settings and seed below one RESULTS
argument the newest is kept, which is said; below several they are rows of their own, since names
can be taken, unless --replace says that all are yours.

A file that cannot be read, or whose samples do not belong to it, is set aside and does not stop the
others: it is named with its reason on stderr, in board.json (`quarantine`), on the page and below
the tables, and the exit status is 0. --strict makes it an error.

Nothing is written outside --out; nothing leaves the machine. Of what a run was given the board
holds only what may be published: names without folders, revisions, types and the settings on a list
(csc_tasks/runs/public_lists.py); what else there is counts as a hash, "other settings".
"""

import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from csc_tasks import __version__
from csc_tasks.errors import SettingError, require
from csc_tasks.evidence import read_evidence
from csc_tasks.file_names import safe_name
from csc_tasks.out import replace_file
from csc_tasks.runs.public import LeftOut
from csc_tasks.runs.public_values import signature
from csc_tasks.runs.quarantine import Quarantine
from csc_tasks.runs.results_file import Identity, Measurement, iso, public_bytes
from csc_tasks.runs.task_record import CONVERSATIONS
from csc_tasks.shown import shown
from csc_tasks.telling import mention, show, show_document, tell
from csc_tasks.verify import read_references, shared, trusted_corpora
from leaderboard import trust
from leaderboard.audit_pages import believed_audits, write_audit_pages
from leaderboard.board import TITLE, Board, Efficiency, Model, SetAside
from leaderboard.collect_options import add_arguments
from leaderboard.customer_audit import CustomerAudit, load_audit
from leaderboard.earlier_board import check_out, clear
from leaderboard.folder import RELIABILITY, dumped, write_board
from leaderboard.leading import standings, who_leads
from leaderboard.model_report import Diagnosis, ModelReport, SampleSet, TableGaps, Variant
from leaderboard.numbers import assemble
from leaderboard.numbers.contrasts import contrasts
from leaderboard.numbers.efficiency import check_models, prices_of
from leaderboard.numbers.measured import Measured, Options, RunKey
from leaderboard.numbers.measuring import usable
from leaderboard.numbers.repeats import merge_repeats
from leaderboard.numbers.sample_set import make_samples
from leaderboard.page.render import write_page
from leaderboard.plain_table import as_text
from leaderboard.rated import doubts
from leaderboard.reading.comparable import select
from leaderboard.reading.models import name_models
from leaderboard.reading.origins import read_all
from leaderboard.reading.reported import read_reported
from leaderboard.reliability_report import Report, load_report


def main(args) -> None:
    """Make a board folder and its page from results files; print its tables and who leads them.

    Raises SettingError for a number out of range, DataError for results that cannot stand together.
    """
    require("scipy.special", "leaderboard", "csc collect")
    check_out(args.out)
    for name, least in (("samples", 0), ("jobs", 1), ("seed", 0)):
        if getattr(args, name) < least:
            raise SettingError(f"--{name} {getattr(args, name)}: must be at least {least}")
    evidence = read_evidence(args.evidence) if args.evidence else {}
    if args.reported:
        # Again with the columns once there are some; a broken file is better known before the
        # results are read.
        read_reported(args.reported, ())
    # Known before the results are read, which take long.
    trusted_corpora(args.corpus)
    if args.references:
        read_references(args.references)
    audits = [load_audit(file) for file in args.audit]
    options = Options(
        args.seed,
        args.samples,
        not args.no_fact_audit,
        evidence,
        tuple(args.corpus),
        args.references,
        prices_of(args.price),
    )
    board = collect(
        args.results,
        args.out,
        options,
        _fields(args.split_by),
        args.reported,
        args.jobs,
        args.title,
        args.reliability,
        args.strict,
        args.replace,
        audits,
    )
    write_audit_pages(args.out, board, audits)
    page = write_page(args.out)
    for note in board.notes:
        print(f"note: {note}", file=sys.stderr)
    tell(
        f"{args.out / 'board.json'}: {len(board.models)} models, {len(board.tables)} tables (csc"
        f" tables {args.out} prints them whole)\n{page}: the page\n"
    )
    # The first table is what the board is about: it stands last, where a terminal is read.
    show("\n\n".join(as_text(board, table) for table in reversed(board.tables)))
    show(f"\n{trust.summary(board)}\n")
    show("\n".join(who_leads(board)))
    document = {
        "board": str(args.out / "board.json"),
        "page": str(page),
        "tables": standings(board),
        "notes": board.notes,
        "quarantine": [one.model_dump(mode="json") for one in board.quarantine],
    }
    show_document(args.json, document)


def collect(
    paths: Sequence[Path],
    out: Path,
    options: Options,
    split: Sequence[str] = (),
    reported: Path | None = None,
    jobs: int = 1,
    title: str | None = None,
    reliability: Path | None = None,
    strict: bool = False,
    replace: bool = False,
    audits: Sequence[CustomerAudit] = (),
) -> Board:
    """Read results and write the board folder `out` (all but the page); returns the Board.

    audits: of customers of live conversations. reliability: the report of `csc agreement` (or its
    folder) that stands on the board; without one, that of an earlier board goes. Files that cannot
    be read, or do not belong together, are set aside and named on the board. Raises DataError for
    runs that cannot be compared, where no file is left, and for the first bad file where `strict`.
    """
    notes: list[str] = []
    report = _reliability(reliability) if reliability else None
    aside = Quarantine(paths, strict)
    every = read_all(paths, notes, aside, apart=not replace)
    measurements, each = usable(every, options, split, jobs, notes, aside)
    believed = believed_audits(audits, measurements, options.corpora)
    notes += [report.note for report in believed if report.note]
    measured = merge_repeats(each, notes)
    selections = select(measurements, split)
    models = name_models(measurements)
    check_models(options.prices, (model.name for model in models.values()))
    raw = _copies(out, measurements, models)
    tables, samples = [], {}
    took: list[Efficiency] = []
    diagnoses: dict[str, list[Diagnosis]] = defaultdict(list)
    gaps: dict[str, list[TableGaps]] = defaultdict(list)
    for id_, selection in zip(assemble.table_ids(selections), selections, strict=True):
        rows = assemble.rows_of(selection, measured)
        table = assemble.make_table(id_, selection, rows, models, raw, believed)
        if reported and selection.kind == CONVERSATIONS:
            printed, footnotes = read_reported(reported, table.columns)
            table = table.model_copy(
                update={"reported": printed, "footnotes": (*table.footnotes, *footnotes)}
            )
        if note := aside.note():
            table = table.model_copy(update={"footnotes": (*table.footnotes, note)})
        tables.append(table)
        known = {(one.model, one.task) for one in took}
        took += assemble.efficiencies(id_, rows, models, known)
        samples[id_] = make_samples(id_, rows, models, options.seed)
        for identity, tasks in rows.items():
            diagnoses[models[identity].slug] += assemble.diagnoses(id_, tasks)
            gaps[models[identity].slug] += assemble.gaps(id_, tasks)
        mention(f"table {id_}: {len(rows)} rows, {len(table.comparisons)} comparisons")
    notes += trust.notes((run.measurement, run.verified) for run in each.values())
    notes += [
        f"{shown(one.item)}, {one.task}: {shown(one.sentence)}"
        for one in shared(said for run in each.values() for said in run.said)
    ]
    notes += doubts(
        (column for table in tables for column in table.columns),
        report.signatures if report else None,
    )
    reports = {
        model.slug: ModelReport(
            slug=model.slug,
            diagnoses=tuple(diagnoses[model.slug]),
            gaps=tuple(gaps[model.slug]),
            variants=_variants(measured.values(), identity),
        )
        for identity, model in models.items()
    }
    board = Board(
        title=title or TITLE,
        project=__version__,
        date=iso(max(m.date for m in measurements)),
        seed=options.seed,
        models={model.slug: model for model in models.values()},
        tables=tuple(tables),
        contrasts=contrasts(measured.values(), models, raw, assemble.places_of(selections)),
        efficiency=tuple(took),
        notes=tuple(notes),
        quarantine=tuple(SetAside(file=file, reason=why) for file, why in aside.entries()),
    )
    _write(out, board, reports, samples, report, raw.values())
    aside.say()
    return board


def _variants(measured: Iterable[Measured], identity: Identity) -> tuple[Variant, ...]:
    own = (found for found in measured if found.measurement.identity == identity)
    return tuple(assemble.variants(own))


def _write(
    out: Path,
    board: Board,
    reports: Mapping[str, ModelReport],
    samples: Mapping[str, SampleSet],
    report: Report | None,
    raw: Iterable[str],
) -> None:
    """Write the folder, and remove what an earlier board left in it."""
    if report:
        replace_file(out / RELIABILITY, dumped(report))
    else:
        (out / RELIABILITY).unlink(missing_ok=True)
    clear(
        out,
        {
            *raw,
            *(f"models/{slug}.json" for slug in reports),
            *(f"samples/{id_}.json" for id_ in samples),
        },
    )
    write_board(out, board, reports, samples)


def _reliability(file: Path) -> Report:
    report = load_report(file / RELIABILITY if file.is_dir() else file)
    # A judge may have been served from a folder of somebody's home.
    signed = (made for made in map(signature, report.signatures) if isinstance(made, str))
    return report.model_copy(update={"signatures": tuple(signed)})


def _fields(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _copies(
    out: Path, measurements: Sequence[Measurement], models: Mapping[Identity, Model]
) -> dict[RunKey, str]:
    """Copy what may be published of each results file below out/raw, once; (file, task) -> the
    copy's path in the board folder. What stays is counted and said.
    """
    left = LeftOut()
    names: dict[Path, str] = {}
    for m in measurements:
        if m.file in names:
            continue
        folder = f"raw/{models[m.identity].slug}"
        name = f"{folder}/{safe_name(m.file.name, ending='.json')}"
        if name in names.values():
            name = f"{folder}/{safe_name(f'{m.file.stem}-{m.sha256[:8]}.json', ending='.json')}"
        names[m.file] = name
        replace_file(out / name, public_bytes(m, left))
    if line := left.line():
        print(line, file=sys.stderr)
    return {(m.file, m.task): names[m.file] for m in measurements}


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
