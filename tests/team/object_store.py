"""An S3-compatible store of the test's own, on loopback, that refuses requests without the right keys."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from team.processes import Server, free_port

_REGION: Final = "us-east-1"
_POLICY: Final = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
}


class ObjectStore:
    """A server with empty buckets and one user who may use them.

    Attributes:
        keys: The environment that makes a program that user; empty until the start.
        server: The process.
    """

    def __init__(self, folder: Path, buckets: tuple[str, ...]) -> None:
        self.keys: dict[str, str] = {}
        self._buckets = buckets
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        self.server = Server(
            "the S3 store",
            [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)],
            port=port,
            log=folder / "object-store.log",
            # After the three requests that make the user, every other one must be signed with its keys.
            environment=os.environ | {"INITIAL_NO_AUTH_ACTION_COUNT": "3"},
        )

    def start(self) -> None:
        """Start the store, and make the user and the buckets."""
        self.server.start()
        try:
            self._make_user()
            for bucket in self._buckets:
                self._client("s3").create_bucket(Bucket=bucket)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the store; what it held was in its memory."""
        self.server.stop()

    def objects(self, bucket: str) -> Iterator[tuple[str, bytes]]:
        """Yield the name and the content of every object in a bucket."""
        client = self._client("s3")
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for item in page.get("Contents", []):
                yield item["Key"], client.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()

    def _make_user(self) -> None:
        client = self._client("iam")
        client.create_user(UserName="team")
        client.put_user_policy(UserName="team", PolicyName="s3", PolicyDocument=json.dumps(_POLICY))
        key = client.create_access_key(UserName="team")["AccessKey"]
        self.keys = {
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
            "AWS_ENDPOINT_URL_S3": self.address,
            "AWS_DEFAULT_REGION": _REGION,
        }

    def _client(self, service: str) -> Any:
        # Of LOCK=team alone: the quick tests of this folder run without it.
        import boto3

        return boto3.client(
            service,
            endpoint_url=self.address,
            region_name=_REGION,
            aws_access_key_id=self.keys.get("AWS_ACCESS_KEY_ID", "nobody"),
            aws_secret_access_key=self.keys.get("AWS_SECRET_ACCESS_KEY", "nothing"),
        )
