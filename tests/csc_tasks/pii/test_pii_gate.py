"""The list of accepted findings: names that cannot be turned back, entries that lack something, and
what is shown of many findings.
"""

import hashlib
import hmac
import re

import pytest
import yaml

from csc_tasks.errors import DataError
from csc_tasks.pii import PHONE, TOKEN, find
from csc_tasks.pii.accepted import entry_line, read_accepted
from csc_tasks.pii.gate import check, grouped

NUMBER = "13986420357"
KEY = "0123456789abcdef" * 4


def found(*texts):
    return [(f"turn {i}", match) for i, text in enumerate(texts) for match in find(text)]


def checked(file, *texts):
    """(lines that were said, the error or None)."""
    said = []
    try:
        check(found(*texts), file, said.append)
    except DataError as error:
        return said, str(error)
    return said, None


def write(file, *entries):
    file.write_text(f"key: {KEY}\naccepted:\n" + "".join(f"{entry}\n" for entry in entries))
    return file


def named(kind, value):
    """The name of a finding, worked out here: HMAC-SHA256 with the file's key."""
    return hmac.new(bytes.fromhex(KEY), f"{kind}\0{value}".encode(), hashlib.sha256).hexdigest()[
        :16
    ]


def entry(finding, why="a made-up customer", who="A. Reviewer"):
    return f'- {{finding: "{finding}", why: "{why}", who: "{who}"}}'


def test_nothing_found_needs_no_file(tmp_path):
    assert checked(tmp_path / "pii.yaml", "hello") == (["personal data: none found"], None)
    assert not (tmp_path / "pii.yaml").exists()


def test_many_places_are_one_line(tmp_path):
    numbers = [f"1398642{i:04}" for i in range(1000, 1027)]
    texts = [f"please call {number}" for number in numbers for _ in range(15)]
    said, error = checked(tmp_path / "pii.yaml", *texts)
    assert said[0] == "personal data: 27 phone (405 places)"
    lines = [line for line in said if line.startswith("  phone ")]
    assert len(lines) == 27
    assert re.fullmatch(
        r"  phone 139\*{6}00  [0-9a-f]{16}  15 times in turn 0, turn 1, turn 2 and 12 more",
        lines[0],
    )
    assert error.startswith(
        "personal data found (see the list): 27 phone (405 places) not accepted"
    )
    assert not any(number in line for number in numbers for line in [*said, error])


def test_a_name_needs_the_key_of_the_file(tmp_path):
    """Whoever reads the output and tries every number finds none; other files give other names."""
    names = []
    for file in ("one.yaml", "two.yaml"):
        said, _ = checked(tmp_path / file, NUMBER)
        names += re.findall(r"  ([0-9a-f]{16})  in turn 0", "\n".join(said))
    assert len(set(names)) == 2
    for form in (NUMBER, f"+86{NUMBER}", f"phone\0+86{NUMBER}", f"{PHONE} +86{NUMBER}"):
        for algorithm in ("md5", "sha1", "sha256", "blake2b"):
            assert hashlib.new(algorithm, form.encode()).hexdigest()[:16] not in names
    keys = [
        yaml.safe_load((tmp_path / file).read_text())["key"] for file in ("one.yaml", "two.yaml")
    ]
    assert all(len(key) == 64 for key in keys) and keys[0] != keys[1]


def test_the_printed_line_accepts_the_finding_once_it_is_filled_in(tmp_path):
    file = write(tmp_path / "pii.yaml")
    said, error = checked(file, NUMBER)
    line = entry_line(named(PHONE, f"+86{NUMBER}"))
    assert said[-1] == line and error
    write(file, line)
    assert "is accepted without why; fill it in" in checked(file, NUMBER)[1]
    write(file, line.replace('why: ""', 'why: "the shop"'))
    assert "is accepted without who; fill it in" in checked(file, NUMBER)[1]
    write(file, line.replace('why: ""', 'why: "the shop"').replace('who: ""', 'who: "Ann"'))
    said, error = checked(file, NUMBER, "139-8642-0357")
    assert error is None and said[0] == "personal data: 1 phone (2 places)"
    assert said[2:] == ["    accepted by Ann: the shop", f"  all accepted in {file}"]
    # Another number of the same mask is another finding.
    assert "1 phone (1 place) not accepted" in checked(file, NUMBER, "13986430357")[1]


def test_a_token_is_never_accepted(tmp_path):
    token = "ghp_" + "aB3d" * 9
    file = write(tmp_path / "pii.yaml", entry(named(TOKEN, token)))
    said, error = checked(file, token)
    assert error.startswith("1 access token found") and "accepted by" not in "".join(said)
    assert token not in "".join(said) + error


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("key: [", "cannot be read as YAML"),
        ("- a", "there is no `key:`"),
        ("key: 12", "there is no `key:`"),
        (f"key: {KEY}\nallowed: []", "'allowed' is neither key nor accepted"),
        (f"key: {KEY}\naccepted: yes", "`accepted:` is True; a list of findings belongs there"),
        (f"key: {KEY}\naccepted: [x]", "entry 1: 'x' is not `- {finding:"),
        (
            f"key: {KEY}\naccepted:\n- {{finding: 1234567890123456, why: a, who: b}}",
            "entry 1: finding 1234567890123456 is not the 16 hex digits",
        ),
        (
            f"key: {KEY}\naccepted:\n{entry('0' * 16)}\n{entry('0' * 16)}",
            f"entry 2: {'0' * 16} stands there twice",
        ),
    ],
)
def test_a_list_that_is_none_is_one_line(tmp_path, text, words):
    (tmp_path / "pii.yaml").write_text(text)
    error = checked(tmp_path / "pii.yaml", NUMBER)[1]
    assert words in error and str(tmp_path / "pii.yaml") in error and "\n" not in error


def test_findings_stand_by_kind_and_then_by_how_often(tmp_path):
    texts = ("13986420357", "13986430357 a.b@mail.org", "13986430357")
    findings = grouped(found(*texts), read_accepted(write(tmp_path / "pii.yaml")))
    assert [(one.kind, one.places.total()) for one in findings] == [
        ("e-mail", 1),
        ("phone", 2),
        ("phone", 1),
    ]
