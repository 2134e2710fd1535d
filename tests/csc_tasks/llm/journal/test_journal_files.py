"""Journals that outlive the file they were written to: an older version, changed bytes, lost pages,
several machines. Whatever happens, an answer is the one that was paid for or is asked for again.
"""

import asyncio
import hashlib
import io
import json
import random
import shutil
import sqlite3

import pytest

from csc_tasks.errors import SettingError
from csc_tasks.llm.client import LLM
from csc_tasks.llm.exchange import Usage
from csc_tasks.llm.items import run_items
from csc_tasks.llm.journal.cli import main
from csc_tasks.llm.journal.journal import Journal
from csc_tasks.llm.journal.reading import read_rows, read_totals
from csc_tasks.llm.journal.rescue import join, merge, salvage
from csc_tasks.llm.outcomes import JournalLost
from csc_tasks.llm.progress import Progress
from tests.support.journals import ROW
from tests.support.llm_server import Act, llm_server

VERSION_1 = """
CREATE TABLE requests (
    key TEXT PRIMARY KEY, state TEXT NOT NULL CHECK (state IN ('sent', 'failed', 'done')),
    tries INTEGER NOT NULL,
    stage TEXT NOT NULL, item_id TEXT NOT NULL, repeat INTEGER NOT NULL, attempt INTEGER NOT NULL,
    kind TEXT NOT NULL, backend TEXT NOT NULL, base_url TEXT NOT NULL, model TEXT NOT NULL,
    request TEXT NOT NULL, reply TEXT, outcome TEXT, problem TEXT,
    input_tokens INTEGER, output_tokens INTEGER, thinking_tokens INTEGER,
    first_sent REAL NOT NULL, last_sent REAL NOT NULL, ended REAL
)"""


def echo(body, _):
    """A server whose answer depends on what was asked."""
    asked = body["messages"][-1]["content"].split()[0]
    return Act(f"answer to {asked} " + hashlib.sha256(asked.encode()).hexdigest())


def ask(path, url, items, said=None):
    """The answers to the items, and how many requests were sent for them; lines for the user go to
    `said`.
    """
    progress = Progress(len(items), stream=said or io.StringIO())
    with LLM.from_specs(["openai:model"], Journal(path), base_url=url, concurrency=4) as llm:

        async def worker(item):
            answer = await llm.ask(
                stage="test",
                messages=[{"role": "user", "content": f"{item} " + "what is there to do? " * 60}],
                item_id=str(item),
            )
            return answer.text

        done = asyncio.run(run_items(items, worker, llm, progress))
        return done.values, llm.sent


@pytest.fixture(scope="module")
def server():
    with llm_server(echo) as running:
        yield running


@pytest.fixture(scope="module")
def whole(server, tmp_path_factory):
    """A journal of 40 requests, closed, and the answers in it."""
    path = tmp_path_factory.mktemp("journal") / "whole.sqlite"
    answers, sent = ask(path, server.url, range(40))
    assert sent == 40 and len(set(answers)) == 40
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return path, answers


