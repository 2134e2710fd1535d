"""csc build profiles: what is extracted, what counts as a description, and which of two
near-duplicates stays.
"""

import json
import re
from collections import Counter
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest

from builders.profiles.build import distinct
from builders.profiles.near_duplicates import embed, first_of_each, tokens, unit_rows
from builders.profiles.pool_folder import PoolProfile
from builders.profiles.profile_forms import Extracted, described, extracted
from builders.rolecs.pool import read_pool
from builders.scripted.profiles import describe, invent, profile, who
from csc_tasks.cli import main
from csc_tasks.errors import ModelError, SettingError
from csc_tasks.llm.backends import register_scripted
from csc_tasks.llm.replies import WrongForm, parse_reply

LANGUAGES = ("zh", "en")


def build(out, *options, source=("demo",)):
    """Run the command in this process; returns its exit status."""
    return main(
        [
            "build",
            "profiles",
            *map(str, source),
            "--llm",
            "scripted",
            "--out",
            str(out),
            *map(str, options),
        ]
    )


def rows_of(out):
    return [
        json.loads(line)
        for line in (out / "profiles.jsonl").read_text(encoding="utf-8").splitlines()
    ]


def found(language, text, source="s"):
    return PoolProfile(f"profile-{text}", language, text, "", "", "", source)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The pool of the demo's 60 test conversations."""
    out = tmp_path_factory.mktemp("profiles") / "pool"
    assert build(out) == 0
    return out


def test_a_pool_holds_structured_and_described_customers(built):
    rows = rows_of(built)
    assert 40 <= len(rows) <= 60 and {row["language"] for row in rows} == {"zh", "en"}
    for row in rows:
        assert list(row) == sorted(PoolProfile.__slots__)
        assert all(row.values()) and not re.search("[你您]|[Yy]ou", row["profile"])
        assert row["demographics"] in row["profile"]
    ids = [row["profile_id"] for row in rows]
    assert ids == sorted(set(ids))


def test_counts_add_up_and_build_json_names_what_made_it(built):
    record = json.loads((built / "build.json").read_text(encoding="utf-8"))
    counts = record["counts"]
    assert counts["conversations_read"] == 60
    assert (
        counts["profiles_kept"]
        == len(rows_of(built))
        == 60 - sum(counts["conversations_dropped"].values())
    )
    assert (
        record["models"] == {"profile": "scripted", "describe": "scripted"}
        and len(record["prompts"]) == 4
    )
    assert record["settings"]["threshold"] == 0.85 and "seconds" not in record


def test_the_same_build_again_is_the_same_and_asks_nothing(built, tmp_path):
    before = (built / "profiles.jsonl").read_bytes(), (built / "build.json").read_bytes()
    assert build(built) == 0
    assert ((built / "profiles.jsonl").read_bytes(), (built / "build.json").read_bytes()) == before
    assert json.loads((built / "run.json").read_text())["requests_sent"] == 0
    assert build(tmp_path / "other", "--concurrency", 1) == 0
    assert (
        (tmp_path / "other" / "profiles.jsonl").read_bytes(),
        (tmp_path / "other" / "build.json").read_bytes(),
    ) == before


def test_rolecs_plays_the_pool(built, tmp_path):
    assert (
        main(
            [
                "build",
                "rolecs",
                "--llm",
                "scripted",
                "--profiles",
                str(built),
                "--limit",
                "4",
                "--out",
                str(tmp_path / "set"),
            ]
        )
        == 0
    )
    assert {p.text for p in read_pool(str(built), LANGUAGES, Counter())} == {
        row["profile"] for row in rows_of(built)
    }


def test_a_conversation_that_says_nothing_of_its_customer_is_dropped(tmp_path, capsys):
    empty = json.dumps(
        {"demographics": " ", "financial_status": "", "communication_preference": ""}
    )
    register_scripted("profile", lambda request: empty)
    try:
        assert build(tmp_path / "pool", "--limit", 5) == 1
    finally:
        register_scripted("profile", profile)
    error = capsys.readouterr().err.splitlines()[-1]
    assert (
        error.startswith("error: no profile could be made")
        and "5 profile: nothing is known about the customer" in error
    )


def addressed(request):
    return request.item_id[-1] in "01234567"


