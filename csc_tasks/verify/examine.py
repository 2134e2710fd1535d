"""One task of one results file, verified: documents, replies, numbers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from csc_tasks.errors import DataError
from csc_tasks.prompts import SPOKEN
from csc_tasks.runs.results_file import Measurement
from csc_tasks.runs.samples_file import Run, read_run
from csc_tasks.runs.task_record import ANSWERS, LIVE, SHIPPED, WITHOUT_STRATEGY, TaskRecord
from csc_tasks.runs.task_version import task_version
from csc_tasks.verify.copied import check_copied
from csc_tasks.verify.documents import check_documents
from csc_tasks.verify.labels import check_name, check_named_model, check_signatures
from csc_tasks.verify.live import check_live
from csc_tasks.verify.numbers import Numbers, check_numbers, claimed_numbers
from csc_tasks.verify.references import References
from csc_tasks.verify.replies import check_replies
from csc_tasks.verify.trusted import Trusted
from csc_tasks.verify.verdict import Finding, Trust, Verified, together


@dataclass(frozen=True, slots=True)
class Examined:
    """A verdict, and what it is made of, for whoever works on with it.

    records: as they are made again from the raw replies, one list per line of the samples file, as
    many as there; empty where they cannot be. items: result name -> what was computed again, one
    item per record. supplied: whether records hold references that the run's corpus holds out.
    """

    verified: Verified
    records: Sequence[Sequence[Mapping[str, object]]] = ()
    items: Mapping[str, Sequence[object]] = field(default_factory=dict)
    supplied: bool = False


def examine(
    measurement: Measurement, trusted: Trusted, references: References | None = None
) -> Verified:
    """Verify one task of a results file against trusted corpora.

    What cannot be verified (no samples, a task or version that this project does not know) is
    claimed, with a finding that says why. Raises a CscError where a trusted corpus cannot be read;
    never for what a submitter handed in.
    """
    if measurement.samples is None:
        return without_samples(measurement)
    try:
        run = read_run(measurement.samples)
    except DataError as error:
        reason = f"cannot be read: {error}"
        return _claimed(measurement, "samples", reason, contradicts=True).verified
    return examine_run(measurement, run, trusted, references).verified


def without_samples(measurement: Measurement) -> Verified:
    """The verdict on a task of which there are no samples."""
    reason = "there are none, so nothing can be computed again"
    return _claimed(measurement, "samples", reason).verified


def examine_run(
    measurement: Measurement, run: Run, trusted: Trusted, references: References | None = None
) -> Examined:
    """`examine` for samples that are read already."""
    about = SHIPPED.get(measurement.task)
    if about is not None and measurement.provenance.prompt == SPOKEN:
        # A deployed agent is asked for no strategy.
        about = replace(about, variant=WITHOUT_STRATEGY.get(about.variant, about.variant))
    if about is None:
        return _claimed(measurement, "task", "this version of the project has no such task")
    if measurement.task_version != str(ours := task_version(measurement.task)):
        return _claimed(
            measurement,
            "version",
            f"made with task version {measurement.task_version}; this is {ours}",
        )
    if (about.unit, about.generated, about.variant) != (
        measurement.about.unit,
        measurement.about.generated,
        measurement.about.variant,
    ):
        return _claimed(
            measurement, "task", "the file describes another task than its name", contradicts=True
        )
    if not _reads(about, measurement):
        place = f"{measurement.provenance.config}/{measurement.provenance.split}"
        return _claimed(measurement, "corpus", f"this task does not read {place}", contradicts=True)
    if run.results["configs"][run.task]["metadata"].get("csc_turns"):
        return _claimed(measurement, "csc_turns", "only some turns were asked for, by name")
    documents = check_documents(run, measurement, about, trusted)
    if about.unit == LIVE:
        briefs = trusted.briefs(measurement.provenance.split)
        replies = check_live(run, measurement.provenance.rows, briefs)
    else:
        replies = check_replies(run, measurement, about, references, trusted)
    records = _flat(replies.records)
    proven = documents.matched and replies.complete
    as_run = None if replies.as_run is None else _flat(replies.as_run)
    if records:
        numbers = check_numbers(
            run,
            measurement,
            about,
            records,
            documents.languages,
            proven,
            as_run,
            replies.passages,
        )
    else:
        numbers = claimed_numbers(measurement)
    labels = (
        *check_named_model(run, measurement),
        *check_signatures(measurement, documents.languages),
    )
    copied = check_copied(run.task, records, as_run) if as_run is not None else []
    findings = (*documents.findings, *replies.findings, *numbers.findings, *copied, *labels)
    verified = _verified(measurement, documents.corpus, numbers, findings, proven)
    sizes = [len(line[about.unit]) for line in run.lines]
    if [len(own) for own in replies.records] != sizes:
        return Examined(verified)
    return Examined(verified, replies.records, numbers.items, replies.as_run is not None)


def _flat(lines: Sequence[Sequence[dict[str, object]]]) -> list[dict[str, object]]:
    return [record for own in lines for record in own]


def _reads(about: TaskRecord, measurement: Measurement) -> bool:
    """Whether the task reads the config and split that the file names; no task reads what models
    train on.
    """
    config, split = measurement.provenance.config, measurement.provenance.split
    if about.unit == ANSWERS:
        return split == "test" and (config == "qa" or config.startswith("qa_"))
    return (config, split) == ("csconv", "test")


def trust_of_run(tasks: Iterable[Verified]) -> Trust:
    """The trust of a results file, from that of its tasks."""
    return together([task.trust for task in tasks])


def _claimed(
    measurement: Measurement, item: str, sentence: str, contradicts: bool = False
) -> Examined:
    numbers = claimed_numbers(measurement)
    why = Finding(measurement.task, item, "", "", sentence, contradicts)
    return Examined(_verified(measurement, "", numbers, (why, *numbers.findings)))


def _verified(
    measurement: Measurement,
    corpus: str,
    numbers: Numbers,
    findings: tuple[Finding, ...],
    proven: bool = False,
) -> Verified:
    return Verified(
        file=measurement.file,
        model=measurement.identity.name,
        task=measurement.task,
        corpus=corpus,
        trust=together([number.trust for number in numbers.numbers]),
        numbers=numbers.numbers,
        findings=(*findings, *check_name(measurement)),
        proven=proven,
    )
