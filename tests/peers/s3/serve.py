"""A store with the API of S3 that checks signatures and the permissions of each user.

Prints one line of JSON when it is ready, and ends when its standard input does.
"""

import json
import logging
import sys

import boto3
from moto import settings
from moto.server import ThreadedMotoServer

READ = ["s3:ListBucket", "s3:GetObject"]
ALL = READ + ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
USERS = {
    "owner": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
    "reader": [{"Effect": "Allow", "Action": READ, "Resource": "*"}],
    "writer": [{"Effect": "Allow", "Action": ["s3:ListBucket", "s3:PutObject", "s3:DeleteObject"], "Resource": "*"}],
    "keeper": [{"Effect": "Allow", "Action": READ + ["s3:PutObject"], "Resource": "*"}],
    "stranger": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::other/*"}],
    "tenant": [
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::files"},
        {"Effect": "Allow", "Action": ALL[1:], "Resource": "arn:aws:s3:::files/team/*"},
    ],
}


def main():
    logging.disable(logging.CRITICAL)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    made = {"region_name": "us-east-1", "aws_access_key_id": "setup", "aws_secret_access_key": "setup"}
    boto3.client("s3", endpoint_url=url, **made).create_bucket(Bucket="files")
    iam = boto3.client("iam", endpoint_url=url, **made)
    keys = {}
    for name, statements in USERS.items():
        iam.create_user(UserName=name)
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_user_policy(UserName=name, PolicyName="rights", PolicyDocument=policy)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        keys[name] = [key["AccessKeyId"], key["SecretAccessKey"]]
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
    print(json.dumps({"port": port, "keys": keys}), flush=True)
    sys.stdin.read()


main()