def test_a_description_in_the_second_person_is_asked_again_and_then_dropped(tmp_path, capsys):
    told = []

    def second(request):
        if not addressed(request):
            return describe(request)
        if request.attempt:
            told.append(request.messages[-1]["content"])
        return json.dumps({"description": "You are a nurse."})

    register_scripted("describe", second)
    try:
        assert build(tmp_path / "pool") == 0
    finally:
        register_scripted("describe", describe)
    counts = json.loads((tmp_path / "pool" / "build.json").read_text())["counts"]
    dropped = counts["conversations_dropped"]["describe: in the second person"]
    assert dropped > 0 and "describe: malformed reply" not in counts["conversations_dropped"]
    assert len(told) == 2 * dropped
    assert all("in the second person (it says 'You')" in text for text in told)
    assert not any("You" in row["profile"] for row in rows_of(tmp_path / "pool"))
    assert f"{dropped} describe: in the second person" in capsys.readouterr().out


def test_a_description_in_the_second_person_that_is_mended_stays(tmp_path):
    def second(request):
        # Asked again, the reply and what is wrong with it follow the two messages of the prompt.
        right = describe(replace(request, messages=request.messages[:2]))
        return right if request.attempt else json.dumps({"description": "You are a nurse."})

    register_scripted("describe", second)
    try:
        assert build(tmp_path / "pool", "--limit", 5) == 0
    finally:
        register_scripted("describe", describe)
    counts = json.loads((tmp_path / "pool" / "build.json").read_text())["counts"]
    assert not any("second person" in reason for reason in counts["conversations_dropped"])
    assert counts["profiles_kept"] > 0


@pytest.mark.parametrize(
    ("language", "text", "sound"),
    [
        ("zh", "她是一位护士。", True),
        ("zh", "这位客户接通后总是先说“您好，麻烦你了”。", True),
        ("zh", "你是一位护士。", False),
        ("zh", "她收入不高，希望客服对您耐心一些。", False),
        ("zh", "You are a nurse.", False),
        ("en", "A nurse who always says thank you.", True),
        ("en", 'She wants to hear "we have found your card".', True),
        ("en", "You are a nurse.", False),
        ("en", "A nurse. Your income is small.", False),
        ("en", "She is a nurse, as you'd expect.", False),
        ("en", "", False),
        ("es", "Es enfermera y prefiere que la traten de usted.", True),
        ("es", "Eres enfermera.", False),
        ("es", "Es enfermera y cuida tu dinero.", False),
    ],
)
def test_a_description_is_in_the_third_person(language, text, sound):
    reply = json.dumps({"description": text}, ensure_ascii=False)
    known = {"demographics": text, "financial_status": "", "communication_preference": ""}
    if sound:
        assert parse_reply(reply, described(language)).description == text
        assert parse_reply(json.dumps(known), extracted(language)).demographics == text
    else:
        with pytest.raises(WrongForm, match="description"):
            parse_reply(reply, described(language))
    if text and not sound:
        with pytest.raises(WrongForm, match=r"demographics.*in the second person"):
            parse_reply(json.dumps(known), extracted(language))


def test_a_profile_has_all_three_parts_as_text():
    whole = {"demographics": " a\n b ", "financial_status": "", "communication_preference": "c"}
    assert parse_reply(json.dumps(whole), Extracted).demographics == "a b"
    for name in whole:
        for bad in (
            {k: v for k, v in whole.items() if k != name},
            whole | {name: ["x"]},
            whole | {name: None},
        ):
            with pytest.raises(WrongForm, match=name):
                parse_reply(json.dumps(bad), Extracted)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--threshold", 0], "--threshold 0: must be a share, above 0 and at most 1"),
        (["--limit", 0], "--limit 0: at least 1"),
        (["--embed", "word2vec"], "--embed 'word2vec' is not tfidf, st:MODEL or openai:MODEL"),
        (["--split", "validation"], "validation"),
        (["--source", "calls.csv"], "a corpus (demo) and --source calls.csv are given; give one"),
        (["--format", "jsonl"], "--format belongs to --source"),
        (["--source-language", "en"], "--source-language belongs to --source"),
    ],
)
def test_misuse_is_one_line(tmp_path, capsys, options, said):
    assert build(tmp_path / "pool", "--limit", 3, *options) == 1
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "pool").exists()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (["nowhere.csv"], "nowhere.csv"),
        (["--source", "nowhere.csv"], "nowhere.csv does not exist; --source takes"),
        (["--source", "calls.csv", "--config", "csconv"], "--config belongs to a corpus"),
        (["--source", "calls.csv", "--split", "test"], "--split belongs to a corpus"),
        ([], "no conversations are given; the first word is demo, a dataset folder"),
    ],
)
def test_a_source_that_cannot_be_meant_is_one_line(tmp_path, capsys, source, said):
    assert build(tmp_path / "pool", source=source) == 1
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "pool").exists()


