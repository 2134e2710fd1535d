"""`csc build transcripts`: the same corpus whatever the export looks like, every wrong input a
line, nothing dropped without a count.
"""

import itertools
import json

import pytest

from builders.sources import Reading, format_of, read_source
from csc_tasks import cli
from csc_tasks.corpora import load
from tests.support.transcripts import write_csv, write_messages, write_tickets

HELLO = "Hello, my parcel has not arrived yet and I have waited for two weeks now."
REPLY = "I am sorry to hear that, let me look at where your parcel is at the moment."


def build(capsys, source, out, *options):
    """(exit status, stdout, stderr) of a build."""
    status = cli.main(["build", "transcripts", str(source), "--out", str(out), *options])
    said = capsys.readouterr()
    return status, said.out, said.err


def dialogues(folder):
    """The conversations of a built folder as lists of (speaker, text), sorted."""
    items = load(str(folder), "csconv", "test").items
    return sorted([(turn.speaker, turn.text) for turn in item.dialogue] for item in items)


def one(capsys, tmp_path, name, text, *options):
    """The only conversation of a file with this text."""
    source = tmp_path / name
    source.write_text(text, encoding="utf-8")
    status, _, error = build(capsys, source, tmp_path / "out", *options)
    assert (status, error) == (0, "")
    (dialogue,) = dialogues(tmp_path / "out")
    return dialogue


WANTED = [("customer", HELLO), ("supporter", REPLY)]


def test_a_table_messages_and_tickets_of_star_give_the_same_corpus(shared_data, tmp_path, capsys):
    star = list(itertools.islice(read_source(shared_data / "star", Reading(), "star"), 100))
    both = [
        one for one in star if {turn.speaker for turn in one.turns} == {"customer", "supporter"}
    ]
    folders = []
    for write, name in (
        (write_csv, "calls.csv"),
        (write_messages, "chat.jsonl"),
        (write_tickets, "tickets.json"),
    ):
        out = tmp_path / name.replace(".", "-")
        status, printed, _ = build(capsys, write(tmp_path / name, star), out)
        assert status == 0
        assert f"conversations kept: {len(both)}" in printed
        assert f"{100 - len(both)} no supporter says anything" in printed
        folders.append(out)
    first, *others = [(out / "csconv/test-00000-of-00001.parquet").read_bytes() for out in folders]
    assert others == [first, first]
    wanted = sorted([(turn.speaker, turn.text) for turn in one.turns] for one in both)
    assert dialogues(folders[0]) == wanted
    # Building again gives the same bytes in every file but run.json.
    again = tmp_path / "again"
    build(capsys, tmp_path / "calls.csv", again)
    for name in ("README.md", "build.json", "manifest.json"):
        assert (again / name).read_bytes() == (folders[0] / name).read_bytes()


MESSAGES = [{"role": "user", "content": HELLO}, {"role": "assistant", "content": REPLY}]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", json.dumps([{"messages": MESSAGES}])),
        ("b.json", json.dumps({"messages": MESSAGES})),
        ("c.json", json.dumps([MESSAGES])),
        (
            "sharegpt.json",
            json.dumps(
                [
                    {
                        "conversations": [
                            {"from": "human", "value": HELLO},
                            {"from": "gpt", "value": REPLY},
                        ]
                    }
                ]
            ),
        ),
        (
            "parts.jsonl",
            json.dumps(
                {
                    "messages": [
                        {"role": "user", "content": [{"type": "text", "text": HELLO}]},
                        {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
                        {"role": "tool", "content": "{}"},
                        MESSAGES[1],
                    ]
                }
            ),
        ),
        (
            "abcd.json",
            json.dumps(
                {
                    "train": [
                        {
                            "convo_id": 1,
                            "original": [
                                ["customer", HELLO],
                                ["action", "Account has been pulled up."],
                                ["agent", REPLY],
                            ],
                        }
                    ]
                }
            ),
        ),
        (
            "intercom.json",
            json.dumps(
                {
                    "type": "conversation.list",
                    "conversations": [
                        {
                            "id": "1",
                            "created_at": 1700000000,
                            "source": {"body": f"<p>{HELLO}</p>", "author": {"type": "user"}},
                            "conversation_parts": {
                                "type": "conversation_part.list",
                                "conversation_parts": [
                                    {
                                        "part_type": "assignment",
                                        "body": None,
                                        "author": {"type": "bot"},
                                        "created_at": 1700000001,
                                    },
                                    {
                                        "part_type": "note",
                                        "body": "<p>angry customer</p>",
                                        "author": {"type": "admin"},
                                        "created_at": 1700000002,
                                    },
                                    {
                                        "part_type": "comment",
                                        "body": f"<p>{REPLY}</p>",
                                        "author": {"type": "admin", "name": "Ann"},
                                        "created_at": 1700000003,
                                    },
                                ],
                            },
                        }
                    ],
                }
            ),
        ),
        (
            "freshdesk.json",
            json.dumps(
                [
                    {
                        "id": 5,
                        "conversations": [
                            {"body_text": HELLO, "incoming": True, "private": False},
                            {"body_text": "see CRM", "incoming": False, "private": True},
                            {"body_text": REPLY, "incoming": False, "private": False},
                        ],
                    }
                ]
            ),
        ),
        (
            "talk.csv",
            f'conversation_id;speaker;date_time;text\n1;agent;05.03.2024 10:02;"{REPLY}"\n'
            f'1;client;05.03.2024 10:01;"{HELLO}"\n',
        ),
        ("talk.tsv", f"id\tfrom\tbody\n9\tvisitor\t{HELLO}\n9\toperator\t{REPLY}\n"),
        (
            "whatsapp.txt",
            "[05/03/2024, 10:00:01] Support: \u200eMessages and calls are end-to-end encrypted. No"
            f" one reads them.\n[05/03/2024, 10:01:10] Mia Long: {HELLO[:20]}\n{HELLO[20:].strip()}"
            f"\n[05/03/2024, 10:02:10] Support: {REPLY}\n[05/03/2024, 10:03:10] Mia Long:"
            " <Media omitted>\n",
        ),
        ("chat.txt", f"Customer: {HELLO}\nAgent: {REPLY}\n"),
        ("cells.csv", f'ticket,transcript\n3,"Customer: {HELLO}\nAgent: {REPLY}"\n'),
    ],
)
def test_every_shape_gives_the_same_conversation(capsys, tmp_path, name, text):
    assert one(capsys, tmp_path, name, text) == WANTED


