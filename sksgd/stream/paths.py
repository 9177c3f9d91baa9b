"""From what a user says of files to a list of them."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import Any

from sklearn.utils._param_validation import InvalidParameterError

__all__ = ["files"]


def files(path: Any, suffixes: tuple[str, ...], owner: object) -> list[str]:
    """The files of a file, folder, glob pattern, or list of these; in a folder, those with one of the suffixes."""
    if isinstance(path, (list, tuple)):
        found = [file for one in path for file in files(one, suffixes, owner)]
    elif isinstance(path, (str, os.PathLike)):
        found = _of_one(Path(path), suffixes)
    else:
        raise _error(owner, path, "must be a file, a folder, a pattern such as 'train/*', or a list of these")
    if not found:
        raise _error(owner, path, f"names no file. In a folder, only files ending in {_words(suffixes)} are taken")
    return found


def _of_one(path: Path, suffixes: tuple[str, ...]) -> list[str]:
    if path.is_dir():
        # Names that begin with "_" or "." are notes of the programs that write such folders.
        inside = (file for file in path.rglob("*") if file.is_file() and file.name.endswith(suffixes))
        return sorted(str(file) for file in inside if not _hidden(file.relative_to(path)))
    if path.exists():
        return [str(path)]
    return sorted(file for file in glob.glob(str(path), recursive=True) if os.path.isfile(file))


def _hidden(path: Path) -> bool:
    return any(name.startswith((".", "_")) for name in path.parts)


def _words(suffixes: tuple[str, ...]) -> str:
    return ", ".join(repr(suffix) for suffix in suffixes)


def _error(owner: object, path: Any, what: str) -> InvalidParameterError:
    return InvalidParameterError(f"The 'path' parameter of {type(owner).__name__} {what}. Got {path!r} instead.")
