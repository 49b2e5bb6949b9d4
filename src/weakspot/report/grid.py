"""One table of the report as texts, whatever prints it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Grid:
    """One table: texts by heading, columns in the order of their importance."""

    title: str
    columns: Mapping[str, list[str]]
    left: tuple[str, ...]
    """The headings whose columns are words."""
    last: Mapping[str, str] = field(default_factory=dict)
    """The line below, for all together."""

    @property
    def lines(self) -> list[list[str]]:
        """The texts line by line."""
        return [list(line) for line in zip(*self.columns.values(), strict=True)]
