"""The catalog through boto3."""

import io

import pyarrow as pa
import pyarrow.parquet as pq

from checks import BUCKET, DATABASE, TABLES, check, client, descriptor, equal, fresh_database, parquet_table, refused, until

glue = client("glue")
s3 = client("s3")


def names(operation, member, **arguments):
    return [t["Name"] for page in glue.get_paginator(operation).paginate(**arguments) for t in page[member]]


@check
def the_fleets_tables():
    """databases and tables of the fleet are listed, in pages and by expression"""
    assert DATABASE in names("get_databases", "DatabaseList", PaginationConfig={"PageSize": 1})
    listed = names("get_tables", "TableList", DatabaseName=DATABASE, PaginationConfig={"PageSize": 2})
    assert set(TABLES) <= set(listed), listed
    equal(names("get_tables", "TableList", DatabaseName=DATABASE, Expression="(gps|traffic)_data"), ["gps_data", "traffic_data"])
    table = glue.get_table(DatabaseName=DATABASE, Name="vehicle_data")["Table"]
    assert table["CreateTime"].year >= 2026 and table["StorageDescriptor"]["Location"].startswith("s3://"), table
    equal([k["Name"] for k in table["PartitionKeys"]], ["date", "hour"])


@check
def typed_errors():
    """errors have the types that clients catch"""
    e = glue.exceptions
    refused("EntityNotFoundException", glue.get_database, Name="nothing")
    refused("EntityNotFoundException", glue.get_table, DatabaseName=DATABASE, Name="nothing")
    refused("AlreadyExistsException", glue.create_database, DatabaseInput={"Name": DATABASE})
    refused("InvalidInputException", glue.get_partitions, DatabaseName=DATABASE, TableName="gps_data", Expression="nothing = 1")
    refused("UnknownOperationException", glue.list_workflows)
    for name in ["EntityNotFoundException", "AlreadyExistsException", "InvalidInputException", "ConcurrentModificationException"]:
        assert hasattr(e, name), name


@check
def partitions_of_the_fleet():
    """partitions of the fleet by expression, without columns, and by their values"""
    all_of_them = [p for page in glue.get_paginator("get_partitions").paginate(DatabaseName=DATABASE, TableName="gps_data") for p in page["Partitions"]]
    assert all_of_them
    date, hour = all_of_them[0]["Values"]
    some = glue.get_partitions(
        DatabaseName=DATABASE, TableName="gps_data", Expression=f"date = '{date}' AND hour IN ('{hour}', 'xx')", ExcludeColumnSchema=True
    )["Partitions"]
    equal([p["Values"] for p in some], [[date, hour]])
    assert not some[0]["StorageDescriptor"].get("Columns"), some
    got = glue.batch_get_partition(DatabaseName=DATABASE, TableName="gps_data", PartitionsToGet=[{"Values": [date, hour]}, {"Values": ["x", "y"]}])
    equal([p["Values"] for p in got["Partitions"]], [[date, hour]])
    equal(glue.get_partition(DatabaseName=DATABASE, TableName="gps_data", PartitionValues=[date, hour])["Partition"]["Values"], [date, hour])


