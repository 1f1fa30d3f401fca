"""Uses the local AWS endpoint with clients written by others, and tells of each check in a line of JSON.

python check_clients.py [a word of the wanted checks' names]
"""

import sys
import warnings

warnings.filterwarnings("ignore")  # advice of the clients to their users

import with_aws_cli  # noqa: E402, F401
import with_awswrangler  # noqa: E402, F401
import with_boto3_athena  # noqa: E402, F401
import with_boto3_glue  # noqa: E402, F401
import with_pyathena  # noqa: E402, F401
import with_redshift  # noqa: E402, F401
from checks import run  # noqa: E402

run(sys.argv[1] if len(sys.argv) > 1 else "")
