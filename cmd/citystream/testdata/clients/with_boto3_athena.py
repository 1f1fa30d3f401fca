"""Athena through boto3, as drivers such as JDBC use it: one page of results after the other."""

import csv
import io

from checks import BUCKET, DATABASE, RESULTS, ROWS, check, client, equal, refused, until

athena = client("athena")
s3 = client("s3")


def run(sql, want="SUCCEEDED", **arguments):
    """Runs a statement to its end and returns its execution."""
    arguments = {"QueryExecutionContext": {"Database": DATABASE}, "ResultConfiguration": {"OutputLocation": RESULTS}, **arguments}
    identity = athena.start_query_execution(QueryString=sql, **arguments)["QueryExecutionId"]

    def ended():
        x = athena.get_query_execution(QueryExecutionId=identity)["QueryExecution"]
        return x["Status"]["State"] in ("SUCCEEDED", "FAILED", "CANCELLED") and x

    execution = until(ended, sql)
    equal(execution["Status"]["State"], want, execution["Status"])
    return execution


def rows(sql, **arguments):
    """Returns all rows of a statement, and without its header."""
    identity = run(sql, **arguments)["QueryExecutionId"]
    found = [[c.get("VarCharValue") for c in r["Data"]] for page in athena.get_paginator("get_query_results").paginate(QueryExecutionId=identity) for r in page["ResultSet"]["Rows"]]
    return found[1:]


def lines(sql, **arguments):
    """Returns the lines of a statement such as SHOW, which have no header."""
    identity = run(sql, **arguments)["QueryExecutionId"]
    return [r["Data"][0]["VarCharValue"] for r in athena.get_query_results(QueryExecutionId=identity)["ResultSet"]["Rows"]]


def object_at(location):
    bucket, _, key = location.removeprefix("s3://").partition("/")
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read()


