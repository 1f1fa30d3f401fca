"""The AWS CLI, as a process."""

import json
import os
import subprocess
import sys

from checks import BUCKET, DATABASE, RESULTS, ROWS, TABLES, check, equal, until

AWS = os.path.join(os.path.dirname(sys.executable), "aws")


def aws(*arguments, fails_with=None):
    """Runs the CLI and returns its JSON, or text that is none."""
    done = subprocess.run([sys.executable, AWS, *arguments], capture_output=True, text=True, timeout=120)
    if fails_with:
        assert done.returncode != 0 and fails_with in done.stderr, (done.returncode, done.stderr)
        return None
    assert done.returncode == 0, done.stderr
    try:
        return json.loads(done.stdout or "{}")
    except json.JSONDecodeError:
        return done.stdout


@check
def glue():
    """glue: databases, tables with an expression, partitions with an expression and in pages"""
    assert DATABASE in [d["Name"] for d in aws("glue", "get-databases", "--output", "json")["DatabaseList"]]
    tables = aws("glue", "get-tables", "--database-name", DATABASE, "--page-size", "2", "--query", "TableList[].Name", "--output", "json")
    assert set(TABLES) <= set(tables), tables
    partitions = aws("glue", "get-partitions", "--database-name", DATABASE, "--table-name", "gps_data", "--page-size", "1", "--output", "json")["Partitions"]
    date, hour = partitions[0]["Values"]
    some = aws("glue", "get-partitions", "--database-name", DATABASE, "--table-name", "gps_data",
               "--expression", f"date='{date}' and hour='{hour}'", "--query", "Partitions[].Values", "--output", "json")  # fmt: skip
    equal(some, [[date, hour]])
    aws("glue", "get-table", "--database-name", DATABASE, "--name", "nothing", fails_with="EntityNotFoundException")


@check
def glue_changes():
    """glue: a database, a table and a crawler are made and deleted"""
    made = f"s3://{BUCKET}/made/cli/"
    aws("glue", "create-database", "--database-input", "Name=cli,Description=made by the CLI")
    table = {"Name": "t", "StorageDescriptor": {"Location": made, "Columns": [{"Name": "id", "Type": "string"}]}, "PartitionKeys": [{"Name": "p", "Type": "string"}]}
    aws("glue", "create-table", "--database-name", "cli", "--table-input", json.dumps(table))
    inputs = [{"Values": [v], "StorageDescriptor": {"Location": f"{made}p={v}/"}} for v in "abc"]
    equal(aws("glue", "batch-create-partition", "--database-name", "cli", "--table-name", "t", "--partition-input-list", json.dumps(inputs), "--output", "json").get("Errors", []), [])
    aws("glue", "create-crawler", "--name", "by-cli", "--role", "any", "--database-name", "cli", "--targets", json.dumps({"S3Targets": [{"Path": made}]}))
    aws("glue", "start-crawler", "--name", "by-cli")
    until(lambda: aws("glue", "get-crawler", "--name", "by-cli", "--query", "Crawler.State", "--output", "json") == "READY", "the crawl")
    aws("glue", "delete-crawler", "--name", "by-cli")
    aws("glue", "delete-table", "--database-name", "cli", "--name", "t")
    aws("glue", "delete-database", "--name", "cli")


@check
def s3():
    """s3: the files of a table are listed, and one is copied"""
    listed = aws("s3", "ls", "--recursive", f"s3://{BUCKET}/raw/gps_data/")
    key = next(line.split()[-1] for line in listed.splitlines() if line.endswith(".parquet"))
    to = os.path.join(os.environ["CHECK_DIR"], "copied.parquet")
    aws("s3", "cp", f"s3://{BUCKET}/{key}", to)
    assert os.path.getsize(to) > 0


@check
def athena():
    """athena: a query runs, and its results come in pages and as a file"""
    started = aws("athena", "start-query-execution", "--query-string", "SELECT count(*) AS n FROM gps_data", "--query-execution-context",
                  f"Database={DATABASE}", "--result-configuration", f"OutputLocation={RESULTS}", "--output", "json")  # fmt: skip
    identity = started["QueryExecutionId"]

    def ended():
        x = aws("athena", "get-query-execution", "--query-execution-id", identity, "--output", "json")["QueryExecution"]
        return x["Status"]["State"] in ("SUCCEEDED", "FAILED") and x

    execution = until(ended, "the query")
    equal(execution["Status"]["State"], "SUCCEEDED", execution["Status"])
    rows = aws("athena", "get-query-results", "--query-execution-id", identity, "--output", "json")["ResultSet"]["Rows"]
    equal([[c["VarCharValue"] for c in r["Data"]] for r in rows], [["n"], [str(ROWS)]])
    equal(aws("s3", "cp", execution["ResultConfiguration"]["OutputLocation"], "-"), f'"n"\n"{ROWS}"\n')
    assert identity in aws("athena", "list-query-executions", "--output", "json")["QueryExecutionIds"]
    assert "primary" in [g["Name"] for g in aws("athena", "list-work-groups", "--output", "json")["WorkGroups"]]


@check
def athena_metadata():
    """athena: catalogs, databases and tables are listed"""
    equal([c["CatalogName"] for c in aws("athena", "list-data-catalogs", "--output", "json")["DataCatalogsSummary"]], ["AwsDataCatalog"])
    databases = aws("athena", "list-databases", "--catalog-name", "AwsDataCatalog", "--output", "json")["DatabaseList"]
    assert DATABASE in [d["Name"] for d in databases]
    tables = aws("athena", "list-table-metadata", "--catalog-name", "AwsDataCatalog", "--database-name", DATABASE, "--expression", "gps.*", "--output", "json")
    equal([t["Name"] for t in tables["TableMetadataList"]], ["gps_data"])
    equal([k["Name"] for k in tables["TableMetadataList"][0]["PartitionKeys"]], ["date", "hour"])
    aws("athena", "get-table-metadata", "--catalog-name", "AwsDataCatalog", "--database-name", DATABASE, "--table-name", "nothing", fails_with="MetadataException")
