"""The lm_eval Task classes: which corpus, which requests, which metrics. The YAML files beside this
module name them.

One document is a conversation (or a question); one request is a supporter turn (or an answer).
"""

import copy
import logging
from collections.abc import Iterator, Mapping, Sequence

from lm_eval.api.task import ConfigurableTask

from csc_tasks import adapter, corpora, play
from csc_tasks.conversation import Conversation, content_id
from csc_tasks.documents import Documents, document_key
from csc_tasks.errors import DataError
from csc_tasks.metrics import METRICS, Metric, select
from csc_tasks.metrics.result_names import normalised
from csc_tasks.named_turns import asked_turns, with_named
from csc_tasks.prompts import (
    AnswerPrompt,
    TurnPrompt,
    date_shown,
    read_answer,
    read_reply,
    read_text,
    tagged,
)
from csc_tasks.question import Question
from csc_tasks.records import (
    Aggregate,
    Column,
    answer_record,
    check_ready,
    choice_record,
    keys,
    measure,
    measure_choices,
    signatures,
    signatures_of_choices,
    turn_record,
    without_strategies,
)
from csc_tasks.runs.task_record import CHOICE, SHIPPED, Place, TaskRecord
from csc_tasks.runs.writing import provenance
from csc_tasks.settings import Settings, read_settings

# A child of lm_eval's logger, so that its level and handler show what we say.
log = logging.getLogger("lm_eval.csc_tasks")

HOW_TO_PLAY = ("play", "window", "date", "max_failed", "think_tokens")
"""The settings that every request carries."""


