"""The board that is already in the folder which csc collect writes into."""

from pathlib import Path

from csc_tasks.errors import SettingError
from csc_tasks.out import is_new, say_earlier

OURS = {
    "board.json",
    "reliability.json",
    "index.html",
    "page",
    "models",
    "samples",
    "raw",
    "tables",
    "publish",
    "audits",
}


def check_out(out: Path) -> None:
    """Raise SettingError where `out` cannot be written or holds anything that is not part of a
    board; says so where one is replaced.
    """
    if is_new(out, beside=False):
        return
    others = sorted(
        path.name
        for path in out.iterdir()
        if path.name not in OURS and not path.name.endswith(".part")
    )
    if others:
        raise SettingError(
            f"--out {out}: holds other things ({', '.join(others[:3])}); give a new folder or that"
            " of a board"
        )
    say_earlier(f"{out} holds an earlier board, which this one replaces")


def clear(out: Path, kept: set[str]) -> None:
    """Remove what an earlier board left in its own three folders."""
    for part in ("models", "samples", "raw"):
        for file in sorted((out / part).rglob("*.json")):
            if file.relative_to(out).as_posix() not in kept and not file.is_symlink():
                file.unlink()
        for folder in sorted(
            (path for path in (out / part).rglob("*") if path.is_dir()), reverse=True
        ):
            if not any(folder.iterdir()):
                folder.rmdir()
