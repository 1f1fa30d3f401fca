"""The Redshift Data API, through boto3, awswrangler and the AWS CLI."""

import awswrangler as wr

from checks import BUCKET, DATABASE, RESULTS, ROWS, check, client, equal, refused, until
from with_aws_cli import aws

redshift = client("redshift-data")
PLACE = {"WorkgroupName": "city", "Database": "clients"}


def ended(identity, want="FINISHED"):
    """Waits for a statement, and returns its description."""

    def status():
        d = redshift.describe_statement(Id=identity)
        return d["Status"] in ("FINISHED", "FAILED", "ABORTED") and d

    described = until(status, "the statement")
    equal(described["Status"], want, described.get("Error", ""))
    return described


def execute(sql, want="FINISHED", **arguments):
    return ended(redshift.execute_statement(Sql=sql, **PLACE, **arguments)["Id"], want)


def rows(identity):
    pages = redshift.get_paginator("get_statement_result").paginate(Id=identity)
    return [[next(iter(c.values())) for c in record] for page in pages for record in page["Records"]]


@check
def statements():
    """boto3: statements, parameters, results and errors"""
    execute("DROP TABLE IF EXISTS t")
    execute("CREATE TABLE t (id bigint IDENTITY(1,1), name varchar(20) ENCODE zstd, n integer) DISTKEY(name) SORTKEY(n)")
    inserted = execute("INSERT INTO t (name, n) VALUES (:name, :n)", Parameters=[{"name": "name", "value": "it's"}, {"name": "n", "value": "7"}])
    equal(inserted["ResultRows"], 1)
    asked = execute("SELECT name, n, nvl(cast(null AS integer), 5) FROM t")
    equal(rows(asked["Id"]), [["it's", 7, 5]])
    metadata = redshift.get_statement_result(Id=asked["Id"])["ColumnMetadata"]
    equal([m["name"] for m in metadata][:2], ["name", "n"])
    assert execute("SELECT nothing FROM t", want="FAILED")["Error"]
    refused("ResourceNotFoundException", redshift.describe_statement, Id="00000000-0000-0000-0000-000000000000")
    refused("ValidationException", redshift.execute_statement, Sql="SELECT 1", Database="clients")


@check
def batches():
    """boto3: a batch is one transaction"""
    execute("DROP TABLE IF EXISTS b")
    run = lambda want, *sqls: ended(redshift.batch_execute_statement(Sqls=list(sqls), **PLACE)["Id"], want)  # noqa: E731
    done = run("FINISHED", "CREATE TABLE b (n integer)", "INSERT INTO b VALUES (1), (2)", "SELECT count(*) FROM b")
    equal(rows(done["SubStatements"][2]["Id"]), [[2]])
    run("FAILED", "INSERT INTO b VALUES (3)", "INSERT INTO nowhere VALUES (1)")
    equal(rows(execute("SELECT count(*) FROM b")["Id"]), [[2]])


@check
def copy():
    """boto3: COPY loads Parquet files that Athena has unloaded, and their rows come back in pages"""
    path = f"s3://{BUCKET}/made/copied/"
    query = wr.athena.start_query_execution(f"UNLOAD (SELECT id, hour FROM gps_data) TO '{path}' WITH (format = 'PARQUET')", database=DATABASE, s3_output=RESULTS, wait=True)
    equal(query["Status"]["State"], "SUCCEEDED", query["Status"])
    execute("DROP TABLE IF EXISTS copied")
    execute("CREATE TABLE copied (id varchar(64), hour varchar(2))")
    execute(f"COPY copied FROM '{path}' IAM_ROLE 'arn:aws:iam::123456789012:role/copy' FORMAT AS PARQUET")
    equal(rows(execute("SELECT count(*), count(DISTINCT id) FROM copied")["Id"]), [[ROWS, ROWS]])
    all_of_them = execute("SELECT id FROM copied ORDER BY id")["Id"]
    pages = list(redshift.get_paginator("get_statement_result").paginate(Id=all_of_them))
    assert len(pages) > 1, "one page of so many rows"
    equal(len({r[0] for r in rows(all_of_them)}), ROWS)


@check
def lists():
    """boto3: statements, databases, schemas, tables and columns are listed"""
    execute("DROP TABLE IF EXISTS listed")
    identity = execute("CREATE TABLE listed (id bigint, name varchar(9))")["Id"]
    assert identity in [s["Id"] for s in redshift.list_statements(MaxResults=10, Status="ALL")["Statements"]]
    assert "clients" in redshift.list_databases(**PLACE)["Databases"]
    assert "public" in redshift.list_schemas(**PLACE)["Schemas"]
    assert "listed" in [t["name"] for t in redshift.list_tables(SchemaPattern="public", **PLACE)["Tables"]]
    equal([c["name"] for c in redshift.describe_table(Schema="public", Table="listed", **PLACE)["ColumnList"]], ["id", "name"])


@check
def frames():
    """awswrangler: a query becomes a frame"""
    connection = wr.data_api.redshift.connect(workgroup_name="city", database="clients")
    df = wr.data_api.redshift.read_sql_query("SELECT 1 AS one, 'a' AS letter UNION ALL SELECT 2, 'b' ORDER BY 1", connection)
    equal(df.values.tolist(), [[1, "a"], [2, "b"]])


@check
def cli():
    """AWS CLI: a statement runs, and its result is read"""
    place = ["--workgroup-name", "city", "--database", "clients"]
    identity = aws("redshift-data", "execute-statement", "--sql", "SELECT 41 + 1 AS n", *place, "--query", "Id", "--output", "json")
    ended(identity)
    equal(aws("redshift-data", "get-statement-result", "--id", identity, "--query", "Records[0][0].longValue", "--output", "json"), 42)
