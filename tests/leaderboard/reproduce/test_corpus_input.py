"""A stats.json beside a corpus stands for it as long as it is of the same rows."""

import json

from csc_tasks import cli
from leaderboard.reproduce.corpus_input import read_corpora
from tests.support.fakes import sample_conversations, write_corpus


def test_statistics_of_rows_that_have_changed_are_counted_again(tmp_path):
    items = sample_conversations()
    corpus, out = write_corpus(tmp_path / "corpus", items[:3]), tmp_path / "report"
    beside = corpus / "stats.json"
    assert cli.main(["stats", str(corpus), "--json", str(beside)]) == 0
    marked = json.loads(beside.read_text(encoding="utf-8"))
    marked["corpus"] = "as it stands beside the corpus"
    beside.write_text(json.dumps(marked), encoding="utf-8")
    (read,) = read_corpora([str(corpus)], out, {})
    assert read.statistics.corpus == "as it stands beside the corpus"
    assert not (out / "corpora").exists(), "nothing was counted"
    write_corpus(corpus, items)
    (read,) = read_corpora([str(corpus)], out, {})
    assert read.statistics.corpus == "corpus"
    assert read.statistics.sets[0].documents == len(items)
    # A split that is gone.
    (corpus / "qa" / "test.jsonl").unlink()
    beside.write_text(json.dumps(marked), encoding="utf-8")
    (read,) = read_corpora([str(corpus)], out, {})
    assert [one.config for one in read.statistics.sets] == ["csconv"]