@check
def pages():
    """pages of results by MaxResults and NextToken hold each row once, with a header in the first"""
    execution = run("SELECT id, hour, speed FROM gps_data ORDER BY id")
    sizes, ids, token = [], [], {}
    while True:
        page = athena.get_query_results(QueryExecutionId=execution["QueryExecutionId"], MaxResults=300, **token)
        got = [[c.get("VarCharValue") for c in r["Data"]] for r in page["ResultSet"]["Rows"]]
        equal([(c["Name"], c["Type"]) for c in page["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]][:2], [("id", "varchar"), ("hour", "varchar")])
        sizes.append(len(got))
        ids += [r[0] for r in got]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    equal(ids[0], "id")
    equal((len(ids) - 1, len(set(ids[1:])), max(sizes)), (ROWS, ROWS, 300))
    equal(ids[1:], sorted(ids[1:]))
    refused("InvalidRequestException", athena.get_query_results, QueryExecutionId=execution["QueryExecutionId"], MaxResults=1001)


@check
def result_files():
    """results lie at the OutputLocation as CSV, with their metadata beside them"""
    execution = run("SELECT 1 AS one, 'a \"quoted\", text' AS s, cast(null AS varchar) AS n")
    location = execution["ResultConfiguration"]["OutputLocation"]
    equal(location, f"{RESULTS}{execution['QueryExecutionId']}.csv")
    equal(list(csv.reader(io.StringIO(object_at(location).decode()))), [["one", "s", "n"], ["1", 'a "quoted", text', ""]])
    assert object_at(location + ".metadata")


@check
def statements_and_errors():
    """kinds of statements, and errors with their type, line and column"""
    equal(run("SELECT 1")["StatementType"], "DML")
    equal(run("SHOW TABLES")["StatementType"], "UTILITY")
    failed = run("SELECT nothing\nFROM gps_data", want="FAILED")["Status"]
    assert "COLUMN_NOT_FOUND" in failed["StateChangeReason"] and "line 1:8" in failed["StateChangeReason"], failed
    equal(failed["AthenaError"]["ErrorCategory"], 2)
    assert "TABLE_NOT_FOUND" in run("SELECT * FROM nowhere", want="FAILED")["Status"]["StateChangeReason"]
    refused("InvalidRequestException", athena.start_query_execution, QueryString=" ")
    refused("InvalidRequestException", athena.get_query_execution, QueryExecutionId="00000000-0000-0000-0000-000000000000")


@check
def sandbox():
    """statements that reach for files, settings, extensions or the environment are refused, or fail"""
    for sql in ["SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM '/etc/passwd'", "SELECT * FROM glob('/*')", "SELECT getenv('HOME')"]:
        run(sql, want="FAILED")
    for sql in ["COPY gps_data TO '/tmp/x'", "INSTALL httpfs", "ATTACH '/tmp/x.db'", "SET memory_limit = '1TB'", "PRAGMA database_list"]:
        refused("InvalidRequestException", athena.start_query_execution, QueryString=sql, ResultConfiguration={"OutputLocation": RESULTS})


@check
def batches_and_lists():
    """executions are listed in pages, got in a batch, and stopped"""
    started = [run(f"SELECT {i}")["QueryExecutionId"] for i in range(3)]
    got = athena.batch_get_query_execution(QueryExecutionIds=started)
    equal([x["QueryExecutionId"] for x in got["QueryExecutions"]], started)
    listed = [i for page in athena.get_paginator("list_query_executions").paginate(PaginationConfig={"PageSize": 2}) for i in page["QueryExecutionIds"]]
    assert set(started) <= set(listed) and len(set(listed)) == len(listed)
    endless = "SELECT count(*) FROM unnest(sequence(1, 10000)) a(x), unnest(sequence(1, 10000)) b(y), unnest(sequence(1, 10000)) c(z) WHERE (x * y * z) % 7 = 3"
    identity = athena.start_query_execution(QueryString=endless, ResultConfiguration={"OutputLocation": RESULTS})["QueryExecutionId"]
    athena.stop_query_execution(QueryExecutionId=identity)
    until(lambda: athena.get_query_execution(QueryExecutionId=identity)["QueryExecution"]["Status"]["State"] == "CANCELLED", "stopping")


@check
def work_groups():
    """work groups, named queries and prepared statements"""
    athena.create_work_group(Name="team", Configuration={"ResultConfiguration": {"OutputLocation": RESULTS + "team/"}, "EnforceWorkGroupConfiguration": True})
    execution = run("SELECT 1", WorkGroup="team", ResultConfiguration={})
    assert execution["ResultConfiguration"]["OutputLocation"].startswith(RESULTS + "team/"), execution
    named = athena.create_named_query(Name="one", Database=DATABASE, QueryString="SELECT 1", WorkGroup="team")["NamedQueryId"]
    equal(athena.get_named_query(NamedQueryId=named)["NamedQuery"]["QueryString"], "SELECT 1")
    athena.create_prepared_statement(StatementName="s", WorkGroup="team", QueryStatement="SELECT ? + 1")
    equal(rows("EXECUTE s USING 41", WorkGroup="team"), [["42"]])
    equal(rows("SELECT ? || 'b'", ExecutionParameters=["'a'"]), [["ab"]])
    athena.delete_prepared_statement(StatementName="s", WorkGroup="team")
    athena.delete_work_group(WorkGroup="team", RecursiveDeleteOption=True)
    assert "team" not in [g["Name"] for g in athena.list_work_groups()["WorkGroups"]]


@check
def metadata():
    """catalogs, databases and tables by Athena's own calls"""
    equal(athena.get_data_catalog(Name="AwsDataCatalog")["DataCatalog"]["Type"], "GLUE")
    equal(athena.get_database(CatalogName="AwsDataCatalog", DatabaseName=DATABASE)["Database"]["Name"], DATABASE)
    table = athena.get_table_metadata(CatalogName="AwsDataCatalog", DatabaseName=DATABASE, TableName="gps_data")["TableMetadata"]
    equal((table["TableType"], table["PartitionKeys"][1]["Name"]), ("EXTERNAL_TABLE", "hour"))
    pages = list(athena.get_paginator("list_table_metadata").paginate(CatalogName="AwsDataCatalog", DatabaseName=DATABASE, PaginationConfig={"PageSize": 2}))
    assert len(pages) >= 3, len(pages)
    refused("MetadataException", athena.get_table_metadata, CatalogName="AwsDataCatalog", DatabaseName=DATABASE, TableName="nothing")


@check
def definitions():
    """CREATE EXTERNAL TABLE, UNLOAD, SHOW CREATE TABLE, SHOW PARTITIONS, views and DROP"""
    run("DROP DATABASE IF EXISTS by_sql CASCADE")
    run("CREATE DATABASE by_sql")
    here = {"QueryExecutionContext": {"Database": "by_sql"}}
    unloaded = f"s3://{BUCKET}/made/by_sql/unloaded/"
    execution = run(f"UNLOAD (SELECT id, hour FROM gps_data) TO '{unloaded}' WITH (format = 'PARQUET')")
    manifest = object_at(execution["Statistics"]["DataManifestLocation"]).decode().split()
    assert manifest and all(f.startswith(unloaded) for f in manifest), manifest
    run(f"CREATE EXTERNAL TABLE t (id string, hour string) STORED AS PARQUET LOCATION '{unloaded}'", **here)
    equal(rows("SELECT count(*) FROM t", **here), [[str(ROWS)]])
    created = lines("SHOW CREATE TABLE t", **here)
    assert created[0].startswith("CREATE EXTERNAL TABLE `") and any(unloaded.rstrip("/") in line for line in created), created
    equal(lines("SHOW TABLES", **here), ["t"])
    shown = lines("SHOW PARTITIONS gps_data")
    assert shown and all(line.startswith("date=") and "/hour=" in line for line in shown), shown
    run("CREATE VIEW v AS SELECT hour FROM t", **here)
    equal(rows("SELECT count(*) FROM v", **here), [[str(ROWS)]])
    run("DROP VIEW v", **here)
    run("DROP TABLE t", **here)
    assert "TABLE_NOT_FOUND" in run("SELECT * FROM t", want="FAILED", **here)["Status"]["StateChangeReason"]
    run("DROP DATABASE by_sql CASCADE")
