"""How requests were played: in lockstep, over several connections, or the plain way, and why."""

from dataclasses import dataclass

LOCKSTEP, CONCURRENT, PLAIN = "lockstep", "concurrent", "plain"


@dataclass(frozen=True, slots=True)
class Way:
    """mode: LOCKSTEP, CONCURRENT or PLAIN. reason: why it is plain. slow: whether lockstep play was
    wanted and is off. connections: how many requests a server had under way at once, at most.
    """

    mode: str
    reason: str = ""
    slow: bool = False
    connections: int | None = None

    def line(self) -> str:
        """One line for the user."""
        if not self.slow:
            return f"{self.mode} play" + (f" ({self.reason})" if self.reason else "")
        return (
            f"lockstep play is off, every prompt is encoded from its start, because {self.reason}"
        )

    def record(self) -> dict[str, str | int]:
        """What stands in the results file, as `csc.play` of a task's metadata."""
        more = {"reason": self.reason or None, "connections": self.connections}
        return {"mode": self.mode} | {name: one for name, one in more.items() if one is not None}
