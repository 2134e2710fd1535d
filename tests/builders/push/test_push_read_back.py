"""What reads a published repository back: datasets, csc_tasks by Hub id, lm_eval."""

import json

import pytest

from csc_tasks import corpora
from tests.support.pushing import rows, write

LOAD_DATASET = """
import json, sys
from datasets import get_dataset_config_names, load_dataset
from builders.schema import features
found = {}
for revision in sys.argv[1:]:
    for config in sorted(get_dataset_config_names("org/name", revision=revision)):
        for split, part in load_dataset("org/name", config, revision=revision).items():
            assert part.features == features(config), (config, part.features)
            found[f"{revision} {config} {split}"] = list(part)
print(json.dumps(found))
"""


def test_load_dataset_gives_the_same_rows_and_features_at_a_revision(tmp_path, run, csc, published):
    commit = published.refs["main"]
    write(tmp_path / "out", rows(topic="Product Consultation"))
    csc("push", "out", "--repo-id", "org/name", "--push")
    status, printed, error = run("-c", LOAD_DATASET, "v1.0", "main")
    assert status == 0, error
    loaded = json.loads(printed.splitlines()[-1])

    def ordered(found):
        return sorted(found, key=lambda row: (row["conversation_id"], row.get("turn_index", 0)))

    expected = {
        f"{revision} {config} {split}": ordered(part)
        for revision, made in (("v1.0", rows()), ("main", rows(topic="Product Consultation")))
        for config, splits in made.items()
        for split, part in splits.items()
    }
    assert loaded == expected
    assert published.tags["v1.0"] == commit != published.refs["main"]


READ = """
import json, sys
from csc_tasks import corpora
from csc_tasks.errors import CscError
found = []
for call in sys.argv[1:]:
    try:
        corpus = corpora.load(*call.split())
        found.append([corpus.revision, corpus.content_hash, len(corpus.items), corpus.counts])
    except CscError as error:
        found.append(f"{type(error).__name__}: {error}")
print(json.dumps(found))
"""


@pytest.fixture
def read(run):
    """Reads corpora in a process of its own: for each `NAME CONFIG SPLIT [REVISION]` the commit,
    hash, size and counts, or the error.
    """

    def read(*calls, **settings):
        status, printed, error = run("-c", READ, *calls, **settings)
        assert status == 0, error
        return json.loads(printed.splitlines()[-1])

    return read


