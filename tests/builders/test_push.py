"""`csc push` as a user runs it: a process of its own against a loopback Hub, and what reads the
published repository back.
"""

import fnmatch
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from builders import push
from builders.cards import registration
from builders.dataset import read_folder, write_folder
from csc_tasks import cli, corpora
from csc_tasks.pii.accepted import entry_line
from tests.builders.test_dataset import BUILD, CARD
from tests.support import hub_rules
from tests.support.fakes import sample_conversations, sample_questions
from tests.support.hub_server import READER, WRITER, environment, hub_server

ROOT = Path(__file__).resolve().parents[2]
TEST = "csconv/test-00000-of-00001.parquet"


def rows(**changed):
    """Every config; `changed` replaces columns of one csconv row."""
    talks = [item.to_row() for item in sample_conversations()]
    talks[0] |= changed
    asked, short = ([item.to_row() for item in sample_questions()] for _ in range(2))
    roles = [
        item.to_row(roles=True) | {"profile": "p", "scenario": "s", "goal": "g"}
        for item in sample_conversations()
    ]
    return {
        "csconv": {"test": talks},
        "rolecs": {"train": roles},
        "qa": {"test": asked},
        "qa_short": {"test": short},
    }


def write(folder, splits=None, seconds=1, card=CARD):
    write_folder(folder, splits or rows(), card, BUILD, {"seconds": seconds})
    return folder


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    """pii.yaml lies where the command is run."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def server():
    with hub_server() as running:
        yield running


@pytest.fixture
def run(server, tmp_path):
    """Runs a command in `tmp_path` against the loopback Hub; (exit status, output, error output),
    in which there is never a token.
    """

    def run(*command, **settings):
        paths = str(ROOT)
        env = os.environ | environment(server, tmp_path / "hf") | {"PYTHONPATH": paths} | settings
        env = {name: value for name, value in env.items() if value is not None}
        done = subprocess.run(
            [sys.executable, *command],
            env=env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        for token in (WRITER, READER, "Bearer"):
            assert token not in done.stdout + done.stderr
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.fixture
def csc(run):
    return lambda *words, **settings: run("-m", "csc_tasks.cli", *words, **settings)


@pytest.fixture
def published(server, tmp_path, csc):
    """A repository org/name that `csc push` made from the folder `out`, tagged v1.0."""
    write(tmp_path / "out")
    assert csc("push", "out", "--repo-id", "org/name", "--tag", "v1.0", "--push")[0] == 0
    return server.repository("org/name")


def data(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_without_push_nothing_leaves_the_machine(server, tmp_path, csc):
    write(tmp_path / "out")
    status, printed, error = csc(
        "push", "out", "--repo-id", "org/name", "--private", "--tag", "v1.0"
    )
    assert (status, error, server.requests) == (0, "", [])
    assert f"dataset org/name (private) at {server.url}: one commit to main, tag v1.0" in printed
    for name, content in data(tmp_path / "out").items():
        size = f"{len(content) / 1000:.1f} kB" if len(content) >= 1000 else f"{len(content)} B"
        assert re.search(rf"^  {re.escape(name)} +{size}", printed, re.MULTILINE), name
    assert printed.endswith(
        "licence: mit\npersonal data: none found\nDry run: nothing was sent. Add --push to"
        " publish.\n"
    )


def test_an_eval_yaml_the_hub_would_refuse_stays_here_and_is_named(server, tmp_path, csc):
    write(tmp_path / "out")
    claim = {"name": "x", "description": "y", "evaluation_framework": "lm-evaluation-harness"}
    (tmp_path / "out" / "eval.yaml").write_text(yaml.safe_dump(claim | {"tasks": []}), "utf-8")
    status, printed, error = csc("push", "out", "--repo-id", "org/name", "--push")
    assert (status, error) == (0, "")
    assert (
        "left out: eval.yaml: the Hub knows no evaluation framework 'lm-evaluation-harness'"
        in printed
    )
    assert "eval.yaml" not in server.repository("org/name").files()
    assert (tmp_path / "out" / "eval.yaml").is_file()
    # A framework of the user's own goes out, and the Hub has the last word.
    (tmp_path / "out" / "eval.yaml").write_text(
        yaml.safe_dump(claim | {"evaluation_framework": "mine", "tasks": []}), "utf-8"
    )
    status, _, error = csc("push", "out", "--repo-id", "org/name", "--push")
    assert status == 1 and error.count("\n") == 1
    assert "400: eval.yaml: evaluation_framework: 'mine' is unknown" in error


def test_an_eval_yaml_with_a_registered_framework_is_accepted(
    server, tmp_path, monkeypatch, published
):
    monkeypatch.setattr(registration, "FRAMEWORK", "lm-evaluation-harness")
    monkeypatch.setattr(hub_rules, "FRAMEWORKS", hub_rules.FRAMEWORKS | {registration.FRAMEWORK})
    folder = write(tmp_path / "registered")
    files = data(folder)
    assert yaml.safe_load(files["eval.yaml"])["tasks"] == [
        {"id": task, "config": config, "split": "test"}
        for task, config in (
            ("csc_conv_ref", "csconv"),
            ("csc_conv_gen", "csconv"),
            ("csc_qa", "qa"),
        )
    ]
    assert hub_rules.refusals("dataset", files, files.keys()) == []
    del files["csconv/test-00000-of-00001.parquet"]
    assert hub_rules.refusals("dataset", files, files.keys()) == [
        "README.md: configs: csconv: no file is csconv/test-*.parquet"
    ]


def test_the_viewer_shows_every_data_file_once(published):
    """What a card's configs name are all parquet files of the repository, each in one split."""
    files = published.files()
    shown = [
        path
        for one in hub_rules.front_matter(files)["configs"]
        for part in one["data_files"]
        for path in fnmatch.filter(files, part["path"])
    ]
    assert sorted(shown) == sorted(path for path in files if path.endswith(".parquet"))
    assert len(shown) == 4


