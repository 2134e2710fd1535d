"""What the verifier holds: folders, files, manifests, pinned revisions, held-out references."""

import hashlib
import json
import pickle
from dataclasses import replace

import pytest

from csc_tasks import corpora
from csc_tasks.cli import main
from csc_tasks.errors import DataError, SettingError
from csc_tasks.metrics.result_names import metric_of
from csc_tasks.verify import Trust, trusted_corpora
from csc_tasks.verify.manifest import NAME, read_manifest, row_hash, write_manifest
from csc_tasks.verify.references import read_references
from leaderboard.folder import load_board
from tests.support.fakes import gold_replies, sample_conversations, sample_questions, write_corpus
from tests.support.handed_in import forged, hand_in, verdicts
from tests.support.manifests import manifest_of

SPLITS = {"csconv": ["test"], "qa": ["test"]}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory):
    gold = gold_replies(corpus)
    return hand_in(
        tmp_path_factory.mktemp("run"),
        ["csc_conv_ref", "csc_qa", "cscx_qa_mid"],
        lambda prompt: gold[prompt] if len(prompt) % 2 and prompt in gold else "[Greeting] hello",
        {"csc_corpus": str(corpus), "csc_qa_corpus": str(corpus)},
    )


def test_a_manifest_lists_documents_in_the_order_of_the_tasks(corpus, tmp_path):
    write_manifest(corpus, "Support", SPLITS)
    raw = json.loads((corpus / NAME).read_text(encoding="utf-8"))
    (corpus / NAME).rename(tmp_path / "m.json")
    assert (raw["dataset"], raw["revision"]) == ("Support", None)
    entries = raw["splits"]["csconv"]["test"]
    by_id = {one.conversation_id: one for one in sample_conversations()}
    assert [entry["key"] for entry in entries] == sorted(
        by_id, key=lambda id_: hashlib.sha256(id_.encode()).hexdigest()
    )
    for entry in entries:
        one = by_id[entry["key"]]
        text = json.dumps(one.to_row(), ensure_ascii=False, sort_keys=True)
        assert entry["sha256"] == hashlib.sha256(text.encode()).hexdigest()
        labelled = [turn for turn in one.dialogue if turn.strategy]
        assert (entry["scored"], entry["language"]) == (len(labelled), one.language)
    assert {entry["stage"] for entry in raw["splits"]["qa"]["test"]} == {"early", "mid", "late"}
    assert read_manifest(tmp_path / "m.json") == manifest_of(corpus, "Support", SPLITS)


def test_a_manifest_serves_like_the_corpus_and_tells_an_edited_document(corpus, run, tmp_path):
    write_manifest(corpus, "Support", SPLITS)
    (corpus / NAME).rename(tmp_path / "m.json")
    trusted = trusted_corpora([str(tmp_path / "m.json")])
    for verified in verdicts(run, trusted).values():
        assert verified.findings == () and verified.trust is Trust.RESCORED
        assert "Support" in verified.corpus

    def edit(text, lines):
        lines[0]["doc"]["dialogue"][-1]["text"] += "!"

    (verified,) = verdicts(forged(run, tmp_path, "csc_conv_ref", edit), trusted).values()
    assert verified.trust is Trust.CLAIMED and verified.contradicted


def test_of_several_corpora_the_one_with_the_documents_counts(corpus, run, tmp_path):
    other = write_corpus(tmp_path, sample_conversations(("en",))[:1], sample_questions()[:1])
    for names in ([corpus, other], [other, corpus]):
        trusted = trusted_corpora([str(name) for name in names])
        for verified in verdicts(run, trusted).values():
            assert verified.trust is Trust.RESCORED and verified.corpus == corpus.name


def test_files_of_a_corpus_can_be_given_one_by_one(corpus, run):
    files = [str(corpus / name / "test.jsonl") for name in ("qa", "csconv")]
    found = verdicts(run, trusted_corpora(files))
    assert {verified.trust for verified in found.values()} == {Trust.RESCORED}


def test_trusted_corpora_go_to_other_processes(corpus, run):
    trusted = pickle.loads(pickle.dumps(trusted_corpora([str(corpus), "demo"])))
    assert verdicts(run, trusted)["csc_qa"].trust is Trust.RESCORED


