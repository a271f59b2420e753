/**
 * Attacks on identity, by name, at a gateway of its own over TLS. Each has a twin that differs in the named property only and
 * passes: so it is that property which is refused, and not the request.
 */
import assert from 'node:assert/strict';
import { createHash, createHmac, randomBytes, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { calculateJwkThumbprint, CompactSign, exportSPKI, importJWK, SignJWT, type CryptoKey } from 'jose';
import {
  newKey,
  signed,
  startIssuer,
  type SigningKey,
  type TestIssuer,
} from '../src/components/identity/oauth/issuer.fixture.ts';
import { makeAuthority, type Pair } from './fixtures/certificates.ts';
import { startGateway, type Gateway } from './gateway.ts';

const BASE = 'https://gw.example.com';
const MCP = `${BASE}/mcp`;
const REVISION = '2026-07-28';

interface Call {
  readonly authorization?: string | readonly string[];
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly path?: string;
  /** The client certificate. */
  readonly as?: Pair;
}

interface Answer {
  readonly status: number;
  readonly challenge: string;
  readonly body: string;
}

let folder: string;
let gateway: Gateway;
let authority: string;
let mine: Pair;
let thiefs: Pair;
/** RFC 9068 tokens; one like Keycloak with tenants and introspection; one whose keys are fetched anew every time. */
let plain: TestIssuer;
let cloak: TestIssuer;
let turning: TestIssuer;
/** An authorization server of the attacker's. */
let evil: TestIssuer;
let rsa: SigningKey;
let thief: SigningKey;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'attacks-'));
  const ours = await makeAuthority(folder, 'ca');
  const [server, ...agents] = await Promise.all(['gateway', 'mine', 'thief'].map((name) => ours.issue(name)));
  [mine, thiefs] = agents as [Pair, Pair];
  authority = await readFile(ours.cert, 'utf8');
  [plain, cloak, turning, evil] = await Promise.all([
    startIssuer(),
    startIssuer('/realms/a'),
    startIssuer(),
    startIssuer(),
  ]);
  [rsa, thief] = await Promise.all([newKey('rsa', 'RS256'), newKey('one')]);
  plain.keys = [plain.key.published, rsa.published];
  const file = (path: string) => `\${file:${path}}`;
  const introspection = { client: 'gateway', secret: 'x', always: true, cache: '1ms' };
  gateway = await startGateway({
    url: BASE,
    tls: { cert: file(server!.cert), key: file(server!.key), clientCa: file(ours.cert) },
    identity: [
      { use: 'local' },
      {
        use: 'oauth',
        issuers: [
          { issuer: plain.url, lifetime: '1h' },
          { issuer: cloak.url, preset: 'keycloak', claims: { tenant: 'org' }, tenants: ['acme'], introspection },
        ],
        cache: '1ms',
      },
      { use: 'oauth', issuers: [{ issuer: turning.url }], keys: { refresh: '1ms', cooldown: '1ms' } },
    ],
  });
});

after(async () => {
  await gateway?.close();
  await Promise.all([plain, cloak, turning, evil].map((one) => one?.close()));
  await rm(folder, { recursive: true, force: true });
});

// ---- what is sent ----------------------------------------------------------------------------------------------

async function send({ authorization, headers = {}, path = '/mcp', as }: Call): Promise<Answer> {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': REVISION,
    'io.modelcontextprotocol/clientCapabilities': {},
    'io.modelcontextprotocol/clientInfo': { name: 'attacker', version: '0' },
  };
  const pair = as && { cert: await readFile(as.cert), key: await readFile(as.key) };
  const sent = request(`${gateway.url}${path}`, {
    method: 'POST',
    ca: authority,
    agent: false,
    ...pair,
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': REVISION,
      'mcp-method': 'tools/list',
      ...(authorization === undefined ? {} : { authorization: authorization as string }),
      ...(headers as Record<string, string>),
    },
  });
  sent.end(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta } }));
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  const body = await text(answer);
  return { status: answer.statusCode ?? 0, challenge: answer.headers['www-authenticate'] ?? '', body };
}

