"""An S3 server on loopback, and the objects of its one bucket."""

import contextlib
import os
import socket
import subprocess
import sys
import time

import boto3

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true"}


class S3Server:
    def __init__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.process = None

    def start(self):
        command = [os.path.join(os.path.dirname(sys.executable), "moto_server"), "-H", "127.0.0.1", "-p", str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while True:
            assert self.process.poll() is None and time.monotonic() < end, "the S3 server did not start"
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self.client().create_bucket(Bucket="bucket")
            time.sleep(0.1)

    def stop(self):
        self.process.terminate()
        self.process.wait(30)

    def put(self, key, text):
        self.client().put_object(Bucket="bucket", Key=key, Body=text.encode())

    def remove(self, key):
        self.client().delete_object(Bucket="bucket", Key=key)

    def client(self):
        return boto3.client(
            "s3", endpoint_url=self.endpoint, region_name="us-east-1", aws_access_key_id="key", aws_secret_access_key="secret")
