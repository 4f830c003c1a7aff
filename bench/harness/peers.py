"""Other ways to make the same check: Envoy's own filter, and a stack as the seed has."""

import base64
import json
import secrets
import sys
import time
import uuid
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from processes import free_port, until, ask

ISSUER = "https://auth.bench.example"


def tokens(key, algorithm, subjects):
    """Session tokens with the claims that authd's have."""
    now = int(time.time())
    return [
        jwt.encode(
            {"iss": ISSUER, "aud": ISSUER, "sub": subject, "id": subject, "jti": str(uuid.uuid4()), "sid": str(uuid.uuid4()),
             "iat": now, "exp": now + 12 * 3600}, key, algorithm=algorithm, headers={"kid": "bench"})
        for subject in subjects]


def base64url(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def start_envoy(programs, folder, answer):
    """Envoy with one listener that checks EdDSA and one that checks HS256: ([(name, port, tokens)], program)."""
    secret, private = secrets.token_bytes(32), Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    subjects = [str(uuid.uuid4()) for _ in range(8)]
    kinds = [
        ("EdDSA", private, {"kty": "OKP", "crv": "Ed25519", "x": base64url(public)}),
        ("HS256", secret, {"kty": "oct", "k": base64url(secret)}),
    ]
    listeners, found = [], []
    for algorithm, key, jwk in kinds:
        port = free_port()
        jwks = json.dumps({"keys": [{**jwk, "alg": algorithm, "use": "sig", "kid": "bench"}]})
        listeners.append(listener(port, jwks, answer))
        found.append((f"Envoy jwt_authn {algorithm}", port, tokens(key, algorithm, subjects)))
    config = folder / "envoy.json"
    config.write_text(json.dumps({"static_resources": {"listeners": listeners}}))
    envoy = programs.start([Path(sys.executable).with_name("envoy"), "-c", config, "--concurrency", "1", "--disable-hot-restart", "-l", "error"], log=folder / "envoy.log")
    for name, port, shown in found:
        url = f"http://127.0.0.1:{port}/verify/forward"
        until(lambda: ask(url, {"Authorization": f"Bearer {shown[0]}"})[0] == 200, name)
        assert ask(url)[0] == 401, "Envoy lets a stranger in"
    return found, envoy


def listener(port, jwks, answer):
    provider = {"issuer": ISSUER, "audiences": [ISSUER], "local_jwks": {"inline_string": jwks}}
    jwt_authn = {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
        "providers": {"authd": provider},
        "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "authd"}}],
    }
    router = {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}
    headers = [{"header": {"key": name, "value": value}, "keep_empty_value": True} for name, value in answer.items()]
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "http_filters": [{"name": "jwt", "typed_config": jwt_authn}, {"name": "router", "typed_config": router}],
        "route_config": {"virtual_hosts": [{
            "name": "all", "domains": ["*"],
            "routes": [{"match": {"prefix": "/"}, "direct_response": {"status": 200}, "response_headers_to_add": headers}]}]},
    }
    return {
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }


def start_fastapi(programs, folder):
    """FastAPI on one uvicorn worker, with SQLite and a Redis of its own: (port, tokens, program)."""
    port, redis_port, secret = free_port(), free_port(), secrets.token_hex(32)
    programs.start(["redis-server", "--port", redis_port, "--bind", "127.0.0.1", "--save", "", "--dir", folder])
    env = {"BENCH_SECRET": secret, "BENCH_REDIS": str(redis_port), "BENCH_DB": str(folder / "seed.db")}
    uvicorn = programs.start(
        [sys.executable, "-m", "uvicorn", "--app-dir", Path(__file__).parent, "seed_like:app", "--port", port, "--log-level", "error", "--no-access-log"],
        env=env, log=folder / "fastapi.log")
    url = f"http://127.0.0.1:{port}/verify/forward"
    subjects = [f"user-{number}" for number in range(8)]
    shown = tokens(secret, "HS256", subjects)
    until(lambda: ask(url, {"Authorization": f"Bearer {shown[0]}"})[0] == 200, "FastAPI")
    assert ask(url)[0] == 401, "FastAPI lets a stranger in"
    return port, shown, uvicorn