type Claims = Readonly<Record<string, unknown>>;

const now = (): number => Math.floor(Date.now() / 1000);

function claims(more: Claims = {}): Record<string, unknown> {
  const fresh = { iat: now(), exp: now() + 300, jti: randomBytes(9).toString('hex') };
  return { iss: plain.url, aud: MCP, sub: 'ada', client_id: 'editor', groups: ['owner'], ...fresh, ...more };
}

const cloaked = (more: Claims = {}) => claims({ iss: cloak.url, typ: 'Bearer', azp: 'editor', org: 'acme', ...more });

const bearer = (token: string): Call => ({ authorization: `Bearer ${token}` });
const own = async (more: Claims = {}, header: Claims = {}): Promise<Call> =>
  bearer(await plain.sign(claims(more), { header }));

/** Signed by the issuer that is like Keycloak, which knows it as active. */
async function ofCloak(more: Claims = {}, active: unknown = true): Promise<Call> {
  const token = await cloak.sign(cloaked(more), { header: { typ: 'JWT' } });
  cloak.known.set(token, { active });
  return bearer(token);
}

const part = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

const header = (more: Claims = {}) => ({ alg: 'ES256', kid: 'one', typ: 'at+jwt', ...more });

function hmac(secret: string, more: Claims = {}): string {
  const text_ = `${part(header({ alg: 'HS256', kid: 'rsa', ...more }))}.${part(claims())}`;
  return `${text_}.${createHmac('sha256', secret).update(text_).digest('base64url')}`;
}

/** The token with one of its three parts replaced. */
function changed(token: string, index: number, by: string): string {
  return token
    .split('.')
    .map((old, at) => (at === index ? by : old))
    .join('.');
}

// ---- proofs ----------------------------------------------------------------------------------------------------

const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('base64url');

interface Bound {
  readonly key: SigningKey;
  readonly token: string;
}

async function bound(): Promise<Bound> {
  const key = await newKey('mine');
  return { key, token: await plain.sign(claims({ cnf: { jkt: await calculateJwkThumbprint(key.published) } })) };
}

async function proof({ key, token }: Bound, more: Claims = {}, jwk?: object): Promise<string> {
  const { kty, crv, x, y } = key.published as Record<string, string>;
  const about = { htm: 'POST', htu: MCP, ath: sha256(token), iat: now(), jti: randomBytes(9).toString('hex'), ...more };
  return new SignJWT(about)
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: jwk ?? { kty, crv, x, y } } as never)
    .sign(key.secret);
}

const withProof = (token: string, dpop: string | readonly string[]): Call => ({
  authorization: `DPoP ${token}`,
  headers: { dpop },
});

async function provenBy(mine_: Bound, more: Claims = {}): Promise<Call> {
  return withProof(mine_.token, await proof(mine_, more));
}

// ---- the attacks -----------------------------------------------------------------------------------------------

type Make = () => Promise<Call> | Call;

function attack(name: string, wrong: Make, twin: Make, status = 401): void {
  test(name, async () => {
    const refused = await send(await wrong());
    assert.equal(refused.status, status, `the attack was answered: ${refused.body}`);
    if (status === 401) assert.match(refused.challenge, /^Bearer |^DPoP /);
    const passed = await send(await twin());
    assert.equal(passed.status, 200, `its twin was refused: ${passed.body}`);
    assert.match(passed.body, /"tools":\[\]/);
  });
}