def test_a_hub_id_needs_a_revision():
    with pytest.raises(SettingError, match="org/name@COMMIT"):
        trusted_corpora(["org/name"])
    assert len(trusted_corpora(["org/name@0123abc"]).sources) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda raw: raw["splits"]["qa"]["test"][0].pop("sha256"), "sha256"),
        (lambda raw: raw["splits"]["qa"]["test"][0].update(scored="two"), "two"),
        (lambda raw: raw.update(splits=[]), "splits|attribute"),
    ],
)
def test_a_manifest_that_is_none_is_one_line(change, words, corpus, tmp_path):
    write_manifest(corpus, "Support", SPLITS)
    file = (corpus / NAME).rename(tmp_path / "m.json")
    raw = json.loads(file.read_text(encoding="utf-8"))
    change(raw)
    file.write_text(json.dumps(raw), encoding="utf-8")
    with pytest.raises(DataError, match=words) as error:
        trusted_corpora([str(file)])
    assert str(file) in str(error.value) and "\n" not in str(error.value)


# Held-out references


def needs_gold(name: str) -> bool:
    metric = metric_of(name.partition("_stderr")[0])
    return metric is not None and metric.of != "flag"


@pytest.fixture(scope="module")
def held_out(corpus, run, tmp_path_factory):
    """The run as it would be on a corpus without references, a manifest of that corpus, and the
    file of references.
    """
    root = tmp_path_factory.mktemp("held_out")
    rows, entries = [], {}

    def blanked(row: dict) -> dict:
        row = json.loads(json.dumps(row))
        if "turn_index" in row:
            rows.append(
                {
                    "conversation_id": row["conversation_id"],
                    "turn": row["turn_index"],
                    "reference": row["refined_agent_answer"],
                }
            )
            return row | {"refined_agent_answer": "", "agent_answer": ""}
        for i, turn in enumerate(row["dialogue"]):
            if turn["strategy"]:
                rows.append(
                    {
                        "conversation_id": row["conversation_id"],
                        "turn": i,
                        "reference": turn["text"],
                        "strategy": turn["strategy"],
                    }
                )
                turn |= {"strategy": "", "text": ""}
        return row

    splits = {}
    for config in ("csconv", "qa"):
        entries = manifest_of(corpus, "", {config: ["test"]}).to_json()["splits"][config]["test"]
        items = corpora.load(str(corpus), config, "test").items
        splits[config] = {
            "test": [
                entry | {"sha256": row_hash(blanked(item.to_row()))}
                for entry, item in zip(entries, items, strict=True)
            ]
        }
    manifest = {"format": "csc-tasks manifest, version 1", "dataset": "Held out", "splits": splits}
    (root / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    (root / "references.jsonl").write_text(
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8"
    )

    def without(text: dict, lines: list[dict]) -> None:
        (task,) = text["results"]
        for line in lines:
            line["doc"] = blanked(line["doc"])
            for record in line.get("turns", line.get("answers")):
                record["reference"] = ""
                if "gold_strategy" in record:
                    record |= {"gold_strategy": "", "gold_stages": []}
            for name in line["metrics"]:
                if needs_gold(name):
                    line[name] = [line[name][0], [None] * len(line[name][1])]
        for key in text["results"][task]:
            if needs_gold(key.partition(",")[0]):
                text["results"][task][key] = "N/A"
        csc = text["configs"][task]["metadata"]["csc"]
        docs = sorted(lines, key=lambda line: line["doc_id"])
        digest = hashlib.sha256()
        for line in docs:
            digest.update(json.dumps(line["doc"], ensure_ascii=False, sort_keys=True).encode())
            digest.update(b"\n")
        csc["content_hash"] = digest.hexdigest()[:16]

    return root, {
        task: forged(run, root / task, task, without) for task in ("csc_conv_ref", "csc_qa")
    }


def test_references_that_were_held_out_are_supplied(held_out, run):
    root, files = held_out
    trusted = trusted_corpora([str(root / "manifest.json")])
    references = read_references(root / "references.jsonl")
    honest = json.loads(run.read_text(encoding="utf-8"))["results"]
    for task, file in files.items():
        verified = verdicts(file, trusted, references)[task]
        assert verified.trust is Trust.RESCORED
        for number in verified.numbers:
            true = honest[task][f"{number.name},none"]
            assert number.shown.value == (None if true == "N/A" else pytest.approx(true))
        assert [finding.line() for finding in verified.findings if finding.contradicts] == []


def test_a_board_scores_held_out_references_and_shows_none(held_out, run, tmp_path):
    root, files = held_out
    references = root / "references.jsonl"
    words = ["collect", *(str(file) for file in files.values()), "--out", str(tmp_path / "board")]
    words += ["--corpus", str(root / "manifest.json"), "--references", str(references)]
    assert main([*words, "--no-fact-audit"]) == 0
    honest = json.loads(run.read_text(encoding="utf-8"))["results"]
    for table in load_board(tmp_path / "board").tables:
        (row,) = table.rows
        assert row.trust == "re-scored"
        for key, value in row.values.items():
            task, _, name = key.partition("/")
            true = honest[task][f"{name},none"]
            assert value.value == (None if true == "N/A" else pytest.approx(true))
        samples = json.loads((tmp_path / "board" / "samples" / f"{table.id}.json").read_text())
        turns = [turn for one in samples["conversations"] for turn in one["turns"]]
        assert turns and {(turn["reference"], turn["strategy"]) for turn in turns} == {("", None)}


def test_without_them_a_run_is_claimed_and_not_accused(held_out):
    root, files = held_out
    trusted = trusted_corpora([str(root / "manifest.json")])
    for task, file in files.items():
        verified = verdicts(file, trusted)[task]
        assert verified.trust is Trust.CLAIMED and not verified.contradicted
        assert "--references" in verified.findings[-1].sentence


def test_a_score_on_references_that_were_held_out_is_contradicted(held_out, tmp_path):
    root, files = held_out

    def forge(text, lines):
        text["results"]["csc_qa"]["rouge_l_en,none"] = 0.99

    trusted = trusted_corpora([str(root / "manifest.json")])
    references = read_references(root / "references.jsonl")
    file = forged(files["csc_qa"], tmp_path, "csc_qa", forge)
    verified = verdicts(file, trusted, references)["csc_qa"]
    assert "rouge_l_en" in {f.item for f in verified.findings if f.contradicts}
    assert verified.number("rouge_l_en").shown.value < 0.9


def test_references_are_read_from_parquet_too(held_out, tmp_path):
    import pyarrow
    import pyarrow.parquet

    root, _ = held_out
    lines = (root / "references.jsonl").read_text(encoding="utf-8").splitlines()
    table = pyarrow.Table.from_pylist([json.loads(line) for line in lines])
    pyarrow.parquet.write_table(table, tmp_path / "references.parquet")
    read = read_references(tmp_path / "references.parquet")
    assert read == read_references(root / "references.jsonl")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{}", "conversation_id, turn, reference, strategy"),
        ('{"conversation_id": "a", "turn": "1", "reference": "b"}', "whole number"),
        ('{"conversation_id": "a", "turn": 1, "reference": "b", "strategy": "XX"}', "XX"),
        ("[1]", "JSON object"),
        ("{broken", "broken JSON"),
        ("", "no rows"),
        ('{"conversation_id": "a", "turn": 1, "reference": "b"}\n' * 2, "twice"),
    ],
)
def test_references_that_are_none_are_one_line(line, words, tmp_path):
    file = tmp_path / "references.jsonl"
    file.write_text(line + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=words) as error:
        read_references(file)
    assert "\n" not in str(error.value)


