"""What is said of a case that makes no sense, and of a figure that does not exist."""

from __future__ import annotations


class CalculatorError(ValueError):
    """A case that makes no sense: the field at fault, and a sentence about it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class NoFigureError(ValueError):
    """Every input is there and still there is no such figure; its text is the reason."""