describe('signatures', () => {
  attack(
    'alg none',
    () => bearer(`${part(header({ alg: 'none' }))}.${part(claims())}.`),
    () => own(),
  );
  attack(
    'alg NonE',
    async () => bearer(`${part(header({ alg: 'NonE' }))}.${part(claims())}.AA`),
    () => own(),
  );
  attack(
    'HS256 with the published key as the secret',
    async () => bearer(hmac(await exportSPKI((await importJWK({ ...rsa.published })) as CryptoKey))),
    async () => bearer(await signed(claims(), rsa)),
  );
  attack(
    'HS256 with the text of the key set as the secret',
    () => bearer(hmac(JSON.stringify(rsa.published))),
    async () => bearer(await signed(claims(), rsa)),
  );
  attack(
    'HS256 with an empty secret',
    () => bearer(hmac('')),
    async () => bearer(await signed(claims(), rsa)),
  );
  attack(
    'the signature left out',
    async () => bearer(changed(await plain.sign(claims()), 2, '')),
    () => own(),
  );
  attack(
    'claims changed after signing',
    async () => bearer(changed(await plain.sign(claims()), 1, part(claims({ sub: 'root' })))),
    () => own({ sub: 'root' }),
  );
  attack(
    'the header changed after signing',
    async () => bearer(changed(await plain.sign(claims()), 0, part(header({ cty: 'x' })))),
    () => own({}, { cty: 'x' }),
  );
  attack(
    'the signature of another token',
    async () => bearer(changed(await plain.sign(claims()), 2, (await plain.sign(claims())).split('.')[2]!)),
    () => own(),
  );
  attack(
    'a key of the attacker under the id of a real one',
    async () => bearer(await signed(claims(), thief)),
    () => own(),
  );
  attack(
    'a key id that is a path',
    () => own({}, { kid: '../../../../jwks' }),
    () => own({}, { kid: 'one' }),
  );
  attack(
    'a key id that is SQL',
    () => own({}, { kid: "one' OR '1'='1" }),
    () => own({}, { kid: 'one' }),
  );
  attack(
    'the key id of another real key',
    () => own({}, { kid: 'rsa' }),
    () => own({}, { kid: 'one' }),
  );
  attack(
    'a critical extension that nobody here knows (RFC 7515 §4.1.11)',
    async () => {
      const sign = new CompactSign(Buffer.from(JSON.stringify(claims())));
      sign.setProtectedHeader({ ...header(), crit: ['exp2'], exp2: 1 } as never);
      return bearer(await sign.sign(plain.key.secret, { crit: { exp2: true } }));
    },
    () => own({}, { exp2: 1 }),
  );
  attack(
    'a signed token around a signed token',
    async () => {
      const inner = await plain.sign(claims());
      const sign = new CompactSign(Buffer.from(inner)).setProtectedHeader({ ...header(), cty: 'JWT' } as never);
      return bearer(await sign.sign(plain.key.secret));
    },
    () => own(),
  );
  attack(
    'an encrypted token',
    async () => bearer((await plain.sign(claims())).replaceAll('.', '.AA.')),
    () => own(),
  );

  for (const name of ['jku', 'x5u', 'jwk', 'x5c'] as const) {
    test(`a key that the token itself names (${name}) is neither used nor fetched`, async () => {
      evil.keys = [thief.published];
      const value = { jku: `${evil.url}/jwks`, x5u: `${evil.url}/cert`, jwk: thief.published, x5c: ['AAAA'] }[name];
      const refused = await send(bearer(await signed(claims(), thief, { [name]: value })));
      assert.equal(refused.status, 401);
      assert.deepEqual(evil.asked, []);
      const passed = await send(bearer(await signed(claims(), plain.key, { [name]: value })));
      assert.equal(passed.status, 200);
      assert.deepEqual(evil.asked, []);
    });
  }
});

