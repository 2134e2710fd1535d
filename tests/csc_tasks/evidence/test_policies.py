"""A folder of policies becomes passages: cut at headings and paragraphs, whatever the format."""

import json

import pytest

from csc_tasks.errors import DataError
from csc_tasks.evidence.policies import LONGEST, read_policies, sections


def texts(folder):
    return {passage.name: passage.text for passage in read_policies(folder).passages}


def test_each_format_gives_the_same_passages(tmp_path):
    """Refunds below a heading, written four ways; worked out by hand."""
    (tmp_path / "a.md").write_text("# Refunds\n\nWithin 5 days.\n\n## Fees\nNone below $10.\n")
    (tmp_path / "b.html").write_text(
        "<html><head><title>Refunds</title><style>h2 {x: 1 day}</style></head><body>"
        "<p>Within\n 5&nbsp;days.</p><script>var fee = '99 days';</script>"
        "<h2>Fees</h2><ul><li>None below $10.</li></ul></body></html>"
    )
    (tmp_path / "c.txt").write_text("Within 5 days.\n\nNone below $10.\n")
    rows = [
        {"title": "Refunds", "text": "Within 5 days."},
        {"text": "None below $10."},
    ]
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "d.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert texts(tmp_path) == {
        "a.md#1": "Refunds\nWithin 5 days.",
        "a.md#2": "Refunds > Fees\nNone below $10.",
        "b.html#1": "Refunds\nWithin 5 days.",
        "b.html#2": "Refunds > Fees\nNone below $10.",
        "c.txt#1": "Within 5 days.\nNone below $10.",
        "sub/d.jsonl#1": "Refunds\nWithin 5 days.",
        "sub/d.jsonl#2": "None below $10.",
    }


def test_a_heading_ends_the_section_of_its_level():
    text = "# A\none\n## B\ntwo\n### C\nthree\n## D\nfour\n# E\n## F\nfive\n"
    assert [*sections(text)] == [
        "A\none",
        "A > B\ntwo",
        "A > B > C\nthree",
        "A > D\nfour",
        "E > F\nfive",
    ]


@pytest.mark.parametrize(
    "sentence", ["Ten words stand in this sentence, and it ends here. ", "这是一句话。", "xxxxxx"]
)
def test_a_passage_is_never_longer_than_the_limit_and_nothing_is_lost(sentence):
    text = sentence * 400
    passages = [*sections(f"# H\n\n{text}\n\nshort\n\nshorter")]
    bodies = [passage.removeprefix("H\n") for passage in passages]
    assert len(bodies) > 2 and max(map(len, bodies)) <= LONGEST
    assert all(passage.startswith("H\n") for passage in passages)
    joined = "".join("".join(bodies).split())
    assert joined == "".join(f"{text}shortshorter".split())
    if sentence != "xxxxxx":
        assert all(body.rstrip()[-1] in ".。" for body in bodies[:-1])


def test_what_is_no_policy_is_named_and_hidden_files_are_left_alone(tmp_path):
    (tmp_path / "a.txt").write_text("Ten days.")
    (tmp_path / "empty.md").write_text("# Only a heading\n")
    (tmp_path / "logo.png").write_bytes(b"\x89PNG")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD.txt").write_text("ref")
    policies = read_policies(tmp_path)
    assert [passage.text for passage in policies.passages] == ["Ten days."]
    assert policies.skipped == ("empty.md", "logo.png")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.jsonl", b'{"text": 3}\n', r"a\.jsonl line 1: not .*text"),
        ("a.jsonl", b'{"text": "x"}\n[]\n', r"a\.jsonl line 2: not .*text"),
        ("a.jsonl", b'{"text": "x", "title": null}\n', r"a\.jsonl line 1: not .*title"),
        ("a.md", b"\xff\xfe\x00", r"a\.md: .*UTF"),
        ("a.pdf", b"%PDF", r"no text in it; it has a\.pdf; give a folder of policies"),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=words):
        read_policies(tmp_path)


def test_no_folder(tmp_path):
    with pytest.raises(DataError, match="there is no such folder; give a folder of policies"):
        read_policies(tmp_path / "none")
