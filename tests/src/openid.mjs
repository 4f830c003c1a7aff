// A certified OpenID provider (panva's oidc-provider) on a free port of loopback. Its one argument says what it knows:
// { modules, name, users, clients, initialAccessToken, lifetimes, tls }. The first line that it writes is { issuer }.
// Below /_control a story changes users, keys and luck; see openid.rs for the words.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import dns from 'node:dns';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const story = JSON.parse(process.argv[2]);
const part = (path) => import(pathToFileURL(join(story.modules, 'node_modules/oidc-provider/lib', path)));
const [{ Provider }, { createMemoryAdapter }] = await Promise.all([part('index.js'), part('adapters/memory_adapter.js')]);

const users = new Map(Object.entries(story.users));
const fault = { path: null, status: 0, delay: 0, left: 0 };
const seen = [];
const refused = [];
const registered = new Set();
const adapter = createMemoryAdapter();
const cookieKeys = [randomBytes(16).toString('hex')];
const refreshes = (client) => client.grantTypeAllowed('refresh_token');

// Names below `localhost` are this machine, as RFC 6761 says and resolvers need not know.
const { lookup } = dns;
dns.lookup = (name, ...rest) => lookup(name.endsWith('.localhost') ? '127.0.0.1' : name, ...rest);

const signingKey = (alg) => {
  const { privateKey } = alg === 'RS256'
    ? generateKeyPairSync('rsa', { modulusLength: 2048 })
    : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { ...privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: randomBytes(6).toString('hex') };
};

const server = story.tls ? createSecureServer(story.tls) : createServer();
await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
const { port } = server.address();
const issuer = `${story.tls ? 'https' : 'http'}://127.0.0.1:${port}`;

const configuration = (keys) => ({
  adapter,
  jwks: { keys },
  clients: story.clients,
  // Its guard against special addresses is left out: every peer of a test is on loopback.
  fetch: (url, { dispatcher, ...options } = {}) => fetch(url, options),
  findAccount: (_, id) => users.has(id) ? { accountId: id, claims: () => ({ sub: id, ...users.get(id) }) } : undefined,
  claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'], groups: ['groups', 'roles'] },
  conformIdTokenClaims: false,
  scopes: ['openid', 'offline_access', 'profile', 'email', 'groups'],
  acrValues: ['phr'],
  pkce: { required: () => true },
  rotateRefreshToken: true,
  issueRefreshToken: (_, client) => refreshes(client),
  ttl: { AccessToken: 300, AuthorizationCode: 60, ClientCredentials: 300, Grant: 86400, IdToken: 300, Interaction: 600, RefreshToken: 3600, Session: 86400, ...story.lifetimes },
  // Cookies know no ports, and several providers share the address.
  cookies: { keys: cookieKeys, names: { session: `session_${port}`, interaction: `interaction_${port}`, resume: `resume_${port}` } },
  features: {
    devInteractions: { enabled: false },
    registration: { enabled: true, initialAccessToken: story.initialAccessToken ?? false },
    registrationManagement: { enabled: true },
    revocation: { enabled: true },
    introspection: { enabled: true },
    clientCredentials: { enabled: true },
    backchannelLogout: { enabled: true },
    rpInitiatedLogout: {
      enabled: true,
      logoutSource: (ctx, form) => { ctx.body = page('Sign out', `${form}<button form="op.logoutForm" name="logout" value="yes">Sign out</button>`); },
      postLogoutSuccessSource: (ctx) => { ctx.body = page('Signed out', ''); },
    },
  },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  // No page of consent: every scope that is asked for is granted.
  async loadExistingGrant({ oidc: { client, session, params } }) {
    const { Grant } = provider;
    const id = session.grantIdFor(client.clientId);
    const grant = (id && await Grant.find(id)) || new Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope(params.scope ?? 'openid');
    await grant.save();
    return grant;
  },
  renderError: (ctx, out) => { ctx.type = 'json'; ctx.body = out; },
});

const page = (title, body) => `<!doctype html><html lang="en"><title>${title}</title><h1>${title} at ${story.name}</h1>${body}`;
const form = '<form method="post"><label>User <input name="user"></label><button>Sign in</button><button name="deny" value="yes">Deny</button></form>';

let keys = [signingKey('RS256'), signingKey('ES256')];
let provider;
let answer;
// A provider cannot change its keys: a new one takes over what the last one remembers.
const serve = () => {
  provider = new Provider(issuer, configuration(keys));
  provider.on('server_error', (_, error) => console.error('server_error', error));
  provider.on('grant.error', (_, error) => refused.push(error.message));
  provider.on('backchannel.error', (_, error) => console.error('backchannel.error', error.message));
  provider.on('registration_create.success', (_, client) => registered.add(client.clientId));
  answer = provider.callback();
};
serve();

const text = async (request) => Buffer.concat(await request.toArray()).toString();

// People prove as much as is asked of them.
const asked = (details, acr) => details.params.acr_values?.split(' ').includes(acr) ? acr : undefined;

const interaction = async (request, response) => {
  const details = await provider.interactionDetails(request, response);
  const posted = request.method === 'POST' ? new URLSearchParams(await text(request)) : new URLSearchParams();
  const user = posted.get('user') ?? details.params.login_hint;
  const result = posted.has('deny')
    ? { error: 'access_denied' }
    : users.has(user) && { login: { accountId: user, acr: asked(details, 'phr'), amr: ['pwd'], remember: true }, consent: {} };
  if (result) return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  response.setHeader('content-type', 'text/html');
  return response.end(page('Sign in', form));
};

const control = {
  'PUT users': async (name, body) => users.set(name, { ...users.get(name), ...body }),
  'DELETE users': async (name) => users.delete(name),
  'PUT fault': async (_, body) => Object.assign(fault, body),
  'POST rotate': async () => { keys = [signingKey('RS256'), signingKey('ES256')]; serve(); },
  'DELETE clients': async () => {
    for (const id of registered) await provider.Client.adapter.destroy(id);
    registered.clear();
  },
  'GET seen': async () => seen,
  'GET refused': async () => refused,
};

server.on('request', async (request, response) => {
  const { pathname } = new URL(request.url, issuer);
  try {
    if (pathname.startsWith('/_control/')) {
      const [, , verb, name] = pathname.split('/');
      const result = await control[`${request.method} ${verb}`](name, JSON.parse(await text(request) || 'null'));
      return response.end(JSON.stringify(result instanceof Array ? result : {}));
    }
    seen.push(`${request.method} ${pathname}`);
    if (fault.left > 0 && pathname === fault.path) {
      fault.left -= 1;
      await new Promise((resolve) => { setTimeout(resolve, fault.delay); });
      if (fault.status) return response.writeHead(fault.status).end('out of luck');
    }
    return await (pathname.startsWith('/interaction/') ? interaction(request, response) : answer(request, response));
  } catch (error) {
    console.error(error);
    return response.writeHead(500).end(String(error));
  }
});
console.log(JSON.stringify({ issuer }));
