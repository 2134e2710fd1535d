"""The excerpt of a report in docs/how-to/reproduce.md, recomputed from the corpora with pandas and
scipy: nothing here is shared with csc stats, csc baselines and the board.
"""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from csc_tasks.cli import main

ROOT = Path(__file__).resolve().parents[1]
TABLE_3 = "Table 3"
TABLE_6 = "Table 6, strategy accuracy (%)"


def table(title):
    """{row: {column: cell}} of the page's table whose first header is `title`."""
    lines = (ROOT / "docs" / "how-to" / "reproduce.md").read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {title} |"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    header, _, *body = rows
    return {row[0].strip("*"): dict(zip(header[1:], row[1:], strict=True)) for row in body}


def column(title, name):
    return {row: cells[name] for row, cells in table(title).items()}


def size(text, language):
    """Characters (Chinese) or words between spaces."""
    return len(text) if language == "zh" else len(text.split())


def sizes(dialogues, language, labelled=True):
    """The rows of Table 3 as the page prints them."""
    turns = pd.DataFrame([turn for dialogue in dialogues for turn in dialogue])
    turns["size"] = [size(text, language) for text in turns["text"]]
    lengths = turns.groupby("speaker")["size"].mean()
    labels = turns.loc[(turns["speaker"] == "supporter"), "strategy"] if labelled else []
    known = [label for label in labels if label]
    share = 100 * sum(label != "Others" for label in known) / len(known) if labelled else None
    return {
        "Conversations": f"{len(dialogues):,}",
        "Utterances": f"{len(turns):,}",
        "Avg. utterances per conversation": f"{len(turns) / len(dialogues):.2f}",
        "Avg. length of a supporter utterance": f"{lengths['supporter']:.2f}",
        "Avg. length of a customer utterance": f"{lengths['customer']:.2f}",
        "Strategy use without Others (%)": "–" if share is None else f"{share:.2f}",
    }


def demo(config, split, language=None):
    rows = pd.read_json(ROOT / "csc_tasks" / "demo" / config / f"{split}.jsonl", lines=True)
    return rows if language is None else rows[rows["language"] == language]


@pytest.fixture(scope="module")
def star(shared_data, tmp_path_factory):
    out = tmp_path_factory.mktemp("star") / "star"
    assert (
        main(["build", "star", "--source", str(shared_data / "star/dialogues"), "--out", str(out)])
        == 0
    )
    return out


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_demo_of_table_3(language):
    rows = demo("csconv", "test", language)
    assert column(TABLE_3, f"demo {language}") == sizes(list(rows["dialogue"]), language)


def test_star_of_table_3(star):
    rows = pd.read_parquet(star / "csconv" / "test-00000-of-00001.parquet")
    assert column(TABLE_3, "STAR test") == sizes([list(d) for d in rows["dialogue"]], "en")


def test_crosswoz_of_table_3(shared_data, tmp_path):
    source, out = shared_data / "crosswoz/val.json.zip", tmp_path / "crosswoz"
    words = ["--source", str(source), "--llm", "scripted", "--limit", "200", "--out", str(out)]
    assert main(["build", "csconv", *words]) == 0
    rows = pd.read_parquet(out / "csconv" / "test-00000-of-00001.parquet")
    rewritten = sizes([list(d) for d in rows["dialogue"]], "zh")
    assert column(TABLE_3, "CrossWOZ, rewritten") == rewritten
    originals = pd.read_json(tmp_path / "crosswoz.originals.jsonl", lines=True)
    whole = sizes(list(originals["turns"]), "zh", labelled=False)
    assert column(TABLE_3, "CrossWOZ, original") == whole


def labels(rows):
    """The language of each conversation and its gold strategies, in order."""
    return [
        (language, [turn["strategy"] for turn in dialogue if turn["strategy"]])
        for language, dialogue in zip(rows["language"], rows["dialogue"], strict=True)
    ]


def commonest(counts):
    """The label with most, by the framework's order among equals."""
    from csc_tasks.framework import STRATEGY_IDS

    return max(STRATEGY_IDS, key=lambda name: counts[name])


def printed(right):
    """A mean with its 95 % interval, clustered by conversation, on the logit scale."""
    sums, counts = np.array([sum(one) for one in right]), np.array([len(one) for one in right])
    n, mean = len(right), sums.sum() / counts.sum()
    without = (sums.sum() - sums) / (counts.sum() - counts)
    logit = np.log(without / (1 - without))
    error = np.sqrt((n - 1) / n * ((logit - logit.mean()) ** 2).sum())
    return mean, error, n


def bounds(cell):
    numbers = [float(number) / 100 for number in re.findall(r"[\d.]+", cell)]
    if "±" in cell:
        return numbers[0], numbers[0] - numbers[1], numbers[0] + numbers[1]
    return tuple(numbers)


def check(cell, right):
    mean, error, n = printed(right)
    value, low, high = bounds(cell)
    assert value == pytest.approx(mean, abs=5.1e-4)
    middle = np.log(mean / (1 - mean))
    for end, given in ((-1, low), (1, high)):
        expected = 1 / (1 + np.exp(-(middle + end * stats.t.ppf(0.975, n - 1) * error)))
        assert given == pytest.approx(expected, abs=3e-3)


@pytest.mark.parametrize("corpus", ["demo", "STAR"])
def test_the_baselines_of_table_6(corpus, request):
    if corpus == "demo":
        learned, scored = labels(demo("rolecs", "train")), labels(demo("csconv", "test"))
    else:
        folder = request.getfixturevalue("star") / "csconv"
        learned, scored = (
            labels(pd.read_parquet(folder / f"{split}-00000-of-00001.parquet"))
            for split in ("train", "test")
        )
    follows = {}
    for language, own in learned:
        for before, after in zip(["", *own], own, strict=False):
            follows.setdefault((language, before), Counter())[after] += 1
    majority = {
        language: commonest(sum((n for (of, _), n in follows.items() if of == language), Counter()))
        for language in {language for language, _ in learned}
    }

    def next_of(language, before):
        counts = follows.get((language, before))
        return commonest(counts) if counts else majority[language]

    always, after_gold, after_own = [], [], []
    for language, own in scored:
        always.append([label == majority[language] for label in own])
        pairs = zip(["", *own], own, strict=False)
        after_gold.append([label == next_of(language, before) for before, label in pairs])
        said, right = "", []
        for label in own:
            said = next_of(language, said)
            right.append(said == label)
        after_own.append(right)
    context = {"demo": ("demo, reference context", "demo, generated")}.get(
        corpus, ("STAR, reference", "STAR, generated")
    )
    cells = table(TABLE_6)
    check(cells["majority"][context[0]], always)
    check(cells["majority"][context[1]], always)
    check(cells["bigram"][context[0]], after_gold)
    check(cells["bigram"][context[1]], after_own)
