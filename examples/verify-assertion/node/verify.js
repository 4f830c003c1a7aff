// Who is calling, as authd signed it: node verify.js KEYS ISSUER METHOD URL, with the assertion on standard input.

import { readFileSync } from "node:fs";
import { createLocalJWKSet, errors, jwtVerify } from "jose";

async function verify(assertion, keys, issuer, method, url) {
  const { payload } = await jwtVerify(assertion, keys, {
    typ: "authd-assertion+jwt", // keeps a session's token, which the same key signs, from passing for an assertion
    algorithms: ["EdDSA"], // never what the header says
    issuer,
    audience: new URL(url).hostname,
    clockTolerance: 5, // seconds that two clocks may differ
    requiredClaims: ["sub", "exp", "iat", "jti", "htm", "htu"],
  });
  if (payload.htm !== method || payload.htu !== url.split("?")[0]) {
    throw new errors.JWTClaimValidationFailed("made for another request", payload, "htu", "check_failed");
  }
  return payload;
}

const [path, issuer, method, url] = process.argv.slice(2);
// With `createRemoteJWKSet(new URL(issuer + "/.well-known/jwks.json"))` jose fetches the keys by itself.
const keys = createLocalJWKSet(JSON.parse(readFileSync(path, "utf8")));
try {
  const assertion = readFileSync(0, "utf8").trim();
  console.log(JSON.stringify(await verify(assertion, keys, issuer, method, url)));
} catch (error) {
  if (!(error instanceof errors.JOSEError)) throw error;
  console.error(`refused: ${error.message}`);
  process.exit(1);
}