def test_a_folder_of_texts_is_a_conversation_a_file_and_names_are_told_by_how_often(
    tmp_path, capsys
):
    source = tmp_path / "chats"
    source.mkdir()
    for number, name in enumerate(("Mia", "Leo", "Ida")):
        text = f"{name}: {HELLO} {number}\nNora: {REPLY}\n{name}: Thanks\nNora: Bye\n"
        (source / f"{number}.txt").write_text(text)
    status, printed, _ = build(capsys, source, tmp_path / "out")
    assert status == 0
    assert "'Nora': supporter, guessed" in printed
    assert [d[1] for d in dialogues(tmp_path / "out")] == [("supporter", REPLY)] * 3


def test_mail_is_cut_personal_data_masked_and_all_counted(tmp_path, capsys):
    mail = (
        f"{REPLY}\nWrite to jo.doe@posteo.de or call +44 20 7946 0958.\n\nBest regards,\nJo\n\n"
        f"On 5 March 2024, Mia wrote:\n> {HELLO}\n"
    )
    rows = [{"id": 1, "role": "customer", "body": HELLO}, {"id": 1, "role": "agent", "body": mail}]
    rows += [{"id": 1, "role": "system", "body": "x"}, {"id": 1, "role": "agent", "body": ""}]
    source = tmp_path / "mail.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    status, printed, _ = build(capsys, source, tmp_path / "out")
    assert status == 0
    ((_, (speaker, text)),) = dialogues(tmp_path / "out")
    assert speaker == "supporter"
    assert text == f"{REPLY} Write to [email address] or call [phone number]."
    counts = json.loads((tmp_path / "out/build.json").read_text())["counts"]
    assert counts["masked"] == {"e-mail": 1, "phone": 1}
    assert counts["texts_cut_or_converted"] == {"quoted mail": 1, "signatures": 1}
    assert counts["utterances_left_out"] == {"a system line": 1, "no text": 1}
    assert "masked: 1 e-mail, 1 phone" in printed
    status, _, _ = build(capsys, source, tmp_path / "kept", "--keep-personal-data")
    assert "jo.doe@posteo.de" in dialogues(tmp_path / "kept")[0][1][1]


def test_a_dry_run_shows_the_guess_and_writes_nothing(tmp_path, capsys):
    source = tmp_path / "t.csv"
    source.write_text(f"case,who,what,note\n1,Bot,{REPLY.replace(',', '')},a\n1,Mia,Thank you,b\n")
    options = ["--dry-run", "--columns", "id=case,speaker=who,text=what", "--agents", "Bot"]
    assert cli.main(["build", "transcripts", str(source), *options]) == 0
    printed = capsys.readouterr().out
    assert "columns: id=case, speaker=who, text=what" in printed
    assert "'Mia': customer, not among --agents" in printed
    assert "1 conversations would be" in printed
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


ROWS = f"id,role,text\n1,user,{HELLO.replace(',', '')}\n1,agent,{REPLY.replace(',', '')}\n"


