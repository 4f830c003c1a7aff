"""A check as the seed makes it: PyJWT, a look into Redis for a revocation, and the account read from SQLite, each time."""

import os
import sqlite3

import jwt
import redis.asyncio
from fastapi import Depends, FastAPI, HTTPException, Request, Response

app = FastAPI()
secret = os.environ["BENCH_SECRET"]
revoked = redis.asyncio.Redis(port=int(os.environ["BENCH_REDIS"]))
store = sqlite3.connect(os.environ["BENCH_DB"], check_same_thread=False)
store.execute("CREATE TABLE IF NOT EXISTS user (id TEXT PRIMARY KEY, name TEXT, email TEXT, role TEXT)")
store.executemany(
    "INSERT OR REPLACE INTO user VALUES (?, ?, ?, 'user')",
    [(f"user-{number}", f"Person {number}", f"person-{number}@bench.example") for number in range(10_000)])
store.commit()


async def caller(request: Request):
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    try:
        claims = jwt.decode(token, secret, algorithms=["HS256"], options={"verify_aud": False})
    except jwt.InvalidTokenError as error:
        raise HTTPException(401) from error
    if await revoked.get(f"open-webui:auth:token:{claims['jti']}:revoked"):
        raise HTTPException(401)
    row = store.execute("SELECT id, name, email, role FROM user WHERE id = ?", (claims["id"],)).fetchone()
    if row is None or row[3] not in ("user", "admin"):
        raise HTTPException(401)
    return row


@app.get("/verify/forward")
async def verify(row=Depends(caller)):
    user, name, email, role = row
    return Response(headers={
        "Cache-Control": "no-store", "X-Auth-User": user, "X-Auth-Email": email, "X-Auth-Name": name, "X-Auth-Roles": role,
        "X-Auth-Groups": "", "X-Auth-Provider": "password"})
