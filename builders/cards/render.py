"""A dataset's card: what a builder says about its data and what the build counted, rendered into
`card.md`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from string import Template

from builders.hold_out import ALL
from builders.schema import LABELS, columns
from csc_tasks.benchmark import Reader, readers
from csc_tasks.framework import STRATEGIES
from csc_tasks.languages.labels import CARDS, strategy_name
from csc_tasks.runs.task_record import SHIPPED, TURNS

FIGURES = "figures"
"""The folder beside a card that its figures lie in."""

STATISTICS = ("<!-- statistics -->", "<!-- end of statistics -->")
"""The lines of a card between which `csc stats --card` writes."""

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))

_MIT = """\
Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction,
including without limitation the rights to use, copy, modify, merge, publish, distribute,
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial
portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES
OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN
CONNECTION WITH THE
SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE."""
# The licence asks that its text goes with every copy of the data, so the card carries it.
LICENCE_TEXTS = {"mit": _MIT}


@dataclass(frozen=True, slots=True)
class Card:
    """What a builder says about its dataset; `source`, `made` and `limits` are Markdown.

    `licence` is the Hub's identifier ("mit", "apache-2.0", "other"), `copyright` the holder's line
    that belongs with it, `citation` BibTeX.
    """

    title: str
    summary: str
    licence: str
    languages: tuple[str, ...]
    source: str
    made: str
    limits: tuple[str, ...]
    copyright: str = ""
    citation: str = ""
    tags: tuple[str, ...] = ()


def render_card(card: Card, record: Mapping) -> str:
    """README.md: front matter that the Hub and `datasets` read, and a text made of `card` and the
    record that build.json holds.
    """
    splits = record["splits"]
    rows = sum(content["rows"] for parts in splits.values() for content in parts.values())
    front_matter = {
        "pretty_name": card.title,
        "license": card.licence,
        "language": list(card.languages),
        "task_categories": ["text-generation"],
        "size_categories": [next((name for bound, name in _SIZES if rows < bound), "n>1M")],
        "tags": ["customer-support", "dialogue", *card.tags],
        "configs": [
            {
                "config_name": config,
                "data_files": [
                    {"split": split, "path": f"{config}/{split}-*.parquet"} for split in parts
                ],
            }
            for config, parts in splits.items()
        ],
    }
    meanings = {
        f"`{name}`": meaning for config in splits for name, (_, meaning) in columns(config).items()
    }
    if any("raters" in content for parts in splits.values() for content in parts.values()):
        meanings |= dict([LABELS])
    filled = Template(Path(__file__).with_name("card.md").read_text(encoding="utf-8")).substitute(
        front_matter=yaml_text(front_matter).rstrip(),
        title=card.title,
        summary=card.summary,
        contents=contents_table(splits),
        statistics="\n".join(STATISTICS),
        source=card.source.strip(),
        made=card.made.strip(),
        counts=_bullets(count_lines(record.get("counts", {}))),
        loading="\n".join(
            f'{c} = load_dataset("PATH_OR_HUB_ID", "{c}")  # {", ".join(parts)}'
            for c, parts in splits.items()
        ),
        evaluating=_evaluating(record),
        columns=markdown_table(
            ["column", "meaning"], [[name, meaning] for name, meaning in meanings.items()]
        ),
        limits=_bullets(card.limits),
        licence="\n\n".join(
            text
            for text in (f"`{card.licence}`", card.copyright, LICENCE_TEXTS.get(card.licence))
            if text
        ),
        citation=(
            f"\n## Citation\n\n```bibtex\n{card.citation.strip()}\n```" if card.citation else ""
        ),
    )
    return filled.rstrip() + "\n"


def has_place(text: str) -> bool:
    """Whether a card has a place for statistics."""
    start, end = STATISTICS
    return end in text.partition(start)[2]


def with_statistics(text: str, section: str) -> str:
    """A card that has a place for statistics with `section` there, in place of earlier ones."""
    start, end = STATISTICS
    before, _, rest = text.partition(start)
    _, _, after = rest.partition(end)
    return f"{before}{start}\n\n{section.strip()}\n\n{end}{after}"


def count_lines(counts: Mapping) -> list[str]:
    """A builder's counts as lines to print or list: a name and its number, or the numbers of its
    parts, largest first.
    """
    lines = []
    for name, value in counts.items():
        if isinstance(value, Mapping):
            parts = sorted(value.items(), key=lambda part: (-part[1], part[0]))
            text = ", ".join(f"{n:,} {part}" for part, n in parts) or "none"
        else:
            text = f"{value:,}"
        lines.append(f"{name.replace('_', ' ')}: {text}")
    return lines


def contents_table(splits: Mapping[str, Mapping[str, Mapping]]) -> str:
    """Markdown tables of what each split of a record's `splits` holds and, where there are
    conversations, of their strategies.
    """
    keys = ("rows", "turns", "supporter_turns_labelled", "supporter_turns_unlabelled")
    parts = [
        (f"{config} {split}", [config, split], content)
        for config, described in splits.items()
        for split, content in described.items()
    ]
    header = [
        "config",
        "split",
        "rows",
        "turns",
        "supporter turns labelled (scored)",
        "supporter turns unlabelled",
    ]
    rows = [
        [*place, *(f"{content[key]:,}" if key in content else "–" for key in keys)]
        for _, place, content in parts
    ]
    tables = [markdown_table(header, rows)]
    labelled = [
        (name, content) for name, _, content in parts if content.get("supporter_turns_labelled")
    ]
    if labelled:
        rows = [
            [
                strategy.id,
                strategy_name(strategy.id, CARDS),
                *(_count_and_share(strategy.id, content) for _, content in labelled),
            ]
            for strategy in STRATEGIES
        ]
        tables.append(markdown_table(["id", "strategy", *(name for name, _ in labelled)], rows))
    rated = [(place, content) for _, place, content in parts if "raters" in content]
    if rated:
        rows = [
            [*place, rater, f"{n:,}", f"{n / content['turns_with_labels']:.1%}"]
            for place, content in rated
            for rater, n in content["raters"].items()
        ]
        header = ["config", "split", "rater", "turns labelled", "of the turns with labels"]
        tables.append(markdown_table(header, rows))
    return "\n\n".join(tables)


def _count_and_share(strategy: str, content: Mapping) -> str:
    n = content["strategies"][strategy]
    # Of a turn that is held out nobody knows the strategy.
    known = sum(content["strategies"].values())
    return f"{n:,} ({n / max(known, 1):.1%})"


def yaml_text(value: Mapping) -> str:
    """`value` as YAML with its keys in the order given."""
    import yaml

    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=1_000)


def readers_of(record: Mapping) -> dict[str, Reader]:
    """Config -> who reads it. Where all supporter turns are held out, no task that shows them."""
    found = readers(record["splits"])
    if record.get("held_out", {}).get("turns") != ALL:
        return found
    return {
        config: replace(reader, tasks=tuple(filter(_needs_no_turns, reader.tasks)))
        for config, reader in found.items()
    }


def _needs_no_turns(task: str) -> bool:
    return SHIPPED[task].unit != TURNS or SHIPPED[task].generated


def _evaluating(record: Mapping) -> str:
    by_config = readers_of(record)
    if not by_config:
        return "There is no test split: this dataset is for training."
    tasks = ",".join(task for reader in by_config.values() for task in reader.tasks)
    metadata = json.dumps({reader.setting: "PATH_OR_HUB_ID" for reader in by_config.values()})
    lines = (
        "lm_eval --model hf --model_args pretrained=MODEL --apply_chat_template",
        f"--tasks {tasks}",
        f"--metadata '{metadata}'",
    )
    command = " \\\n    ".join(lines)
    return (
        "With `lm_eval` and `csc-tasks` installed (leave `--apply_chat_template` out for a base"
        f" model):\n\n```bash\n{command}\n```"
    )


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows))


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
