"""Replicas that share a PostgreSQL and a Redis: what being attached to both costs a check, and how soon all refuse what one revoked."""

import json
import subprocess
import time

import inputs
from processes import LOAD_CORE, Authd, ask, until

TOGETHER = """  tokens: {algorithm: HS256, secretRef: {name: shared, key: tokens}}
  encryptionKeys: [{name: shared, key: encryption}]
"""
SECRET = """---
apiVersion: v1
kind: Secret
metadata: {name: shared, namespace: bench}
stringData: {tokens: a sample of what tokens are signed with, encryption: a sample of what is sealed with by all}
"""


class Replicas:
    """One authd by itself, two that share PostgreSQL and Redis, and two that share PostgreSQL alone; all read the same folder."""

    def __init__(self, programs, authd, tool, folder):
        resources = inputs.write_folder(folder / "shared", 100)
        instance = resources / "instance.yaml"
        text = instance.read_text().replace("  cookie:", TOGETHER + "  cookie:", 1)
        instance.write_text(text.rstrip("\n") + "\n" + SECRET)
        peers = programs.start([tool, "shared-peers"], core=LOAD_CORE, stdout=subprocess.PIPE, stdin=subprocess.PIPE)
        programs.callback(lambda: (peers.process.stdin.close(), peers.process.wait(30)))
        self.peers = json.loads(peers.process.stdout.readline())

        def serve(name, *arguments):
            program = Authd(authd, ["--resources", resources, "--data", folder / name, *arguments], folder)
            programs.callback(program.end)
            return program

        both = ["--postgres", self.peers["postgres"], "--redis", self.peers["redis"]]
        alone = ["--postgres", self.peers["postgresAlone"]]
        self.single = serve("shared-single")
        self.with_redis = [serve(f"shared-redis-{number}", *both) for number in range(2)]
        self.without = [serve(f"shared-postgres-{number}", *alone) for number in range(2)]
        for replica in self.with_redis:
            until(lambda: b"authd_redis_answers 1" in ask(replica.urls["admin"] + "/metrics")[2], "Redis at a replica")


def sign_in(server):
    status, _, body = ask(server.urls["public"] + "/api/v1/auths/signin", body={"email": inputs.EMAIL, "password": inputs.PASSWORD})
    assert status == 200, (status, body)
    return json.loads(body)["token"]


def spread(replicas, forward, count):
    """Milliseconds from the answer that somebody is signed out at one replica until the other refuses them, one time each."""
    one, other = replicas
    verify = other.urls["verify"] + "/verify/forward"
    took = []
    for _ in range(count):
        shown = {"Authorization": "Bearer " + sign_in(one)}
        assert ask(verify, {**forward, **shown})[0] == 200, "control"
        status, _, body = ask(one.urls["public"] + "/api/v1/auths/signout", shown, {})
        assert status == 200, body
        begun = time.monotonic()
        while ask(verify, {**forward, **shown})[0] != 401:
            assert time.monotonic() - begun < 10, "what was ended is not refused"
        took.append((time.monotonic() - begun) * 1000)
    return sorted(took)
