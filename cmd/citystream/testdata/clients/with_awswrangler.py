"""awswrangler, with the catalog, S3 and Athena."""

import awswrangler as wr
import boto3
import pandas as pd

from checks import BUCKET, DATABASE, RESULTS, ROWS, TABLES, check, equal, fresh_database

glue = boto3.client("glue")
MADE = f"s3://{BUCKET}/made/wrangler/"


def frame():
    return pd.DataFrame({"id": [1, 2, 3], "name": ["a", "b", None], "day": ["x", "x", "y"], "at": pd.to_datetime(["2026-11-01 06:00:00"] * 3)})


def query(sql, **arguments):
    arguments = {"database": DATABASE, "s3_output": RESULTS, "ctas_approach": False, **arguments}
    return wr.athena.read_sql_query(sql, **arguments)


@check
def catalog():
    """the catalog: databases, tables, columns, partitions and their filters"""
    assert DATABASE in list(wr.catalog.databases(limit=100)["Database"])
    equal(sorted(t["Name"] for t in wr.catalog.get_tables(database=DATABASE, name_contains="_data")), TABLES)
    equal([t["Name"] for t in wr.catalog.get_tables(database=DATABASE, name_prefix="gps")], ["gps_data"])
    assert wr.catalog.does_table_exist(database=DATABASE, table="gps_data") and not wr.catalog.does_table_exist(database=DATABASE, table="x")
    columns = wr.catalog.table(database=DATABASE, table="gps_data")
    assert {"date", "hour"} <= set(columns[columns["Partition"]]["Column Name"])
    location = wr.catalog.get_table_location(database=DATABASE, table="gps_data")
    partitions = wr.catalog.get_parquet_partitions(database=DATABASE, table="gps_data")
    assert partitions and all(where.startswith(location) for where in partitions), partitions
    date, hour = next(iter(partitions.values()))
    equal(list(wr.catalog.get_partitions(DATABASE, "gps_data", expression=f"date = '{date}' AND hour = '{hour}'").values()), [[date, hour]])
    assert "gps_data" in [t["Name"] for t in wr.catalog.search_tables(text="gps_data")]


@check
def catalog_changes():
    """the catalog: tables and partitions are made, changed and deleted"""
    db = "wr_changes"
    fresh_database(glue, db)
    wr.catalog.create_database(db, description="changed", exist_ok=True)
    wr.catalog.create_parquet_table(
        database=db, table="t", path=MADE + "t/", columns_types={"id": "bigint"}, partitions_types={"day": "string"},
        description="a table", parameters={"a": "1"}, columns_comments={"id": "the id"},
    )  # fmt: skip
    equal(wr.catalog.get_columns_comments(db, "t")["id"], "the id")
    wr.catalog.add_parquet_partitions(database=db, table="t", partitions_values={f"{MADE}t/day={i}/": [str(i)] for i in range(150)})
    wr.catalog.add_parquet_partitions(database=db, table="t", partitions_values={f"{MADE}t/day=0/": ["0"]})  # is there already
    equal(len(wr.catalog.get_parquet_partitions(db, "t")), 150)
    wr.catalog.delete_partitions(table="t", database=db, partitions_values=[[str(i)] for i in range(30)])
    equal(len(wr.catalog.get_parquet_partitions(db, "t")), 120)
    wr.catalog.delete_all_partitions(table="t", database=db)
    equal(wr.catalog.get_parquet_partitions(db, "t"), {})
    wr.catalog.upsert_table_parameters(parameters={"b": "2"}, database=db, table="t")
    assert {"a": "1", "b": "2"}.items() <= wr.catalog.get_table_parameters(db, "t").items()
    wr.catalog.add_column(database=db, table="t", column_name="more", column_type="double", column_comment="one more")
    wr.catalog.delete_column(database=db, table="t", column_name="id")
    equal(wr.catalog.get_table_types(db, "t"), {"more": "double", "day": "string"})
    assert wr.catalog.get_table_number_of_versions(database=db, table="t") >= 3
    assert wr.catalog.delete_table_if_exists(database=db, table="t") and not wr.catalog.delete_table_if_exists(database=db, table="t")
    wr.catalog.delete_database(db)


@check
def datasets():
    """S3: a data set is written as a table, added to, overwritten by partition, and read back"""
    db = fresh_database(glue, "wr_data")
    arguments = {"path": MADE + "data/", "dataset": True, "database": db, "table": "t", "partition_cols": ["day"]}
    wr.s3.to_parquet(frame(), **arguments)
    wr.s3.to_parquet(pd.DataFrame({"id": [4], "name": ["d"], "day": ["z"], "at": frame()["at"][:1]}), mode="append", **arguments)
    wr.s3.to_parquet(pd.DataFrame({"id": [9], "name": ["i"], "day": ["x"], "at": frame()["at"][:1]}), mode="overwrite_partitions", **arguments)
    equal(sorted(v[0] for v in wr.catalog.get_parquet_partitions(db, "t").values()), ["x", "y", "z"])
    equal(sorted(wr.s3.read_parquet_table(table="t", database=db)["id"]), [3, 4, 9])
    read = wr.s3.read_parquet_table(table="t", database=db, partition_filter=lambda p: p["day"] != "x")
    equal(sorted(read["id"]), [3, 4])
    types, partitions, _ = wr.s3.store_parquet_metadata(path=MADE + "data/", database=db, table="again", dataset=True)
    equal((types["id"], partitions, len(wr.catalog.get_parquet_partitions(db, "again"))), ("bigint", {"day": "string"}, 3))
    rows = query("SELECT id, name, day FROM t ORDER BY id", database=db)
    equal(list(rows["id"]), [3, 4, 9])
    wr.catalog.delete_database(db)


