"""PyAthena and its cursors."""

import datetime
import functools
from unittest import mock

from pyarrow import fs
from pyathena import connect
from pyathena.arrow.cursor import ArrowCursor
from pyathena.async_cursor import AsyncCursor
from pyathena.cursor import DictCursor
from pyathena.error import DatabaseError, OperationalError
from pyathena.pandas.cursor import PandasCursor

from checks import BUCKET, DATABASE, RESULTS, ROWS, TABLES, check, client, equal

MADE = f"s3://{BUCKET}/made/pyathena/"


def cursor(kind=None, **arguments):
    connection = connect(s3_staging_dir=RESULTS, schema_name=DATABASE, poll_interval=0.02, **({"cursor_class": kind} if kind else {}))
    return connection.cursor(**arguments)


@check
def rows():
    """a cursor returns rows with types, one by one, in pages of its size and all at once"""
    c = cursor()
    c.execute("SELECT 1 AS i, 1.5e0 AS x, 'a' AS s, true AS b, date '2026-11-01' AS d, timestamp '2026-11-01 06:00:00.5' AS at, cast(null AS varchar) AS n, "
              "cast(1.25 AS decimal(5,2)) AS e, ARRAY[1, 2] AS l")  # fmt: skip
    equal([d[0] for d in c.description], ["i", "x", "s", "b", "d", "at", "n", "e", "l"])
    row = c.fetchone()
    equal(row[:7], (1, 1.5, "a", True, datetime.date(2026, 11, 1), datetime.datetime(2026, 11, 1, 6, 0, 0, 500000), None))
    equal(str(row[7]), "1.25")
    equal(c.fetchone(), None)
    c = cursor(arraysize=300)
    c.execute("SELECT id, hour FROM gps_data ORDER BY id")
    first = c.fetchmany(5)
    rest = c.fetchall()
    equal((len(first), len(rest), first + rest), (5, ROWS - 5, sorted(first + rest)))
    assert c.data_scanned_in_bytes >= 0 and c.query_id and c.state == "SUCCEEDED"


@check
def parameters():
    """parameters, by name and as execution parameters"""
    c = cursor()
    some = c.execute("SELECT min(hour) FROM gps_data").fetchone()[0]
    named = c.execute("SELECT count(*) FROM gps_data WHERE hour = %(hour)s", {"hour": some}).fetchone()[0]
    placed = c.execute("SELECT count(*) FROM gps_data WHERE hour = ?", [f"'{some}'"], paramstyle="qmark").fetchone()[0]
    assert named == placed > 0
    equal(c.execute("SELECT %(text)s", {"text": "it's"}).fetchone(), ("it's",))


@check
def as_dictionaries():
    """the dictionary cursor"""
    c = cursor(DictCursor)
    c.execute("SELECT count(*) AS n, 'x' AS s FROM gps_data")
    equal(c.fetchall(), [{"n": ROWS, "s": "x"}])


@check
def as_frames():
    """the pandas cursor, by CSV and by UNLOAD"""
    df = cursor(PandasCursor).execute("SELECT id, hour, 1 AS one FROM gps_data").as_pandas()
    equal((len(df), list(df.columns), int(df["one"].sum())), (ROWS, ["id", "hour", "one"], ROWS))
    df = cursor(PandasCursor, unload=True).execute("SELECT id, hour FROM gps_data").as_pandas()
    equal((len(df), list(df.columns)), (ROWS, ["id", "hour"]))
    chunks = [len(c) for c in cursor(PandasCursor, chunksize=700).execute("SELECT id FROM gps_data").as_pandas()]
    equal(sum(chunks), ROWS)


@check
def as_arrow():
    """the Arrow cursor; PyAthena 4.2 has no way to tell its file system where the store is, so it is told here"""
    local = functools.partial(fs.S3FileSystem, endpoint_override=client("s3").meta.endpoint_url)
    with mock.patch.object(fs, "S3FileSystem", local):
        equal(cursor(ArrowCursor).execute("SELECT id FROM gps_data").as_arrow().num_rows, ROWS)


@check
def asynchronous():
    """the asynchronous cursor, and a query that is cancelled"""
    c = cursor(AsyncCursor)
    _, future = c.execute("SELECT count(*) FROM gps_data")
    equal(future.result().fetchone(), (ROWS,))
    identity, future = c.execute("SELECT count(*) FROM unnest(sequence(1, 10000)) a(x), unnest(sequence(1, 10000)) b(y), unnest(sequence(1, 10000)) c(z) WHERE (x * y * z) % 7 = 3")
    c.cancel(identity).result()
    equal(future.result().state, "CANCELLED")


@check
def metadata():
    """the tables and columns of a schema"""
    c = cursor()
    assert DATABASE in [d.name for d in c.list_databases(None)]
    assert set(TABLES) <= {t.name for t in c.list_table_metadata(schema_name=DATABASE)}
    table = c.get_table_metadata("gps_data")
    equal([k.name for k in table.partition_keys], ["date", "hour"])
    equal(sorted(r[0] for r in c.execute("SHOW TABLES").fetchall() if r[0] in TABLES), TABLES)


@check
def definitions():
    """CTAS, INSERT INTO, a view, SHOW, DESCRIBE, partitions and DROP"""
    c = cursor()
    c.execute("DROP TABLE IF EXISTS made").execute("DROP VIEW IF EXISTS seen")
    c.execute(f"CREATE TABLE made WITH (format = 'PARQUET', external_location = '{MADE}made/', partitioned_by = ARRAY['hour']) AS SELECT id, hour FROM gps_data")
    equal(c.execute("SELECT count(*) FROM made").fetchone(), (ROWS,))
    c.execute("INSERT INTO made SELECT id, 'new' FROM gps_data")
    equal(c.execute("SELECT count(*) FROM made").fetchone(), (2 * ROWS,))
    assert ("hour=new",) in c.execute("SHOW PARTITIONS made").fetchall()
    c.execute("CREATE OR REPLACE VIEW seen AS SELECT hour, count(*) AS n FROM made GROUP BY hour")
    equal(c.execute("SELECT n FROM seen WHERE hour = 'new'").fetchone(), (ROWS,))
    assert any(r[0].split()[0] == "id" for r in c.execute("DESCRIBE made").fetchall())
    assert "seen" in [r[0] for r in c.execute("SHOW VIEWS").fetchall()]
    c.execute("ALTER TABLE made DROP PARTITION (hour = 'new')")
    equal(c.execute("SELECT count(*) FROM made").fetchone(), (ROWS,))
    c.execute(f"ALTER TABLE made ADD IF NOT EXISTS PARTITION (hour = 'new') LOCATION '{MADE}made/hour=new/'")
    equal(c.execute("SELECT count(*) FROM made WHERE hour = 'new'").fetchone(), (ROWS,))
    c.execute("MSCK REPAIR TABLE made")
    assert c.execute('SELECT count(DISTINCT "$path") FROM made').fetchone()[0] >= 2
    c.execute("DROP VIEW seen").execute("DROP TABLE made")
    try:
        c.execute("SELECT * FROM made")
    except (OperationalError, DatabaseError) as e:
        assert "made" in str(e), e
    else:
        raise AssertionError("a dropped table was read")
