"""Answers: the tasks over questions."""

from collections.abc import Mapping
from typing import Any

from csc_tasks import corpora, play
from csc_tasks.conversation import HELD_OUT
from csc_tasks.errors import DataError, SettingError
from csc_tasks.evidence import DEMO, LookedUp, counts_line, look_up, open_evidence
from csc_tasks.metrics import WITH_PASSAGES, Metric, select
from csc_tasks.metrics.result_names import with_evidence
from csc_tasks.prompts import AnswerPrompt, read_answer
from csc_tasks.question import REFERENCES, Question
from csc_tasks.records import answer_record
from csc_tasks.runs.task_record import ANSWERS, AUDITED, GROUNDED, SHOWN
from csc_tasks.tasks.asking import flag
from csc_tasks.tasks.support import Document, SupportTask, log


class QuestionTask(SupportTask[Question, AnswerPrompt]):
    """Answers: `csc_qa` and its variants. `CONTEXT` is what of the history the model sees; `STAGE`
    keeps one stage.
    """

    RECORDS = ANSWERS
    CONTEXT = "summary"
    STAGE: str | None = None
    looked_up: LookedUp | None = None

    @property
    def variant(self) -> str:
        return self.STAGE or self.CONTEXT

    def read_corpus(self) -> corpora.Corpus:
        its = self.settings
        config = f"qa_{its.qa_variant}" if its.qa_variant else "qa"
        return corpora.load(its.qa_corpus, config, "test", its.qa_revision, its.bad_rows)

    def keep(self, items: list[Question]) -> list[Question]:
        unanswered = [
            item.conversation_id
            for item in items
            if not getattr(item, self.settings.qa_reference).strip()
        ]
        if unanswered:
            raise DataError(
                f"{self.corpus.name}: {len(unanswered)} rows have an empty"
                f" {self.settings.qa_reference} (first: {unanswered[0]}); choose the other one with"
                " csc_qa_reference or mend the rows"
            )
        self.check_held_out(items)
        if self.STAGE is None:
            return items
        if any(item.stage is None for item in items):
            raise DataError(
                f"{self.corpus.name}: its rows carry no stage; label them with: csc build qa-stages"
                f" {self.corpus.name} --llm openai:MODEL"
            )
        of_stage = [item for item in items if item.stage == self.STAGE]
        log.info(
            "%s: %d of %d questions are of stage %s",
            self.corpus.name,
            len(of_stage),
            len(items),
            self.STAGE,
        )
        if not of_stage:
            raise DataError(f"{self.corpus.name}: no question is of stage {self.STAGE}")
        return of_stage

    def check_held_out(self, items: list[Question]) -> None:
        """Say which references are held out; raise DataError for what cannot be run without."""
        self.held_out = sum(item.refined_agent_answer == HELD_OUT for item in items)
        if not self.held_out:
            return
        if self.CONTEXT in ("full", "last"):
            raise DataError(
                f"{self.corpus.name}: holds its answers out, and the histories that quote them, so"
                f" {self.config.task} cannot be run; csc_qa shows summaries"
            )
        if self.settings.qa_reference != REFERENCES[0]:
            raise DataError(
                f"{self.corpus.name}: holds its answers out, and is scored against"
                f" {REFERENCES[0]} alone; leave csc_qa_reference out"
            )
        log.warning(
            "%s: %d of %d references are held out: metrics against them are N/A until their"
            " holder has run csc verify --references",
            self.corpus.name,
            self.held_out,
            len(items),
        )

    @property
    def evidence_place(self) -> str | None:
        """Where passages come from; None for no passages. A task that does not show them counts
        them as support of facts all the same, so that it can be compared with one that does.
        """
        return self.settings.evidence

    def choose_metrics(self) -> list[Metric]:
        more = select(None, WITH_PASSAGES) if self.evidence_place else []
        return [*super().choose_metrics(), *more]

    def download(self, dataset_kwargs: Mapping[str, Any] | None = None, **options: object) -> None:
        """Read the corpus, and look up the passages of every question."""
        place = self.evidence_place
        evidence = open_evidence(place) if place else None
        super().download(dataset_kwargs, **options)
        if evidence:
            self.looked_up = look_up(evidence, list(self.items.values()), self.settings.passages)
            counts = self.looked_up.counts()
            say = log.warning if counts["without_passages"] or counts["cut"] else log.info
            say("%s: passages from %s: %s", self.config.task, place, counts_line(counts))

    def passages_of(self, item: Question) -> tuple[str, ...] | None:
        """The passages of a question; None where there is no evidence."""
        return self.looked_up.texts(item) if self.looked_up else None

    def requests_of(self, item: Question) -> list[AnswerPrompt]:
        return [AnswerPrompt(item, self.settings.prompt, self.CONTEXT)]

    def doc_to_target(self, doc: Document, doc_to_target: object = None) -> list[str]:
        return [doc[self.settings.qa_reference]]

    def record(self, prompt: AnswerPrompt, played: play.Played) -> dict[str, Any]:
        reference = getattr(prompt.question, self.settings.qa_reference)
        reply = read_answer(played.text, played.thinking)
        history = flag(played.history_truncated)
        passages = self.passages_of(prompt.question)
        if self.CONTEXT == GROUNDED:
            passages = prompt.shown(played.history_truncated or 0)
        return answer_record(
            prompt.question, reference, reply, played.truncated, history, played.failed, passages
        )

    def signatures(self) -> dict[str, str]:
        signed = super().signatures()
        if self.looked_up:
            for metric in select(None, WITH_PASSAGES):
                signed[metric.name] = with_evidence(signed[metric.name], self.looked_up.hash)
        return signed

    def provenance(self) -> dict[str, Any]:
        data = super().provenance() | {"reference": self.settings.qa_reference}
        if self.looked_up:
            data[SHOWN if self.CONTEXT == GROUNDED else AUDITED] = self.looked_up.hash
            data["evidence_name"] = self.looked_up.name
            data["evidence_counts"] = self.looked_up.counts()
        return data | ({"held_out": self.held_out} if self.held_out else {})


class FullHistoryTask(QuestionTask):
    """`cscx_qa_full`: the whole history instead of the summary."""

    CONTEXT = "full"


class LastTurnsTask(QuestionTask):
    """`cscx_qa_last`: the last four turns instead of the summary."""

    CONTEXT = "last"


class NoHistoryTask(QuestionTask):
    """`cscx_qa_none`: the question alone."""

    CONTEXT = "none"


class GroundedTask(QuestionTask):
    """`cscx_qa_grounded`: passages before the summary."""

    CONTEXT = GROUNDED

    @property
    def evidence_place(self) -> str | None:
        return self.settings.evidence or (DEMO if self.settings.qa_corpus == DEMO else None)

    def download(self, dataset_kwargs: Mapping[str, Any] | None = None, **options: object) -> None:
        if self.evidence_place is None:
            raise SettingError(
                f"{self.config.task} shows passages, and none are given: set csc_evidence to a file"
                " that csc build passages wrote, or to a folder of policies"
            )
        super().download(dataset_kwargs, **options)

    def requests_of(self, item: Question) -> list[AnswerPrompt]:
        passages = self.passages_of(item) or ()
        return [AnswerPrompt(item, self.settings.prompt, self.CONTEXT, tuple(passages))]


class EarlyTask(QuestionTask):
    """`cscx_qa_early`: early questions only."""

    STAGE = "early"


class MidTask(QuestionTask):
    """`cscx_qa_mid`: questions of the middle only."""

    STAGE = "mid"


class LateTask(QuestionTask):
    """`cscx_qa_late`: late questions only."""

    STAGE = "late"
