"""Who is calling, as authd signed it: verify.py KEYS ISSUER METHOD URL, with the assertion on standard input."""

import json
import sys
from urllib.parse import urlsplit

import jwt


def verify(assertion, keys, issuer, method, url):
    header = jwt.get_unverified_header(assertion)
    # The type keeps a session's token, which the same key signs, from passing for an assertion.
    if header.get("typ") != "authd-assertion+jwt":
        raise jwt.InvalidTokenError("not an assertion")
    key = next((key for key in keys.keys if key.key_id == header.get("kid")), None)
    if key is None:
        raise jwt.InvalidTokenError("unknown key: fetch the keys again, at most every minute")
    claims = jwt.decode(
        assertion,
        key,
        algorithms=["EdDSA"],  # never what the header says
        issuer=issuer,
        audience=urlsplit(url).hostname,
        leeway=5,  # seconds that two clocks may differ
        options={"require": ["iss", "aud", "sub", "exp", "iat", "jti", "htm", "htu"]},
    )
    if (claims["htm"], claims["htu"]) != (method, url.split("?")[0]):
        raise jwt.InvalidTokenError("made for another request")
    return claims


if __name__ == "__main__":
    path, issuer, method, url = sys.argv[1:]
    with open(path) as file:
        keys = jwt.PyJWKSet.from_dict(json.load(file))
    try:
        print(json.dumps(verify(sys.stdin.read().strip(), keys, issuer, method, url)))
    except jwt.InvalidTokenError as error:
        sys.exit(f"refused: {error}")
