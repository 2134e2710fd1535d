"""Are a run's documents those of a trusted corpus, and all that its settings imply?

Documents are asked about in the order of sha256(id). So a subset (`csc_subset`) and `--limit` are
prefixes of that order, after the language filter, and any other selection is somebody's choice.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from csc_tasks import corpora
from csc_tasks.documents import document_key
from csc_tasks.labels import labels_hash, row_labels_hash
from csc_tasks.metrics.metric import LABELS
from csc_tasks.metrics.result_names import labels_in, metric_of
from csc_tasks.question import QA_STAGES
from csc_tasks.runs.results_file import Measurement
from csc_tasks.runs.samples_file import Run
from csc_tasks.runs.task_record import ANSWERS, TaskRecord
from csc_tasks.verify.manifest import Entry, row_hash
from csc_tasks.verify.trusted import DEMO, Held, Trusted
from csc_tasks.verify.verdict import Finding


@dataclass(frozen=True, slots=True)
class Documents:
    """matched: every document is one of the trusted corpus, and none that is due is missing or
    there twice. corpus: what it was compared with, "" for nothing. languages: of all documents that
    the run's task holds, those beyond --limit included.
    """

    matched: bool
    corpus: str
    languages: tuple[str, ...]
    findings: tuple[Finding, ...]


def check_documents(
    run: Run, measurement: Measurement, about: TaskRecord, trusted: Trusted
) -> Documents:
    """Compare a run's documents with the trusted corpus that shares most of them."""
    rows = [(document_key(line["doc"]), line["doc"]) for line in run.lines]
    stated = tuple(sorted(set(measurement.provenance.languages)))
    held = _closest(rows, measurement, trusted)
    if held is None:
        place = f"{measurement.provenance.config}/{measurement.provenance.split}"
        nothing = Finding(
            run.task,
            "corpus",
            "",
            "",
            f"no trusted corpus has {place}; give one with --corpus",
            contradicts=False,
        )
        return Documents(False, "", stated, (nothing,))
    known = held.by_key()
    if not any(key in known for key, _ in rows):
        other = Finding(
            run.task,
            "corpus",
            "",
            "",
            f"its documents are of another corpus than {held.name}",
            contradicts=measurement.provenance.corpus == DEMO,
        )
        return Documents(False, held.name, stated, (other,))
    findings = _differences(run.task, rows, held, known)
    matched = not findings
    if (selected := _selected(run, measurement, about, held)) is None:
        claimed = f"{len(rows)} documents"
        findings.append(
            Finding(
                run.task,
                "documents",
                claimed,
                f"{_due(held, about)} of {held.name}",
                "these are not the documents that the run's settings imply: of a subset or --limit"
                " the first in the corpus's order, else all",
            )
        )
        return Documents(False, held.name, stated, tuple(findings))
    languages = tuple(sorted({entry.language for entry in selected}))
    if counts := _counts(run, measurement):
        matched = False
        findings += counts
    if matched:
        findings += _stated(run.task, measurement, dict(rows), selected, languages)
        labelled = any(row_labels_hash(row) for _, row in rows)
        findings += _labels(run.task, measurement, held, labelled)
    return Documents(matched, held.name, languages, tuple(findings))


def _closest(
    rows: Sequence[tuple[str, Mapping[str, object]]], measurement: Measurement, trusted: Trusted
) -> Held | None:
    """The trusted split that has most of these documents, unchanged where several have them, and
    with these labels: two versions of a dataset have the same ids, and what several raters say is
    no part of a row. None where there is no such split.
    """
    place = measurement.provenance.config, measurement.provenance.split
    candidates = trusted.held(*place)
    if measurement.provenance.corpus == DEMO:
        demo = trusted.demo(*place)
        candidates += [demo] if demo is not None else []
    if len(candidates) < 2:
        return next(iter(candidates), None)
    hashes = {key: row_hash(row) for key, row in rows}
    labels = {key: row_labels_hash(row) for key, row in rows}

    def shared(held: Held) -> tuple[int, int, int]:
        there = [entry for entry in held.entries if entry.key in hashes]
        unchanged = sum(hashes[entry.key] == entry.sha256 for entry in there)
        return unchanged, len(there), sum(labels[one.key] == one.labels for one in there)

    return max(candidates, key=shared)


