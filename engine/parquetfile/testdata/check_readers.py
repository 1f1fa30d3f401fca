"""Reads Parquet files with pyarrow, DuckDB, polars and DataFusion, and compares what they see with what was written.

usage: check_readers.py DIRECTORY

DIRECTORY has NAME.parquet files, each with a NAME.json beside it:
    {"row_groups": n, "created_by": "...", "metadata": {...},
     "columns": [{"name": ..., "type": ..., "cells": [...], "bounds": [null or [min, max], a row group each],
                  "probes": [{"op": "=", "<", ">" or "null", "value": ..., "count": n, "nans": n}]}]}
Doubles are text ("NaN", infinities and signed zeros included), timestamps microseconds, binary and text hexadecimal; null is null.
A probe is a filter and the number of rows that it finds; nans is how many NaN it finds besides, where they equal each other and
are greater than all numbers. Exit status 1 and a line for each difference if a reader sees anything else.
"""

import json
import operator
import pathlib
import struct
import sys

import datafusion
import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

ARROW_TYPES = {
    "string": pa.string(),
    "binary": pa.binary(),
    "bool": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "double": pa.float64(),
    "timestamp": pa.timestamp("us", "UTC"),
}
POLARS_TYPES = {
    "string": pl.String(),
    "binary": pl.Binary(),
    "bool": pl.Boolean(),
    "int": pl.Int32(),
    "long": pl.Int64(),
    "double": pl.Float64(),
    "timestamp": pl.Datetime("us", "UTC"),
}
DUCKDB_TYPES = {
    "string": "VARCHAR",
    "binary": "BLOB",
    "bool": "BOOLEAN",
    "int": "INTEGER",
    "long": "BIGINT",
    "double": "DOUBLE",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
}
PHYSICAL_TYPES = {
    "string": "BYTE_ARRAY",
    "binary": "BYTE_ARRAY",
    "bool": "BOOLEAN",
    "int": "INT32",
    "long": "INT64",
    "double": "DOUBLE",
    "timestamp": "INT64",
}
OPERATORS = {"=": operator.eq, "<": operator.lt, ">": operator.gt}

# The NaN of Go. DataFusion compares the bits of a NaN, where the last of Python's is 0.
NAN = struct.unpack("<d", struct.pack("<Q", 0x7FF8000000000001))[0]

failures = []
counts = {"columns": 0, "filters": 0}


def check(what, got, want):
    if got != want:
        failures.append(f"{what}: {got!r:.300}, want {want!r:.300}")


def value(kind, cell):
    """A cell of the JSON as a Python value."""
    if cell is None:
        return None
    if kind == "double":
        return NAN if cell == "NaN" else float(cell)
    if kind == "binary":
        return bytes.fromhex(cell)
    if kind == "string":
        return bytes.fromhex(cell).decode()
    return cell


def bits(values):
    """Doubles as integers, which tell the zeros apart; one NaN is like another."""
    return pc.if_else(pc.is_nan(values), pa.scalar(float("nan")), values).view(pa.int64())


