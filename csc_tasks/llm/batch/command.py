"""Having a batch answered by a command that reads and writes the files, as `vllm run-batch` does:
no server, no network.
"""

import asyncio
import fcntl
import os
import shlex
import shutil
from pathlib import Path

from csc_tasks import refusals
from csc_tasks.errors import SettingError
from csc_tasks.llm.batch.files import BatchFolder
from csc_tasks.llm.batch.server import LONGEST_POLL, PART_OF_AGE, Unreachable, Watch
from csc_tasks.llm.exchange import Failure


class BatchCommand:
    """Runs `command -i INPUT -o OUTPUT --model MODEL`. Raises SettingError for a command that is
    none.

    The command holds a lock on its batch, which its process alone keeps: where a run was killed and
    the command was not, the next run waits for it. `pause` as in BatchServer.
    """

    def __init__(self, command: str, pause: float) -> None:
        try:
            self.words = shlex.split(command)
        except ValueError as error:
            raise SettingError(f"--batch-command {command}: {error}") from None
        if not self.words or shutil.which(self.words[0]) is None:
            raise SettingError(
                f"--batch-command {command}: there is no such program; give one that takes -i, -o"
                " and --model, as in 'vllm run-batch'"
            )
        self.pause = pause

    async def run(self, folder: BatchFolder, watch: Watch) -> None:
        """See csc_tasks.llm.batch.server.Service."""
        if folder.status:
            return
        lock = os.open(folder.path / "lock", os.O_RDWR | os.O_CREAT, 0o666)
        try:
            await self._locked(lock)
            # What is there already was written for a run that was killed. Where it is not whole,
            # the lines that are missing are asked again.
            written = folder.path / "writing.jsonl"
            if not written.is_file():
                await self._answered(folder, written, lock)
            written.replace(folder.output)
        finally:
            os.close(lock)
        folder.status = "completed"
        folder.save()

    async def forget(self, folder: BatchFolder) -> None:
        """Nobody else has anything."""

    async def _locked(self, lock: int) -> None:
        """Wait until no command works at this batch any more."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                age = loop.time() - started
                await asyncio.sleep(min(LONGEST_POLL, max(10 * self.pause, PART_OF_AGE * age)))

    async def _answered(self, folder: BatchFolder, written: Path, lock: int) -> None:
        """Run the command; raises Unreachable where it fails."""
        log = folder.path / "log.txt"
        words = [*self.words, "-i", str(folder.input), "-o", str(written), "--model", folder.model]
        with log.open("wb") as stream:
            process = await asyncio.create_subprocess_exec(
                *words, stdin=asyncio.subprocess.DEVNULL, stdout=stream, stderr=stream,
                pass_fds=(lock,),
            )  # fmt: skip
        try:
            status = await process.wait()
        except asyncio.CancelledError:
            process.terminate()
            raise
        if status or not written.is_file():
            written.unlink(missing_ok=True)
            said = log.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2]
            ended = f"ended with status {status}" if status else "wrote no output file"
            raise Unreachable(
                Failure(
                    "fatal",
                    f"{shlex.join(self.words)} {ended}: {refusals.shortened(said)} (all of it is in"
                    f" {log}); mend it and run the same command again",
                )
            )