def calls(path, texts):
    """Recorded conversations as JSON lines: a customer says each of the texts."""
    lines = []
    for i, text in enumerate(texts):
        turns = [("customer", text), ("supporter", "Let me look that up.")]
        turns = [{"speaker": speaker, "text": said} for speaker, said in turns]
        lines.append(json.dumps({"conversation_id": f"c-{i}", "language": "en", "turns": turns}))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_recorded_conversations_give_profiles(tmp_path, capsys):
    texts = [f"My card was charged {i} times for one shirt, please look!" for i in range(2, 8)]
    file = calls(tmp_path / "calls.jsonl", [*texts, texts[0]])
    with file.open("a", encoding="utf-8") as more:
        more.write('{"conversation_id": "c-9", "turns": null}\n')
    assert build(tmp_path / "all", "--threshold", 1, source=("--source", str(file))) == 0
    shown = capsys.readouterr()
    assert "problem: calls.jsonl, line 8" in shown.err
    record = json.loads((tmp_path / "all" / "build.json").read_text(encoding="utf-8"))
    assert record["source"]["file"] == "calls.jsonl" and record["settings"]["config"] is None
    assert record["source"]["read"]["conversations read"] == 7
    assert "1 the same as another" in shown.out
    assert record["source"]["conversations_not_taken"] == {"the same as another": 1}
    assert record["counts"]["conversations_read"] == 6
    read = {row["source_id"] for row in rows_of(tmp_path / "all")}
    assert len(rows_of(tmp_path / "all")) + sum(
        record["counts"]["conversations_dropped"].values()
    ) == len(texts)

    assert build(tmp_path / "few", "--threshold", 1, "--limit", 3, source=("--source", file)) == 0
    few = {row["source_id"] for row in rows_of(tmp_path / "few")}
    assert few <= read and len(few) <= 3


def test_recorded_conversations_in_other_languages_are_counted(tmp_path, capsys):
    file = calls(tmp_path / "calls.jsonl", ["My card was charged twice for one shirt."])
    source = ("--source", file, "--language", "zh")
    assert build(tmp_path / "pool", source=source) == 1
    assert "holds no conversation in zh" in (line := capsys.readouterr().err.splitlines()[-1])
    assert "conversations not taken: 1 in en" in line


def test_a_folder_of_something_else_is_left_alone(tmp_path, capsys, built):
    (tmp_path / "notes.txt").write_text("mine")
    assert build(tmp_path) == 1
    assert "is not a profile pool alone" in capsys.readouterr().err
    stranger = built / "notes.txt"
    stranger.write_text("mine")
    try:
        assert build(built) == 1
    finally:
        stranger.unlink()


def clustered(seed, groups, width=32):
    """Unit rows: `groups` centres with 1 to 4 noisy copies each, shuffled."""
    rng = np.random.default_rng(seed)
    centres = np.repeat(rng.standard_normal((groups, width)), rng.integers(1, 5, groups), axis=0)
    return unit_rows(rng.permutation(centres + 0.02 * rng.standard_normal(centres.shape)))


@pytest.mark.parametrize("seed", range(3))
def test_which_rows_stay_is_what_a_plain_loop_says(seed):
    rows = clustered(seed, 40)
    stay = []
    for i, row in enumerate(rows):
        if all(float(row.astype("float64") @ rows[j].astype("float64")) <= 0.85 for j in stay):
            stay.append(i)
    assert len(stay) == 40
    for block in (1, 7, 32, 1000):
        assert first_of_each(rows, block=block) == stay


def test_a_chain_keeps_its_ends():
    """b is like a and like c, a and c are not alike: b goes, and c stays because b is not there any
    more.
    """
    angle = np.deg2rad([0, 25, 50])
    rows = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype("float32")
    assert first_of_each(rows) == first_of_each(rows, block=1) == [0, 2]