@check
def a_thousand_partitions():
    """1,050 partitions: batches of a hundred, duplicates, pages, segments, numbers, updates and deletions"""
    db = fresh_database(glue, "many")
    location = f"s3://{BUCKET}/made/many/"
    glue.create_table(DatabaseName=db, TableInput=parquet_table("t", location, [("id", "string")], [("n", "int")]))
    inputs = [{"Values": [str(i)], "StorageDescriptor": descriptor(f"{location}n={i}/", [("id", "string")])} for i in range(1050)]
    refused("InvalidInputException", glue.batch_create_partition, DatabaseName=db, TableName="t", PartitionInputList=inputs[:101])
    for i in range(0, len(inputs), 100):
        equal(glue.batch_create_partition(DatabaseName=db, TableName="t", PartitionInputList=inputs[i : i + 100]).get("Errors", []), [])
    again = glue.batch_create_partition(DatabaseName=db, TableName="t", PartitionInputList=inputs[5:7])["Errors"]
    equal([e["ErrorDetail"]["ErrorCode"] for e in again], ["AlreadyExistsException"] * 2)

    def values(**arguments):
        pages = list(glue.get_paginator("get_partitions").paginate(DatabaseName=db, TableName="t", **arguments))
        return len(pages), sorted(int(p["Values"][0]) for page in pages for p in page["Partitions"])

    equal(values(), (2, list(range(1050))))
    equal(values(PaginationConfig={"PageSize": 500}), (3, list(range(1050))))
    equal(values(Expression="n BETWEEN 900 AND 999 AND NOT n IN (901)"), (1, [900, *range(902, 1000)]))
    segments = [values(Segment={"SegmentNumber": i, "TotalSegments": 4})[1] for i in range(4)]
    equal(sorted(sum(segments, [])), list(range(1050)))
    assert all(len(s) > 100 for s in segments), [len(s) for s in segments]

    glue.update_partition(
        DatabaseName=db, TableName="t", PartitionValueList=["7"],
        PartitionInput={"Values": ["7"], "StorageDescriptor": descriptor(f"{location}moved/", []), "Parameters": {"k": "v"}},
    )  # fmt: skip
    equal(glue.get_partition(DatabaseName=db, TableName="t", PartitionValues=["7"])["Partition"]["Parameters"], {"k": "v"})
    errors = glue.batch_update_partition(DatabaseName=db, TableName="t", Entries=[{"PartitionValueList": ["x"], "PartitionInput": {"Values": ["x"]}}])
    equal(errors["Errors"][0]["ErrorDetail"]["ErrorCode"], "EntityNotFoundException")
    glue.delete_partition(DatabaseName=db, TableName="t", PartitionValues=["0"])
    gone = glue.batch_delete_partition(DatabaseName=db, TableName="t", PartitionsToDelete=[{"Values": [str(i)]} for i in range(25)])
    equal([e["PartitionValues"] for e in gone["Errors"]], [["0"]])
    equal(values()[1], list(range(25, 1050)))
    glue.delete_database(Name=db)


@check
def versions_of_a_table():
    """versions of a table, a stale update, statistics and tags"""
    db = fresh_database(glue, "versions")
    table = parquet_table("t", f"s3://{BUCKET}/made/versions/", [("id", "bigint")])
    glue.create_table(DatabaseName=db, TableInput=table)
    stale = glue.get_table(DatabaseName=db, Name="t")["Table"]["VersionId"]
    for text in ["one", "two"]:
        now = glue.get_table(DatabaseName=db, Name="t")["Table"]["VersionId"]
        glue.update_table(DatabaseName=db, TableInput={**table, "Description": text}, VersionId=now)
    refused("ConcurrentModificationException", glue.update_table, DatabaseName=db, TableInput=table, VersionId=stale)
    versions = glue.get_table_versions(DatabaseName=db, TableName="t", MaxResults=2)
    equal([v["Table"].get("Description") for v in versions["TableVersions"]], ["two", "one"])
    glue.delete_table_version(DatabaseName=db, TableName="t", VersionId=versions["TableVersions"][1]["VersionId"])
    equal(len(glue.get_table_versions(DatabaseName=db, TableName="t")["TableVersions"]), 2)
    equal(glue.get_table_version(DatabaseName=db, TableName="t", VersionId=stale)["TableVersion"]["Table"].get("Description"), None)

    statistics = {"LongColumnStatisticsData": {"MinimumValue": 1, "MaximumValue": 9, "NumberOfNulls": 0, "NumberOfDistinctValues": 9}, "Type": "LONG"}
    equal(
        glue.update_column_statistics_for_table(
            DatabaseName=db, TableName="t",
            ColumnStatisticsList=[{"ColumnName": "id", "ColumnType": "bigint", "AnalyzedTime": 1_800_000_000, "StatisticsData": statistics}],
        ).get("Errors", []),
        [],
    )  # fmt: skip
    equal(glue.get_column_statistics_for_table(DatabaseName=db, TableName="t", ColumnNames=["id"])["ColumnStatisticsList"][0]["StatisticsData"], statistics)
    equal(glue.get_partition_indexes(DatabaseName=db, TableName="t")["PartitionIndexDescriptorList"], [])
    arn = f"arn:aws:glue:eu-west-1:123456789012:table/{db}/t"
    glue.tag_resource(ResourceArn=arn, TagsToAdd={"team": "city"})
    equal(glue.get_tags(ResourceArn=arn)["Tags"], {"team": "city"})
    equal([t["Name"] for t in glue.search_tables(SearchText="versions", MaxResults=10)["TableList"]], ["t"])
    glue.batch_delete_table(DatabaseName=db, TablesToDelete=["t"])
    refused("EntityNotFoundException", glue.delete_table, DatabaseName=db, Name="t")
    glue.delete_database(Name=db)


