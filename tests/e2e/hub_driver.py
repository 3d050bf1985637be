"""A hub in a process of its own, driven by commands: see tests/hub/hub_driver_test.cpp, which is the other side."""

import json
import os
import subprocess


class HubError(Exception):
    """What the hub refused, in its own words."""


class HubDriver:
    """Resource. One hub at a time; close() ends the process."""

    def __init__(self, binary):
        self.process = subprocess.Popen(
            [binary, "--gtest_filter=HubDriver.DoesWhatItIsTold"],
            env=dict(os.environ, LOCKSTEP_HUB_DRIVER="1"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")

    def send(self, do, **command):
        self.process.stdin.write(json.dumps({"do": do, **command}) + "\n")
        self.process.stdin.flush()

    def receive(self):
        for line in self.process.stdout:
            if line.startswith("> "):
                answer = json.loads(line[2:])
                if "error" in answer:
                    raise HubError(answer["error"])
                return answer
        raise HubError(f"the driver ended: {self.process.wait()}")

    def ask(self, do, **command):
        self.send(do, **command)
        return self.receive()

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(timeout=30)
