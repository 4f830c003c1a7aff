"""The proxies of the examples: without a check, with one that is always answered 200, and with authd."""

import os
import re
import shutil
import sys
from pathlib import Path

from processes import ask, free_port, until

EXAMPLES = Path(__file__).parents[2] / "examples"
HOST, POLICY = "app-7.bench.example", "bench/app-7"


class Proxy:
    """How one is started with a folder of its files, and which of their texts turn the check off."""

    def __init__(self, name, files, command, unchecked):
        self.name, self.files, self.command, self.unchecked = name, files, command, unchecked

    def start(self, programs, folder, ports, checked=True):
        """In front of what listens at `ports`, which are those of the examples: its port and the program."""
        folder.mkdir()
        front = free_port()
        ports = {**ports, "8000": front}
        for file in self.files:
            text = (EXAMPLES / file).read_text()
            if not checked and file == self.files[-1]:
                for begin, end, instead in self.unchecked:
                    text, count = re.subn(re.escape(begin) + ".*?" + re.escape(end), instead, text, count=1, flags=re.DOTALL)
                    assert count == 1, (self.name, begin)
            text = text.replace("app.demo.localhost", HOST).replace("demo.localhost", "bench.example")
            text = text.replace("policy: demo/app", f"policy: {POLICY}")
            text = re.sub(r"\b(8000|8080|8081|8082|8090)\b", lambda known: str(ports[known[1]]), text)
            (folder / Path(file).name).write_text(text)
        program = programs.start(self.command, log=folder / "log", cwd=folder, env={"HOME": str(folder)})
        return front, program


def fetched(name):
    return Path(sys.executable).with_name(name)


PROXIES = [
    Proxy("nginx", ["quickstart/nginx.conf"], ["nginx", "-p", ".", "-c", "nginx.conf", "-e", "stderr"],
          [("auth_request /_authd/verify;", "\n", "\n")]),
    Proxy("HAProxy", ["proxies/haproxy/authd.lua", "proxies/haproxy/haproxy.cfg"], ["haproxy", "-f", "haproxy.cfg", "-db"],
          [("http-request lua.authd", "\n", "\n")]),
    Proxy("Caddy", ["proxies/Caddyfile"], [fetched("caddy"), "run", "--config", "Caddyfile", "--adapter", "caddyfile"],
          [("forward_auth 127", "keepalive 60s\n\t\t\t}\n\t\t}\n", "\n")]),
    Proxy("Traefik", ["proxies/traefik/traefik.yaml", "proxies/traefik/dynamic.yaml"], [fetched("traefik"), "--configFile=traefik.yaml"],
          [("middlewares: [strip, authd]", "\n", "middlewares: [strip]\n")]),
    Proxy("Envoy", ["proxies/envoy.yaml"],
          [fetched("envoy"), "-c", "envoy.yaml", "--concurrency", "1", "--disable-hot-restart", "-l", "error"],
          [("          - name: envoy.filters.http.ext_authz\n", "          - name: envoy.filters.http.router",
            "          - name: envoy.filters.http.router"),
           ("              typed_per_filter_config:\n", "disabled: true\n", "")]),
    # The same check in the same words, over gRPC.
    Proxy("Envoy gRPC", ["proxies/envoy-grpc.yaml"],
          [fetched("envoy"), "-c", "envoy-grpc.yaml", "--concurrency", "1", "--disable-hot-restart", "-l", "error"],
          [("          - name: envoy.filters.http.ext_authz\n", "          - name: envoy.filters.http.router",
            "          - name: envoy.filters.http.router"),
           ("              typed_per_filter_config:\n", "disabled: true\n", ""),
           ("              typed_per_filter_config:\n", "policy: demo/app}}\n", "")]),
]


ASKED = ("nobody", "an authorizer that always says yes", "authd")


def start(programs, folder, application, authorizers, tokens):
    """[(proxy's name, what is asked, port, program)], each seen to let the right ones in. `authorizers` has the ports over HTTP and
    gRPC of each that is asked."""
    if not shutil.which("nginx"):
        os.environ["PATH"] += ":/usr/sbin"
    found = []
    for proxy in PROXIES:
        for asked in ASKED:
            http, grpc = authorizers.get(asked, (application, application))
            ports = {"8080": application, "8081": http, "8082": grpc, "8090": application}
            port, program = proxy.start(programs, folder / f"{proxy.name} {asked}", ports, checked=asked != "nobody")
            url, host = f"http://127.0.0.1:{port}/api/items", {"Host": HOST}
            signed_in = {**host, "Cookie": f"token={tokens[0]}"}
            until(lambda: ask(url, signed_in)[0] == 200, f"{proxy.name}, asking {asked}")
            stranger = ask(url, host)[0]
            assert stranger == (401 if asked == "authd" else 200), (proxy.name, asked, stranger)
            found.append((proxy.name, asked, port, program))
    return found
