"""What all kinds of runs that draw from known laws have in common."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from .spec import Row


@dataclass(frozen=True)
class Drawn:
    """Draw from known laws: nothing is read, nothing kept, and a killed run begins anew.

    A kind of run adds its settings, `quick` (whether it may be made again just to be verified) and `rows`.
    """

    once: ClassVar[tuple[str, ...]] = ("seconds",)

    def device(self) -> str:
        """Draws are made on the CPU."""
        return "cpu"

    def data_sha256(self) -> str:
        """Nothing is read."""
        return ""

    def alone(self) -> AbstractContextManager:
        """Nothing is shared with other processes."""
        return nullcontext()

    def forget(self) -> None:
        """Nothing is kept."""

    def seconds(self) -> None:
        """A killed run begins anew, so that nobody has to remember."""

    def sample(self, rows: list[Row]) -> None:
        """Nothing is trained."""

    def again(self, path: Path) -> list[Row] | None:
        """Make the run again, where that is quick.

        Args:
            path: not used.

        Returns:
            The rows; None for a run that takes long.
        """
        return self.rows(lambda share: None) if self.quick else None

    def status(self, rows: list[Row]) -> str:
        """Always "complete"; `rows` are not looked at."""
        return "complete"
