"""What the card of a dataset says once its turns were labelled."""

from collections.abc import Mapping
from dataclasses import replace

from builders.cards.render import Card
from builders.cards.transcripts import UNLABELLED, WITHOUT_LABELS

MODELS = "The labels of models were checked by nobody: compare them with people's."
SCRIPTED = (
    "Raters called `model:scripted` are an offline stand-in that goes by rules: use these labels to"
    " try things out."
)


def labelled_card(card: Card, labelling: Mapping) -> Card:
    """The card of the dataset before, with what this labelling adds and what it makes untrue."""
    raters: Mapping = labelling["raters"]
    if labelling["by"] == "models":
        who = ", ".join(
            f"`{name}` (`{asked}`)" if asked else f"`{name}`" for name, asked in raters.items()
        )
        how = (
            f"Language models labelled the supporter turns: {who}. Each saw the conversation up to"
            " the turn, gave a reason, and named one strategy or several in order; nothing was"
            " rewritten. `strategy` is what most raters name first, unless the dataset came with"
            " one."
        )
        limits = [MODELS]
        if any(asked.startswith("scripted") for asked in raters.values()):
            limits.append(SCRIPTED)
    else:
        how = (
            f"People labelled supporter turns ({len(raters)}), each without seeing another's labels"
            " or those of models."
        )
        limits = []
    kept = [limit for limit in card.limits if limit not in (UNLABELLED, *limits)]
    return replace(
        card,
        summary=card.summary.replace(WITHOUT_LABELS, ""),
        made=f"{card.made}\n\n{how}",
        limits=(*kept, *limits),
    )