@pytest.mark.parametrize(("cosine", "stay"), [(0.85 + 2e-6, [0]), (0.85 - 2e-6, [0, 1])])
def test_the_threshold_is_sharp_on_both_sides(cosine, stay):
    rows = np.array([[1, 0], [cosine, np.sqrt(1 - cosine**2)]])
    assert first_of_each(rows) == first_of_each(rows, block=1) == stay


def test_a_row_of_zeros_is_like_nothing():
    assert first_of_each(unit_rows([[0, 0], [0, 0], [3, 0], [2, 0]])) == [0, 1, 2]


def test_tfidf_works_in_both_languages_and_knows_a_copy():
    assert tokens("Hello 世界") == ["hello", "世", "界", "hello 世", "世 界"]
    zh = [
        "你是一位护士，住在成都，说话温和。",
        "你是一位护士，住在成都，说话很温和。",
        "你是司机，赶时间。",
    ]
    texts = [*zh[:2], "You drive a taxi and are in a hurry.", zh[2]]
    assert first_of_each(embed(texts, "tfidf"), 0.7) == [0, 2, 3]
    assert first_of_each(embed(texts, "tfidf"), 0.7, block=1) == [0, 2, 3]


def test_near_duplicates_are_looked_for_within_a_language_and_do_not_depend_on_the_order():
    profiles = [found(language, "你是护士 nurse") for language in LANGUAGES] + [
        found("en", "You drive a taxi.", source) for source in "ab"
    ]
    kept, merged = distinct(profiles, "tfidf", 0.85)
    assert len(kept) == 3 and merged == {"identical profile": 1}
    assert distinct(profiles[::-1], "tfidf", 0.85) == (kept, merged)
    assert {profile.source_id for profile in kept} == {"s", "a"}


def test_the_demo_pool_is_what_its_words_say():
    for language in LANGUAGES:
        texts = [invent(language, number) for number in range(40)]
        assert len(set(texts)) == 40
        assert not any(word in text for text in texts for word in ("你", "You", "you"))
        assert all(
            {"title", "surname", "mood"} <= who(language, text, "profile").keys() for text in texts
        )


class Embeddings(BaseHTTPRequestHandler):
    """An embeddings endpoint: vectors of letter counts, in reverse order, or an error that quotes
    the key.
    """

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if body["model"] == "missing":
            status, answer = (
                404,
                {"error": {"message": f"no such model; you sent {self.headers['Authorization']}"}},
            )
        else:
            rows = [[float(text.count(letter)) for letter in "abc"] for text in body["input"]]
            status = 200
            answer = {
                "object": "list",
                "model": "m",
                "usage": {"prompt_tokens": 1, "total_tokens": 1},
            }
            answer["data"] = [
                {"object": "embedding", "index": i, "embedding": row} for i, row in enumerate(rows)
            ][::-1]
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


@pytest.fixture
def endpoint(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Embeddings)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-key")
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_embeddings_endpoint_is_asked_in_batches_and_its_order_is_kept(endpoint):
    texts = ["a", "aa", "b", "c", "cc"] * 60
    rows = embed(texts, "openai:m", endpoint)
    assert rows.shape == (300, 3) and np.allclose(np.linalg.norm(rows, axis=1), 1)
    assert first_of_each(rows) == [0, 2, 3]


def test_an_endpoint_that_fails_never_shows_the_key(endpoint):
    with pytest.raises(ModelError, match=r"no such model; you sent Bearer \[key\]") as error:
        embed(["a"], "openai:missing", endpoint)
    assert "secret" not in str(error.value)


def test_without_a_key_or_server_embeddings_are_refused(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(SettingError, match="OPENAI_API_KEY is not set"):
        embed(["a"], "openai:m")


@pytest.mark.slow
def test_sixteen_thousand_profiles_take_less_than_a_minute():
    """In CPU time, so that a busy machine does not matter."""
    import resource
    import time

    rng = np.random.default_rng(0)
    rows = rng.standard_normal((12_000, 1024), dtype="float32")
    rows = unit_rows(
        np.concatenate(
            [rows, rows[:4000] + 0.3 * rng.standard_normal((4000, 1024), dtype="float32")]
        )
    )
    started = time.process_time()
    assert first_of_each(rows) == list(range(12_000))
    assert time.process_time() - started < 60
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 2_000_000