@pytest.mark.parametrize(
    ("name", "content", "options", "line"),
    [
        ("none.csv", None, [], "does not exist; give a file or folder"),
        ("book.xlsx", b"PK", [], "save a spreadsheet as CSV"),
        ("empty.csv", b"", [], "is empty; its first line must name the columns"),
        ("header.csv", b"id,role,text\n", [], "holds nothing that can be read: it is empty"),
        ("two.csv", b"x,y\n1,2\n", [], "which column holds the id, the speaker, the text; there"),
        ("a.csv", ROWS, ["--columns", "text=body"], "no such column; there are id, role, text"),
        ("b.csv", ROWS, ["--columns", "words=text"], "with PART one of id, speaker, text, time"),
        ("c.csv", ROWS, ["--columns", "text"], "--columns 'text': give PART=COLUMN"),
        ("d.csv", ROWS, ["--columns", "text=text,text=role"], "text is given twice"),
        ("e.csv", ROWS, ["--agents", "Anna"], "--agents anna: nobody has this name; there are"),
        (
            "f.csv",
            ROWS.replace("\n", ",noon\n").replace("text,noon", "text,day"),
            ["--columns", "time=day"],
            "--columns time=day: cannot be read as times ('noon')",
        ),
        ("g.csv", ROWS, ["--splits", "1,2,3"], "is not three percentages"),
        ("h.csv", ROWS, ["--name", " "], "--name is empty"),
        (
            "i.csv",
            "id,role,text\n1,Mia,hi\n1,Leo,ho\n",
            [],
            "cannot tell who is the supporter in 1",
        ),
        ("j.csv", "id,role,text\n1,user,hi\n1,user,ho\n", [], "no conversation can be used"),
        ("k.csv", "id,role,text\n1,user,hi\n1,agent,ho\n", [], "give --language CODE"),
        ("l.json", b"{not json", [], "not JSON, and what follows is not read"),
        ("m.jsonl", b"[1,\n2]\n", [], "m.jsonl, line 1: not JSON"),
        ("n.parquet", b"PAR0", [], "no readable parquet file"),
        ("o.csv.gz", b"no gzip", [], "is cut off or damaged"),
        (
            "p.txt",
            b"just some prose without names\n",
            [],
            "no lines that open with a name (`Anna: ...`)",
        ),
        ("q.csv", "id,role,text\n1,user,\n", [], "nobody says anything in it"),
        ("r.csv", ROWS.encode() + b"1,agent,\xff\xfe\n", [], "no conversation can be used"),
    ],
)
def test_wrong_input_is_one_clear_line(tmp_path, capsys, name, content, options, line):
    source = tmp_path / name
    if content is not None:
        source.write_bytes(content.encode() if isinstance(content, str) else content)
    status, _, error = build(capsys, source, tmp_path / "out", *options)
    last = error.strip().splitlines()[-1]
    assert status == 1
    assert last.startswith("error: ")
    assert line in last
    assert not (tmp_path / "out").exists()


def test_what_is_wrong_inside_is_counted_with_its_place(tmp_path, capsys):
    source = tmp_path / "t.csv"
    source.write_bytes(
        ROWS.encode()
        + b"2,user,one,two\n2,agent,fine\n3,user,\xff\n3,agent,x\n,user,nobody\n4,agent,alone\n"
    )
    status, printed, error = build(capsys, source, tmp_path / "out")
    assert status == 0
    assert "problem: t.csv, line 4: a row has another number of cells (4 instead of 3" in error
    assert "save the file as UTF-8" in error
    assert "conversations kept: 1" in printed
    assert "conversations left out: 3" in printed
    assert "1 no conversation's id" in printed


def test_a_folder_of_several_kinds_and_a_folder_of_nothing_are_refused(tmp_path, capsys):
    source = tmp_path / "mixed"
    source.mkdir()
    assert "holds no file that is read" in build(capsys, source, tmp_path / "out")[2]
    (source / "a.csv").write_text(ROWS)
    (source / "b.txt").write_text("Customer: hi\n")
    assert "holds files of several kinds" in build(capsys, source, tmp_path / "out")[2]
    assert cli.main(["build", "transcripts", str(source)]) == 1
    assert "give --out DIR, or --dry-run" in capsys.readouterr().err


def test_other_builders_read_transcripts_and_the_folder(tmp_path, capsys):
    source = tmp_path / "calls.csv"
    source.write_text(ROWS)
    assert format_of(source) == "transcripts"
    build(capsys, source, tmp_path / "out")
    assert format_of(tmp_path / "out") == "dataset"
    for path in (source, tmp_path / "out"):
        (read,) = read_source(path, Reading())
        assert [turn.speaker for turn in read.turns] == ["customer", "supporter"]
        assert read.language == "en"


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("t.csv", "conversation_id,speaker,date_time,text\n", "talkmap"),
        ("t.csv", ROWS, "transcripts"),
        ("t.json", json.dumps({"tickets": [{"id": 1, "comments": []}]}), "transcripts"),
        ("t.json", json.dumps({"1": {"messages": [{"role": "usr", "content": "x"}]}}), "crosswoz"),
        ("t.json", json.dumps({"FORMAT-VERSION": 5, "DialogueID": 1}), "star"),
        ("t.jsonl", json.dumps({"messages": MESSAGES}), "transcripts"),
        ("t.jsonl", json.dumps({"conversation_id": "1", "turns": MESSAGES}), "jsonl"),
        ("t.txt", "x", "transcripts"),
    ],
)
def test_the_format_of_a_source_is_told_by_its_beginning(tmp_path, name, text, kind):
    (tmp_path / name).write_text(text)
    assert format_of(tmp_path / name) == kind
