"""What `csc push` refuses without a request: folders that are not whole, personal data, tokens."""

import json
import re
from pathlib import Path

import pytest

from csc_tasks import cli
from csc_tasks.pii.accepted import entry_line
from tests.support.hub_server import WRITER
from tests.support.pushing import TEST, refused, rows, write


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


@pytest.mark.parametrize("name", ["../../secret", "a/../../b", "a\\b", "a\0b"])
def test_a_build_record_never_names_a_file_outside_its_folder(tmp_path, capsys, name):
    folder = write(tmp_path / "out")
    record = json.loads((folder / "build.json").read_text(encoding="utf-8"))
    record["splits"]["csconv"] = {name: record["splits"]["csconv"]["test"]}
    (folder / "build.json").write_text(json.dumps(record), encoding="utf-8")
    error, printed = refused(capsys, folder)
    assert "is not a dataset folder of this project" in error and printed == ""