class SupportTask(ConfigurableTask):
    """What conversation and question tasks share: settings, documents, requests of our own type,
    metrics with clustered errors.
    """

    REQUEST = play.GENERATE
    GENERATED = False
    PER: str
    RECORDS: str
    variant: str
    """What tells it from the other tasks over the same items."""
    PLACES: tuple[Place, ...] = ()
    """The tables it stands in beside other tasks. The shipped tasks have theirs by name; others
    have a table of their own.
    """

    def __init__(self, config: Mapping) -> None:
        config = {key: value for key, value in config.items() if key != "class"}
        self.settings: Settings = read_settings(config.get("metadata") or {})
        if note := adapter.mismatch(
            config.get("metadata") or {}, self.settings.prompt, self.settings.date
        ):
            log.warning(note)
        self.metrics: list[Metric] = self.choose_metrics()
        self.items: dict[str, Conversation | Question] = {}
        self._columns: dict[str, Column] = {}
        self._renderer: play.Renderer | None = None
        self._records: list[dict] = []
        self._way: play.Way | None = None
        self._rows: dict[str, slice] = {}
        super().__init__(config=config)
        # Weights that are missing stop the run here, before anything is generated.
        check_ready(self.metrics, self.languages, self.settings.learned())
        # lm_eval books the padding of several ranks under the type the requests really have.
        self.OUTPUT_TYPE = self.REQUEST
        self.config.metadata["csc"] = self.provenance()

    # What a kind of task says about itself

    def describe(self) -> TaskRecord:
        """What results say of this task, so that their readers need not know its name."""
        shipped = SHIPPED.get(self.config.task)
        places = self.PLACES or (shipped.places if shipped else ())
        return TaskRecord(self.RECORDS, self.GENERATED, self.variant, places)

    def read_corpus(self) -> corpora.Corpus:
        raise NotImplementedError

    def choose_metrics(self) -> list[Metric]:
        return select(self.settings.metrics, self.PER)

    def requests_of(self, item) -> list[TurnPrompt | AnswerPrompt]:
        raise NotImplementedError

    def record(self, prompt, played: play.Played) -> dict:
        raise NotImplementedError

    # lm_eval's interface

    def download(self, dataset_kwargs=None, **_) -> None:
        """Read the corpus; documents are its rows in sha256(id) order."""
        self.corpus = self.read_corpus()
        log.info(self.corpus.summary())
        items = [
            item for item in self.corpus.items if self.settings.language in (None, item.language)
        ]
        if not items:
            raise DataError(
                f"{self.corpus.name}: no {self.settings.language} items; it has"
                f" {', '.join(self.corpus.languages)}"
            )
        items = with_named(self.keep(items)[: self.settings.subset], self.settings.turns)
        self.items = {document_key(item.to_row()): item for item in items}
        self.languages = sorted({item.language for item in items})
        self.dataset = {"test": Documents(item.to_row() for item in items)}

    def keep(self, items: list) -> list:
        """The items this task asks about; what is left out is said."""
        return items

    def provenance(self) -> dict:
        """What a reader needs to know to compare two results."""
        said = provenance(self.corpus, list(self.items.values()), self.signatures())
        return said | self.describe().to_json() | {"prompt": self.settings.prompt}

    def doc_iterator(
        self,
        *,
        rank: int = 0,
        limit: int | None = None,
        world_size: int = 1,
        samples: list[int] | None = None,
    ) -> Iterator:
        """As lm_eval's, but ranks share the documents by length: of every `world_size`-th document
        one rank might get the long ones.
        """
        documents = list(super().doc_iterator(rank=0, limit=limit, world_size=1, samples=samples))
        lengths = (
            [play.length(self.requests_of(self.items[document_key(doc)])) for _, doc in documents]
            if world_size > 1
            else []
        )
        return iter(
            [documents[position] for position in play.share(lengths, world_size)[rank]]
            if world_size > 1
            else documents
        )

    def doc_to_text(self, doc, doc_to_text=None) -> str:
        prompt = self.requests_of(self.items[document_key(doc)])[0]
        return prompt.plain(prompt.messages())

    def doc_to_target(self, doc, doc_to_target=None) -> list[str]:
        raise NotImplementedError

    def signatures(self) -> dict[str, str]:
        return signatures(self.metrics, self.languages, self.settings.learned())

    def build_all_requests(self, *, tokenizer_name: str = "", **options) -> None:
        """As lm_eval does it; with --cache_requests, what is cached also belongs to this corpus,
        prompt style and generation settings.

        lm_eval's own key knows only task and tokenizer, and would hand a run the prompts of another
        corpus.
        """
        self.config.metadata["csc"]["date"] = date_shown(
            options.get("chat_template"), self.settings.date
        )
        settings = [getattr(self.settings, name) for name in HOW_TO_PLAY]
        settings += self.settings.turns or ()
        made_from = [self.config.metadata["csc"], self.config.generation_kwargs, *settings]
        super().build_all_requests(
            tokenizer_name=f"{tokenizer_name}-{content_id('csc', made_from)}", **options
        )

    def fewshot_context(
        self,
        doc,
        num_fewshot,
        system_instruction=None,
        apply_chat_template=False,
        chat_template=None,
        **_,
    ) -> dict:
        """Not text but how to make it: play renders each prompt when the model, its length and its
        earlier replies are known.
        """
        return {
            "system_instruction": system_instruction,
            "templated": bool(apply_chat_template),
            "chat_template": chat_template,
        }

    def construct_requests(self, doc, ctx: dict, metadata=None, **_) -> list[play.PlayInstance]:
        if self._renderer is None or self._renderer.chat_template != ctx["chat_template"]:
            self._renderer = play.Renderer(None, ctx["chat_template"])
        how = {
            "system_instruction": ctx["system_instruction"],
            "templated": ctx["templated"],
            "generated": self.GENERATED,
        }
        how |= {name: getattr(self.settings, name) for name in HOW_TO_PLAY}
        instances = []
        for number, prompt in enumerate(self.requests_of(self.items[document_key(doc)])):
            kwargs = copy.deepcopy(self.config.generation_kwargs or {})
            # Chat models end their own turn; without a template the next speaker's line is the end.
            stops = kwargs.pop("until", None) or ([] if ctx["templated"] else prompt.stops())
            if stops:
                kwargs["until"] = stops
            instance = play.PlayInstance(
                self.REQUEST, doc, ("", kwargs), number, metadata, prompt=prompt, **how
            )
            if number == 0:
                # What --write_out shows; the prompts that were sent replace it.
                instance.arguments = (self._renderer.render(instance), kwargs)
            instances.append(instance)
        return instances

    def apply_filters(self) -> None:
        """Raw outputs -> records, and, once per task and rank, every metric over all of them."""
        self._records.clear()
        self._rows.clear()
        self._way = next((instance.way for instance in self._instances), None)
        if self._way:
            self.config.metadata["csc"]["play"] = self._way.record()
        for instance in sorted(
            self._instances, key=lambda instance: (instance.doc_id, instance.idx)
        ):
            played = instance.resps[0]
            record = self.record(instance.prompt, played)
            start = self._rows.setdefault(
                document_key(instance.doc), slice(len(self._records), 0)
            ).start
            self._records.append(record)
            self._rows[document_key(instance.doc)] = slice(start, len(self._records))
            # lm_eval writes both of these as text.
            instance.resps = [played.text if isinstance(played, play.Played) else played]
            instance.filtered_resps["none"] = tagged(
                record.get("strategy") or "", record["reply"], record["language"]
            )
        if thought := next(
            (instance.thought for instance in self._instances if instance.thought), None
        ):
            self.config.metadata["csc"]["thinking"] = thought
        self.config.metadata["csc"]["left_out"] = sorted(
            {name for instance in self._instances for name in instance.left_out}
        )
        if not self._predicts_only():
            self._columns = self.measure(self._records)

    def measure(self, records: Sequence[dict]) -> dict[str, Column]:
        return measure(records, self.metrics, self.languages, self.settings.learned())

    def process_results(self, doc, _) -> dict:
        """The document's records, and for every metric its items, twice: once for the value, once
        for its standard error.
        """
        rows = self._rows[document_key(doc)]
        found = {self.RECORDS: self._records[rows]}
        if self._predicts_only():
            return found | {"bypass": 999}
        for name, column in self._columns.items():
            found[name] = found[f"{name}_stderr"] = [doc["conversation_id"], column.items[rows]]
        return found

    def aggregation(self) -> dict:
        named = {self.RECORDS: self._count}
        if self._predicts_only():
            return named | super().aggregation()
        for name, metric in self.result_names().items():
            named[name] = Aggregate(metric, "value")
            named[f"{name}_stderr"] = Aggregate(metric, "stderr")
        return named

    def higher_is_better(self) -> dict:
        return {name: metric.higher_is_better for name, metric in self.result_names().items()}

    def result_names(self) -> dict[str, Metric]:
        return {name: metric for name, (metric, _) in keys(self.metrics, self.languages).items()}

    def _predicts_only(self) -> bool:
        return "bypass" in self._metric_fn_list

    def _count(self, documents: Sequence) -> int:
        """How many turns or answers were scored. lm_eval asks once, on the first rank, just before
        it prints its table.
        """
        if self._way and self._way.slow:
            log.warning("%s: %s", self.config.task, self._way.line())
        return sum(map(len, documents))


