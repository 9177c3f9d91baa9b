"""Objects over rows that may be elsewhere: what becomes of the answers of their methods.

Where rows are on several machines, each has an object over its own rows, and a method is called on all of them. Whoever
calls it hands on what stays, computes with what is summed, and need not know where the rows are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Method = TypeVar("Method", bound=Callable[..., Any])


def stays(method: Method) -> Method:
    """Mark a method that gives values of each row: they stay where the rows are, and only go into other methods."""
    method.answer = "stays"  # type: ignore[attr-defined]
    return method


def summed(method: Method) -> Method:
    """Mark a method that gives sums over rows, which are added up."""
    method.answer = "summed"  # type: ignore[attr-defined]
    return method
