"""Supporter turns: the tasks over conversations."""

from collections.abc import Sequence
from typing import Any

from csc_tasks import corpora, play
from csc_tasks.conversation import HOW_TO_LABEL, Conversation
from csc_tasks.documents import document_key
from csc_tasks.errors import DataError, SettingError
from csc_tasks.measuring import Column, measure_choices, signatures_of_choices
from csc_tasks.metrics import ASKED_AGAIN, METRICS, Metric, select
from csc_tasks.metrics.metric import LABELS
from csc_tasks.metrics.result_names import normalised, signed_with
from csc_tasks.named_turns import asked_turns
from csc_tasks.prompts import (
    SEVERAL,
    TEXT,
    Reply,
    TurnPrompt,
    ask_again_line,
    format_line,
    read_begun,
    read_reply,
    read_text,
)
from csc_tasks.records import asked_again, choice_record, forced_record, turn_record
from csc_tasks.runs.applying import applying
from csc_tasks.runs.task_record import CHOICE, FORCED, TURNS, TaskRecord
from csc_tasks.tasks.asking import flag
from csc_tasks.tasks.support import Answered, Document, SupportTask, log


class ConversationTask(SupportTask[Conversation, TurnPrompt]):
    """Supporter turns: `csc_conv_ref` and its variants. `VARIANT` is "predict", "vanilla" or
    "oracle" (Table 8).
    """

    RECORDS = TURNS
    VARIANT = "predict"

    @property
    def variant(self) -> str:
        return CHOICE if self.REQUEST is play.CHOOSE else self.VARIANT

    @property
    def written(self) -> bool:
        """Whether the model writes the strategy's name: only then there is a form in which it does,
        and a reply in which it cannot be read.
        """
        return self.variant == "predict"

    @property
    def form(self) -> str:
        """How strategies are asked for (csc_tasks/prompts/forms.py); raises SettingError for two
        forms at once.
        """
        if not self.written:
            return TEXT
        if self.settings.strategies != SEVERAL:
            return self.settings.format
        if self.settings.format != TEXT:
            raise SettingError(
                f"csc_strategies=several and csc_format={self.settings.format}: such a reply names"
                " one strategy; leave one of the two out"
            )
        return SEVERAL

    @property
    def asks_again(self) -> bool:
        """Whether a reply in which no strategy can be read is asked for once more."""
        return bool(self.settings.reask) and self.written

    def read_corpus(self) -> corpora.Corpus:
        its = self.settings
        return corpora.load(its.corpus, "csconv", "test", its.revision, its.bad_rows)

    def keep(self, items: list[Conversation]) -> list[Conversation]:
        labelled = [item for item in items if item.labelled_turns()]
        if not labelled:
            labelled = self.unlabelled(items)
        elif len(labelled) < len(items):
            log.warning(
                "%s: %d conversations without a labelled supporter turn are not asked about",
                self.corpus.name,
                len(items) - len(labelled),
            )
        self.check_held_out(labelled)
        self.labelled = any(turn.labels for item in labelled for turn in item.dialogue)
        if self.labelled:
            self.metrics = self.choose_metrics()
        for code in {item.language for item in labelled}:
            format_line(code, self.form)
            if self.asks_again:
                ask_again_line(code, self.form)
        return labelled

    def unlabelled(self, items: list[Conversation]) -> list[Conversation]:
        """The same items, none of which has a label; say what there is no number for. Raises
        DataError where the labels are part of the prompts.
        """
        name = self.corpus.name
        if self.VARIANT == "oracle":
            raise DataError(
                f"{name}: no supporter turn has a strategy, so {self.config.task}, which gives them"
                f" to the model, cannot be run; {HOW_TO_LABEL}"
            )
        log.warning(
            "%s: no supporter turn has a strategy: all %d are asked for, and metrics of strategies"
            " are N/A; %s",
            name,
            sum(len(item.scored_turns()) for item in items),
            HOW_TO_LABEL,
        )
        return items

    def check_held_out(self, items: list[Conversation]) -> None:
        """Say how many turns are held out; raise DataError for what cannot be run without."""
        self.held_out = sum(len(item.held_out_turns()) for item in items)
        if not self.held_out:
            return
        hidden = sum(item.history_held_out for item in items)
        if hidden and not self.GENERATED:
            raise DataError(
                f"{self.corpus.name}: holds supporter turns out that later turns have as their"
                f" history (in {hidden:,} of {len(items):,} conversations), so"
                f" {self.config.task} cannot be run; csc_conv_gen can: the model's own turns stand"
                " in their place"
            )
        if self.VARIANT == "oracle":
            raise DataError(
                f"{self.corpus.name}: holds the strategies of {self.held_out:,} turns out, so"
                f" {self.config.task}, which gives them to the model, cannot be run"
            )
        log.warning(
            "%s: %d of %d turns to be scored are held out: metrics against their texts and"
            " strategies are N/A until their holder has run csc verify --references",
            self.corpus.name,
            self.held_out,
            sum(len(item.scored_turns()) for item in items),
        )

    def provenance(self) -> dict[str, Any]:
        form = {} if self.form == TEXT else {"format": self.form}
        again = {"reask": self.settings.reask} if self.asks_again else {}
        held_out = {"held_out": self.held_out} if self.held_out else {}
        return super().provenance() | form | again | held_out

    def choose_metrics(self) -> list[Metric]:
        chosen = super().choose_metrics()
        if self.asks_again:
            chosen += select(None, ASKED_AGAIN)
        return applying(chosen, TaskRecord(self.RECORDS, self.GENERATED, self.variant))

    def signatures(self) -> dict[str, str]:
        return signed_with(self.corpus.labels, super().signatures())

    def requests_of(self, item: Conversation) -> list[TurnPrompt]:
        return [
            TurnPrompt(item, turn, self.settings.prompt, self.VARIANT, self.form)
            for turn in asked_turns(item, self.settings.turns, self.GENERATED)
        ]

    def doc_to_target(self, doc: Document, doc_to_target: object = None) -> list[str]:
        return [prompt.target() for prompt in self.requests_of(self.items[document_key(doc)])]

    def record(self, prompt: TurnPrompt, played: play.Played) -> dict[str, Any]:
        chooses = prompt.names_strategy
        if chooses:
            reply = read_reply(played.text, played.thinking, prompt.language, prompt.form)
        else:
            reply = read_text(played.text, played.thinking, prompt.language)
        history = flag(played.history_truncated)
        record = turn_record(
            prompt.conversation,
            prompt.turn,
            reply,
            played.truncated,
            history,
            chooses,
            played.failed,
        )
        return record | asked_again(played.first) if self.asks_again and chooses else record


