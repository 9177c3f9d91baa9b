"""The compiled part: everything that imports Numba. The rest of the package imports it at the first fit only."""

# For their effect: Numba then knows what a component is, and the functions that hooks may call.
from . import scalars as scalars
from . import typing as typing
