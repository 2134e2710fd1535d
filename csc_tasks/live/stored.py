"""The briefs of a corpus: those of its config `briefs`, and where it has none, those that rules
make.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from csc_tasks import corpora
from csc_tasks.conversation import Conversation
from csc_tasks.errors import DataError, MissingSplit
from csc_tasks.live.briefs import METHOD, brief_by_rule, quoted_supporter
from csc_tasks.live.customers.model import check_template
from csc_tasks.live.dialogue import Brief

CONFIG = "briefs"
STORED = "stored"


@dataclass(frozen=True, slots=True)
class Briefs:
    """The briefs of a run's conversations, in their order. source: STORED, or the rules that made
    them.
    """

    briefs: tuple[Brief, ...]
    source: str

    @property
    def line(self) -> str:
        """One line for a log."""
        made = "of the corpus" if self.source == STORED else "made by rule (csc build briefs)"
        return f"{len(self.briefs)} briefs {made}"


def stored_briefs(name: str, split: str, revision: str | None = None) -> dict[str, Brief] | None:
    """The briefs that a corpus has of a split, by conversation id; None where it has no config for
    them. Raises DataError for a row that is no brief.
    """
    try:
        rows = list(corpora.raw_rows(name, CONFIG, split, revision))
    except MissingSplit:
        return None
    there: dict[str, Brief] = {}
    for row, where in rows:
        if isinstance(row, DataError):
            raise row
        brief = Brief.from_json(row, where)
        there[brief.conversation_id] = brief
    return there


def briefs_of(corpus: corpora.Corpus, items: Sequence[Conversation], model: bool = False) -> Briefs:
    """The briefs of these conversations. model: whether a model is to play them.

    Raises DataError for a conversation without a brief in a corpus that has some, and for one that
    quotes the recorded supporter; SettingError for a language that cannot be played.
    """
    for code in sorted({item.language for item in items}) if model else ():
        check_template(code)
    there = stored_briefs(corpus.name, corpus.split, corpus.revision)
    if there is None:
        return Briefs(tuple(brief_by_rule(item) for item in items), METHOD)
    made = []
    for item in items:
        brief_or_none = there.get(item.conversation_id)
        if brief_or_none is None:
            raise DataError(
                f"{corpus.name}: {item.conversation_id} has no brief in its config {CONFIG}, which"
                f" has {len(there)}; build them again (csc build briefs), or remove the config and"
                " rules make them"
            )
        if quoted := quoted_supporter(brief_or_none, item):
            raise DataError(
                f"{corpus.name}: the brief of {item.conversation_id} quotes the recorded supporter"
                f" ({quoted!r}); mend it in the config {CONFIG}"
            )
        made.append(brief_or_none)
    return Briefs(tuple(made), STORED)
