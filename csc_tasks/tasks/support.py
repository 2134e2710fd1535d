"""What the tasks share: one document is a conversation or a question, one request a supporter turn
or an answer.
"""

import copy
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple
from typing import Any, Generic, TypeVar

from lm_eval.api.task import ConfigurableTask

from csc_tasks import adapter, corpora, play
from csc_tasks.conversation import Conversation, content_id
from csc_tasks.corpora.bad_rows import shown
from csc_tasks.documents import Documents, document_key
from csc_tasks.errors import DataError
from csc_tasks.measuring import (
    Aggregate,
    Column,
    check_ready,
    consistency_columns,
    consistency_names,
    keys,
    measure,
    signatures,
    without_strategies,
)
from csc_tasks.metrics import METRICS, Metric, select
from csc_tasks.metrics.consistency import Consistency
from csc_tasks.named_turns import with_named
from csc_tasks.prompts import (
    AnswerPrompt,
    Apply,
    TurnPrompt,
    date_shown,
    tagged,
)
from csc_tasks.question import Question
from csc_tasks.runs.applying import KIND_OF
from csc_tasks.runs.task_record import SHIPPED, Place, TaskRecord
from csc_tasks.runs.writing import provenance
from csc_tasks.settings import Settings, read_settings
from csc_tasks.tasks.asking import as_spoken, check_repeats, logged, took

Item = TypeVar("Item", Conversation, Question)
Prompt = TypeVar("Prompt", TurnPrompt, AnswerPrompt)

# A child of lm_eval's logger, so that its level and handler show what we say.
log = logging.getLogger("lm_eval.csc_tasks")


Answered = play.Answered
Document = dict[str, Any]
"""A row of the corpus, as lm_eval hands it round."""


