"""Programs that the benchmark starts, watches and ends. Each is known by its id, and none outlives the benchmark."""

import contextlib
import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request

SERVER_CORE, LOAD_CORE = "0", "1"


class Program:
    def __init__(self, command, core=SERVER_CORE, stdout=subprocess.DEVNULL, stdin=None, env=None, log=None, cwd=None):
        self.log = open(log, "wb") if log else subprocess.DEVNULL
        self.begun = time.monotonic()
        self.process = subprocess.Popen(
            ["taskset", "-c", core, *map(str, command)], stdin=stdin, stdout=stdout, stderr=self.log, cwd=cwd, env={**os.environ, **(env or {})})
        self.pid = self.process.pid

    def cpu(self):
        """Seconds of CPU that all its threads have used."""
        total = 0
        for task in os.listdir(f"/proc/{self.pid}/task"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/{self.pid}/task/{task}/schedstat") as stat:
                total += int(stat.read().split()[0])
        return total / 1e9

    def resident(self):
        """MiB of resident memory: now, and at its highest."""
        with open(f"/proc/{self.pid}/status") as status:
            fields = dict(line.split(":", 1) for line in status)
        return tuple(int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Programs(contextlib.ExitStack):
    """Ends what was started, last first."""

    def start(self, *arguments, **options):
        program = Program(*arguments, **options)
        self.callback(program.end)
        return program


class Authd(Program):
    """`authd serve` on free ports; `ready` is how many seconds it took."""

    def __init__(self, authd, arguments, folder, **options):
        command = [authd, "serve", "--output", "json", "--audit", folder / "audit.log", "--log", "warn"]
        for listener in ("public", "verify", "grpc", "admin"):
            command += [f"--{listener}", "127.0.0.1:0"]
        super().__init__(command + arguments, stdout=subprocess.PIPE, log=folder / "authd.log", **options)
        line = self.process.stdout.readline()
        self.ready = time.monotonic() - self.begun
        if not line:
            raise SystemExit("authd did not start: " + (folder / "authd.log").read_text())
        self.urls = json.loads(line)
        self.port = int(self.urls["verify"].rsplit(":", 1)[1])


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def ask(url, headers=None, body=None):
    """Status, headers and body; a refusal is an answer too."""
    request = urllib.request.Request(url, data=None if body is None else json.dumps(body).encode(), headers=headers or {})
    if body is not None:
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.build_opener(NoRedirect).open(request, timeout=30) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.headers, answer.read()


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def until(condition, what, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if condition():
                return
        time.sleep(0.01)
    raise SystemExit(f"{what}: not within {seconds} s")