def _differences(
    task: str,
    rows: Sequence[tuple[str, Mapping[str, object]]],
    held: Held,
    known: Mapping[str, Entry],
) -> list[Finding]:
    """Documents that are there twice, that the corpus does not have, or that were changed."""
    twice = [key for key, count in Counter(key for key, _ in rows).items() if count > 1]
    strange = [key for key, _ in rows if key not in known]
    edited = [key for key, row in rows if key in known and row_hash(row) != known[key].sha256]
    # A run may have been made before anybody labelled the corpus.
    labels = {key: row_labels_hash(row) for key, row in rows}
    relabelled = [
        key
        for key, own in labels.items()
        if key in known and any(labels.values()) and own != known[key].labels
    ]
    return [
        Finding(task, f"document {keys[0]}", f"{len(keys)} documents", held.name, sentence)
        for keys, sentence in (
            (twice, "it stands in the samples more than once"),
            (strange, "the trusted corpus does not have it"),
            (edited, "its text or labels are not those of the trusted corpus"),
            (relabelled, "what its raters say is not what they say in the trusted corpus"),
        )
        if keys
    ]


def _counts(run: Run, measurement: Measurement) -> list[Finding]:
    """Where lm_eval's own count of the documents is not that of the corpus: it tells --limit."""
    counts = run.results.get("n-samples")
    own = counts.get(run.task) if isinstance(counts, Mapping) else None
    rows = measurement.provenance.rows
    if not isinstance(own, Mapping) or own.get("original") == rows:
        return []
    return [
        Finding(
            run.task,
            "n-samples",
            f"{own.get('original')!r:.40}",
            f"{rows!r:.40}",
            "the file counts other documents than its task has, which hides a --limit",
        )
    ]


def _due(held: Held, about: TaskRecord) -> int:
    return len(_eligible(held, about))


def _eligible(held: Held, about: TaskRecord) -> list[Entry]:
    """The documents that a task asks about without language filter and limit."""
    if about.unit == ANSWERS:
        stage = about.variant if about.variant in QA_STAGES else None
        return [entry for entry in held.entries if stage in (None, entry.stage)]
    return [entry for entry in held.entries if entry.scored]


def _selected(
    run: Run, measurement: Measurement, about: TaskRecord, held: Held
) -> list[Entry] | None:
    """The documents of the task as its settings imply, where those logged are all of them up to
    --limit; None where they are not.
    """
    keys = {document_key(line["doc"]) for line in run.lines}
    metadata = run.results["configs"][run.task]["metadata"]
    language, subset = metadata.get("csc_language"), metadata.get("csc_subset")
    spoken = measurement.provenance.languages
    # A setting may also have come from the environment, which a results file does not keep.
    filters = [language] if language else [None, *(spoken if len(spoken) == 1 else [])]
    rows, asked = measurement.provenance.rows, measurement.documents
    if rows < 1 or asked < 1:
        return None
    for only in filters:
        there = [e for e in _eligible(held, about) if only in (None, e.language)]
        due = len(there) if subset is None else min(_whole(subset), len(there))
        if rows > len(there) or (subset is not None and rows != due):
            continue
        selected = there[:rows]
        if {entry.key for entry in selected[:asked]} == keys:
            return selected
    return None


def _whole(value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        return -1


def _stated(
    task: str,
    measurement: Measurement,
    rows: Mapping[str, Mapping[str, object]],
    selected: Sequence[Entry],
    languages: Sequence[str],
) -> list[Finding]:
    """What the file says of its corpus, where the documents tell: it decides which table a run
    stands in.
    """
    findings = []
    stated = measurement.provenance
    if sorted(stated.languages) != list(languages):
        findings.append(
            Finding(
                task,
                "languages",
                "+".join(stated.languages),
                "+".join(languages),
                "the file names other languages than the documents have",
            )
        )
    if all(entry.key in rows for entry in selected):
        content = corpora.content_hash(_Row(rows[entry.key]) for entry in selected)
        if content != stated.content_hash:
            findings.append(
                Finding(
                    task,
                    "content_hash",
                    stated.content_hash,
                    content,
                    "the file names another corpus content than its documents have",
                )
            )
    return findings


def _labels(task: str, measurement: Measurement, held: Held, labelled: bool) -> list[Finding]:
    """Signatures that name other labels than those of the corpus, or none where the documents have
    some: they decide which rows meet.
    """
    stated = {
        name: digest
        for name, signature in measurement.provenance.signatures.items()
        if (metric := metric_of(name)) is not None
        and metric.of == LABELS
        and ((digest := labels_in(signature) or "none") != "none" or labelled)
    }
    own = labels_hash((entry.key, entry.labels) for entry in held.entries) or "none"
    return [
        Finding(
            task,
            f"{name} signature",
            digest,
            own,
            "the file names other labels than those of its documents",
        )
        for name, digest in stated.items()
        if digest != own
    ]


@dataclass(frozen=True, slots=True)
class _Row:
    """A row as `corpora.content_hash` takes it."""

    row: Mapping[str, object]

    def to_row(self) -> Mapping[str, object]:
        return self.row
