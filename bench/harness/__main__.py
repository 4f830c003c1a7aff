"""Measures authd beside a bare server and beside other ways to make the same check, and prints ratios.

See ../README.md for what is measured and how to read it.
"""

import argparse
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import inputs
import peers
import proxies
import shared
from processes import LOAD_CORE, Authd, Programs, ask, free_port, until

HERE = Path(__file__).parent
POLICIES, KEYS, REVOKED, ACCOUNTS = 100, 100_000, 100_000, 32
KEYS_IN_USE, SESSIONS = 1000, 8
FORWARD = {
    "X-Forwarded-Method": "GET", "X-Forwarded-Proto": "https", "X-Forwarded-Host": inputs.HOST,
    "X-Forwarded-Uri": "/api/items/42?page=2", "X-Forwarded-For": "192.0.2.7"}
# What HTTP itself adds to an answer: the rest is what authd tells the application.
FRAMING = {"connection", "content-length", "date"}


def told(headers):
    """The headers of an answer that its proxy passes on."""
    return {name.lower(): value for name, value in headers.items() if name.lower() not in FRAMING}


def main():
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="authd-bench-") as folder, Programs() as programs:
        bench = Bench(options, Path(folder), programs)
        print(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.2f} at the start; ratios count, absolutes do not\n")
        if options.parts != ["rows"]:
            bench.small()
            bench.large()
        if "throughput" in options.parts:
            bench.throughput()
        if "proxies" in options.parts:
            bench.proxies()
        if "flood" in options.parts:
            bench.flood()
        if "guesses" in options.parts:
            bench.guesses()
        if "compile" in options.parts:
            bench.compile()
        if "rows" in options.parts:
            bench.rows()
        if "shared" in options.parts:
            bench.shared()
        print(f"\nload average {os.getloadavg()[0]:.2f} at the end, {time.monotonic() - bench.begun:.0f} s")
        if options.json:
            options.json.write_text(json.dumps(bench.figures, indent=1))


def arguments():
    parser = argparse.ArgumentParser(prog="bench/run", description=__doc__)
    parser.add_argument("release", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2, help="how long each server is measured in each round")
    parser.add_argument("--parts", nargs="+", default=["throughput", "peers", "proxies", "flood", "guesses", "compile", "shared"],
                        metavar="PART", help="of: throughput peers proxies flood guesses compile shared rows")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


