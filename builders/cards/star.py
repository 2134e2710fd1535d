"""What the card of the STAR dataset says; the table of labels in it is rendered from
`star_labels.MAPPING`.
"""

from builders.cards.render import Card
from builders.star_labels import MAPPING

_LABELS = "\n".join(
    f"| {strategy} | {meaning} | {', '.join(f'`{label}`' for label in labels.split())} |"
    for strategy, meaning, labels in MAPPING
)

CARD = Card(
    title="STAR, labelled with support strategies",
    summary=(
        "STAR's dialogues between human customers and human agents, with the support strategy of"
        " every reply the agent picked."
    ),
    licence="mit",
    copyright="Copyright (c) 2020 Rasa Technologies GmbH",
    languages=("en",),
    source="""
[STAR](https://github.com/RasaHQ/STAR) (arXiv 2010.11853) is a set of dialogues between crowd
workers. One played a customer who followed instructions that arrived during the dialogue, the other
an automatic assistant. For each reply the assistant's player typed a draft and either picked one of
the templates suggested for it or sent the draft. `source` names the dialogue (`STAR/1000`). Names,
account numbers, PINs and dates of birth come from the instructions and belong to invented
customers.
""",
    made=f"""
Completed dialogues were kept, exact duplicates dropped and nothing merged: every reply is a turn of
its own. A picked reply carries an action label, and the table gives each action the one of the
twelve strategies (Table 1 of arXiv 2508.04423) whose definition fits the action's template. A reply
sent as typed has no label (or `custom`, which says nothing): it stays in the dialogue and is not
scored. Spaces at the ends of a text were removed. The topic is that of the tasks which the scenario
gave the agent; a dialogue whose tasks span several topics is `Others`. A hash of the dialogue and
the seed decides the split.

| strategy | the agent ... | STAR's action labels |
| --- | --- | --- |
{_LABELS}
""",
    limits=(
        (
            "The strategies follow from action labels by the table above; nobody annotated these"
            " dialogues with the framework."
        ),
        (
            "No action of STAR is emotional management (EM), a suggestion (PS) or relationship"
            " continuation (RC): these never occur."
        ),
        (
            "Picked replies are templates with a few slots: overlap metrics reward knowing them and"
            " do not compare with free dialogue."
        ),
        "A reply sent as typed may well greet, verify or apologise; it is unlabelled all the same.",
        (
            "Customers were told to be difficult at times: to forget a PIN, to complain, to change"
            " the subject."
        ),
        (
            "Splits are by dialogue: the same worker, the same invented customer and the same"
            " scenario occur in both."
        ),
    ),
    citation="""
@article{mosig2020star,
  title   = {{STAR}: A Schema-Guided Dialog Dataset for Transfer Learning},
  author  = {Mosig, Johannes E. M. and Mehri, Shikib and Kober, Thomas},
  journal = {arXiv preprint arXiv:2010.11853},
  year    = {2020}
}
""",
)