describe('for whom it was made', () => {
  attack(
    'another resource',
    () => own({ aud: 'https://other.example.com/mcp' }),
    () => own({ aud: MCP }),
  );
  attack(
    'the endpoint of one server, at the joint one',
    () => own({ aud: `${MCP}/files` }),
    () => own({ aud: MCP }),
  );
  attack(
    'the base URL',
    () => own({ aud: BASE }),
    () => own({ aud: MCP }),
  );
  attack(
    'a trailing slash',
    () => own({ aud: `${MCP}/` }),
    () => own({ aud: MCP }),
  );
  attack(
    'the path in other case',
    () => own({ aud: `${BASE}/MCP` }),
    () => own({ aud: 'HTTPS://GW.EXAMPLE.COM/mcp' }),
  );
  attack(
    'a longer host',
    () => own({ aud: `${BASE}.evil.example/mcp` }),
    () => own({ aud: MCP }),
  );
  attack(
    'a list without us',
    () => own({ aud: ['a', 'b'] }),
    () => own({ aud: ['a', MCP] }),
  );
  attack(
    'a list in a list',
    () => own({ aud: [[MCP]] }),
    () => own({ aud: [MCP] }),
  );
  attack(
    'nobody',
    () => own({ aud: undefined }),
    () => own({ aud: MCP }),
  );
  attack(
    'without http s',
    () => own({ aud: MCP.replace('https', 'http') }),
    () => own({ aud: MCP }),
  );
});

describe('by whom it was made', () => {
  attack(
    'an issuer of the attacker',
    async () => bearer(await evil.sign(claims({ iss: evil.url }))),
    () => own(),
  );
  attack(
    'the issuer with a slash',
    () => own({ iss: `${plain.url}/` }),
    () => own({ iss: plain.url }),
  );
  attack(
    'an issuer that looks the same',
    () => own({ iss: plain.url.replace('127', '１27') }),
    () => own({ iss: plain.url }),
  );
  attack(
    'the issuer in capitals',
    () => own({ iss: plain.url.toUpperCase() }),
    () => own({ iss: plain.url }),
  );
  attack(
    'the issuer as a list',
    () => own({ iss: [plain.url] }),
    () => own({ iss: plain.url }),
  );
  attack(
    'one configured issuer in the name of another',
    async () => {
      const token = await signed(cloaked(), plain.key, { typ: 'JWT' });
      cloak.known.set(token, { active: true });
      return bearer(token);
    },
    () => ofCloak(),
  );
  attack(
    'a token of another tenant',
    () => ofCloak({ org: 'rival' }),
    () => ofCloak({ org: 'acme' }),
  );
  attack(
    'a token without a tenant',
    () => ofCloak({ org: undefined }),
    () => ofCloak({ org: 'acme' }),
  );
});

describe('what kind of token', () => {
  attack(
    'an ID token by its header',
    () => own({}, { typ: 'JWT' }),
    () => own({}, { typ: 'at+jwt' }),
  );
  attack(
    'no type at all',
    () => own({}, { typ: undefined }),
    () => own({}, { typ: 'at+jwt' }),
  );
  attack(
    'a logout token',
    () => own({}, { typ: 'logout+jwt' }),
    () => own({}, { typ: 'at+jwt' }),
  );
  attack(
    'a proof of possession',
    () => own({}, { typ: 'dpop+jwt' }),
    () => own({}, { typ: 'at+jwt' }),
  );
  attack(
    'an ID token by its claim',
    () => ofCloak({ typ: 'ID' }),
    () => ofCloak({ typ: 'Bearer' }),
  );
  attack(
    'an ID token by its nonce',
    () => ofCloak({ nonce: 'n' }),
    () => ofCloak(),
  );
  attack(
    'a refresh token',
    () => ofCloak({ typ: 'Refresh' }),
    () => ofCloak({ typ: 'Bearer' }),
  );
  attack(
    'an offline token',
    () => ofCloak({ typ: 'Offline' }),
    () => ofCloak({ typ: 'Bearer' }),
  );
});

describe('when', () => {
  attack(
    'expired',
    () => own({ exp: now() - 1 }),
    () => own({ exp: now() + 60 }),
  );
  attack(
    'not yet',
    () => own({ nbf: now() + 600 }),
    () => own({ nbf: now() }),
  );
  attack(
    'issued in the future',
    () => own({ iat: now() + 600, exp: now() + 700 }),
    () => own({ iat: now() }),
  );
  attack(
    'without an end',
    () => own({ exp: undefined }),
    () => own(),
  );
  attack(
    'an end in words',
    () => own({ exp: `${now() + 60}` }),
    () => own({ exp: now() + 60 }),
  );
  attack(
    'an end beyond all time',
    () => own({ exp: 1e300 }),
    () => own({ exp: now() + 60 }),
  );
  attack(
    'a life that is too long',
    () => own({ exp: now() + 7200 }),
    () => own({ exp: now() + 3500 }),
  );
});

