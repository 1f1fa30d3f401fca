"""Reads Parquet files with pyarrow and DuckDB and compares them with what was written.

usage: check_readers.py DIRECTORY

DIRECTORY has NAME.parquet files, each with a NAME.json beside it:
    {"row_groups": n, "created_by": "...", "metadata": {...},
     "columns": [{"name": ..., "type": ..., "cells": [...], "bounds": [null or [min, max], a row group each]}]}
Doubles are text ("NaN", "-Infinity" and signed zeros included), timestamps microseconds, binary and text hexadecimal; null is null.
Exit status 1 and a line for each difference if a reader sees anything else.
"""

import datetime
import json
import pathlib
import struct
import sys

import duckdb
import pyarrow.parquet as pq

ARROW_TYPES = {
    "string": "string",
    "binary": "binary",
    "bool": "bool",
    "int": "int32",
    "long": "int64",
    "double": "double",
    "timestamp": "timestamp[us, tz=UTC]",
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
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)

failures = []


def check(what, got, want):
    if got != want:
        failures.append(f"{what}: {got!r:.300}, want {want!r:.300}")


def bits(number):
    """A double by its bits, which tell the zeros apart; one NaN is like another."""
    return struct.pack("<d", number if number == number else float("nan"))


def wanted(kind, cell):
    """A cell of the JSON as the readers' cells are normalised."""
    if cell is None:
        return None
    if kind == "double":
        return bits(float(cell))
    if kind in ("string", "binary"):
        return bytes.fromhex(cell)
    return bool(cell) if kind == "bool" else cell


def seen(kind, cell):
    if cell is None:
        return None
    if kind == "double":
        return bits(cell)
    if kind == "string":
        return cell.encode()
    return cell


def check_cells(what, kind, got, cells):
    want = [wanted(kind, c) for c in cells]
    check(f"{what}: rows", len(got), len(want))
    for row, (g, w) in enumerate(zip(got, want)):
        if g != w:
            check(f"{what}: row {row}", g, w)
            return


def check_arrow(path, want):
    name = path.name
    f = pq.ParquetFile(path)
    meta = f.metadata
    check(f"{name}: arrow row groups", meta.num_row_groups, want["row_groups"])
    check(f"{name}: arrow created by", meta.created_by, want["created_by"])
    stored = {k.decode(): v.decode() for k, v in (meta.metadata or {}).items()}
    check(f"{name}: arrow metadata", stored, want["metadata"])
    table = f.read()
    table.validate(full=True)
    for i, column in enumerate(want["columns"]):
        what, kind = f"{name}: arrow {column['name']}", column["type"]
        check(f"{what}: type", str(table.schema.field(i).type), ARROW_TYPES[kind])
        check(f"{what}: physical type", f.schema.column(i).physical_type, PHYSICAL_TYPES[kind])
        values = table.column(i)
        if kind == "timestamp":
            values = values.cast("int64")
        check_cells(what, kind, [seen(kind, c) for c in values.to_pylist()], column["cells"])
        check_statistics(what, kind, column, [meta.row_group(g) for g in range(meta.num_row_groups)], i)


def check_statistics(what, kind, column, groups, i):
    first = 0
    for g, group in enumerate(groups):
        cells = column["cells"][first : first + group.num_rows]
        first += group.num_rows
        chunk = group.column(i)
        stats = chunk.statistics
        check(f"{what}: nulls of row group {g}", stats.null_count, cells.count(None))
        bounds = column["bounds"][g]
        check(f"{what}: bounds of row group {g}", stats.has_min_max, bounds is not None)
        if bounds is None or not stats.has_min_max:
            continue
        raw = [stats.min_raw, stats.max_raw]
        if kind == "double":
            raw = [bits(v) for v in raw]
        elif kind in ("string", "binary"):
            raw = [v if isinstance(v, bytes) else v.encode() for v in raw]
        check(f"{what}: bounds of row group {g}", raw, [wanted(kind, b) for b in bounds])


def check_duckdb(path, want):
    name = path.name
    db = duckdb.connect()
    db.execute("SET TimeZone = 'UTC'")
    relation = f"read_parquet('{path}')"
    types = {row[0]: row[1] for row in db.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()}
    for column in want["columns"]:
        what, kind, quoted = f"{name}: duckdb {column['name']}", column["type"], f'"{column["name"]}"'
        check(f"{what}: type", types[column["name"]], DUCKDB_TYPES[kind])
        value = f"epoch_us({quoted})" if kind == "timestamp" else quoted
        got = [seen(kind, row[0]) for row in db.execute(f"SELECT {value} FROM {relation}").fetchall()]
        check_cells(what, kind, got, column["cells"])
        check_exact(db, path, what, column)
        check_pruning(db, relation, what, kind, quoted, column["cells"])


def check_exact(db, path, what, column):
    """Bounds are marked as exact, which lets DuckDB answer min and max from them."""
    rows = db.execute(
        "SELECT min_is_exact, max_is_exact FROM parquet_metadata(?) WHERE path_in_schema = ? ORDER BY row_group_id",
        [str(path), column["name"]],
    ).fetchall()
    check(f"{what}: exact bounds", rows, [(True, True) if b else (None, None) for b in column["bounds"]])


def check_pruning(db, relation, what, kind, quoted, cells):
    """A reader skips row groups by their statistics: each value must still be found by a search for it, and counted right."""
    present = [wanted(kind, c) for c in cells if c is not None]
    for probe in {present[0], present[len(present) // 2], present[-1], min(present), max(present)} if present else ():
        if kind == "double":
            number = struct.unpack("<d", probe)[0]
            matches = sum(1 for p in present for v in [struct.unpack("<d", p)[0]] if v == number or (v != v and number != number))
            found = db.execute(f"SELECT count(*) FROM {relation} WHERE {quoted} = ?::DOUBLE", [number]).fetchone()[0]
        elif kind == "timestamp":
            matches = present.count(probe)
            found = db.execute(f"SELECT count(*) FROM {relation} WHERE {quoted} = make_timestamptz(?::BIGINT)", [probe]).fetchone()[0]
        else:
            matches = present.count(probe)
            argument = probe.decode() if kind == "string" else probe
            found = db.execute(f"SELECT count(*) FROM {relation} WHERE {quoted} = ?", [argument]).fetchone()[0]
        check(f"{what}: rows equal to {probe!r:.60}", found, matches)


def main():
    paths = sorted(pathlib.Path(sys.argv[1]).glob("*.parquet"))
    for path in paths:
        want = json.loads(path.with_suffix(".json").read_text())
        for check_reader in (check_arrow, check_duckdb):
            try:
                check_reader(path, want)
            except Exception as e:  # a reader that refuses the file is a difference like any other
                failures.append(f"{path.name}: {check_reader.__name__}: {type(e).__name__}: {e}")
    for line in failures:
        print(line)
    print(f"{len(paths)} files, {len(failures)} differences")
    sys.exit(1 if failures or not paths else 0)


main()