@check
def a_crawler():
    """a crawler finds what lies in S3, and keeps up with it"""
    db = fresh_database(glue, "crawled")
    body = io.BytesIO()
    pq.write_table(pa.table({"id": ["a", "b"], "n": pa.array([1, 2], pa.int32())}), body)
    put = lambda key: s3.put_object(Bucket=BUCKET, Key=f"made/crawled/{key}", Body=body.getvalue())  # noqa: E731
    put("walks/date=2026-11-01/a.parquet")
    name = "walker"
    glue.create_crawler(Name=name, Role="any", DatabaseName=db, Targets={"S3Targets": [{"Path": f"s3://{BUCKET}/made/crawled/"}]})

    def crawl():
        glue.start_crawler(Name=name)
        got = until(lambda: (c := glue.get_crawler(Name=name)["Crawler"])["State"] == "READY" and c, "the crawl")
        equal(got["LastCrawl"]["Status"], "SUCCEEDED", got["LastCrawl"])
        return [p["Values"] for p in glue.get_partitions(DatabaseName=db, TableName="walks")["Partitions"]]

    equal(crawl(), [["2026-11-01"]])
    put("walks/date=2026-11-02/a.parquet")
    equal(crawl(), [["2026-11-01"], ["2026-11-02"]])
    table = glue.get_table(DatabaseName=db, Name="walks")["Table"]
    equal([(c["Name"], c["Type"]) for c in table["StorageDescriptor"]["Columns"]], [("id", "string"), ("n", "int")])
    refused("CrawlerNotRunningException", glue.stop_crawler, Name=name)
    assert name in glue.list_crawlers()["CrawlerNames"]
    equal(glue.get_crawler_metrics(CrawlerNameList=[name])["CrawlerMetricsList"][0]["CrawlerName"], name)
    glue.delete_crawler(Name=name)
    refused("EntityNotFoundException", glue.get_crawler, Name=name)
    glue.delete_database(Name=db)


@check
def signatures():
    """signatures with another secret or key are refused by all services"""
    calls = {
        "glue": ("get_databases", {}),
        "athena": ("list_work_groups", {}),
        "redshift-data": ("list_statements", {}),
        "s3": ("list_objects_v2", {"Bucket": BUCKET}),
    }
    known = client("glue")._request_signer._credentials
    for service, (operation, arguments) in calls.items():
        getattr(client(service), operation)(**arguments)
        thief = client(service, aws_access_key_id=known.access_key, aws_secret_access_key="a guess")
        refused("SignatureDoesNotMatch" if service == "s3" else "InvalidSignatureException", getattr(thief, operation), **arguments)
        stranger = client(service, aws_access_key_id="AKIAUNKNOWN", aws_secret_access_key=known.secret_key)
        refused("XAdminUserNotFound" if service == "s3" else "UnrecognizedClientException", getattr(stranger, operation), **arguments)