class ConversationTask(SupportTask):
    """Supporter turns: `csc_conv_ref` and its variants. `VARIANT` is "predict", "vanilla" or
    "oracle" (Table 8).
    """

    PER = "turn"
    RECORDS = "turns"
    VARIANT = "predict"

    @property
    def variant(self) -> str:
        return CHOICE if self.REQUEST is play.CHOOSE else self.VARIANT

    def read_corpus(self) -> corpora.Corpus:
        return corpora.load(self.settings.corpus, "csconv", "test", self.settings.revision)

    def keep(self, items: list) -> list:
        kept = [item for item in items if item.scored_turns()]
        if len(kept) < len(items):
            log.warning(
                "%s: %d conversations without a labelled supporter turn are not asked about",
                self.corpus.name,
                len(items) - len(kept),
            )
        if not kept:
            raise DataError(
                f"{self.corpus.name}: no conversation has a labelled supporter turn; strategies are"
                " needed to score against"
            )
        return kept

    def choose_metrics(self) -> list[Metric]:
        chosen = super().choose_metrics()
        return chosen if self.VARIANT == "predict" else without_strategies(chosen)

    def requests_of(self, item: Conversation) -> list[TurnPrompt]:
        return [
            TurnPrompt(item, turn, self.settings.prompt, self.VARIANT)
            for turn in asked_turns(item, self.settings.turns, self.GENERATED)
        ]

    def doc_to_target(self, doc, doc_to_target=None) -> list[str]:
        return [prompt.target() for prompt in self.requests_of(self.items[document_key(doc)])]

    def record(self, prompt: TurnPrompt, played: play.Played) -> dict:
        chooses = self.VARIANT == "predict"
        reply = (read_reply if chooses else read_text)(
            played.text, played.thinking, prompt.language
        )
        history = _flag(played.history_truncated)
        return turn_record(
            prompt.conversation,
            prompt.turn,
            reply,
            played.truncated,
            history,
            chooses,
            played.failed,
        )


