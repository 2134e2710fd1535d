"""stats.json: every number of the demo counted a second time by pandas, numpy and scikit-learn
straight from parquet, and spot checks on corpora built from shared recordings.
"""

import argparse
import json
import math
import re
from dataclasses import replace
from itertools import combinations

import numpy
import pandas
import pytest
from nltk.metrics.agreement import AnnotationTask
from sklearn.feature_extraction.text import TfidfVectorizer

from builders.dataset import parquet_name, write_folder
from csc_tasks import cli, corpora
from csc_tasks.corpus_statistics import FORMAT, read_statistics
from csc_tasks.errors import DataError
from csc_tasks.framework import STRATEGY_IDS, TOPICS
from tests.builders.test_dataset import CARD

SETS = {
    "csconv": ["test"],
    "rolecs": ["train"],
    "qa": ["train", "validation", "test"],
}


def measured(corpus, file, *words):
    """What `csc stats CORPUS --json FILE` writes."""
    assert cli.main(["stats", str(corpus), "--json", str(file), *words]) == 0
    return json.loads(file.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The demo as a dataset folder of parquet files, with originals beside its conversations: all
    but one, and of each only its first three turns, said twice as long.
    """
    root = tmp_path_factory.mktemp("demo")
    rows = {
        config: {
            split: [
                json.loads(line)
                for line in (corpora.DEMO_DIR / config / f"{split}.jsonl")
                .read_text(encoding="utf-8")
                .splitlines()
            ]
            for split in splits
        }
        for config, splits in SETS.items()
    }
    build = {
        "builder": "csconv",
        "counts": {
            "conversations_kept": 60,
            "originals_labelled": 2,
            "strategies_before": {"GT": 1, "Others": 3},
            "strategies_after": {"GT": 9, "Others": 1},
        },
    }
    write_folder(root / "out", rows, CARD, build, {})
    with (root / "out.originals.jsonl").open("w", encoding="utf-8") as stream:
        for row in rows["csconv"]["test"][1:]:
            turns = [
                {"speaker": turn["speaker"], "text": f"{turn['text']} {turn['text']}"}
                for turn in row["dialogue"][:3]
            ]
            line = {"conversation_id": row["conversation_id"], "source_id": "x", "turns": turns}
            stream.write(json.dumps(line, ensure_ascii=False) + "\n")
    return root / "out"


@pytest.fixture(scope="module")
def written(folder):
    return measured(folder, folder.parent / "stats.json")


def numbers(written, config, split, language):
    part = next(
        part
        for one in written["sets"]
        if (one["config"], one["split"]) == (config, split)
        for part in one["parts"]
        if part["language"] == language
    )
    return part["numbers"]


def length(texts, language):
    return texts.str.len() if language == "zh" else texts.str.split().str.len()


def turns_of(rows, column="dialogue"):
    """A frame with a row for each turn."""
    turns = rows[["conversation_id", "language", column]].explode(column, ignore_index=True)
    return turns.join(pandas.DataFrame(turns.pop(column).tolist(), index=turns.index))


def sizes(turns, language, conversations):
    own = {side: turns[turns.speaker == side] for side in ("supporter", "customer")}
    return {
        "conversations": conversations,
        "utterances": len(turns),
        "supporter_utterances": len(own["supporter"]),
        "customer_utterances": len(own["customer"]),
        "avg_utterances_per_conversation": len(turns) / conversations,
        "avg_supporter_utterances_per_conversation": len(own["supporter"]) / conversations,
        "avg_customer_utterances_per_conversation": len(own["customer"]) / conversations,
        "avg_utterance_length": length(turns.text, language).mean(),
        "avg_supporter_utterance_length": length(own["supporter"].text, language).mean(),
        "avg_customer_utterance_length": length(own["customer"].text, language).mean(),
        "held_out": 0,
    }


def words(text):
    """Latin words and Han characters."""
    return re.findall(r"[a-z0-9]+|[\u4e00-\u9fff]", text.lower())


def overlap(profiles):
    sets = [set(words(text)) for text in profiles]
    shares = numpy.full((len(sets), len(sets)), -1.0)
    for i, j in combinations(range(len(sets)), 2):
        shares[i, j] = shares[j, i] = len(sets[i] & sets[j]) / len(sets[i] | sets[j])
    pairs, nearest = shares[numpy.triu_indices(len(sets), 1)], shares.max(axis=1)
    steps = [i * 0.05 for i in range(21)]
    return {
        "distinct": len(sets),
        "measured": len(sets),
        "mean_pair": pairs.mean(),
        "mean_nearest": nearest.mean(),
        "pairs": [(pairs >= step - 1e-9).mean() for step in steps],
        "nearest": [(nearest >= step - 1e-9).mean() for step in steps],
    }


def alignment(rows):
    profiles = sorted(set(rows.profile))
    vectorizer = TfidfVectorizer(analyzer=words)
    vectors = vectorizer.fit_transform(profiles).toarray()
    said = turns_of(rows)
    said = said[said.speaker == "customer"]
    cumulated = said.groupby("conversation_id").text.apply(lambda texts: list(texts))
    table = []
    for conversation, texts in cumulated.items():
        own = profiles.index(rows.set_index("conversation_id").profile[conversation])
        so_far = [" ".join(texts[:k]) for k in range(1, len(texts) + 1)]
        similar = vectorizer.transform(so_far).toarray() @ vectors.T
        others = numpy.delete(similar, own, axis=1).mean(axis=1)
        table += [
            {"k": k, "profile": own, "aligned": a, "random": b}
            for k, (a, b) in enumerate(zip(similar[:, own], others, strict=True), 1)
        ]
    points = []
    for k, group in pandas.DataFrame(table).groupby("k"):
        difference = group.aligned - group.random
        sums = (difference - difference.mean()).groupby(group.profile).sum()
        clusters = len(sums)
        error = math.sqrt(clusters / max(clusters - 1, 1) * (sums**2).sum()) / len(group)
        points.append(
            {
                "utterances": k,
                "conversations": len(group),
                "profiles": clusters,
                "aligned": group.aligned.mean(),
                "random": group.random.mean(),
                "stderr": error if clusters > 1 else None,
            }
        )
    return {"profiles": len(profiles), "conversations": len(cumulated), "points": points}


def counted(rows, language):
    """The numbers of conversations, a second time; originals apart."""
    turns = turns_of(rows)
    labels = turns[(turns.speaker == "supporter") & (turns.strategy != "")]
    shares = labels.strategy.value_counts()
    following = labels.groupby("conversation_id").strategy.shift(-1).fillna("end")
    pairs = pandas.concat([labels.strategy.rename("before"), following.rename("after")], axis=1)
    firsts = labels.groupby("conversation_id").strategy.first()
    pairs = pandas.concat([pairs, pandas.DataFrame({"before": "start", "after": firsts})])
    crossed = pandas.crosstab(pairs.before, pairs.after).reindex(
        index=["start", *STRATEGY_IDS], columns=[*STRATEGY_IDS, "end"], fill_value=0
    )
    unique = (
        labels[labels.strategy != "Others"]
        .groupby("conversation_id")
        .strategy.nunique()
        .reindex(labels.conversation_id.unique(), fill_value=0)
    )
    profiled = "profile" in rows
    return {
        "kind": "conversations",
        "sizes": sizes(turns, language, len(rows)),
        "labelled": len(labels),
        "unlabelled": int(((turns.speaker == "supporter") & (turns.strategy == "")).sum()),
        "strategy_use_without_others_percent": 100 * (labels.strategy != "Others").mean(),
        "strategies": {name: int(shares.get(name, 0)) for name in STRATEGY_IDS},
        "topics": {topic: int((rows.topic == topic).sum()) for topic in TOPICS},
        "transitions": crossed.T.to_dict(),
        "unique_strategies": {
            str(n): int(count) for n, count in unique.value_counts().sort_index().items()
        },
        "avg_unique_strategies": unique.mean(),
        "profiles": overlap(sorted(set(rows.profile))) if profiled else None,
        "alignment": alignment(rows) if profiled else None,
    }


def asked(rows, language):
    """The numbers of questions, a second time."""
    history = rows.conversation_history.map(
        lambda turns: (
            sum(length(pandas.Series([turn["text"] for turn in turns]), language))
            if len(turns)
            else 0
        )
    )
    return {
        "kind": "questions",
        "questions": len(rows),
        "conversations": rows.conversation_id.nunique(),
        "held_out": 0,
        "avg_history_turns": rows.conversation_history.map(len).mean(),
        "avg_lengths": {
            "conversation_history": history.mean(),
            **{
                name: length(rows[name], language).mean()
                for name in (
                    "history_summary",
                    "client_question",
                    "agent_answer",
                    "refined_agent_answer",
                )
            },
        },
        "stages": {name: int((rows.stage == name).sum()) for name in ("early", "mid", "late")},
        "topics": {topic: int((rows.topic == topic).sum()) for topic in TOPICS},
    }


def rated(rows):
    """What raters say, a second time; alpha is nltk's."""
    turns = turns_of(rows).dropna(subset=["labels"]).reset_index(drop=True)
    labels = turns[["strategy", "labels"]].explode("labels").dropna()
    labels["rater"] = [label["rater"] for label in labels["labels"]]
    labels["first"] = [label["strategies"][0] for label in labels["labels"]]
    votes = labels.groupby([labels.index, "first"]).size().unstack(fill_value=0)
    votes = votes.reindex(columns=STRATEGY_IDS, fill_value=0)
    several = votes[votes.sum(axis=1) > 1]
    most = several.eq(several.max(axis=1), axis=0)
    # idxmax takes the first column of equal ones, and columns are in the framework's order.
    other = turns.strategy[several.index] != several.idxmax(axis=1)
    data = zip(labels.rater, map(str, labels.index), labels["first"], strict=True)
    return {
        "utterances": len(votes),
        "raters": labels.rater.nunique(),
        "models": int(pandas.Series(labels.rater.unique()).str.startswith("model:").sum()),
        "several": len(several),
        "disagreed": int((several.gt(0).sum(axis=1) > 1).sum()),
        "tied": int(((most.sum(axis=1) > 1) & ~other).sum()),
        "other": int(other.sum()),
        "alpha": AnnotationTask(data=list(data)).alpha(),
    }


def assert_same(found, expected, place=""):
    if isinstance(expected, dict):
        assert list(found) == list(expected), place
        for name in expected:
            assert_same(found[name], expected[name], f"{place}/{name}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), place
        for i, (one, other) in enumerate(zip(found, expected, strict=True)):
            assert_same(one, other, f"{place}/{i}")
    elif expected is None or isinstance(expected, str):
        assert found == expected, place
    else:
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-12), place


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("config", ["csconv", "rolecs"])
def test_every_number_of_the_demos_conversations(folder, written, config, language):
    split = SETS[config][0]
    rows = pandas.read_parquet(folder / parquet_name(config, split))
    rows = rows[rows.language == language]
    found = dict(numbers(written, config, split, language))
    found.pop("originals")
    labels = found.pop("labels")
    # Of the demo, three raters labelled the recorded conversations.
    if config == "csconv":
        assert_same(labels, rated(rows))
    else:
        assert labels is None
    assert_same(found, counted(rows, language))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_number_of_the_originals(folder, written, language):
    rows = pandas.read_parquet(folder / parquet_name("csconv", "test"))
    recorded = pandas.read_json(folder.parent / "out.originals.jsonl", lines=True)
    rows = rows[rows.language == language]
    own = recorded.merge(rows[["conversation_id", "language"]], on="conversation_id")
    expected = {
        "sizes": sizes(turns_of(own, "turns"), language, len(own)),
        "missing": len(rows) - len(own),
    }
    assert_same(numbers(written, "csconv", "test", language)["originals"], expected)
    assert numbers(written, "rolecs", "train", language)["originals"] is None


@pytest.mark.parametrize("split", SETS["qa"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_number_of_the_demos_questions(folder, written, split, language):
    rows = pandas.read_parquet(folder / parquet_name("qa", split))
    rows = rows[rows.language == language]
    assert_same(numbers(written, "qa", split, language), asked(rows, language))


def test_a_corpus_is_told_by_its_content(folder, written, tmp_path):
    demo = measured("demo", tmp_path / "demo.json")
    assert (written["format"], written["corpus"], demo["corpus"]) == (FORMAT, "out", "demo")
    assert demo["build"] is None
    assert written["build"] == {
        "builder": "csconv",
        "conversations_tried": None,
        "conversations_kept": 60,
        "originals_labelled": 2,
        "strategies_before": {"GT": 1, "Others": 3},
        "strategies_after": {"GT": 9, "Others": 1},
    }
    for one, same in zip(written["sets"], demo["sets"], strict=True):
        # As a run of a task logs it.
        loaded = corpora.load("demo", one["config"], one["split"])
        assert one["content_hash"] == same["content_hash"] == loaded.content_hash
        assert one["documents"] == same["documents"] == len(loaded.items)
    assert measured(folder, tmp_path / "again.json") == written


def test_a_hub_corpus_is_named_by_its_id_and_commit(monkeypatch, tmp_path):
    asked = []

    def load(name, config, split, revision, bad_rows):
        asked.append((name, revision))
        return replace(loaded, name=name, config=config, split=split, revision="c" * 40)

    loaded = corpora.load("demo", "csconv", "test")
    monkeypatch.setattr(corpora, "load", load)
    monkeypatch.setattr(corpora, "CONFIGS", ("csconv",))
    found = measured("org/data@v1", tmp_path / "stats.json")
    assert (found["corpus"], found["revision"]) == ("org/data", "c" * 40)
    assert set(asked) == {("org/data@v1", None)}


def test_what_a_file_says_is_checked(written, tmp_path):
    file = tmp_path / "stats.json"
    file.write_text(json.dumps(written), encoding="utf-8")
    assert read_statistics(file).model_dump(mode="json") == written
    for change, problem in (
        ({"format": "csc-tasks statistics, version 0"}, "not statistics in the form"),
        ({"sets": [{"config": "qa"}]}, "sets.0.split: Field required"),
        ({"more": 1}, "more: Extra inputs are not permitted"),
    ):
        file.write_text(json.dumps({**written, **change}), encoding="utf-8")
        with pytest.raises(DataError, match=re.escape(problem)) as caught:
            read_statistics(file)
        assert "csc stats CORPUS --json FILE" in str(caught.value)


def test_a_build_record_of_another_form_is_named(folder, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    record = json.loads((copy / "build.json").read_text(encoding="utf-8"))
    record["counts"]["strategies_before"] = ["GT"]
    (copy / "build.json").write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(DataError, match="strategies_before is not as csc build writes it"):
        from builders.statistics_report import measure

        measure(str(copy))


def test_bad_rows_are_left_out_counted_and_named(tmp_path, capsys):
    (tmp_path / "csconv").mkdir()
    lines = (corpora.DEMO_DIR / "csconv" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    (tmp_path / "csconv" / "test.jsonl").write_text(
        "\n".join([*lines[:4], '{"dialogue": []}']) + "\n", encoding="utf-8"
    )
    assert cli.main(["stats", str(tmp_path)]) == 1
    assert "--bad-rows drop" in capsys.readouterr().err
    found = measured(tmp_path, tmp_path / "out" / "stats.json", "--bad-rows", "drop")
    assert found["sets"][0]["counts"] == {"bad rows left out": 1}
    assert found["sets"][0]["documents"] == 4
    printed = capsys.readouterr().out
    assert "; 1 bad rows left out" in printed and "left out: " in printed and "row 5" in printed


# Corpora of shared recordings


def test_star_counted_again(shared_data, tmp_path):
    from builders import star

    parser = argparse.ArgumentParser()
    star.add_arguments(parser)
    source = str(shared_data / "star" / "dialogues")
    star.main(parser.parse_args(["--source", source, "--out", str(tmp_path / "star")]))
    found = measured(tmp_path / "star", tmp_path / "stats.json")
    for split in ("train", "test"):
        rows = pandas.read_parquet(tmp_path / "star" / parquet_name("csconv", split))
        expected = counted(rows, "en")
        own = numbers(found, "csconv", split, "en")
        assert own["unlabelled"] > 0
        for name in ("sizes", "labelled", "unlabelled", "strategies", "unique_strategies"):
            assert_same(own[name], expected[name], name)


def test_crosswoz_has_its_recordings_beside_it(shared_data, tmp_path):
    import zipfile

    source, out = shared_data / "crosswoz" / "val.json.zip", tmp_path / "crosswoz"
    words = ["build", "csconv", "--source", str(source), "--llm", "scripted"]
    words += ["--limit", "12", "--licence", "apache-2.0", "--fidelity", "5", "--out", str(out)]
    assert cli.main(words) == 0
    found = measured(out, tmp_path / "stats.json")
    own = numbers(found, "csconv", "test", "zh")
    lines = (tmp_path / "crosswoz.originals.jsonl").read_text(encoding="utf-8").splitlines()
    ids = {json.loads(line)["source_id"] for line in lines}
    with zipfile.ZipFile(source) as archive:
        raw = json.loads(archive.read(archive.namelist()[0]))
    texts = [
        " ".join(message["content"].split())
        for name in ids
        for message in raw[name.rpartition("/")[2]]["messages"]
    ]
    # CrossWOZ's speakers alternate, so nothing is joined.
    assert own["originals"]["sizes"]["utterances"] == len(texts)
    assert own["originals"]["sizes"]["avg_utterance_length"] == pytest.approx(
        sum(map(len, texts)) / len(texts)
    )
    assert own["originals"]["missing"] == 0
    assert found["build"]["originals_labelled"] == 5
