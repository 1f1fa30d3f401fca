"""What the checks of all clients share: the list of checks, and the place that they work in.

The AWS clients find the endpoints and the keys by AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE, as a user's do.
"""

import json
import os
import sys
import time
import traceback

import boto3

DATABASE = "smart-city"  # of the fleet: five tables of ROWS rows each
ROWS = int(os.environ.get("CHECK_ROWS", "2000"))
BUCKET = "citystream"
RESULTS = f"s3://{BUCKET}/results/"
TABLES = ["emergency_data", "gps_data", "traffic_data", "vehicle_data", "weather_data"]

_checks = []


def check(function):
    """Adds a function to what is checked; the first line of its text says what."""
    _checks.append(function)
    return function


def run(only):
    """Runs the checks, or those whose name contains a word, and tells of each in a line of JSON."""
    failed = False
    clear("made/")  # of a run before this one
    clear("results/")
    for function in _checks:
        if only not in function.__module__ + "." + function.__name__:
            continue
        said = {"name": f"{function.__module__}: {function.__doc__}", "error": ""}
        began = time.monotonic()
        try:
            function()
        except BaseException:  # a check must not end the others, whatever it meets
            said["error"], failed = traceback.format_exc(), True
        said["seconds"] = round(time.monotonic() - began, 2)
        print(json.dumps(said), flush=True)
    sys.exit(failed)


def equal(got, want, what=""):
    assert got == want, f"{what}\n  got  {got!r}\n  want {want!r}"


def refused(error, call, *words, **arguments):
    """Calls what must fail with a typed error."""
    try:
        call(**arguments)
    except Exception as e:
        assert e.__class__.__name__ == error or getattr(e, "response", {}).get("Error", {}).get("Code") == error, repr(e)
        for word in words:
            assert word in str(e), f"{e} does not say {word}"
        return e
    raise AssertionError(f"{call} was not refused")


def clear(prefix):
    """Deletes the objects below a prefix."""
    s3 = boto3.client("s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix):
        for found in page.get("Contents", []):
            s3.delete_object(Bucket=BUCKET, Key=found["Key"])


def fresh_database(glue, name):
    """Makes an empty database, with nothing where its tables will lie."""
    clear(f"made/{name}/")
    try:
        glue.delete_database(Name=name)
    except glue.exceptions.EntityNotFoundException:
        pass
    glue.create_database(DatabaseInput={"Name": name, "LocationUri": f"s3://{BUCKET}/made/{name}/"})
    return name


def parquet_table(name, location, columns, keys=()):
    """Returns a TableInput."""
    return {
        "Name": name,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"classification": "parquet", "EXTERNAL": "TRUE"},
        "PartitionKeys": [{"Name": k, "Type": t} for k, t in keys],
        "StorageDescriptor": descriptor(location, columns),
    }


def descriptor(location, columns):
    return {
        "Columns": [{"Name": c, "Type": t} for c, t in columns],
        "Location": location,
        "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
        "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
        "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
    }


def client(service, **arguments):
    return boto3.client(service, **arguments)


def until(call, what, seconds=60):
    """Waits until a call returns something true, and returns it."""
    deadline = time.monotonic() + seconds
    while True:
        got = call()
        if got:
            return got
        assert time.monotonic() < deadline, f"{what} took more than {seconds} s"
        time.sleep(0.05)
