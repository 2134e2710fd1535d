"""A dataset folder's card read back into the `Card` it was rendered from: a reviewed dataset says
what its source said, and more.
"""

import re
from pathlib import Path

from builders.cards.render import LICENCE_TEXTS, Card
from csc_tasks.errors import DataError

_FRONT_MATTER = re.compile(r"---\n(.*?)\n---\n\n# (.*?)\n\n(.*?)\n\n## Contents\n", re.DOTALL)


def read_card(path: Path) -> Card:
    """The card in `path`, statistics left out. Raises DataError for a README.md that is not in the
    form that builders write.
    """
    import yaml

    text = path.read_text(encoding="utf-8")
    try:
        start = _FRONT_MATTER.match(text)
        if start is None:
            raise LookupError("front matter")
        known = yaml.safe_load(start[1])
        sections = {
            name: body.strip()
            for name, body in re.findall(
                r"^## (.+?)\n\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE
            )
        }
        made, counts, _ = sections["How it was made"].partition("\n\nCounts of the build")
        own = LICENCE_TEXTS.get(known["license"], "")
        licence = (
            sections["Licence"].removeprefix(f"`{known['license']}`").removesuffix(own).strip()
        )
        citation = sections.get("Citation", "").removeprefix("```bibtex\n").removesuffix("\n```")
        if not counts:
            raise KeyError("counts")
        return Card(
            title=start[2],
            summary=start[3],
            licence=known["license"],
            languages=tuple(known["language"]),
            source=sections["Source"],
            made=made,
            limits=tuple(line.removeprefix("- ") for line in sections["Limits"].splitlines()),
            copyright=licence,
            citation=citation,
            tags=tuple(known["tags"][2:]),
        )
    except (yaml.YAMLError, LookupError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: not a card as builders write it ({error!r:.80}); undo what was changed, or"
            " build it again"
        ) from None