def old_key(row, url):
    """The key of version 1, made here from its description."""
    parts = {
        **{name: row[name] for name in ("kind", "backend", "model", "item_id", "repeat")},
        "attempt": row["attempt"],
        "base_url": url,
        **row["request"],
    }
    text = json.dumps(parts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(b"csc-journal request 1\n" + text.encode()).hexdigest()


def of_version_1(path, source, urls):
    """Write the rows of a journal as version 1 had them, once for every server."""
    with sqlite3.connect(path) as database:
        database.executescript(
            f"{VERSION_1}; PRAGMA application_id = {0x6373634A}; PRAGMA user_version = 1"
        )
        for number, url in enumerate(urls):
            for row in read_rows(source):
                row |= {"key": old_key(row, url), "base_url": url}
                row["request"] = json.dumps(row["request"], ensure_ascii=False)
                if number:
                    row["reply"] |= {"text": "a later answer"}
                row["reply"] = json.dumps(row["reply"])
                marks = ", ".join("?" * len(row))
                database.execute(
                    f"INSERT INTO requests ({', '.join(row)}) VALUES ({marks})", [*row.values()]
                )
    database.close()


def test_an_old_journal_goes_on_behind_another_port(tmp_path, whole, server, capsys):
    source, answers = whole
    path = tmp_path / "old.sqlite"
    of_version_1(path, source, ["http://one:1/v1", "http://two:2/v1"])
    assert len(list(read_rows(path))) == 80
    before = read_totals(path)
    assert ask(path, server.url, range(41))[1] == 1
    assert "is of an earlier version and is brought up to date" in capsys.readouterr().err
    assert ask(path, server.url, range(40)) == (answers, 0)
    assert capsys.readouterr().err == ""
    (after,) = read_totals(path)
    # What the second server answered stays in the counts, and is not read.
    assert (before[0].done, after.done) == (80, 81)
    assert {row["base_url"] for row in read_rows(path)} == {
        "http://one:1/v1",
        "http://two:2/v1",
        server.url,
    }
    rows, texts = list(read_rows(path)), list(read_rows(source))
    assert [row["request"] for row in rows[:40]] == [row["request"] for row in texts]


def test_an_upgrade_that_dies_leaves_the_old_version(tmp_path, whole, monkeypatch):
    from csc_tasks.llm.journal import upgrade

    path = tmp_path / "old.sqlite"
    of_version_1(path, whole[0], ["http://one:1/v1"])
    with monkeypatch.context() as dying:
        dying.setattr(upgrade, "pack", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            Journal(path)
    rows = list(read_rows(path))
    assert len(rows) == 40 and rows[0]["key"] == old_key(rows[0], "http://one:1/v1")
    Journal(path).close()
    assert [row["key"] for row in read_rows(path)] == [row["key"] for row in read_rows(whole[0])]


def test_a_changed_byte_never_changes_an_answer(tmp_path, whole, server):
    source, answers = whole
    content = source.read_bytes()
    draw, asked, refused = random.Random(3), [], 0
    for _ in range(60):
        path = tmp_path / "damaged.sqlite"
        changed = bytearray(content)
        place = draw.randrange(100, len(content))
        changed[place] ^= 1 << draw.randrange(8)
        path.write_bytes(changed)
        try:
            given, sent = ask(path, server.url, range(40))
        except (JournalLost, SettingError) as error:
            refused += 1
            assert str(path) in str(error)
        else:
            assert given == answers, place
            asked.append(sent)
        for file in tmp_path.iterdir():
            file.unlink()
    assert sum(asked) > 0 and max(asked) <= 40
    assert refused < 30


def test_a_damaged_reply_is_asked_again_and_said(tmp_path, whole, server):
    source, answers = whole
    path = tmp_path / "damaged.sqlite"
    content = source.read_bytes()
    place = content.index(answers[7].encode())
    path.write_bytes(content[:place] + b"A" + content[place + 1 :])
    assert ask(path, server.url, range(40), said := io.StringIO()) == (answers, 1)
    assert "the recorded reply of test, 7 is damaged and is asked for again" in (said.getvalue())
    assert ask(path, server.url, range(40)) == (answers, 0)


def test_what_can_be_read_of_a_broken_file_is_kept(tmp_path, whole, server, capsys):
    source, answers = whole
    broken, new = tmp_path / "broken.sqlite", tmp_path / "new.sqlite"
    content = bytearray(source.read_bytes())
    size = int.from_bytes(content[16:18], "big")
    # A whole page of rows is lost.
    page = content.index(answers[20].encode()) // size
    content[page * size : (page + 1) * size] = bytes(size)
    broken.write_bytes(content)
    with pytest.raises(JournalLost, match=r"csc journal salvage .*broken\.sqlite --out FILE"):
        ask(broken, server.url, range(40))
    shutil.copy(broken, copy := tmp_path / "copy.sqlite")
    counts = salvage(copy, new)
    assert counts["read"] + counts["lost"] == 40 and 0 < counts["lost"] < 20
    assert ask(new, server.url, range(40)) == (answers, counts["lost"])
    assert csc("salvage", broken, "--out", tmp_path / "again.sqlite") == 0
    assert f"{counts['lost']} could not be read" in capsys.readouterr().out


def csc(*words):
    from argparse import ArgumentParser

    from csc_tasks.cli import guarded
    from csc_tasks.llm.journal import cli

    parser = ArgumentParser()
    cli.add_arguments(parser)
    return guarded(lambda: main(parser.parse_args([str(word) for word in words])) or 0)


def test_journals_of_several_machines_become_one(tmp_path, server, capsys):
    one, two = tmp_path / "one.sqlite", tmp_path / "two.sqlite"
    ask(one, server.url, range(12))
    ask(two, server.url, range(8, 20))
    assert csc("merge", one, two, "--out", tmp_path / "both.sqlite") == 0
    assert capsys.readouterr().out == (
        f"24 requests of 2 journals are in {tmp_path / 'both.sqlite'}; 4 were answered more than"
        " once\n"
    )
    assert ask(tmp_path / "both.sqlite", server.url, range(20))[1] == 0
    (total,) = read_totals(tmp_path / "both.sqlite")
    parts = [read_totals(path)[0] for path in (one, two)]
    for name in ("done", "tries", "input_tokens", "output_tokens"):
        assert getattr(total, name) == sum(getattr(part, name) for part in parts)
    # The order of the files changes nothing that is read, and a journal twice is one.
    assert merge([two, one, two], tmp_path / "other.sqlite")["answered twice"] == 4
    assert answered(tmp_path / "other.sqlite") == answered(tmp_path / "both.sqlite")
    assert ask(tmp_path / "other.sqlite", server.url, range(20))[1] == 0


def answered(path):
    return {row["key"]: row["ended"] for row in read_rows(path) if " " not in row["key"]}


def test_the_earlier_answer_is_read_and_an_answer_goes_before_none(tmp_path):
    paths = [tmp_path / f"{name}.sqlite" for name in ("failed", "early", "late")]
    for number, path in enumerate(paths):
        with Journal(path) as journal:
            journal.send("k", ROW)
            if not number:
                journal.fail("k", "500")
            else:
                journal.finish("k", {"text": path.stem}, "ok", "", Usage(number, 1))
    for order in ((0, 1, 2), (2, 1, 0), (1, 0, 2)):
        new = tmp_path / f"{order}.sqlite"
        merge([paths[i] for i in order], new)
        with Journal(new) as journal:
            assert journal.reply("k") == {"text": "early"} and journal.damaged == 0
            assert journal.totals()[0].input_tokens == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["merge", "a"], "csc journal merge needs --out"),
        (["salvage", "a"], "csc journal salvage needs --out"),
        (["stats", "a", "b"], "csc journal stats takes one journal"),
        (["stats", "a", "--out", "b"], "--out belongs to merge and salvage"),
        (["merge", "nowhere", "--out", "new"], "nowhere is no file"),
        (["salvage", "here", "--out", "here"], "here exists; give a new file for --out"),
    ],
)
def test_misuse_is_one_line(tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").touch()
    assert csc(*words) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_requests_of_a_stage_share_their_text(tmp_path, whole):
    texts = sum(len(json.dumps(row["request"])) for row in read_rows(whole[0]))
    with sqlite3.connect(whole[0]) as database:
        stored = database.execute("SELECT sum(length(request)) FROM requests").fetchone()[0]
    database.close()
    assert stored < texts / 8


def answers_in(path, names):
    """Record an answer to every name, and a copy of the file as a process that is killed leaves it:
    the last rows lie in the file beside it.
    """
    killed = path.with_name(f"{path.name}.killed")
    with Journal(path) as journal:
        for name in names:
            journal.send(name, ROW | {"item_id": name})
            journal.finish(name, {"text": f"answer to {name}"}, "ok", "", Usage(1, 1))
        for suffix in ("", "-wal"):
            shutil.copy(f"{path}{suffix}", f"{killed}{suffix}")
    return killed


def test_rows_that_a_killed_process_left_beside_the_file_are_read(tmp_path):
    names = [f"k{i:03}" for i in range(120)]
    killed = answers_in(tmp_path / "one.sqlite", names)
    # Most rows cannot be in the file itself.
    assert killed.stat().st_size < 120 * 64
    assert salvage(killed, tmp_path / "new.sqlite") == {"read": 120, "lost": 0}
    others = answers_in(tmp_path / "two.sqlite", [f"other-{name}" for name in names])
    assert join([others], killed) == {"read": 120, "answered twice": 0}
    with Journal(killed) as journal:
        for name in (*names, *(f"other-{name}" for name in names)):
            assert journal.reply(name) == {"text": f"answer to {name}"}


def test_a_journal_on_a_disk_that_cannot_be_written_is_read(tmp_path, whole, monkeypatch):
    source, answers = whole
    path = tmp_path / "fixed.sqlite"
    shutil.copy(source, path)
    # What SQLite answers there depends on the disk and on SQLite.
    monkeypatch.setattr("csc_tasks.llm.journal.file._opens", lambda database: False)
    assert sorted(row["reply"]["text"] for row in read_rows(path)) == sorted(answers)
    assert salvage(path, tmp_path / "new.sqlite")["read"] == 40
    assert sorted(file.name for file in tmp_path.glob("fixed*")) == ["fixed.sqlite"]
    killed = answers_in(tmp_path / "one.sqlite", ["a"])
    with pytest.raises(SettingError, match=r"some of its rows in .*-wal beside it; copy both"):
        read_totals(killed)


def test_joining_mends_what_was_damaged_and_a_failed_one_changes_nothing(tmp_path):
    part, whole = tmp_path / "part.sqlite", tmp_path / "whole.sqlite"
    answers_in(part, ["a", "b"])
    join([part], whole)
    with sqlite3.connect(whole) as database:
        database.execute("UPDATE requests SET reply = replace(reply, 'answer', 'anxwer')")
    database.close()
    with pytest.raises(SettingError, match="nowhere is no file"):
        join([part, tmp_path / "nowhere"], whole)
    with Journal(whole) as journal:
        assert journal.reply("a") is None and journal.damaged == 1
    assert join([part], whole)["answered twice"] == 0
    with Journal(whole) as journal:
        assert journal.reply("a") == {"text": "answer to a"}
        assert journal.reply("b") == {"text": "answer to b"}
        assert [(t.rows, t.done, t.input_tokens) for t in journal.totals()] == [(2, 2, 2)]


def test_a_part_reads_an_earlier_journal_of_version_1_and_leaves_it(tmp_path, whole, server):
    source, answers = whole
    old = tmp_path / "old.sqlite"
    of_version_1(old, source, ["http://one:1/v1"])
    before = old.read_bytes()
    journal = Journal(tmp_path / "part.sqlite")
    journal.read_also(old)
    with LLM.from_specs(["openai:model"], journal, base_url=server.url) as llm:
        keys = [row["key"] for row in read_rows(source)]
        assert sorted(journal.reply(key)["text"] for key in keys) == sorted(answers)
        assert llm.sent == 0
    assert old.read_bytes() == before


def test_an_earlier_journal_that_breaks_is_one_line(tmp_path, whole):
    source, _ = whole
    broken = tmp_path / "broken.sqlite"
    content = bytearray(source.read_bytes())
    size = int.from_bytes(content[16:18], "big")
    # All but the first page, which says what it is.
    content[size:] = bytes(len(content) - size)
    broken.write_bytes(content)
    with Journal(tmp_path / "part.sqlite") as journal:
        journal.read_also(broken)
        with pytest.raises(JournalLost, match=r"csc journal salvage .*broken\.sqlite --out FILE"):
            journal.reply("k")


@pytest.mark.parametrize("damage", ["'{\"text\": '", "CAST(x'ff' AS TEXT)"])
@pytest.mark.parametrize("version", [1, 2])
def test_a_damaged_reply_is_one_line_to_those_who_read(tmp_path, whole, capsys, damage, version):
    source, _ = whole
    path = tmp_path / "damaged.sqlite"
    if version == 1:
        of_version_1(path, source, ["http://one:1/v1"])
    else:
        shutil.copy(source, path)
    with sqlite3.connect(path) as database:
        database.execute(f"UPDATE requests SET reply = {damage} WHERE rowid = 7")
    database.close()
    assert csc("export", path) == 1
    assert "csc journal salvage" in capsys.readouterr().err.splitlines()[-1]
    assert csc("merge", path, "--out", tmp_path / "new.sqlite") == 1
    assert "csc journal salvage" in capsys.readouterr().err.splitlines()[-1]
    assert csc("salvage", path, "--out", tmp_path / "new.sqlite") == 0
    assert csc("export", tmp_path / "new.sqlite") == 0
    with Journal(path) as journal:
        replies = [journal.reply(row["key"]) for row in read_rows(source)]
        assert replies.count(None) == journal.damaged == 1


@pytest.mark.parametrize("lost", ["end", "first page", "both"])
def test_a_file_that_cannot_be_opened_is_salvaged(tmp_path, whole, server, lost):
    source, answers = whole
    content = source.read_bytes()
    kept = content if lost == "first page" else content[: len(content) * 2 // 3 + 77]
    broken, new = tmp_path / "broken.sqlite", tmp_path / "new.sqlite"
    broken.write_bytes(kept if lost == "end" else bytes(4096) + kept[4096:])
    with pytest.raises(
        SettingError, match=r"is damaged .*salvage" if lost == "end" else r"no journal"
    ):
        read_totals(broken)
    rows = salvage(broken, new)["read"]
    assert rows == 40 if lost == "first page" else 5 < rows < 40
    assert ask(new, server.url, range(40)) == (answers, 40 - rows)
    assert not list(tmp_path.glob(".csc*"))


@pytest.mark.parametrize("content", [b"", b"not a journal at all " * 999, bytes(9000)])
def test_what_holds_no_row_is_not_salvaged(tmp_path, content):
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(SettingError, match=r"(is empty|no request can be read of .*other)"):
        salvage(tmp_path / "other", tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["other"]
