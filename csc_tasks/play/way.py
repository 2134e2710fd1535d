"""How requests were played: in lockstep, over several connections, or the plain way, and why."""

from dataclasses import dataclass

LOCKSTEP, CONCURRENT, PLAIN = "lockstep", "concurrent", "plain"


@dataclass(frozen=True, slots=True)
class Way:
    """mode: LOCKSTEP, CONCURRENT or PLAIN. reason: why it is plain. slow: whether lockstep play was
    wanted and is off.
    """

    mode: str
    reason: str = ""
    slow: bool = False

    def line(self) -> str:
        """One line for the user."""
        if not self.slow:
            return f"{self.mode} play" + (f" ({self.reason})" if self.reason else "")
        return (
            f"lockstep play is off, every prompt is encoded from its start, because {self.reason}"
        )

    def record(self) -> dict[str, str]:
        """What stands in the results file, as `csc.play` of a task's metadata."""
        return {"mode": self.mode} | ({"reason": self.reason} if self.reason else {})