def test_a_folder_of_an_earlier_version_gets_its_manifest(server, tmp_path, csc):
    write(tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    (tmp_path / "out" / "manifest.json").unlink()
    status, printed, _ = csc("push", "out", "--repo-id", "org/name")
    assert status == 0 and "manifest.json" in printed
    written = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert written == manifest | {"dataset": "org/name"}


def test_one_commit_then_none_then_only_what_changed(server, tmp_path, csc, published):
    assert published.files() == {
        ".gitattributes": published.files()[".gitattributes"],
        **data(tmp_path / "out"),
    }
    assert published.messages[1:] == [
        "Publish csconv/test (5 rows), rolecs/train (5 rows), qa/test (6 rows), qa_short/test (6"
        " rows)"
    ]
    assert published.tags == {"v1.0": published.refs["main"]}
    # Built again: run.json alone differs.
    write(tmp_path / "out", seconds=2)
    status, printed, _ = csc("push", "out", "--repo-id", "org/name", "--tag", "v1.0", "--push")
    assert status == 0 and "nothing has changed" in printed
    assert len(published.commits) == 2
    # One row changed.
    write(tmp_path / "out", rows(topic="Product Consultation"), seconds=3)
    before = published.files()
    assert csc("push", "out", "--repo-id", "org/name", "--push")[0] == 0
    after = published.files()
    assert {name for name in after if after[name] != before.get(name)} == {
        TEST,
        "build.json",
        "run.json",
        "manifest.json",
    }
    assert len(published.commits) == 3 and after.keys() == before.keys()
    # As a pull request: main stays.
    write(tmp_path / "out", {"csconv": rows()["csconv"]}, seconds=4)
    status, printed, _ = csc("push", "out", "--repo-id", "org/name", "--pr", "--push")
    assert (
        status == 0
        and f"opened pull request {server.url}/datasets/org/name/discussions/1" in printed
    )
    assert published.files() == after
    assert published.files("refs/pr/1").keys() == {
        ".gitattributes",
        *data(tmp_path / "out"),
    }, "splits that are gone go"


def test_a_failed_upload_leaves_everything_and_says_how_to_go_on(server, tmp_path, csc):
    folder = write(tmp_path / "my data")
    before = data(folder)
    server.fail("POST", "/commit/", 500, {"error": f"no luck with {WRITER}"})
    status, _, error = csc(
        "push", "my data", "--repo-id", "org/name", "--private", "--tag", "v1.0", "--push"
    )
    again = "csc push 'my data' --repo-id org/name --private --tag v1.0 --push"
    assert status == 1
    kept = "every file is still here. To try again"
    assert (
        error
        == f"error: dataset org/name: the Hub answered 500: no luck with ***; {kept}: {again}\n"
    )
    assert data(folder) == before
    status, _, error = csc(
        "push", "my data", "--repo-id", "org/name", "--private", "--tag", "v1.0", "--push"
    )
    assert (status, error) == (0, "")
    made = server.repository("org/name")
    assert made.private and made.tags == {"v1.0": made.refs["main"]} and len(made.commits) == 2


def test_without_a_token_the_error_says_what_to_do(tmp_path, csc):
    write(tmp_path / "out")
    status, _, error = csc("push", "out", "--repo-id", "org/name", "--push", HF_TOKEN=None)
    assert (
        status == 1
        and "log in with `hf auth login` or set HF_TOKEN" in error
        and error.count("\n") == 1
    )


# What is refused, without a request


def refused(capsys, *words):
    """The error line of `csc push` without --push."""
    assert cli.main(["push", *map(str, words), "--repo-id", "org/name"]) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith("error: ") and printed.err.count("\n") == 1
    return printed.err, printed.out


def test_folders_that_are_no_dataset_of_ours(tmp_path, capsys):
    assert "is no folder" in refused(capsys, tmp_path / "none")[0]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("# Mine")
    assert "is not a dataset folder of this project" in refused(capsys, tmp_path / "mine")[0]
    folder = write(tmp_path / "out")
    (folder / "notes.txt").write_text("x")
    assert "holds files besides its dataset (notes.txt)" in refused(capsys, folder)[0]


def test_a_folder_that_is_not_whole(tmp_path, capsys):
    folder = write(tmp_path / "out")
    table = (folder / TEST).read_bytes()
    (folder / TEST).unlink()
    assert f"{TEST} missing" in refused(capsys, folder)[0]
    write(tmp_path / "other", rows(topic="Product Consultation"))
    (folder / TEST).write_bytes((tmp_path / "other" / TEST).read_bytes())
    assert (
        "csconv/test does not hold the rows that build.json and the card describe"
        in refused(capsys, folder)[0]
    )
    (folder / TEST).write_bytes(
        (tmp_path / "other" / "qa" / "test-00000-of-00001.parquet").read_bytes()
    )
    assert "does not hold the rows" in refused(capsys, folder)[0]
    (folder / TEST).write_bytes(table[:100])
    assert "not a readable parquet file" in refused(capsys, folder)[0]


@pytest.mark.parametrize(
    ("front_matter", "said"),
    [
        ("language: [zh]", "there is no licence"),
        ("license:", "there is no licence"),
        ("license: [mit", "the front matter is not YAML"),
    ],
)
def test_a_card_without_a_licence(tmp_path, capsys, front_matter, said):
    folder = write(tmp_path / "out")
    (folder / "README.md").write_text(f"---\n{front_matter}\n---\n# Title\n", encoding="utf-8")
    assert said in refused(capsys, folder)[0]
    (folder / "README.md").write_text("# Title\n", encoding="utf-8")
    assert "there is no licence" in refused(capsys, folder)[0]


PERSONAL = {
    "dialogue": [
        {"speaker": "supporter", "strategy": "GT", "text": "您好，请问[手机号码]是多少？"},
        {"speaker": "customer", "strategy": "", "text": "13912340987，邮箱li.si@163.com"},
    ],
}


def lines_to_accept(printed):
    """The lines that `csc push` prints for pii.yaml."""
    return [line for line in printed.splitlines() if line.startswith("- {finding: ")]


def accept(file, lines, why="invented", who="A. Reviewer"):
    """Put the lines into a pii.yaml with why and who."""
    filled = [line.replace('why: ""', f'why: "{why}"') for line in lines]
    filled = [line.replace('who: ""', f'who: "{who}"') for line in filled]
    file.write_text(file.read_text(encoding="utf-8") + "\n".join(filled) + "\n", encoding="utf-8")


def test_each_personal_datum_is_one_finding_and_published_only_when_accepted(tmp_path, capsys):
    splits = rows(**PERSONAL)
    splits["rolecs"]["train"][1]["profile"] = "身份证11010519491231002X，电话139-1234-0987"
    splits["qa"]["test"][0]["client_question"] = "card 4539 1488 0343 6467"
    folder = write(tmp_path / "out", splits)
    talk, role, asked = (
        splits["csconv"]["test"][0],
        splits["rolecs"]["train"][1],
        splits["qa"]["test"][0],
    )
    error, printed = refused(capsys, folder)
    counts = (
        "1 e-mail (1 place), 1 identity number (1 place), 1 bank card (1 place), 1 phone (2 places)"
    )
    assert f"personal data: {counts}\n" in printed
    assert (
        error
        == f"error: personal data found (see the list): {counts} not accepted; remove them, or"
        " accept each in pii.yaml with why and who\n"
    )
    for start, places in (
        (
            "  phone 139******87  ",
            f"  2 times in csconv/test {talk['conversation_id']} dialogue turn 1,"
            f" rolecs/train {role['conversation_id']} profile",
        ),
        (
            "  e-mail l***@***.com  ",
            f"  in csconv/test {talk['conversation_id']} dialogue turn 1",
        ),
        (
            "  identity number 110*************2X  ",
            f"  in rolecs/train {role['conversation_id']} profile",
        ),
        (
            "  bank card 453* **** **** **67  ",
            f"  in qa/test {asked['conversation_id']} question {asked['turn_index']}"
            " client_question",
        ),
    ):
        assert [
            line
            for line in printed.splitlines()
            if re.fullmatch(re.escape(start) + "[0-9a-f]{16}" + re.escape(places), line)
        ], start
    lines = lines_to_accept(printed)
    assert len(lines) == 4
    # All but one accepted: that one is still in the way.
    accept(Path("pii.yaml"), lines[:3])
    error, printed = refused(capsys, folder)
    assert "(see the list): 1 phone (2 places) not accepted" in error
    assert printed.count("    accepted by A. Reviewer: invented\n") == 3
    assert lines_to_accept(printed) == lines[3:], "names stay the same"
    accept(Path("pii.yaml"), lines[3:])
    assert cli.main(["push", str(folder), "--repo-id", "org/name"]) == 0
    allowed = capsys.readouterr().out
    assert "  all accepted in pii.yaml\n" in allowed and not lines_to_accept(allowed)
    for number in ("13912340987", "139-1234", "li.si", "11010519491231002X", "4539 1488", "6467"):
        assert number not in printed + error + allowed + Path("pii.yaml").read_text("utf-8")


def test_an_accepted_number_does_not_cover_another(tmp_path, capsys):
    folder = write(tmp_path / "out", rows(topic="call 13912340987"))
    accept(Path("pii.yaml"), lines_to_accept(refused(capsys, folder)[1]))
    other = write(tmp_path / "other", rows(topic="call 13912350987"))
    error, printed = refused(capsys, other)
    assert "phone 139******87" in printed and "1 phone (1 place) not accepted" in error
    assert "  1 accepted in pii.yaml do not occur here\n" in printed


def test_personal_data_never_reach_the_hub_unless_each_is_accepted(server, tmp_path, csc):
    write(tmp_path / "out", rows(**PERSONAL))
    status, printed, error = csc("push", "out", "--repo-id", "org/name", "--push")
    assert status == 1 and "accept each in pii.yaml" in error and server.requests == []
    assert csc("push", "out", "--repo-id", "org/name", "--push", "--pii", "other.yaml")[0] == 1
    assert (tmp_path / "other.yaml").is_file()
    accept(tmp_path / "pii.yaml", lines_to_accept(printed))
    status, printed, error = csc("push", "out", "--repo-id", "org/name", "--push")
    assert (status, error) == (0, "") and "139******87" in printed
    published = server.repository("org/name").files()
    assert published[TEST] == (tmp_path / "out" / TEST).read_bytes()
    assert not any("pii" in name for name in published)


@pytest.mark.parametrize("name", ["run.json", "build.json", "README.md", TEST])
def test_an_access_token_is_refused_whatever_is_allowed(tmp_path, capsys, name):
    splits = rows(topic=f"see {WRITER}") if name == TEST else rows()
    folder = write(tmp_path / "out", splits)
    if name == "README.md":
        (folder / name).write_text(
            (folder / name).read_text(encoding="utf-8") + WRITER, encoding="utf-8"
        )
    elif name != TEST:
        record = json.loads((folder / name).read_text(encoding="utf-8"))
        (folder / name).write_text(json.dumps(record | {"key": WRITER}), encoding="utf-8")
    error, printed = refused(capsys, folder)
    assert lines_to_accept(printed) == []
    # Somebody writes the line all the same.
    finding = re.search(r"access token hf_\*\*\*  ([0-9a-f]{16})", printed)[1]
    accept(Path("pii.yaml"), [entry_line(finding)])
    error, printed = refused(capsys, folder)
    assert "access token found" in error and "access token hf_***" in printed
    assert WRITER not in error + printed


def test_names_that_cannot_be_are_errors(tmp_path, capsys):
    folder = write(tmp_path / "out")
    assert cli.main(["push", str(folder), "--repo-id", "name"]) == 1
    assert "it looks like ORG/NAME" in capsys.readouterr().err
    assert "a pull request is not tagged" in refused(capsys, folder, "--pr", "--tag", "v1")[0]


def test_what_our_publication_may_delete():
    for path in (
        "eval.yaml",
        "figures/strategies.png",
        "csconv/train-00000-of-00002.parquet",
        "qa_short/test-00000-of-00001.parquet",
    ):
        assert re.fullmatch(push.OURS, path), path
    for path in (
        "README.md",
        "LICENSE",
        ".gitattributes",
        "data/train-00000-of-00001.parquet",
        "csconv/notes.md",
        "csconv/train.json",
    ):
        assert not re.fullmatch(push.OURS, path), path


def test_figures_are_published_with_the_card(tmp_path, capsys):
    folder = write(tmp_path / "out")
    assert cli.main(["stats", str(folder), "--card"]) == 0
    assert cli.main(["push", str(folder), "--repo-id", "org/name"]) == 0
    assert re.search(r"^  figures/strategies\.png +\d", capsys.readouterr().out, re.MULTILINE)
    record, _ = read_folder(folder)
    assert set(push.files_of(folder, record)) == data(folder).keys()


# Reading back

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


@pytest.mark.parametrize("name", ["../../secret", "a/../../b", "a\\b", "a\0b"])
def test_a_build_record_never_names_a_file_outside_its_folder(tmp_path, capsys, name):
    folder = write(tmp_path / "out")
    record = json.loads((folder / "build.json").read_text(encoding="utf-8"))
    record["splits"]["csconv"] = {name: record["splits"]["csconv"]["test"]}
    (folder / "build.json").write_text(json.dumps(record), encoding="utf-8")
    error, printed = refused(capsys, folder)
    assert "is not a dataset folder of this project" in error and printed == ""