class GeneratedContextTask(ConversationTask):
    """`csc_conv_gen`: the model's own earlier turns stand where the gold supporter's were."""

    GENERATED = True


class VanillaTask(ConversationTask):
    """`cscx_conv_ref_vanilla`: no strategies anywhere."""

    VARIANT = "vanilla"


class ForcedTask(ConversationTask):
    """`cscx_conv_ref_forced`: the strategy is the likeliest of the twelve names as the beginning of
    the reply, and the reply is written after it.
    """

    FORCED = True

    @property
    def variant(self) -> str:
        return FORCED

    def record(self, prompt: TurnPrompt, played: play.Played) -> dict[str, Any]:
        chosen, reply = played.chosen, Reply(None, "")
        if chosen and not played.failed:
            reply = read_begun(played.text, chosen.strategy, prompt.language, played.thinking)
        return forced_record(
            prompt.conversation,
            prompt.turn,
            reply,
            played.truncated,
            flag(played.history_truncated),
            chosen.loglikelihoods if chosen else None,
            chosen.written if chosen else "",
            played.failed,
        )


class GeneratedForcedTask(ForcedTask):
    """`cscx_conv_gen_forced`: the same with the model's own earlier turns in the history."""

    GENERATED = True


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
        against_raters = [metric for metric in METRICS.values() if metric.of == LABELS]
        chosen = [METRICS[name] for name in self.NAMES]
        return [*chosen, *against_raters] if self.labelled else chosen

    def result_names(self) -> dict[str, Metric]:
        named = super().result_names()
        return named | {
            normalised(name): metric for name, metric in named.items() if metric.of_choice
        }

    def record_of(self, prompt: TurnPrompt, answered: Answered) -> dict[str, Any]:
        assert isinstance(answered, play.Choice)
        return choice_record(
            prompt.conversation,
            prompt.turn,
            answered.loglikelihoods,
            flag(answered.history_truncated),
            answered.failed,
        )

    def measure(self, records: Sequence[dict[str, Any]]) -> dict[str, Column]:
        return measure_choices(records, self.metrics, self.languages)

    def signatures(self) -> dict[str, str]:
        return signed_with(self.corpus.labels, signatures_of_choices(self.metrics, self.languages))