class SupportTask(ConfigurableTask, Generic[Item, Prompt]):
    """What conversation and question tasks share: settings, documents, requests of our own type,
    metrics with clustered errors.

    RECORDS: the unit of the task, and the key of its records in a samples file ("turns",
    "answers").
    """

    REQUEST = play.GENERATE
    GENERATED = False
    FORCED = False
    settings: Settings
    labelled = False
    """Whether turns of the corpus carry labels of several raters."""
    held_out = 0
    """How many references of the corpus its maintainers keep to themselves."""
    RECORDS: str
    PLACES: tuple[Place, ...] = ()
    """The tables it stands in beside other tasks. The shipped tasks have theirs by name; others
    have a table of their own.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        config = {key: value for key, value in config.items() if key != "class"}
        self.settings = read_settings(config.get("metadata") or {})
        its = self.settings
        note = adapter.mismatch(config.get("metadata") or {}, its.prompt, its.date, its.format)
        if note:
            log.warning(note)
        self.metrics: list[Metric] = self.choose_metrics()
        self.items: dict[str, Item] = {}
        self._columns: dict[str, Column] = {}
        self._renderer: play.Renderer | None = None
        self._records: list[dict[str, Any]] = []
        self._way: play.Way | None = None
        self._rows: dict[str, slice] = {}
        super().__init__(config=config)
        self.check_repeats()
        # Weights that are missing stop the run here, before anything is generated.
        check_ready(self.metrics, self.languages, self.settings.learned())
        # lm_eval books the padding of several ranks under the type the requests really have.
        self.OUTPUT_TYPE = self.REQUEST
        self.config.metadata["csc"] = self.provenance()

    # What a kind of task says about itself

    @property
    def variant(self) -> str:
        """What tells it from the other tasks over the same items."""
        raise NotImplementedError

    def describe(self) -> TaskRecord:
        """What results say of this task, so that their readers need not know its name."""
        shipped = SHIPPED.get(self.config.task)
        places = self.PLACES or (shipped.places if shipped else ())
        return TaskRecord(self.RECORDS, self.GENERATED, self.variant, places)

    def read_corpus(self) -> corpora.Corpus:
        """The corpus that the settings name."""
        raise NotImplementedError

    def choose_metrics(self) -> list[Metric]:
        """The metrics that the settings name and that apply to this task."""
        return select(self.settings.metrics, KIND_OF[self.RECORDS], self.labelled)

    def requests_of(self, item: Item) -> list[Prompt]:
        """The prompts of one document, in the order of its turns."""
        raise NotImplementedError

    def record(self, prompt: Prompt, played: play.Played) -> dict[str, Any]:
        """The record of one reply (csc_tasks/records.py)."""
        raise NotImplementedError

    def record_of(self, prompt: Prompt, answered: Answered) -> dict[str, Any]:
        """The record of what came back for a request, whichever kind it was."""
        assert isinstance(answered, play.Played)
        return self.record(prompt, answered)

    # lm_eval's interface

    def download(self, dataset_kwargs: Mapping[str, Any] | None = None, **_: object) -> None:
        """Read the corpus; documents are its rows in sha256(id) order."""
        self.corpus = self.read_corpus()
        log.info(self.corpus.summary())
        for problem in shown(self.corpus.left_out):
            log.warning("left out: %s", problem)
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

    def keep(self, items: list[Item]) -> list[Item]:
        """The items this task asks about; what is left out is said."""
        return items

    def provenance(self) -> dict[str, Any]:
        """What a reader needs to know to compare two results."""
        data = provenance(self.corpus, list(self.items.values()), self.signatures())
        asked: dict[str, Any] = {}
        if self.settings.repeats > 1:
            asked["repeats"] = self.settings.repeats
        if self.settings.price:
            asked["price"] = str(self.settings.price)
        return data | self.describe().to_json() | {"prompt": self.settings.prompt} | asked

    def check_repeats(self) -> None:
        """Raise SettingError where asking several times makes no sense for this task."""
        compares = self.REQUEST == play.CHOOSE
        check_repeats(self.config.task, self.settings.repeats, compares, self.config.repeats)

    def doc_iterator(
        self,
        *,
        rank: int = 0,
        limit: int | None = None,
        world_size: int = 1,
        samples: list[int] | None = None,
    ) -> Iterator[tuple[int, Document]]:
        """As lm_eval's, but ranks share the documents by length: of every `world_size`-th document
        one rank might get the long ones.
        """
        documents = list(super().doc_iterator(rank=0, limit=limit, world_size=1, samples=samples))
        if world_size == 1:
            return iter(documents)
        lengths = [
            play.length(self.requests_of(self.items[document_key(doc)])) for _, doc in documents
        ]
        return iter([documents[position] for position in play.share(lengths, world_size)[rank]])

    def doc_to_text(self, doc: Document, doc_to_text: object = None) -> str:
        """The first prompt of a document as plain text, for what lm_eval shows of it."""
        prompt = self.requests_of(self.items[document_key(doc)])[0]
        return prompt.plain(prompt.messages())

    def doc_to_target(self, doc: Document, doc_to_target: object = None) -> list[str]:
        """The gold replies of one document."""
        raise NotImplementedError

    def signatures(self) -> dict[str, str]:
        """What each result name measures, exactly."""
        of_repeats = {one.name: one.signature for one in self._of_repeats()}
        return signatures(self.metrics, self.languages, self.settings.learned()) | of_repeats

    def _of_repeats(self) -> list[Consistency]:
        """What there is to say of a metric over several repeats."""
        named = consistency_names(self.settings.repeats)
        return [one for one in named if METRICS[one.metric] in self.metrics]

    def build_all_requests(self, *, tokenizer_name: str = "", **options: Any) -> None:
        """As lm_eval does it; with --cache_requests, what is cached also belongs to this corpus,
        prompt style and generation settings.

        lm_eval's own key knows only task and tokenizer, and would hand a run the prompts of another
        corpus. Raises SettingError for several repeats of greedy replies.
        """
        self.check_sampled()
        self.config.metadata["csc"]["date"] = date_shown(
            options.get("chat_template"), self.settings.date
        )
        made_from: list[object] = [self.config.metadata["csc"], self.config.generation_kwargs]
        made_from += [*astuple(self.settings.playing()), play.FORMAT]
        made_from += self.settings.turns or ()
        super().build_all_requests(
            tokenizer_name=f"{tokenizer_name}-{content_id('csc', made_from)}", **options
        )

    def check_sampled(self) -> None:
        """Raise SettingError where a run asks several times and would get the same every time."""
        play.check_sampled(self.settings.repeats, self.config.generation_kwargs or {})

    def seat_of(self, doc: Document) -> play.Seat | None:
        """Of a task that plays live: the customer's side of a document's conversation."""
        return None

    def fewshot_context(
        self,
        doc: Document,
        num_fewshot: int,
        system_instruction: str | None = None,
        apply_chat_template: bool | str = False,
        chat_template: Apply | None = None,
        **_: object,
    ) -> dict[str, Any]:
        """Not text but how to make it: play renders each prompt when the model, its length and its
        earlier replies are known.
        """
        return {
            "system_instruction": system_instruction,
            "templated": bool(apply_chat_template),
            "chat_template": chat_template,
        }

    def construct_requests(
        self, doc: Document, ctx: dict[str, Any], metadata: Any = None, **_: object
    ) -> list[play.PlayInstance]:
        """The requests of one document. ctx: what `fewshot_context` returned."""
        if self._renderer is None or self._renderer.chat_template != ctx["chat_template"]:
            self._renderer = play.Renderer(None, ctx["chat_template"])
        how = {
            "system_instruction": ctx["system_instruction"],
            "templated": ctx["templated"],
            "generated": self.GENERATED,
            "forced": self.FORCED,
            "settings": self.settings.playing(),
        }
        instances = []
        prompts = self.requests_of(self.items[document_key(doc)])
        # One repeat after the other, each with all prompts.
        for number in range(len(prompts) * self.settings.repeats):
            repeat, position = divmod(number, len(prompts))
            prompt = prompts[position]
            kwargs = copy.deepcopy(self.config.generation_kwargs or {})
            if "seed" in kwargs:
                kwargs["seed"] = play.seed_of(kwargs["seed"], repeat)
            # Chat models end their own turn; without a template the next speaker's line is the end.
            stops = kwargs.pop("until", None) or ([] if ctx["templated"] else prompt.stops())
            if stops:
                kwargs["until"] = stops
            instance = play.PlayInstance(
                *(self.REQUEST, doc, ("", kwargs), number, metadata),
                prompt=prompt,
                repeat=repeat,
                live=self.seat_of(doc),
                **how,
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
            if self._way.mode == play.AGENT:
                self._spoken()
        for instance in sorted(
            self._instances, key=lambda instance: (instance.doc_id, instance.idx)
        ):
            played = instance.resps[0]
            record = self.record_of(instance.prompt, played)
            if self.settings.repeats > 1:
                record["repeat"] = instance.repeat
            record |= took(played, self.settings.price)
            start = self._rows.setdefault(
                document_key(instance.doc), slice(len(self._records), 0)
            ).start
            self._records.append(record)
            self._rows[document_key(instance.doc)] = slice(start, len(self._records))
            # lm_eval writes whatever stands here as text.
            instance.resps = [logged(played)]
            instance.filtered_resps["none"] = tagged(
                record.get("strategy") or "",
                record["reply"],
                record["language"],
                several=record.get("strategies", ()),
            )
        thought = next((instance.thought for instance in self._instances if instance.thought), None)
        if thought:
            self.config.metadata["csc"]["thinking"] = thought
        forcing = next((i.forcing for i in self._instances if i.forcing), None)
        if forcing:
            self.config.metadata["csc"]["forced"] = forcing
        self.config.metadata["csc"]["left_out"] = sorted(
            {name for instance in self._instances for name in instance.left_out}
        )
        if not self._predicts_only():
            self._columns = self.measure(self._records)
            self._columns |= self.consistency(self._records)

    def _spoken(self) -> None:
        """A deployed agent was asked: it was told what was said, and names no strategy."""
        self.metrics = without_strategies(self.metrics)
        as_spoken(self.config.metadata["csc"], self.signatures())

    def measure(self, records: Sequence[dict[str, Any]]) -> dict[str, Column]:
        """Every metric over all records: result name -> column."""
        return measure(records, self.metrics, self.languages, self.settings.learned())

    def consistency(self, records: list[dict[str, Any]]) -> dict[str, Column]:
        """What there is to say over several repeats."""
        return consistency_columns(self._columns, records)

    def process_results(self, doc: Document, _: object) -> dict[str, Any]:
        """The document's records, and for every metric its items, twice: once for the value, once
        for its standard error.
        """
        rows = self._rows[document_key(doc)]
        named: dict[str, Any] = {self.RECORDS: self._records[rows]}
        if self._predicts_only():
            return named | {"bypass": 999}
        for name, column in self._columns.items():
            named[name] = named[f"{name}_stderr"] = [doc["conversation_id"], column.items[rows]]
        return named

    def aggregation(self) -> dict[str, Any]:
        """Result name -> the function that makes one number of the documents' items."""
        named: dict[str, Any] = {self.RECORDS: self._count}
        if self._predicts_only():
            named |= super().aggregation()
            return named
        for name, metric in self.result_names().items():
            named[name] = Aggregate(metric, "value", self.settings.repeats)
            named[f"{name}_stderr"] = Aggregate(metric, "stderr", self.settings.repeats)
        return named

    def higher_is_better(self) -> dict[str, Any]:
        """Result name -> whether more is better."""
        return {name: metric.higher_is_better for name, metric in self.result_names().items()}

    def result_names(self) -> dict[str, Metric]:
        """Result name -> metric; a text metric stands once per language of a mixed corpus."""
        named = {name: metric for name, (metric, _) in keys(self.metrics, self.languages).items()}
        return named | {one.name: METRICS[one.metric] for one in self._of_repeats()}

    def _predicts_only(self) -> bool:
        return "bypass" in self._metric_fn_list

    def _count(self, documents: Sequence[Sequence[object]]) -> int:
        """How many turns or answers were scored. lm_eval asks once, on the first rank, just before
        it prints its table.
        """
        if self._way and self._way.slow:
            log.warning("%s: %s", self.config.task, self._way.line())
        return sum(map(len, documents))