class Bench:
    def __init__(self, options, folder, programs):
        self.options, self.folder, self.programs = options, folder, programs
        self.authd, self.tool = options.release / "authd", options.release / "bench"
        self.data, self.figures, self.begun = folder / "data", {}, time.monotonic()

    def say(self, name, value, unit, note=""):
        """One figure; of several, their least, middle and greatest."""
        self.figures[name] = value
        text = spread(value) if isinstance(value, list) else f"{value:.1f}"
        print(f"  {name:<58} {text:>22} {unit} {note}")

    def serve(self, arguments):
        program = Authd(self.authd, [*arguments, "--data", self.data], self.folder)
        self.programs.callback(program.end)
        return program

    def small(self):
        """Without keys: start, memory, and how soon a changed file is enforced."""
        print(f"{POLICIES} policies, no keys")
        resources = inputs.write_folder(self.folder / "resources", POLICIES)
        first = self.serve(["--resources", resources])
        self.say("first start to ready (hashes the admin's password)", first.ready * 1000, "ms")
        first.end()
        starts = []
        for _ in range(self.options.rounds):
            authd = self.serve(["--resources", resources])
            starts.append(authd.ready * 1000)
            authd.end()
        self.say("start to ready", starts, "ms")
        authd = self.serve(["--resources", resources])
        self.say("resident memory, idle", authd.resident()[0], "MiB")
        self.say("file change to enforcement", self.changes(authd, resources), "ms")
        authd.end()

    def changes(self, authd, resources):
        changed, took = resources / "000000.yaml", []
        open_to_all = {**FORWARD, "X-Forwarded-Host": "new.bench.example", "X-Forwarded-Uri": "/public"}
        before = changed.read_text()
        for number in range(self.options.rounds):
            wanted = 200 if number % 2 == 0 else 403
            text = before.replace("app-9.bench.example", "new.bench.example") if wanted == 200 else before
            changed.write_text(text)
            begun = time.monotonic()
            until(lambda: ask(authd.urls["verify"] + "/verify/forward", open_to_all)[0] == wanted, "the change")
            took.append((time.monotonic() - begun) * 1000)
        changed.write_text(before)
        return took

    def large(self):
        print(f"\n{POLICIES} policies, {KEYS:,} keys, {REVOKED:,} revoked tokens")
        plain, full = self.folder / "plain.json", self.folder / "full.json"
        resources = self.folder / "resources"
        subprocess.run([self.authd, "compile", "--resources", resources, "--snapshot", plain], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([self.tool, "keys", plain, full, str(KEYS)], check=True)
        inputs.fill_store(self.data, REVOKED, ACCOUNTS)
        self.server = self.serve(["--snapshot", full])
        self.say("start to ready", self.server.ready * 1000, "ms")
        self.say("resident memory, idle", self.server.resident()[0], "MiB")
        self.say("resident memory, highest while starting", self.server.resident()[1], "MiB")
        self.tokens = [self.sign_in(inputs.EMAIL) for _ in range(SESSIONS)]

    def sign_in(self, email):
        status, _, body = ask(self.server.urls["public"] + "/api/v1/auths/signin", body={"email": email, "password": inputs.PASSWORD})
        assert status == 200, (status, body)
        return json.loads(body)["token"]

    def throughput(self):
        """authd, and others, each between two measurements of a bare server that answers the same."""
        cookies = [f"Cookie: theme=dark; token={token}" for token in self.tokens]
        bearers = [f"Authorization: Bearer {token}" for token in self.tokens]
        keys = [f"Authorization: Bearer {inputs.key(number)}" for number in range(KEYS_IN_USE)]
        verify = self.server.urls["verify"] + "/verify/forward"
        for lines in (cookies, bearers, keys):
            name, value = lines[0].split(": ", 1)
            status, headers, body = ask(verify, {**FORWARD, name: value})
            assert status == 200, (status, body)
            assert ask(verify, {**FORWARD, name: value, "X-Forwarded-Uri": "/elsewhere"})[0] == 403, "authd lets too much in"
        status, headers, _ = ask(verify, {**FORWARD, "Authorization": f"Bearer {self.tokens[0]}"})
        answer = told(headers)
        bare, bare_port = self.bare(answer)
        same = lambda found: sorted(name.lower() for name in found)
        assert same(ask(f"http://127.0.0.1:{bare_port}/verify/forward")[1]) == same(headers), "the bare server answers something else"

        port = self.server.port
        rows = [("authd, cookie", self.server, port, cookies), ("authd, bearer token", self.server, port, bearers),
                ("authd, API key", self.server, port, keys)]
        if "peers" in self.options.parts:
            rows += self.peers(answer)
        results = {name: [] for name, *_ in rows}
        bases = []
        for _ in range(self.options.rounds):
            for name, server, port, lines in rows:
                before = self.wrk(bare, bare_port, lines, self.options.seconds / 2)
                result = self.wrk(server, port, lines, self.options.seconds)
                after = self.wrk(bare, bare_port, lines, self.options.seconds / 2)
                base = {key: (before[key] + after[key]) / 2 for key in before}
                bases += [before, after]
                results[name].append((result, base))
        self.table(results, bases)
        self.say("\n  resident memory of authd after all this", self.server.resident()[0], "MiB")

    def peers(self, answer):
        envoys = Programs()
        self.programs.enter_context(envoys)
        listeners, envoy = peers.start_envoy(envoys, self.folder, answer)
        bearer = lambda tokens: [f"Authorization: Bearer {token}" for token in tokens]
        rows = [(name, envoy, port, bearer(tokens)) for name, port, tokens in listeners]
        port, tokens, uvicorn = peers.start_fastapi(envoys, self.folder)
        return [*rows, ("FastAPI + PyJWT + SQLite + Redis", uvicorn, port, bearer(tokens))]

    def bare(self, answer):
        port = free_port()
        bare = self.programs.start([self.tool, "bare", f"127.0.0.1:{port}", json.dumps(answer)])
        until(lambda: ask(f"http://127.0.0.1:{port}/verify/forward")[0] == 200, "the bare server")
        return bare, port

    def bare_grpc(self, answer):
        """An authorizer over gRPC that says yes to everything: its port."""
        port = free_port()
        named = {name: value for name, value in answer.items() if name != "cache-control"}
        self.programs.start([self.tool, "bare-grpc", f"127.0.0.1:{port}", json.dumps(named)])
        until(lambda: socket.create_connection(("127.0.0.1", port)).close() is None, "the bare authorizer")
        return port

    def proxies(self):
        """Through each proxy: what does asking cost, and what does authd's answer cost beyond any other?"""
        print(f"\nGET through a proxy to a bare server, 64 connections, {self.options.rounds} rounds; proxy, authorizer and application"
              " on one core")
        lines = [f"Cookie: theme=dark; token={token}" for token in self.tokens]
        verify = {**FORWARD, "Authorization": f"Bearer {self.tokens[0]}"}
        _, headers, _ = ask(self.server.urls["verify"] + "/verify/forward", verify)
        answer = told(headers)
        _, application = self.bare(answer)
        _, bare = self.bare(answer)
        ours = [int(self.server.urls[name].rsplit(":", 1)[1]) for name in ("verify", "grpc")]
        authorizers = dict(zip(proxies.ASKED[1:], ([bare, self.bare_grpc(answer)], ours)))
        results = {}
        with Programs() as programs:
            started = proxies.start(programs, self.folder, application, authorizers, self.tokens)
            for _ in range(self.options.rounds):
                for name, asked, port, program in started:
                    os.environ.update(BENCH_HOST=inputs.HOST, BENCH_PATH="/api/items")
                    result = self.wrk(program, port, lines, self.options.seconds)
                    results.setdefault((name, asked), []).append(result)
        for name in ("BENCH_HOST", "BENCH_PATH"):
            del os.environ[name]
        print(f"  {'':<10}{'throughput: authd to always-yes':>34}{'to no check':>18}{'p99: authd to always-yes':>28}{'to no check':>18}{'req/s':>9}{'p99 us':>8}")
        for name in dict.fromkeys(name for name, _ in results):
            nobody, trivial, authd = (results[name, asked] for asked in proxies.ASKED)
            ratio = lambda key, base: [one[key] / other[key] for one, other in zip(authd, base)]
            row = {"rps": ratio("rps", trivial), "rps, no check": ratio("rps", nobody), "p99": ratio("p99", trivial), "p99, no check": ratio("p99", nobody)}
            self.figures[f"{name} asking authd"] = row
            middle = lambda key: statistics.median(one[key] for one in authd)
            print(f"  {name:<10}{spread(row['rps']):>34}{spread(row['rps, no check']):>18}{spread(row['p99']):>28}{spread(row['p99, no check']):>18}"
                  f"{middle('rps'):>9.0f}{middle('p99'):>8.0f}")

    def wrk(self, server, port, lines, seconds):
        headers = self.folder / "headers"
        headers.write_text("\n".join(lines) + "\n")
        cpu = server.cpu()
        done = subprocess.run(
            ["taskset", "-c", LOAD_CORE, "wrk", "-t1", "-c64", f"-d{max(1, round(seconds))}", "-s", HERE / "wrk.lua",
             f"http://127.0.0.1:{port}"],
            env={**os.environ, "BENCH_HEADERS": str(headers)}, check=True, capture_output=True, text=True)
        found = json.loads(done.stdout.splitlines()[-1])
        assert found["bad"] == 0, done.stdout
        return {"rps": found["requests"] / found["seconds"], "p50": found["p50"], "p99": found["p99"],
                "cpu": (server.cpu() - cpu) / found["requests"] * 1e6}

    def table(self, results, bases):
        print(f"\nGET /verify/forward, 64 connections, {self.options.rounds} rounds; each ratio is to a bare axum server on the same"
              " core,\nmeasured before and after; least/middle/greatest")
        head = f"  {'':<34}{'throughput ratio':>17}{'p50 ratio':>17}{'p99 ratio':>17}{'CPU ratio':>17}{'req/s':>9}{'p50 us':>8}{'p99 us':>8}{'CPU us':>8}"
        print(head)
        middle = lambda rows, key: statistics.median(row[key] for row in rows)
        absolute = lambda rows: f"{middle(rows, 'rps'):>9.0f}{middle(rows, 'p50'):>8.0f}{middle(rows, 'p99'):>8.0f}{middle(rows, 'cpu'):>8.1f}"
        print(f"  {'bare axum':<34}{'1':>17}{'1':>17}{'1':>17}{'1':>17}{absolute(bases)}")
        for name, pairs in results.items():
            ratios = {key: [result[key] / base[key] for result, base in pairs] for key in ("rps", "p50", "p99", "cpu")}
            self.figures[name] = ratios
            print(f"  {name:<34}" + "".join(f"{spread(ratio):>17}" for ratio in ratios.values()) + absolute([pair[0] for pair in pairs]))

    def flood(self):
        """Does signing in disturb the checks? At a fixed rate, idle and beside 32 people who sign in without a pause."""
        print(f"\n/verify/forward at 2000 a second, open loop, and {ACCOUNTS} sign-ins at a time beside it")
        lines = [f"{name}: {value}" for name, value in FORWARD.items()] + [f"Authorization: Bearer {self.tokens[0]}"]
        request = "GET /verify/forward HTTP/1.1\nHost: authd\n" + "\n".join(lines) + "\n\n"
        load = ["taskset", "-c", LOAD_CORE, self.tool, "load", f"127.0.0.1:{self.server.port}", request, "--seconds", "4"]
        measure = lambda: json.loads(subprocess.run(load, check=True, capture_output=True, text=True).stdout)
        idle, flooded, signed_in = [], [], []
        for _ in range(max(3, self.options.rounds // 2)):
            idle.append(measure())
            stop, count = threading.Event(), []
            people = [threading.Thread(target=self.keep_signing_in, args=(inputs.account(number), stop, count)) for number in range(ACCOUNTS)]
            for person in people:
                person.start()
            time.sleep(0.5)
            begun = len(count)
            flooded.append(measure())
            signed_in.append((len(count) - begun) / 4)
            stop.set()
            for person in people:
                person.join()
        for key in ("p50_us", "p99_us", "p999_us"):
            self.say(f"idle {key[:-3]}", [float(one[key]) for one in idle], "us")
            self.say(f"during sign-ins {key[:-3]}", [float(one[key]) for one in flooded], "us")
        self.say("p99 during sign-ins / idle p99", [two["p99_us"] / one["p99_us"] for one, two in zip(idle, flooded)], "x")
        self.say("sign-ins", signed_in, "a second")

    def keep_signing_in(self, email, stop, count):
        while not stop.is_set():
            self.sign_in(email)
            count.append(email)

    def guesses(self):
        """Does it take another time to be refused where there is no such account? One after the other, in another order each time."""
        print("\nfailed sign-ins, interleaved, bcrypt at cost 10: medians of batches, divided by those of a wrong password")
        resources = inputs.write_folder(self.folder / "guesses", 1)
        instance = resources / "instance.yaml"
        instance.write_text(instance.read_text().replace("  cookie:", "  passwords: {bcryptCost: 10}\n  cookie:", 1))
        server = Authd(self.authd, ["--resources", resources, "--data", self.folder / "guesses-data"], self.folder)
        self.programs.callback(server.end)
        post = lambda path, body, headers=None: ask(server.urls["public"] + path, headers, body)
        sign_in = lambda email, password: post("/api/v1/auths/signin", {"email": email, "password": password})
        admin = {"Authorization": "Bearer " + json.loads(sign_in(inputs.EMAIL, inputs.PASSWORD)[2])["token"]}
        for name in ("ann", "dan"):
            account = {"name": name, "email": f"{name}@bench.example", "password": inputs.PASSWORD, "role": "user"}
            status, _, made = post("/api/v1/auths/add", account, admin)
            assert status == 200, made
        assert post(f"/api/v1/users/{json.loads(made)['id']}/update", {"disabled": True}, admin)[0] == 200
        kinds = {"wrong password": "ann", "unknown account": "nobody", "disabled account": "dan", "no address": "no address"}
        ratios = {kind: [] for kind in kinds}
        for _ in range(self.options.rounds):
            took = {kind: [] for kind in kinds}
            for _ in range(40):
                for kind in random.sample(list(kinds), len(kinds)):
                    begun = time.perf_counter()
                    status = sign_in(f"{kinds[kind]}@bench.example", "not the right one")[0]
                    took[kind].append(time.perf_counter() - begun)
                    assert status == 400, (kind, status)
            base = statistics.median(took["wrong password"])
            for kind in kinds:
                ratios[kind].append(statistics.median(took[kind]) / base)
        for kind, found in list(ratios.items())[1:]:
            self.say(f"{kind} / wrong password", found, "x")
        server.end()

    def rows(self):
        """Sign-ins, checks and starts with very many rows in PostgreSQL, divided by the same with few."""
        found = json.loads(subprocess.run([self.tool, "rows"], check=True, capture_output=True, text=True).stdout)
        print(f"\nPostgreSQL with {found['many']:,} people, sessions and revocations, divided by the same with {found['few']:,}")
        for name, ratio in found["many_by_few"].items():
            self.say(name.replace("_", " "), ratio, "x")
        for size in ("with_few", "with_many"):
            self.figures[f"rows {size}"] = found[size]
        before, after = (found[size]["resident_mib"] for size in ("with_few", "with_many"))
        self.say("resident memory for the revocations", after - before, "MiB")

    def compile(self):
        policies, keys = 1000, 4497
        documents = 6 + policies + 2 * keys
        print(f"\nauthd check of {documents:,} documents: {policies} policies, {keys} keys, their Secrets")
        folder = inputs.write_folder(self.folder / "many", policies, keys)
        took = []
        for _ in range(3):
            begun = time.monotonic()
            subprocess.run([self.authd, "check", folder], check=True, stdout=subprocess.DEVNULL)
            took.append((time.monotonic() - begun) * 1000)
        self.say("time", took, "ms")

    def shared(self):
        """Replicas: a check with PostgreSQL and Redis attached beside one without, and how soon a revocation is with the other."""
        print("\nreplicas that share PostgreSQL and Redis: /verify beside an authd by itself, in turn on the same core; then revocations")
        replicas = shared.Replicas(self.programs, self.authd, self.tool, self.folder)
        servers = {"by itself": replicas.single, "attached": replicas.with_redis[0]}
        lines = {name: [f"Authorization: Bearer {shared.sign_in(server)}"] for name, server in servers.items()}
        measure = lambda name: self.wrk(servers[name], servers[name].port, lines[name], self.options.seconds)
        found = {name: [] for name in servers}
        for number in range(2 * self.options.rounds):
            for name in sorted(servers, reverse=number % 2 == 1):
                found[name].append(measure(name))
        for key in ("rps", "p50", "p99", "cpu"):
            ratios = [attached[key] / alone[key] for attached, alone in zip(found["attached"], found["by itself"])]
            self.say(f"attached / by itself, {key}", ratios, "x")
        for name, pair in (("with Redis", replicas.with_redis), ("without Redis", replicas.without)):
            took = shared.spread(pair, FORWARD, 20 * self.options.rounds)
            self.say(f"revocation with the other replica, {name}", took, "ms", f"p99 {took[len(took) * 99 // 100]:.1f}")


def spread(values):
    places = 0 if statistics.median(values) >= 100 else 2
    return "/".join(f"{value:.{places}f}" for value in (min(values), statistics.median(values), max(values)))


if __name__ == "__main__":
    sys.exit(main())