class GeneratedContextTask(ConversationTask):
    """`csc_conv_gen`: the model's own earlier turns stand where the gold supporter's were."""

    GENERATED = True


class VanillaTask(ConversationTask):
    """`cscx_conv_ref_vanilla`: no strategies anywhere."""

    VARIANT = "vanilla"


class OracleTask(ConversationTask):
    """`cscx_conv_ref_oracle`: the gold strategy is given."""

    VARIANT = "oracle"


class StrategyChoiceTask(ConversationTask):
    """`cscx_strategy_choice`: which of the twelve names is likeliest, by summed and by
    length-normalised log-likelihood.
    """

    REQUEST = play.CHOOSE
    NAMES = ("strategy_acc", "strategy_macro_f1", "stage_overlap", "failed")

    def choose_metrics(self) -> list[Metric]:
        return [METRICS[name] for name in self.NAMES]

    def result_names(self) -> dict[str, Metric]:
        named = super().result_names()
        return named | {
            normalised(name): metric for name, metric in named.items() if metric.of == "strategy"
        }

    def record(self, prompt: TurnPrompt, played: dict) -> dict:
        history = _flag(played["history_truncated"])
        return choice_record(
            prompt.conversation, prompt.turn, played["loglikelihoods"], history, played["failed"]
        )

    def measure(self, records: Sequence[dict]) -> dict[str, Column]:
        return measure_choices(records, self.metrics, self.languages)

    def signatures(self) -> dict[str, str]:
        return signatures_of_choices(self.metrics, self.languages)


class QuestionTask(SupportTask):
    """Answers: `csc_qa` and its variants. `CONTEXT` is what of the history the model sees; `STAGE`
    keeps one stage.
    """

    PER = "answer"
    RECORDS = "answers"
    CONTEXT = "summary"
    STAGE: str | None = None

    @property
    def variant(self) -> str:
        return self.STAGE or self.CONTEXT

    def read_corpus(self) -> corpora.Corpus:
        config = f"qa_{self.settings.qa_variant}" if self.settings.qa_variant else "qa"
        return corpora.load(self.settings.qa_corpus, config, "test", self.settings.qa_revision)

    def keep(self, items: list) -> list:
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
        if self.STAGE is None:
            return items
        if any(item.stage is None for item in items):
            raise DataError(
                f"{self.corpus.name}: its rows carry no stage; label them with: csc build qa-stages"
                f" {self.corpus.name} --llm openai:MODEL"
            )
        kept = [item for item in items if item.stage == self.STAGE]
        log.info(
            "%s: %d of %d questions are of stage %s",
            self.corpus.name,
            len(kept),
            len(items),
            self.STAGE,
        )
        if not kept:
            raise DataError(f"{self.corpus.name}: no question is of stage {self.STAGE}")
        return kept

    def requests_of(self, item: Question) -> list[AnswerPrompt]:
        return [AnswerPrompt(item, self.settings.prompt, self.CONTEXT)]

    def doc_to_target(self, doc, doc_to_target=None) -> list[str]:
        return [doc[self.settings.qa_reference]]

    def record(self, prompt: AnswerPrompt, played: play.Played) -> dict:
        reference = getattr(prompt.question, self.settings.qa_reference)
        reply = read_answer(played.text, played.thinking)
        history = _flag(played.history_truncated)
        return answer_record(
            prompt.question, reference, reply, played.truncated, history, played.failed
        )

    def provenance(self) -> dict:
        return super().provenance() | {"reference": self.settings.qa_reference}


class FullHistoryTask(QuestionTask):
    """`cscx_qa_full`: the whole history instead of the summary."""

    CONTEXT = "full"


class LastTurnsTask(QuestionTask):
    """`cscx_qa_last`: the last four turns instead of the summary."""

    CONTEXT = "last"


class NoHistoryTask(QuestionTask):
    """`cscx_qa_none`: the question alone."""

    CONTEXT = "none"


class EarlyTask(QuestionTask):
    """`cscx_qa_early`: early questions only."""

    STAGE = "early"


class MidTask(QuestionTask):
    """`cscx_qa_mid`: questions of the middle only."""

    STAGE = "mid"


class LateTask(QuestionTask):
    """`cscx_qa_late`: late questions only."""

    STAGE = "late"


def _flag(count: int | None) -> bool | None:
    return None if count is None else count > 0