@check
def fleet_as_files():
    """S3: the files of the fleet's table are read by way of the catalog"""
    equal(len(wr.s3.read_parquet_table(table="gps_data", database=DATABASE)), ROWS)


@check
def plain_query():
    """Athena: a query whose result is read as CSV, with types"""
    df = query("SELECT count(*) AS n, sum(1.5e0) AS x, cast(null AS varchar) AS nothing, max(timestamp '2026-11-01 06:00:00') AS at, true AS yes FROM gps_data")
    equal((df["n"][0], df["x"][0], df["at"][0], bool(df["yes"][0])), (ROWS, ROWS * 1.5, pd.Timestamp("2026-11-01 06:00:00"), True))
    assert df["nothing"].isna()[0] and df.query_metadata["Statistics"]["DataScannedInBytes"] >= 0


@check
def large_result():
    """Athena: a result of all rows, at once and in chunks"""
    equal(len(query("SELECT id, date, hour FROM gps_data")), ROWS)
    chunks = [len(c) for c in query("SELECT id FROM gps_data", chunksize=300)]
    assert sum(chunks) == ROWS and max(chunks) <= 300, chunks


@check
def ctas_query():
    """Athena: a query by CREATE TABLE AS, whose table goes afterwards"""
    df = query("SELECT id, hour FROM gps_data", ctas_approach=True)
    equal(len(df), ROWS)
    left = [t["Name"] for t in wr.catalog.get_tables(database=DATABASE, name_prefix="temp_table")]
    equal(left, [])
    chunks = [len(c) for c in query("SELECT id FROM gps_data", ctas_approach=True, chunksize=True)]
    equal(sum(chunks), ROWS)


@check
def unload_query():
    """Athena: a query by UNLOAD, and UNLOAD itself"""
    df = query("SELECT id, hour FROM gps_data", unload_approach=True, s3_output=RESULTS + "unload-query/")
    equal(len(df), ROWS)
    boto3.client("athena").create_work_group(Name="wrangler", Configuration={"ResultConfiguration": {"OutputLocation": RESULTS}})
    done = wr.athena.unload(sql="SELECT id FROM gps_data", path=MADE + "unloaded/", database=DATABASE, workgroup="wrangler")
    boto3.client("athena").delete_work_group(WorkGroup="wrangler", RecursiveDeleteOption=True)
    equal(len(wr.s3.read_parquet(MADE + "unloaded/")), ROWS, done)


@check
def whole_table():
    """Athena: a whole table"""
    equal(len(wr.athena.read_sql_table("emergency_data", database=DATABASE, s3_output=RESULTS)), ROWS)


@check
def parameters():
    """Athena: parameters, named and in their order"""
    hours = query("SELECT DISTINCT hour FROM gps_data ORDER BY 1")["hour"]
    named = query("SELECT count(*) AS n FROM gps_data WHERE hour = :hour", params={"hour": hours[0]})
    placed = query("SELECT count(*) AS n FROM gps_data WHERE hour = ?", params=[f"'{hours[0]}'"], paramstyle="qmark")
    assert named["n"][0] == placed["n"][0] > 0


@check
def definitions():
    """Athena: a table by CTAS, SHOW CREATE TABLE, DESCRIBE and MSCK REPAIR TABLE"""
    db = fresh_database(glue, "wr_made")
    made = wr.athena.create_ctas_table(
        sql=f'SELECT id, hour FROM "{DATABASE}".gps_data', database=db, ctas_table="copied", s3_output=MADE + "ctas/", partitioning_info=["hour"], wait=True
    )
    equal(made["ctas_table"], "copied")
    equal(query("SELECT count(*) AS n FROM copied", database=db)["n"][0], ROWS)
    described = wr.athena.describe_table(table="copied", database=db, s3_output=RESULTS)
    equal(sorted(described["Column Name"]), ["hour", "id"])
    assert "CREATE EXTERNAL TABLE" in wr.athena.show_create_table(table="copied", database=db, s3_output=RESULTS)
    before = len(wr.catalog.get_parquet_partitions(db, "copied"))
    wr.catalog.delete_all_partitions(table="copied", database=db)
    equal(wr.athena.repair_table(table="copied", database=db, s3_output=RESULTS), "SUCCEEDED")
    equal(len(wr.catalog.get_parquet_partitions(db, "copied")), before)
    wr.catalog.delete_database(db)


@check
def executions():
    """Athena: executions are started, waited for, listed and stopped"""
    identity = wr.athena.start_query_execution("SELECT 1 AS one", database=DATABASE, s3_output=RESULTS)
    equal(wr.athena.wait_query(identity)["Status"]["State"], "SUCCEEDED")
    equal(wr.athena.get_query_results(identity)["one"][0], 1)
    assert identity in wr.athena.list_query_executions()
    equal(wr.athena.get_query_columns_types(identity), {"one": "integer"})
    equal(wr.athena.get_work_group("primary")["WorkGroup"]["Name"], "primary")
    try:
        query("SELECT nothing FROM gps_data")
    except wr.exceptions.QueryFailed as e:
        assert "nothing" in str(e), e
    else:
        raise AssertionError("a query of no column succeeded")


@check
def prepared_statements():
    """Athena: a prepared statement is made, used, listed and deleted"""
    wr.athena.create_prepared_statement(sql="SELECT count(*) AS n FROM gps_data WHERE hour >= ?", statement_name="by_hour")
    assert "by_hour" in [s["StatementName"] for s in wr.athena.list_prepared_statements()]
    equal(query("EXECUTE by_hour USING '00'")["n"][0], ROWS)
    wr.athena.delete_prepared_statement(statement_name="by_hour")
    assert "by_hour" not in [s["StatementName"] for s in wr.athena.list_prepared_statements()]