def canonical(kind, column):
    """A column as one array that equals another where all cells do."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):  # some versions leave an empty one as it is
        array = pa.concat_arrays(array.chunks)
    if kind == "double":
        return bits(array)
    if kind == "timestamp":
        return array.cast(pa.int64())
    if kind in ("string", "binary"):
        return array.cast(pa.large_binary())
    return array


def check_cells(what, kind, column, want):
    counts["columns"] += 1
    got = canonical(kind, column)
    check(f"{what}: rows", len(got), len(want))
    check(f"{what}: nulls", got.null_count, want.null_count)
    if got.equals(want):
        return
    for row, (g, w) in enumerate(zip(got.to_pylist(), want.to_pylist())):
        if g != w:
            check(f"{what}: row {row}", g, w)
            return
    check(f"{what}: type", got.type, want.type)


class Arrow:
    """pyarrow: Arrow in C++."""

    name = "pyarrow"
    nan_is_greatest = False

    def __init__(self, path):
        self.path = path

    def read(self):
        table = pq.ParquetFile(self.path).read()
        table.validate(full=True)
        return table, {f.name: f.type for f in table.schema}

    types = ARROW_TYPES

    def count(self, kind, column, probe):
        field = ds.field(column)
        if probe["op"] == "null":
            wanted = field.is_null()
        else:
            wanted = OPERATORS[probe["op"]](field, pa.scalar(value(kind, probe["value"]), ARROW_TYPES[kind]))
        return ds.dataset(self.path).count_rows(filter=wanted)


class DuckDB:
    name = "duckdb"
    nan_is_greatest = True
    types = DUCKDB_TYPES

    def __init__(self, path):
        self.path = str(path)
        self.db = duckdb.connect()
        self.db.execute("SET TimeZone = 'UTC'")

    def read(self):
        described = self.db.execute("DESCRIBE SELECT * FROM read_parquet(?)", [self.path]).fetchall()
        types = {row[0]: row[1] for row in described}
        return self.db.sql(f"SELECT * FROM read_parquet('{self.path}')").to_arrow_table(), types

    def count(self, kind, column, probe):
        if probe["op"] == "null":
            where, arguments = f'"{column}" IS NULL', []
        elif kind == "timestamp":  # a datetime has no room for all of them
            where, arguments = f'"{column}" {probe["op"]} make_timestamptz(?::BIGINT)', [probe["value"]]
        else:
            where = f'"{column}" {probe["op"]} ?::{DUCKDB_TYPES[kind]}'
            arguments = [value(kind, probe["value"])]
        return self.db.execute(f"SELECT count(*) FROM read_parquet(?) WHERE {where}", [self.path, *arguments]).fetchone()[0]


class Polars:
    name = "polars"
    nan_is_greatest = True
    types = POLARS_TYPES

    def __init__(self, path):
        self.path = path

    def read(self):
        frame = pl.read_parquet(self.path)
        return frame.to_arrow(), dict(frame.schema)

    def count(self, kind, column, probe):
        field = pl.col(column)
        if probe["op"] == "null":
            wanted = field.is_null()
        else:
            literal = pl.lit(value(kind, probe["value"]), dtype=pl.Int64() if kind == "timestamp" else POLARS_TYPES[kind])
            wanted = OPERATORS[probe["op"]](field, literal.cast(POLARS_TYPES[kind]))
        return pl.scan_parquet(self.path).filter(wanted).select(pl.len()).collect().item()


class DataFusion:
    """DataFusion: Arrow in Rust."""

    name = "datafusion"
    nan_is_greatest = True
    types = ARROW_TYPES

    def __init__(self, path):
        config = datafusion.SessionConfig()
        config = config.set("datafusion.execution.parquet.pushdown_filters", "true")
        config = config.set("datafusion.execution.parquet.schema_force_view_types", "false")
        config = config.with_target_partitions(1)  # in the order of the file
        # Version 55.0.0 takes the bounds of some row groups for those of the file where others have none, whoever has written it:
        # https://github.com/apache/datafusion/issues/25226. Row groups are still skipped by their own bounds.
        config = config.set("datafusion.execution.collect_statistics", "false")
        self.frame = datafusion.SessionContext(config).read_parquet(str(path))

    def read(self):
        table = self.frame.to_arrow_table()
        return table, {f.name: f.type for f in table.schema}

    def count(self, kind, column, probe):
        field = datafusion.col(f'"{column}"')
        if probe["op"] == "null":
            return self.frame.filter(field.is_null()).count()
        literal = datafusion.lit(pa.scalar(value(kind, probe["value"]), ARROW_TYPES[kind]))
        return self.frame.filter(OPERATORS[probe["op"]](field, literal)).count()


def check_reader(reader, path, want, cells):
    r = reader(path)
    table, types = r.read()
    check(f"{path.name}: {r.name}: columns", table.num_columns, len(want["columns"]))
    for i, column in enumerate(want["columns"]):
        what, kind = f"{path.name}: {r.name}: {column['name']}", column["type"]
        check(f"{what}: type", types.get(column["name"]), r.types[kind])
        check_cells(what, kind, table.column(i), cells[i])
        for probe in column["probes"]:
            counts["filters"] += 1
            found = r.count(kind, column["name"], probe)
            check(f"{what}: rows {probe['op']} {probe.get('value')!s:.60}", found, probe["count"] + r.nan_is_greatest * probe["nans"])


def check_footer(path, want):
    """The footer as pyarrow sees it."""
    meta = pq.ParquetFile(path).metadata
    check(f"{path.name}: row groups", meta.num_row_groups, want["row_groups"])
    check(f"{path.name}: created by", meta.created_by, want["created_by"])
    stored = {k.decode(): v.decode() for k, v in (meta.metadata or {}).items()}
    check(f"{path.name}: metadata", stored, want["metadata"])
    groups = [meta.row_group(g) for g in range(meta.num_row_groups)]
    for i, column in enumerate(want["columns"]):
        what = f"{path.name}: {column['name']}"
        check(f"{what}: physical type", meta.schema.column(i).physical_type, PHYSICAL_TYPES[column["type"]])
        check_statistics(what, column, [(g.num_rows, g.column(i)) for g in groups])
        check_exact(path, what, column)


def check_statistics(what, column, chunks):
    kind, first = column["type"], 0
    for g, (rows, chunk) in enumerate(chunks):
        cells = column["cells"][first : first + rows]
        first += rows
        stats = chunk.statistics
        check(f"{what}: values of row group {g}", chunk.num_values, rows)
        check(f"{what}: nulls of row group {g}", stats.null_count, cells.count(None))
        bounds = column["bounds"][g]
        check(f"{what}: bounds of row group {g}", stats.has_min_max, bounds is not None)
        if bounds is None or not stats.has_min_max:
            continue
        raw, expected = [stats.min_raw, stats.max_raw], [value(kind, b) for b in bounds]
        if kind == "double":
            raw, expected = [[struct.pack("<d", v) for v in pair] for pair in (raw, expected)]
        elif kind == "string":
            raw = [v.decode() if isinstance(v, bytes) else v for v in raw]
        check(f"{what}: bounds of row group {g}", raw, expected)


def check_exact(path, what, column):
    """Bounds are marked as exact, which lets DuckDB answer min and max from them."""
    rows = duckdb.execute(
        "SELECT min_is_exact, max_is_exact FROM parquet_metadata(?) WHERE path_in_schema = ? ORDER BY row_group_id",
        [str(path), column["name"]],
    ).fetchall()
    check(f"{what}: exact bounds", rows, [(True, True) if b else (None, None) for b in column["bounds"]])


def attempt(what, function, *arguments):
    """A reader that refuses a file is a difference like any other."""
    try:
        function(*arguments)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as e:  # a panic in Rust is not an Exception
        failures.append(f"{what}: {type(e).__name__}: {e!s:.300}")


def main():
    paths = sorted(pathlib.Path(sys.argv[1]).glob("*.parquet"))
    for path in paths:
        want = json.loads(path.with_suffix(".json").read_text())
        cells = []
        for c in want["columns"]:
            storage = pa.int64() if c["type"] == "timestamp" else ARROW_TYPES[c["type"]]
            cells.append(canonical(c["type"], pa.array([value(c["type"], cell) for cell in c["cells"]], storage)))
        attempt(f"{path.name}: footer", check_footer, path, want)
        for reader in (Arrow, DuckDB, Polars, DataFusion):
            attempt(f"{path.name}: {reader.name}", check_reader, reader, path, want, cells)
    for line in failures:
        print(line)
    print(f"pyarrow {pa.__version__}, duckdb {duckdb.__version__}, polars {pl.__version__}, datafusion {datafusion.__version__}")
    print(f"{len(paths)} files, {counts['columns']} columns read, {counts['filters']} filters, {len(failures)} differences")
    sys.exit(1 if failures or not paths else 0)


main()