describe('how it is sent', () => {
  const token = () => plain.sign(claims());
  attack(
    'in the query',
    async () => ({ path: `/mcp?access_token=${await token()}` }),
    () => own(),
  );
  attack(
    'in a cookie',
    async () => ({ headers: { cookie: `access_token=${await token()}` } }),
    () => own(),
  );
  attack(
    'in a header of proxies',
    async () => ({ headers: { 'x-forwarded-authorization': `Bearer ${await token()}` } }),
    () => own(),
  );
  attack(
    'two Authorization headers, one of them good',
    async () => ({ headers: { authorization: [`Bearer ${await token()}`, 'Bearer x'] } }),
    async () => ({ headers: { authorization: [`Bearer ${await token()}`] } }),
    400,
  );
  attack(
    'two tokens in one header',
    async () => bearer(`${await token()}, Bearer ${await token()}`),
    () => own(),
  );
  attack(
    'something behind it',
    async () => bearer(`${await token()} x`),
    () => own(),
  );
  attack(
    'a tab before it',
    async () => bearer(`\t${await token()}`),
    () => own(),
  );
  attack(
    'two spaces before it',
    async () => bearer(` ${await token()}`),
    async () => ({ authorization: `bEARER ${await token()}` }),
  );
  attack(
    'in quotes',
    async () => bearer(`"${await token()}"`),
    () => own(),
  );
  attack(
    'under another scheme',
    async () => ({ authorization: `Basic ${await token()}` }),
    () => own(),
  );
  attack(
    'without a scheme',
    async () => ({ authorization: await token() }),
    () => own(),
  );
  attack(
    'with a fourth part',
    async () => bearer(`${await token()}.AA`),
    () => own(),
  );
  attack(
    'too long to be read',
    () => own({ filler: 'x'.repeat(14_000) }),
    () => own({ filler: 'x'.repeat(5_000) }),
  );
});

describe('what it is bound to', () => {
  attack(
    'a bound token as plain bearer',
    async () => bearer((await bound()).token),
    async () => provenBy(await bound()),
  );
  attack(
    'a bound token without its proof',
    async () => ({ authorization: `DPoP ${(await bound()).token}` }),
    async () => provenBy(await bound()),
  );
  attack(
    'the proof of a thief',
    async () => {
      const { token } = await bound();
      return withProof(token, await proof({ token, key: thief }));
    },
    async () => provenBy(await bound()),
  );
  attack(
    'a proof for another method',
    async () => provenBy(await bound(), { htm: 'GET' }),
    async () => provenBy(await bound(), { htm: 'POST' }),
  );
  attack(
    'a proof for another URL',
    async () => provenBy(await bound(), { htu: `${BASE}.evil.example/mcp` }),
    async () => provenBy(await bound(), { htu: MCP }),
  );
  attack(
    'a proof for another token',
    async () => provenBy(await bound(), { ath: sha256('other') }),
    async () => provenBy(await bound()),
  );
  attack(
    'an old proof',
    async () => provenBy(await bound(), { iat: now() - 300 }),
    async () => provenBy(await bound(), { iat: now() }),
  );
  attack(
    'a proof from the future',
    async () => provenBy(await bound(), { iat: now() + 300 }),
    async () => provenBy(await bound()),
  );
  attack(
    'a proof without an id',
    async () => provenBy(await bound(), { jti: undefined }),
    async () => provenBy(await bound()),
  );
  attack(
    'two proofs, one of them good',
    async () => {
      const one = await bound();
      return withProof(one.token, [await proof(one), await proof(one)]);
    },
    async () => provenBy(await bound()),
    400,
  );
  attack(
    'a binding that nobody can check',
    () => own({ cnf: { kid: 'one' } }),
    async () => provenBy(await bound()),
  );
  attack(
    'an unbound token under the scheme DPoP',
    async () => {
      const key = await newKey('x');
      const token = await plain.sign(claims());
      return withProof(token, await proof({ key, token }));
    },
    async () => provenBy(await bound()),
  );

  test('a proof that was seen, shown again', async () => {
    const one = await bound();
    const call = await provenBy(one);
    assert.equal((await send(call)).status, 200);
    const again = await send(call);
    assert.equal(again.status, 401);
    assert.match(again.challenge, /\bDPoP .*error="invalid_dpop_proof"/);
    assert.equal((await send(await provenBy(one))).status, 200);
  });

  const ofCertificate = async (): Promise<string> => {
    const { raw } = new X509Certificate(await readFile(mine.cert));
    return plain.sign(claims({ cnf: { 'x5t#S256': sha256(raw) } }));
  };
  attack(
    'a token of a certificate, stolen, over a connection without one',
    async () => bearer(await ofCertificate()),
    async () => ({ ...bearer(await ofCertificate()), as: mine }),
  );
  attack(
    'a token of a certificate, stolen, over a connection of another one',
    async () => ({ ...bearer(await ofCertificate()), as: thiefs }),
    async () => ({ ...bearer(await ofCertificate()), as: mine }),
  );
});

