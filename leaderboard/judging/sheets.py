"""Rating sheets for people: who rates what, as a CSV file and as a page that works offline; neither
says which model wrote what.

`key.json` is the only file that does. It stays with whoever runs the study, and `csc human import`
reads it.
"""

import hmac
import html
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from csc_tasks.conversation import SUPPORTER, content_id
from csc_tasks.csv_cells import GuardedWriter
from csc_tasks.errors import SettingError
from csc_tasks.languages import language as named
from csc_tasks.runs.names import DIMENSIONS
from leaderboard.judging.dimensions import dimensions_of, prompts, wording
from leaderboard.judging.sampling import order
from leaderboard.judging.units import Unit

FOLDER = Path(__file__).resolve().parent / "sheet"
NOT_ASKED = "n/a"


@dataclass(frozen=True, slots=True)
class Item:
    """One model's unit in a study, under a name that does not tell the model. raters: who rates
    it.
    """

    id: str
    model: str
    unit: Unit
    dimensions: tuple[str, ...]
    raters: tuple[str, ...]

    def key(self) -> dict:
        """What key.json says of it."""
        unit = self.unit
        return {
            "model": self.model,
            "task": unit.task,
            "unit": unit.id,
            "conversation_id": unit.conversation_id,
            "language": unit.language,
            "topic": unit.topic,
            "stage": unit.stage,
            "length": unit.length,
            "dimensions": list(self.dimensions),
            "raters": list(self.raters),
        }


def assign(
    units: Sequence[tuple[str, Unit]],
    raters: Sequence[str],
    each: int,
    chosen: Sequence[str],
    seed: int,
    secret: str,
) -> list[Item]:
    """Items of (model, unit) pairs, each given to `each` of the raters. `secret` stands in the key
    file alone: without it nobody can find out an item's model by trying names.

    Everybody gets the same number of each model's items, or one more; who meets whom on an item is
    drawn. Raises SettingError where `each` is not between 1 and the number of raters.
    """
    if not 1 <= each <= len(raters):
        raise SettingError(f"--ratings {each}: between 1 and the number of raters ({len(raters)})")
    by_model: Counter = Counter()
    whole: Counter = Counter()
    items = []
    for model, unit in sorted(units, key=lambda pair: (pair[0], order(seed, pair[1].id))):
        id_ = item_id(secret, seed, model, unit.id)
        free = sorted(
            raters,
            key=lambda rater: (by_model[model, rater], whole[rater], order(seed, f"{id_} {rater}")),
        )[:each]
        for rater in free:
            by_model[model, rater] += 1
            whole[rater] += 1
        items.append(Item(id_, model, unit, dimensions_of(unit.kind, chosen), tuple(sorted(free))))
    return items


def item_id(secret: str, seed: int, model: str, unit: str) -> str:
    """`item-` and 16 hex digits: HMAC-SHA256 of what the item is, with the study's secret."""
    content = json.dumps([seed, model, unit]).encode()
    return f"item-{hmac.new(secret.encode(), content, 'sha256').hexdigest()[:16]}"


def sheet_of(items: Sequence[Item], rater: str, seed: int) -> list[Item]:
    """One rater's items, in an order of the rater's own."""
    return sorted(
        (item for item in items if rater in item.raters),
        key=lambda item: order(seed, f"{rater} {item.id}"),
    )


def as_csv(items: Sequence[Item], rater: str) -> bytes:
    """The sheet as a CSV file that spreadsheets open: UTF-8 with BOM, nothing in it is a formula.
    Cells that are not asked hold "n/a".
    """
    asked = [name for name in DIMENSIONS if any(name in item.dimensions for item in items)]
    stream = io.StringIO()
    writer = GuardedWriter(stream)
    writer.row(["item", "rater", "background", "conversation", "reply", *asked, "comment"])
    for item in items:
        unit = item.unit
        names = named(unit.language).speakers
        conversation = "\n".join(
            f"{names.supporter if speaker == SUPPORTER else names.customer}: {text}"
            for speaker, text in unit.conversation
        )
        background = "\n\n".join(filter(None, (unit.instruction, unit.summary)))
        cells = ["" if name in item.dimensions else NOT_ASKED for name in asked]
        writer.row([item.id, rater, background, conversation, unit.reply, *cells, ""])
    return b"\xef\xbb\xbf" + stream.getvalue().encode(errors="replace")


def as_page(items: Sequence[Item], rater: str, study: str) -> bytes:
    """The sheet as one HTML file without anything outside it; it saves RATER.json."""
    language = Counter(item.unit.language for item in items).most_common(1)[0][0]
    spoken = sorted({item.unit.language for item in items})
    data = {
        "study": study,
        "rater": rater,
        "language": language,
        "dimensions": {code: wording(code) for code in spoken},
        "words": {code: sheet_words(code) for code in spoken},
        "items": [
            {
                "id": item.id,
                "language": item.unit.language,
                "kind": item.unit.kind,
                "dimensions": item.dimensions,
                "instruction": item.unit.instruction,
                "summary": item.unit.summary,
                "conversation": item.unit.conversation,
                "reply": item.unit.reply,
            }
            for item in items
        ],
    }
    # In a script element only "<" could end it or open a comment.
    text = (
        json.dumps(data, ensure_ascii=False)
        .replace("<", "\\u003c")
        .encode(errors="replace")
        .decode()
    )
    values = {
        "language": language,
        "title": html.escape(f"{sheet_words(language)['title']} · {rater}"),
        "data": text,
        "style": (FOLDER / "style.css").read_text(encoding="utf-8"),
        "script": (FOLDER / "script.js").read_text(encoding="utf-8"),
    }
    pieces = (FOLDER / "page.html").read_text(encoding="utf-8").split("@")
    # Split once and joined, so that an "@" in a text is only an "@".
    return "".join(values[piece] if i % 2 else piece for i, piece in enumerate(pieces)).encode()


@cache
def sheet_words(language: str) -> Mapping[str, str]:
    """The words of a sheet's page in one language; raises SettingError for one without prompts for
    judging.
    """
    import yaml

    folder = prompts(language).folder / language
    own = yaml.safe_load((folder / "sheet.yaml").read_text(encoding="utf-8"))
    speakers = named(language).speakers
    return own | {"customer": speakers.customer, "supporter": speakers.supporter}


def guide(items: Sequence[Item]) -> str:
    """What raters are told, in the languages of the items."""
    parts = []
    for language in sorted({item.unit.language for item in items}):
        names = [
            name
            for name in DIMENSIONS
            if any(name in item.dimensions for item in items if item.unit.language == language)
        ]
        lines = [
            f"- **{wording(language)[name][0]}** (`{name}`): {wording(language)[name][1]}"
            for name in names
        ]
        parts.append(
            "\n".join(
                [
                    f"# {sheet_words(language)['title']}",
                    "",
                    prompts(language).text("human_guide").strip(),
                    "",
                    *lines,
                ]
            )
        )
    return "\n\n".join(parts) + "\n"


def key_of(items: Sequence[Item], raters: Sequence[str], seed: int, secret: str) -> Mapping:
    """key.json: study, raters, what each item is, and the secret their ids were made with."""
    keys = {item.id: item.key() for item in items}
    return {
        "format": 1,
        "study": content_id("study", keys),
        "raters": list(raters),
        "seed": seed,
        "secret": secret,
        "items": keys,
    }