def test_a_hub_id_is_a_corpus_at_its_newest_state_a_tag_or_a_commit(
    server, tmp_path, csc, read, published
):
    old, local = published.refs["main"], {}
    for config, split in (("csconv", "test"), ("qa", "test")):
        local[config] = corpora.load(str(tmp_path / "out"), config, split).content_hash
    write(tmp_path / "out", rows(topic="Product Consultation"))
    csc("push", "out", "--repo-id", "org/name", "--push")
    new = published.refs["main"]
    changed = corpora.load(str(tmp_path / "out"), "csconv", "test").content_hash
    server.requests.clear()
    calls = [
        "org/name csconv test",
        "org/name@v1.0 csconv test",
        f"org/name csconv test {old}",
        "org/name qa test",
    ]
    newest, tagged, pinned, asked, unknown = read(*calls, "org/name@v9 csconv test")
    assert newest[:3] == [new, changed, 5]
    assert tagged[:3] == pinned[:3] == [old, local["csconv"], 5]
    assert asked[:3] == [new, local["qa"], 6]
    assert (
        unknown
        == "DataError: org/name@v9: the Hub has no revision 'v9' of org/name; give a commit, tag or"
        " branch of it"
    )
    assert not server.asked("GET", "/resolve/.*rolecs"), "only the files of the split are fetched"
    # Offline: what was fetched serves, by the same names; what was not is an error.
    for settings in ({"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}):
        server.requests.clear()
        *again, missing = read(*calls, "org/name rolecs train", **settings)
        assert again == [newest, tagged, pinned, asked]
        assert missing.startswith(
            "MissingSplit: org/name (offline, what was fetched before): no rolecs/train found"
        )
        assert server.requests == []


def test_published_layouts_on_the_hub(server, read):
    turns = [
        {"speaker": "客户", "text": "你好"},
        {"speaker": "客服", "strategy": "策略1 礼貌问候", "text": "您好"},
    ]
    conversation = json.dumps(
        [{"dialogue": turns, "source": "产品咨询"}], ensure_ascii=False
    ).encode()
    texts = dict.fromkeys(
        (
            "instruction",
            "history_summary",
            "client_question",
            "agent_answer",
            "refined_agent_answer",
        ),
        "Where is it?",
    )
    asked = json.dumps(
        {"conversation_id": "q1", "conversation_history": "Client: hi\nAgent: hello", **texts}
    ).encode()
    server.create(
        "org/conversations",
        {"data/CSConv.json": conversation, "data/RoleCS.json": conversation, "README.md": b"x"},
    )
    server.create("org/questions", {"data/test.jsonl": asked, "README.md": b"x"})
    server.create("org/else", {"all.json": conversation, "README.md": b"x"})
    server.create("org/secret", {"data/CSConv.json": conversation}, private=True)
    csconv, rolecs, qa, missing, secret, nothing = read(
        "org/conversations csconv test",
        "org/conversations rolecs train",
        "org/questions qa test",
        "org/else csconv test",
        "org/secret csconv test",
        "org/none csconv test",
    )
    assert csconv == [
        server.repository("org/conversations").refs["main"],
        csconv[1],
        1,
        {"ids made from content": 1},
    ]
    assert rolecs[2] == qa[2] == secret[2] == 1
    assert missing.startswith(
        "MissingSplit: org/else: no csconv/test found; there is .gitattributes, README.md,"
        " all.json."
    )
    assert "the Hub has no dataset org/none that this token may read" in nothing
    assert (
        "the Hub has no dataset org/secret that this token may read"
        in read("org/secret csconv test", HF_TOKEN=None)[0]
    )


EVALUATE = """
import fnmatch
import json
from tests.support.fakes import FakeLM, gold_replies
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager
from csc_tasks import TASKS_DIR
gold = gold_replies("org/name")
metadata = {"csc_corpus": "org/name", "csc_qa_corpus": "org/name", "csc_revision": "v1.0"}
manager = TaskManager(include_path=str(TASKS_DIR), include_defaults=False, metadata=metadata)
answer = lambda prompt: gold.get(prompt, "It arrives within three days.")
tasks = ["csc_conv_ref", "csc_qa"]
results = simple_evaluate(FakeLM(answer), tasks=tasks, task_manager=manager, bootstrap_iters=0)
print(json.dumps([results["results"]["csc_conv_ref"]["strategy_acc,none"], *(
    results["configs"][task]["metadata"]["csc"] for task in ("csc_conv_ref", "csc_qa"))]))
"""


def test_lm_eval_reads_the_pushed_repository(tmp_path, run, published):
    status, printed, error = run("-c", EVALUATE)
    assert status == 0, error
    accuracy, talked, asked = json.loads(printed.splitlines()[-1])
    assert accuracy == 1
    for found, config in ((talked, "csconv"), (asked, "qa")):
        assert (found["corpus"], found["revision"]) == ("org/name", published.refs["main"])
        assert (
            found["content_hash"]
            == corpora.load(str(tmp_path / "out"), config, "test").content_hash
        )


def test_statistics_of_a_hub_id(csc, published):
    status, printed, error = csc("stats", "org/name", "--revision", "v1.0")
    assert (status, error) == (0, "")
    assert (
        f"org/name@{published.refs['main'][:12]}: 5 conversations (csconv/test, en+zh)" in printed
    )
    assert "| conversations | 3 | 2 | 3 | 2 |" in printed and "| questions | 3 | 3 |" in printed
