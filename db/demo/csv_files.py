"""CSV files on their way into tables: found and checked before anything is touched, then read piece by piece."""

import asyncio
import csv
import gzip
import zlib
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from db.errors import StoreError

CHUNK_BYTES = 256 * 1024
MAX_HEADER_BYTES = 16 * 1024


class DemoDataInvalid(StoreError):
    """The files given to be loaded are missing, unreadable or not of the expected shape."""

    code = "DEMO_DATA_INVALID"


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A file whose header has been read. `columns` are in the order of the file."""

    path: Path
    columns: tuple[str, ...]


def open_csv(path: Path) -> BinaryIO:
    """The file's plain bytes, whether it is compressed or not."""
    return cast("BinaryIO", gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def find_csv_files(folder: Path, tables: Mapping[str, Collection[str]]) -> dict[str, CsvFile]:
    """A checked file for each table, given the columns that each must have. Raises DemoDataInvalid."""
    if not folder.is_dir():
        raise DemoDataInvalid(f"{folder} is not a folder.")
    return {table: find_csv_file(folder, table, columns) for table, columns in tables.items()}


def find_csv_file(folder: Path, table: str, expected: Collection[str]) -> CsvFile:
    """`<table>.csv`, or else `<table>.csv.gz`, with just the expected columns in any order. Raises DemoDataInvalid."""
    path = next((path for path in (folder / f"{table}.csv", folder / f"{table}.csv.gz") if path.is_file()), None)
    if path is None:
        raise DemoDataInvalid(f"{folder} holds neither {table}.csv nor {table}.csv.gz.")
    columns = read_header(path)
    if sorted(columns) != sorted(expected):
        missing = ", ".join(column for column in expected if column not in columns) or "none"
        surplus = ", ".join(column for column in columns if column not in expected) or "none"
        raise DemoDataInvalid(
            f"{path} must have the columns {', '.join(expected)}, each once; missing: {missing}; surplus: {surplus}."
        )
    return CsvFile(path, columns)


def read_header(path: Path) -> tuple[str, ...]:
    """The names in the first line. Raises DemoDataInvalid."""
    try:
        with open_csv(path) as file:
            line = file.readline(MAX_HEADER_BYTES)
        # A byte order mark is no part of the first name.
        return tuple(next(csv.reader([line.decode("utf-8-sig").strip()]), ()))
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise DemoDataInvalid(f"{path} cannot be read: {error}.") from error


async def read_chunks(file: CsvFile) -> AsyncIterator[bytes]:
    """What stands below the header, in pieces of bounded size that end anywhere. Raises DemoDataInvalid."""
    with await asyncio.to_thread(open_csv, file.path) as opened:
        try:
            await asyncio.to_thread(opened.readline, MAX_HEADER_BYTES)
            while chunk := await asyncio.to_thread(opened.read, CHUNK_BYTES):
                yield chunk
        # gzip tells of a file cut short by EOFError, of a damaged one by OSError or zlib.error.
        except (OSError, EOFError, zlib.error) as error:
            raise DemoDataInvalid(f"{file.path} cannot be read: {error}.") from error
