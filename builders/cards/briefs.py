"""What the card of conversations with briefs says."""

from collections.abc import Mapping

from builders.cards.render import Card


def card(record: Mapping, licence: str) -> Card:
    """The card for what `record` (build.json) says."""
    models = ", ".join(sorted(set(record.get("models", {}).values())))
    made = (
        f"by {models}, shown the customer's turns alone" if models else "by rule, without a model"
    )
    name = record["corpus"]["name"]
    return Card(
        title=f"{name} with briefs for live customers",
        summary=(
            "Customer-support conversations, and for each a brief from which its customer can be"
            " played."
        ),
        licence=licence,
        languages=tuple(record["corpus"]["languages"]),
        source=f"The conversations are those of {name}, unchanged; its licence and terms apply.",
        made=f"The briefs were made {made}.",
        limits=(
            "A brief holds what the customer said, and so whatever personal data it told.",
            "A fact that the customer knew and never told is in no brief.",
            "Names of facts, manner and mood are coarse.",
        ),
        tags=("live-customer",),
    )
