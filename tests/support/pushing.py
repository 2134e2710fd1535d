"""Dataset folders to publish, and what lies in one."""

from builders.dataset import write_folder
from csc_tasks import cli
from tests.builders.test_dataset import BUILD, CARD
from tests.support.fakes import sample_conversations, sample_questions

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


def data(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def refused(capsys, *words):
    """The error line of `csc push` without --push."""
    assert cli.main(["push", *map(str, words), "--repo-id", "org/name"]) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith("error: ") and printed.err.count("\n") == 1
    return printed.err, printed.out