def test_of_two_versions_with_the_same_ids_a_run_is_held_to_its_own(tmp_path):
    """Texts were corrected, ids were not: neither run changed a document."""
    versions = []
    for name, mark in (("first", ""), ("second", " please")):
        rows = [
            replace(one, client_question=one.client_question + mark) for one in sample_questions()
        ]
        versions.append(write_corpus(tmp_path / name, questions=rows))
    for held in (versions, versions[::-1]):
        trusted = trusted_corpora([str(folder) for folder in held])
        for folder in versions:
            out = tmp_path / f"{held[0].name}-{folder.name}"
            run = hand_in(out, ["csc_qa"], lambda _: "x", {"csc_qa_corpus": str(folder)})
            (verdict,) = verdicts(run, trusted).values()
            assert verdict.findings == () and verdict.corpus == folder.name
            assert verdict.trust is Trust.RESCORED


def test_corpora_of_one_name_are_told_apart(tmp_path):
    folders = [write_corpus(tmp_path / place / "same") for place in ("a", "b")]
    folders.append(write_corpus(tmp_path / "demo"))
    trusted = trusted_corpora([str(folder) for folder in folders])
    names = [held.name for held in trusted.held("qa", "test")]
    assert names == ["same", "same (2)", "demo (2)"]
    assert trusted_corpora(["demo"]).held("qa", "test")[0].name == "demo"
