"""Starts one server for all tests, and stops it after the last one."""

import json
import os
import subprocess

import pytest


@pytest.fixture(scope="session")
def server():
    program = os.environ.get("QUARTERDECK", "quarterdeck")
    command = [program, "serve", "--ephemeral", "--users", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        # The line comes when the server is ready. It is empty if the server did not start.
        yield json.loads(process.stdout.readline())
        process.terminate()
    assert process.returncode == 0
