"""Fields of an exchange: how the values are drawn, some from a CSV file of the project or from a database."""

import csv
import io
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from annotated_types import Interval, Len
from pydantic import AfterValidator
from typing_extensions import TypedDict  # pydantic needs this one below Python 3.12

from bench.errors import UsageError
from bench.files import near_miss, text_of

MOST_NUMBERS = 100_000  # of a list that is written out
MOST_ROWS = 10_000  # of a CSV file: run.json holds the values that are drawn
LARGEST_CSV_BYTES = 4 << 20

_KINDS = ("integer", "hex", "letters", "uuid", "values", "csv", "query")
_WHOLE_NUMBER = re.compile(r"-?\d{1,18}", re.ASCII)
_READS = re.compile(r"\s*(?:SELECT|WITH|VALUES|TABLE)\b", re.IGNORECASE)
HOW_TO_DRAW = (
    "integer = [low, high], hex = N, letters = N, uuid = true, "
    'values = ["a", "b"], csv = "file.csv" with column = "name", or query = "SELECT …"'
)


def _is_range(bounds: tuple[int, int]) -> tuple[int, int]:
    if bounds[0] > bounds[1]:
        raise ValueError(f"{[*bounds]} is empty: write the lower bound first")
    return bounds


def _are_scalars(values: list[Any]) -> list[Any]:
    for value in values:
        if not isinstance(value, str | int | float) or (
            isinstance(value, float) and not math.isfinite(value)
        ):
            raise ValueError(f"{json.dumps(value)} cannot be drawn: write texts, numbers, true or false")
    return values


def is_inside(path: str, *, such_as: str) -> str:
    """Return *path* if it leads to a place below the project. Raises ValueError."""
    pure = PurePosixPath(path)
    if not path or pure.is_absolute() or ".." in pure.parts or "\0" in path:
        raise ValueError(f'"{path}" is no path below the project: write "{such_as}"')
    return path


def _is_read(query: str) -> str:
    if not _READS.match(query):
        raise ValueError("it only reads: write SELECT …, of one column")
    return query


class RandomField(TypedDict, total=False):
    """A random field: exactly one of these; *column* and *type* belong to *csv*."""

    integer: Annotated[tuple[int, int], AfterValidator(_is_range)]  # inclusive
    hex: Annotated[int, Interval(ge=1, le=MOST_NUMBERS)]  # number of digits
    letters: Annotated[int, Interval(ge=1, le=MOST_NUMBERS)]
    uuid: Literal[True]  # version 4
    values: Annotated[list[Any], Len(1, MOST_ROWS), AfterValidator(_are_scalars)]
    csv: Annotated[str, AfterValidator(lambda path: is_inside(path, such_as="data/users.csv"))]
    query: Annotated[str, AfterValidator(_is_read)]  # one column of the contender's own database
    column: str
    type: Literal["text", "number"]


def is_one(generator: RandomField) -> RandomField:
    """Return *generator* if it says one way to draw. Raises ValueError."""
    if sum(kind in generator for kind in _KINDS) != 1:
        raise ValueError(f"one of {HOW_TO_DRAW}")
    if "csv" in generator and "column" not in generator:
        raise ValueError("csv", 'it needs column = "…", a name in the first line of the file')
    if others := [key for key in ("column", "type") if key in generator and "csv" not in generator]:
        raise ValueError(others[0], "it belongs to csv: leave it out")
    return generator


def can_be_added_to(field: Mapping[str, Any]) -> bool:
    """Return whether all values of *field* are whole numbers, or texts of their digits."""
    return (
        "integer" in field
        or ("query" in field and "values" not in field)
        or all(
            isinstance(value, int) and not isinstance(value, bool)
            if not isinstance(value, str)
            else _WHOLE_NUMBER.fullmatch(value)
            for value in field.get("values") or [""]
        )
    )


def with_rows(root: Path, where: str, fields: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return *fields* with the values of those from CSV files below *root*.

    Raises UsageError that begins with *where*, the place of the fields in their file.
    """
    rows: dict[str, list[tuple[int, dict[str, str]]]] = {}
    resolved = {}
    for name, field in fields.items():
        resolved[name] = dict(field)
        if file := field.get("csv"):
            if file not in rows:
                rows[file] = _rows(root / file, f"{where}.{name}.csv")
            resolved[name]["values"] = _column(rows[file], dict(field), f"{where}.{name}", root / file)
    return resolved


def _rows(file: Path, where: str) -> list[tuple[int, dict[str, str]]]:
    """Return the rows of *file* with the numbers of their lines."""
    try:
        if not file.is_file():
            raise UsageError(f"{where}: there is no file {file}: name it from the folder of the project on")
        if (size := file.stat().st_size) > LARGEST_CSV_BYTES:
            most = f"{LARGEST_CSV_BYTES >> 20} MB are allowed: keep a sample of its rows"
            raise UsageError(f"{where}: {file} has {size:,} bytes, {most}")
        try:
            text = text_of(file)
        except UsageError as error:
            raise UsageError(f"{where}: {error}") from error
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        rows = [(reader.line_num, row) for row in reader]
    except OSError as error:
        raise UsageError(f"{where}: {file}: {error.strerror}") from error
    except csv.Error as error:
        raise UsageError(f"{where}: {file} is no CSV file: {error}") from error
    if not rows:
        raise UsageError(f"{where}: {file} has no rows: write names of columns in its first line, then rows")
    if len(rows) > MOST_ROWS:
        raise UsageError(
            f"{where}: {file} has {len(rows):,} rows, {MOST_ROWS:,} are allowed: keep a sample of them"
        )
    return rows


def _column(
    rows: list[tuple[int, dict[str, str]]], field: Mapping[str, Any], where: str, file: Path
) -> list[Any]:
    column = field["column"]
    known = [name for name in rows[0][1] if name]
    if column not in known:
        raise UsageError(f'{where}.column: {file} has no column "{column}"{near_miss(column, known)}')
    values: list[Any] = []
    for line, row in rows:
        if row[column] is None:
            raise UsageError(f'{where}.column: {file}, line {line}: there is no value of "{column}"')
        values.append(_number(row[column], f"{where}.type: {file}, line {line}", field))
    return values


def _number(text: str, where: str, field: Mapping[str, Any]) -> Any:
    if field.get("type") != "number":
        return text
    try:
        number = int(text) if _WHOLE_NUMBER.fullmatch(text) else float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(f'{where}: "{text}" is no number: write numbers there, or leave type out')
    return number