describe('what is no longer true', () => {
  attack(
    'withdrawn at its issuer',
    () => ofCloak({}, false),
    () => ofCloak({}, true),
  );
  attack(
    'an answer that is only nearly yes',
    () => ofCloak({}, 'true'),
    () => ofCloak({}, true),
  );
  attack(
    'an opaque token that is made up',
    () => bearer('made-up'),
    () => {
      cloak.known.set('handed-out', { active: true, ...cloaked() });
      return bearer('handed-out');
    },
  );
  test('a key that was rotated out', async () => {
    const token = () => turning.sign(claims({ iss: turning.url }));
    assert.equal((await send(bearer(await token()))).status, 200);
    const late = await token();
    turning.keys = [(await newKey('next')).published];
    assert.equal((await send(bearer(late))).status, 401);
    turning.keys = [turning.key.published];
    assert.equal((await send(bearer(await token()))).status, 200);
  });
});

describe('what else an attacker wants', () => {
  test('an issuer that is flooded with invented key ids is asked once, and good tokens go on', async () => {
    const before_ = plain.asked.length;
    const ids = Array.from({ length: 30 }, (_, index) => `invented-${index}`);
    const answers = await Promise.all(ids.map(async (kid) => send(await own({}, { kid }))));
    assert.ok(answers.every(({ status }) => status === 401));
    assert.ok(plain.asked.length - before_ <= 2, plain.asked.slice(before_).join('\n'));
    assert.equal((await send(await own())).status, 200);
  });

  test('a challenge that names the host of the attacker', async () => {
    const headers = { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'http', forwarded: 'host=evil.example' };
    const { status, challenge } = await send({ headers });
    assert.equal(status, 401);
    assert.match(
      challenge,
      /resource_metadata="https:\/\/gw\.example\.com\/\.well-known\/oauth-protected-resource\/mcp"/,
    );
    assert.doesNotMatch(challenge, /evil/);
  });

  test('a wrong token of one kind, repaired by a good one of another', async () => {
    assert.equal((await send({ authorization: `Bearer spt_${'x'.repeat(43)}` })).status, 401);
    assert.equal((await send({ authorization: `Bearer ${gateway.token}` })).status, 200);
    const both = [`Bearer ${await signed(claims(), thief)}`, `Bearer ${gateway.token}`];
    assert.equal((await send({ headers: { authorization: both } })).status, 400);
  });

  test('why a token was refused', async () => {
    const { challenge, body } = await send(await own({ exp: now() - 1 }));
    assert.match(challenge, /error="invalid_token"/);
    assert.doesNotMatch(challenge + body, /expired|exp\b/);
  });
});
