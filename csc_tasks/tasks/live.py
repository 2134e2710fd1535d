"""Live conversations: `cscx_conv_live`, whose customer is played."""

from collections.abc import Mapping
from typing import Any

from csc_tasks import play
from csc_tasks.conversation import Conversation
from csc_tasks.live import Brief
from csc_tasks.live.asked import live_words
from csc_tasks.live.briefs import briefs_hash
from csc_tasks.live.customers import CustomerSettings
from csc_tasks.live.customers.model import check_model
from csc_tasks.live.record import live_record
from csc_tasks.live.run_record import customer_record
from csc_tasks.live.stored import briefs_of
from csc_tasks.measuring import Column
from csc_tasks.prompts import TurnPrompt
from csc_tasks.runs.task_record import LIVE
from csc_tasks.tasks.conversations import ConversationTask
from csc_tasks.tasks.support import Answered, Document, log


class LiveTask(ConversationTask):
    """`cscx_conv_live`: the model talks to a customer who is played by another model, by rule, or
    by the turns of the recorded one. One request is a whole conversation, and one record too.
    """

    GENERATED = True
    RECORDS = LIVE
    briefs: Mapping[str, Brief]

    @property
    def variant(self) -> str:
        return LIVE

    @property
    def customer(self) -> CustomerSettings:
        """Who plays the customer, and how it is asked."""
        return self.settings.live_customer()

    def download(self, dataset_kwargs: Mapping[str, Any] | None = None, **options: object) -> None:
        """Read the corpus, and the briefs that it has or rules make."""
        if self.customer.model:
            check_model(self.customer)
        super().download(dataset_kwargs, **options)
        items = list(self.items.values())
        stored = briefs_of(self.corpus, items, self.customer.model)
        self.briefs = {brief.conversation_id: brief for brief in stored.briefs}
        self.brief_source = stored.source
        log.info("%s: %s", self.config.task, stored.line)
        if self.customer.customer != "recorded":
            log.warning(
                "%s: the customer is simulated (%s): nothing here is ranked unless an audit of it"
                " has passed (csc audit-customer, csc collect --audit)",
                self.config.task,
                self.customer.customer,
            )

    def keep(self, items: list[Conversation]) -> list[Conversation]:
        """The conversations that the other tasks play; no label and no reference is needed."""
        for code in sorted({item.language for item in items}):
            live_words(code)
        return [item for item in items if item.labelled_turns()] or items

    def provenance(self) -> dict[str, Any]:
        own = customer_record(
            self.customer,
            self.settings.max_turns,
            briefs_hash(self.briefs.values()),
            self.brief_source,
            self.languages,
        )
        return super().provenance() | own

    def check_sampled(self) -> None:
        """A model that plays the customer draws its turns, so that greedy replies differ too."""
        if not self.customer.model or not self.customer.temperature:
            super().check_sampled()

    def requests_of(self, item: Conversation) -> list[TurnPrompt]:
        # The first turn, before anything was said; the others are made while it is played.
        first = Conversation(item.conversation_id, item.language, item.topic, item.source, ())
        return [TurnPrompt(first, 0, self.settings.prompt, "predict", self.form)]

    def seat_of(self, doc: Document) -> play.Seat:
        item = self.items[doc["conversation_id"]]
        brief = self.briefs[item.conversation_id]
        return play.Seat(item, brief, self.customer, self.settings.max_turns)

    def doc_to_target(self, doc: Document, doc_to_target: object = None) -> list[str]:
        return []

    def record_of(self, prompt: TurnPrompt, answered: Answered) -> dict[str, Any]:
        assert isinstance(answered, play.LivePlayed)
        raws, topic = answered.raws, prompt.conversation.topic
        return live_record(
            answered.dialogue,
            topic,
            _any(raw.truncated for raw in raws),
            _any(
                None if raw.history_truncated is None else raw.history_truncated > 0 for raw in raws
            ),
            sum(bool(raw.failed) for raw in raws),
            answered.failure,
        )

    def consistency(self, records: list[dict[str, Any]]) -> dict[str, Column]:
        """There is no accuracy of strategies to be consistent in."""
        return {}


def _any(flags: Any) -> bool | None:
    """Whether one is true; None where none is known."""
    known = [flag for flag in flags if flag is not None]
    return any(known) if known else None
