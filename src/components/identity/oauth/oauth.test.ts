import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { calculateJwkThumbprint, exportPKCS8, SignJWT, type JWTPayload } from 'jose';
import { verifies } from '../../../../test/verifies.ts';
import type { PartDeps } from '../../../gateway/component.ts';
import type { Arrival } from '../../../gateway/ports.ts';
import type { Principal } from '../../../gateway/principal.ts';
import { manualClock, type ManualClock } from '../../../lib/clock.ts';
import { sampleArrival, sampleDeps } from '../../samples.ts';
import type { Store } from '../../store/store.ts';
import type { Identified, Identity } from '../identity.ts';
import { identitySuite } from '../identity.suite.ts';
import { memoryStore, newKey, startIssuer, type SigningKey, type TestIssuer } from './issuer.fixture.ts';
import { metadataUrls } from './issuer.ts';
import { oauth } from './oauth.ts';
import { fetchable } from './web.ts';

const URL_OF_GATEWAY = 'https://gw.example.com';
const MCP = `${URL_OF_GATEWAY}/mcp`;
const START = Date.UTC(2026, 0, 1);
const NOW = START / 1000;

let issuer: TestIssuer;
let stranger: SigningKey;
before(async () => {
  issuer = await startIssuer();
  stranger = await newKey('one');
});
after(() => issuer.close());

interface Begun {
  readonly part: Identity;
  readonly clock: ManualClock;
  readonly store: Store;
}

const keyring: PartDeps['keyring'] = {
  seal: (purpose, { expires }) => `${purpose}.${expires}`,
  open: (purpose, token) =>
    token.startsWith(`${purpose}.`) ? { ok: true, claims: { expires: 0 } } : { ok: false, fault: 'malformed' },
  refresh: async () => undefined,
};

async function begun(
  one: object = {},
  more: object = {},
  given: Partial<PartDeps> = {},
  at: TestIssuer = issuer,
): Promise<Begun> {
  const clock = manualClock(START);
  const store = given.store ?? memoryStore();
  const deps = sampleDeps('.', { clock, store, keyring, url: URL_OF_GATEWAY, ...given });
  const config = oauth.config.parse({ issuers: [{ issuer: at.url, ...one }], ...more });
  return { part: await oauth.create(config, deps), clock, store };
}

const claims = (more: Bent = {}): JWTPayload => ({
  iss: issuer.url,
  aud: MCP,
  sub: 'ada',
  client_id: 'editor',
  iat: NOW,
  exp: NOW + 300,
  jti: 'a-token',
  ...more,
});

/** Claims as a test bends them. */
type Bent = Readonly<Record<string, unknown>>;

const bearer = (token: string, more: Partial<Arrival> = {}) =>
  sampleArrival({ authorization: `Bearer ${token}` }, more);

const wordOf = (found: Identified): string =>
  found.known ? 'known' : `${found.why}${found.why === 'rejected' ? `: ${found.detail}` : ''}`;

/** What a part says of a token, and that it is not closed too early. */
async function said(token: string, one: object = {}, more: object = {}): Promise<string> {
  const { part } = await begun(one, more);
  try {
    return wordOf(await part.identify(bearer(token)));
  } finally {
    await part.close?.();
  }
}

async function principalOf(token: string, one: object = {}): Promise<Principal> {
  const { part } = await begun(one);
  const found = await part.identify(bearer(token));
  await part.close?.();
  assert.ok(found.known, wordOf(found));
  return found.principal;
}

identitySuite('oauth', async () => {
  const { part } = await begun();
  const [right, wrong, other] = await Promise.all([
    issuer.sign(claims()),
    issuer.sign(claims(), { key: stranger }),
    issuer.sign(claims({ sub: 'bob' })),
  ]);
  return { part, right: bearer(right), wrong: bearer(wrong), other: bearer(other), proofs: [right, wrong] };
});

// ---- the token -------------------------------------------------------------------------------------------------

verifies('oauth.verified', 'a token counts only as its issuer signed it', async () => {
  assert.equal(
    await said(await issuer.sign(claims(), { key: stranger })),
    'rejected: ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
  );
  assert.equal(await said(await issuer.sign(claims())), 'known');
});

verifies(
  'oauth.audience',
  'a token for another resource is refused, letter by letter, but for the case of scheme and host',
  async () => {
    for (const aud of [
      undefined,
      URL_OF_GATEWAY,
      `${MCP}/`,
      `${MCP}/files`,
      `${MCP}?x`,
      `${URL_OF_GATEWAY}/MCP`,
      'https://gw.example.com:443/mcp',
      'http://gw.example.com/mcp',
      'https://gw.example.com.evil.example/mcp',
      ['https://other.example.com/mcp'],
      [[MCP]],
      { [MCP]: true },
    ]) {
      const token = await issuer.sign(claims({ aud }));
      assert.equal(await said(token), 'rejected: aud is another resource', JSON.stringify(aud));
    }
    for (const aud of [MCP, [MCP], ['https://other.example.com', MCP], 'HTTPS://GW.Example.COM/mcp']) {
      assert.equal(await said(await issuer.sign(claims({ aud }))), 'known', JSON.stringify(aud));
    }
  },
);

verifies('oauth.audience', 'a token for one server is no token for all, nor for another', async () => {
  const { part } = await begun();
  const at = (server: string) => ({ endpoint: { kind: 'server', server } }) as const;
  const token = await issuer.sign(claims({ aud: `${MCP}/files` }));
  assert.equal(wordOf(await part.identify(bearer(token, at('files')))), 'known');
  assert.match(wordOf(await part.identify(bearer(token, at('mail')))), /aud/);
  assert.match(wordOf(await part.identify(bearer(token))), /aud/);
  await part.close?.();
});

verifies('oauth.audience', 'an audience that is configured stands instead of the endpoint', async () => {
  const audience = 'api://gateway';
  assert.equal(await said(await issuer.sign(claims({ aud: audience })), { audience }), 'known');
  assert.match(await said(await issuer.sign(claims()), { audience }), /aud/);
});

describe('oauth: what a token must be', () => {
  const rules: readonly [rule: string, right: Bent, wrong: Bent, settings?: object][] = [
    ['it has not expired', { exp: NOW + 1 }, { exp: NOW }],
    ['it has an end', {}, { exp: undefined }],
    ['it counts already', { nbf: NOW + 30 }, { nbf: NOW + 31 }],
    ['it is not from the future', { iat: NOW + 30 }, { iat: NOW + 31 }],
    ['it does not live too long', { exp: NOW + 60 }, { exp: NOW + 61 }, { lifetime: '60s' }],
    ['its times are numbers', { nbf: NOW }, { nbf: `${NOW}` }],
    ['it has a subject', {}, { sub: undefined }],
    ['its subject is not empty', {}, { sub: '' }],
    ['its subject is a text', {}, { sub: 7 }],
    ['it has the claims that are required', { acr: 'high' }, {}, { required: ['acr'] }],
    ['it is of a tenant that is accepted', { tid: 'a' }, { tid: 'b' }, { claims: { tenant: 'tid' }, tenants: ['a'] }],
    ['its delegation is readable', { act: { sub: 'x' } }, { act: 'x' }],
    ['its delegation names everybody', { act: { sub: 'x' } }, { act: { act: { sub: 'x' } } }],
    ['its binding can be checked', {}, { cnf: { kid: 'x' } }],
  ];
  for (const [rule, right, wrong, settings] of rules) {
    test(rule, async () => {
      assert.match(await said(await issuer.sign(claims(wrong)), settings), /^rejected/);
      assert.equal(await said(await issuer.sign(claims(right)), settings), 'known');
    });
  }

  test('its typ is that of an access token, in any case and with its prefix', async () => {
    for (const typ of ['JWT', undefined, 'at+jwtx', 'id+jwt']) {
      assert.match(await said(await issuer.sign(claims(), { header: { typ } })), /typ/, String(typ));
    }
    for (const typ of ['at+jwt', 'AT+JWT', 'application/at+jwt']) {
      assert.equal(await said(await issuer.sign(claims(), { header: { typ } })), 'known');
    }
    assert.equal(await said(await issuer.sign(claims(), { header: { typ: 'JWT' } }), { types: ['JWT'] }), 'known');
  });

  test('its algorithm is listed', async () => {
    const token = await issuer.sign(claims());
    assert.match(await said(token, { algorithms: ['RS256'] }), /ERR_JOSE_ALG_NOT_ALLOWED/);
    assert.equal(await said(token, { algorithms: ['RS256', 'ES256'] }), 'known');
    for (const algorithm of ['none', 'HS256', 'HS512'])
      assert.equal(
        oauth.config.safeParse({ issuers: [{ issuer: issuer.url, algorithms: [algorithm] }] }).success,
        false,
      );
  });

  test('a token of an issuer that is not configured is left to other parts', async () => {
    assert.equal(await said(await issuer.sign(claims({ iss: `${issuer.url}/` }))), 'absent');
    assert.equal(await said('opaque'), 'absent');
    assert.equal(await said(`spt_${'x'.repeat(43)}`, { introspection: { client: 'gw', secret: 's' } }), 'absent');
    assert.deepEqual(issuer.introspected, []);
  });

  test('one that is too long is refused unread', async () => {
    assert.equal(await said('a'.repeat(16 * 1024 + 1)), 'rejected: too long');
    assert.equal(await said('a'.repeat(16 * 1024)), 'absent');
  });
});

// ---- who is it -------------------------------------------------------------------------------------------------

describe('oauth: who calls', () => {
  test('subject, agent, groups, scopes and the end of the proof are told', async () => {
    const found = await principalOf(await issuer.sign(claims({ groups: ['dev', 7, ''], scope: 'a b' })));
    const { subject, agent, person, groups, scopes, expires, issuer: from, proof, tenant, chain } = found;
    assert.deepEqual([subject, agent, person, groups], ['ada', 'editor', 'ada', ['dev']]);
    assert.deepEqual([scopes, expires, from, tenant], [['a', 'b'], (NOW + 300) * 1000, issuer.url, 'default']);
    assert.deepEqual([proof, chain], [{ use: 'oauth', strength: 'bearer' }, []]);
  });

  test('nobody stands behind a program that calls for itself', async () => {
    const own = await principalOf(await issuer.sign(claims({ sub: 'editor' })));
    assert.equal(own.person, undefined);
  });

  test('a tenant of the issuer is a claim, not the tenant of the gateway', async () => {
    const settings = { claims: { tenant: 'tid' } };
    const { tenant, claims: told } = await principalOf(await issuer.sign(claims({ tid: 'acme' })), settings);
    assert.deepEqual([tenant, told?.['issuer_tenant']], ['default', 'acme']);
    const forged = await principalOf(
      await issuer.sign(claims({ issuer_tenant: 'acme', groups_overage: true })),
      settings,
    );
    assert.deepEqual([forged.claims?.['issuer_tenant'], forged.claims?.['groups_overage']], [null, false]);
  });

  test('a delegation is told in the order of acting, and the last is who calls (RFC 8693)', async () => {
    const act = { sub: 'tool', act: { sub: 'planner', iss: 'https://other.example' } };
    const { chain, agent } = await principalOf(await issuer.sign(claims({ act, client_id: undefined })));
    assert.deepEqual(chain, [
      { issuer: 'https://other.example', subject: 'planner' },
      { issuer: issuer.url, subject: 'tool' },
    ]);
    assert.equal(agent, 'tool');
  });

  test('two issuers, tenants, subjects or agents never give one key', async () => {
    const keys = new Set<string>();
    for (const more of [{}, { sub: 'bob' }, { client_id: 'other' }, { client_id: undefined }, { tid: 't' }])
      keys.add((await principalOf(await issuer.sign(claims(more)), { claims: { tenant: 'tid' } })).key);
    assert.equal(keys.size, 5);
  });

  test('facts are read where the configuration says', async () => {
    const token = await issuer.sign(claims({ 'https://x.example/who': 'ada@x', deep: { 'a/b': { roles: ['r'] } } }));
    const settings = { claims: { subject: 'https://x.example/who', groups: '/deep/a~1b/roles' } };
    const { subject, groups } = await principalOf(token, settings);
    assert.deepEqual([subject, groups], ['ada@x', ['r']]);
  });

  test('a pointer finds own members only', async () => {
    assert.match(await said(await issuer.sign(claims()), { claims: { subject: '/constructor/name' } }), /no subject/);
  });

  test('groups that Entra left out are a refusal, or marked where that is configured', async () => {
    for (const more of [{ _claim_names: { groups: 'src1' } }, { hasgroups: true }]) {
      const token = await issuer.sign(claims({ ...more, groups: ['some'] }));
      assert.match(await said(token), /groups are left out/);
      const { groups, claims: told } = await principalOf(token, { overage: 'mark' });
      assert.deepEqual([groups, told?.['groups_overage']], [[], true]);
    }
  });
});

describe('oauth: presets', () => {
  const crafted: readonly [
    preset: string,
    typ: string | undefined,
    right: Bent,
    other: Bent,
    told: Partial<Principal>,
  ][] = [
    [
      'okta',
      undefined,
      { sub: 'ada@x.example', uid: '00u1', cid: '0oa1', scp: ['mcp'], groups: ['dev'], client_id: undefined },
      { cid: undefined },
      { subject: 'ada@x.example', agent: '0oa1', scopes: ['mcp'], groups: ['dev'], person: 'ada@x.example' },
    ],
    [
      'entra',
      'JWT',
      { oid: 'o-1', tid: 't-1', azp: 'app-1', scp: 'mcp files', groups: ['g-1'], client_id: undefined },
      { scp: undefined, nonce: 'n' },
      { subject: 'o-1', agent: 'app-1', scopes: ['mcp', 'files'], groups: ['g-1'] },
    ],
    [
      'entra',
      'JWT',
      { oid: 'o-2', tid: 't-1', appid: 'app-2', roles: ['Mcp.Call'], idtyp: 'app', client_id: undefined },
      { roles: undefined },
      { subject: 'o-2', agent: 'app-2', scopes: ['Mcp.Call'], person: undefined },
    ],
    [
      'keycloak',
      'JWT',
      { typ: 'Bearer', azp: 'cli', realm_access: { roles: ['dev'] }, scope: 'mcp', preferred_username: 'ada' },
      { typ: 'ID' },
      { subject: 'ada', agent: 'cli', groups: ['dev'], person: 'ada' },
    ],
    [
      'keycloak',
      'JWT',
      { typ: 'Bearer', azp: 'robot', preferred_username: 'service-account-robot' },
      { typ: 'Refresh' },
      { agent: 'robot', person: undefined },
    ],
    [
      'auth0',
      'JWT',
      { sub: 'auth0|1', azp: 'spa', permissions: ['read:x'], org_id: 'org_1', client_id: undefined },
      { nonce: 'n' },
      { subject: 'auth0|1', agent: 'spa', scopes: ['read:x'] },
    ],
    [
      'auth0',
      'at+jwt',
      { sub: 'm2m@clients', azp: 'm2m', gty: 'client-credentials', scope: 'x', client_id: undefined },
      { at_hash: 'h' },
      { subject: 'm2m@clients', person: undefined },
    ],
    [
      'google',
      'JWT',
      { sub: '1077', azp: '1077', email: 'bot@p.iam.gserviceaccount.com', hd: 'x.example', client_id: undefined },
      { nonce: 'n' },
      { subject: '1077', person: undefined },
    ],
  ];
  for (const [preset, typ, right, other, told] of crafted) {
    test(`${preset}: ${JSON.stringify(told)}`, async () => {
      const found = await principalOf(await issuer.sign(claims(right), { header: { typ } }), { preset });
      for (const [name, value] of Object.entries(told)) assert.deepEqual(found[name as keyof Principal], value, name);
      const wrong = await issuer.sign(claims({ ...right, ...other }), { header: { typ } });
      assert.match(await said(wrong, { preset }), /^rejected/, 'another kind of token under the same key');
    });
  }
});

// ---- what it is bound to ---------------------------------------------------------------------------------------

const b64 = (data: string | Buffer): string => createHash('sha256').update(data).digest('base64url');

interface Proof {
  readonly htm?: string;
  readonly htu?: string;
  readonly ath?: string;
  readonly iat?: number;
  readonly jti?: string;
  readonly nonce?: string;
  readonly typ?: string;
  readonly key?: SigningKey;
}

async function dpop(
  token: string,
  key: SigningKey,
  { typ = 'dpop+jwt', key: other, ...more }: Proof = {},
): Promise<string> {
  const { kty, crv, x, y } = (other ?? key).published;
  return new SignJWT({ htm: 'POST', htu: MCP, ath: b64(token), iat: NOW, jti: randomBytes(9).toString('hex'), ...more })
    .setProtectedHeader({ alg: 'ES256', typ, jwk: { kty: kty!, crv: crv!, x: x!, y: y! } })
    .sign((other ?? key).secret);
}

const withProof = (token: string, proof: string | undefined, scheme = 'DPoP') =>
  sampleArrival({ authorization: `${scheme} ${token}`, ...(proof === undefined ? {} : { dpop: proof }) });

async function bound(): Promise<{ key: SigningKey; token: string }> {
  const key = await newKey('mine');
  return { key, token: await issuer.sign(claims({ cnf: { jkt: await calculateJwkThumbprint(key.published) } })) };
}

verifies(
  'oauth.bound',
  'a token that is bound to a key is refused without its proof, and each proof counts once',
  async () => {
    const { key, token } = await bound();
    const { part } = await begun();
    const proof = await dpop(token, key);
    assert.match(wordOf(await part.identify(bearer(token))), /bound to a key/);
    assert.match(wordOf(await part.identify(withProof(token, undefined))), /no DPoP proof/);
    const found = await part.identify(withProof(token, proof));
    assert.ok(found.known);
    assert.equal(found.principal.proof.strength, 'proof-of-possession');
    assert.match(wordOf(await part.identify(withProof(token, proof))), /used before/);
    assert.equal(wordOf(await part.identify(withProof(token, await dpop(token, key)))), 'known');
    await part.close?.();
  },
);

verifies(
  'oauth.bound',
  'a token that is bound to nothing is refused under the scheme DPoP, and everywhere where binding is required',
  async () => {
    const token = await issuer.sign(claims());
    const { part } = await begun();
    assert.match(
      wordOf(await part.identify(withProof(token, await dpop(token, await newKey('x'))))),
      /bound to no key/,
    );
    await part.close?.();
    assert.match(await said(token, {}, { bound: 'required' }), /bound to nothing/);
  },
);

describe('oauth: proofs of possession', () => {
  const wrong: readonly [rule: string, proof: () => Promise<Proof>][] = [
    ['another method', async () => ({ htm: 'GET' })],
    ['another URL', async () => ({ htu: `${MCP}/files` })],
    ['another token', async () => ({ ath: b64('other') })],
    ['too old', async () => ({ iat: NOW - 61 })],
    ['from the future', async () => ({ iat: NOW + 61 })],
    ['without an id', async () => ({ jti: '' })],
    ['of another type', async () => ({ typ: 'jwt' })],
    ['with another key', async () => ({ key: await newKey('thief') })],
  ];
  for (const [rule, proof] of wrong) {
    test(`a proof is refused that is ${rule}`, async () => {
      const { key, token } = await bound();
      const { part } = await begun();
      const found = await part.identify(withProof(token, await dpop(token, key, await proof())));
      assert.match(wordOf(found), /^rejected/);
      assert.match((!found.known && found.challenge) || '', /^DPoP .*invalid_dpop_proof/);
      const edge = await dpop(token, key, { iat: NOW - 60, htu: `HTTPS://GW.example.com/mcp?x#y` });
      assert.equal(wordOf(await part.identify(withProof(token, edge))), 'known');
      await part.close?.();
    });
  }

  test('where nonces are demanded, one is given with the refusal and must come back', async () => {
    const { key, token } = await bound();
    const { part } = await begun({}, { dpop: { nonce: true } });
    const found = await part.identify(withProof(token, await dpop(token, key, { nonce: 'mine' })));
    assert.ok(!found.known);
    assert.match(found.challenge ?? '', /error="use_dpop_nonce"/);
    const nonce = found.headers?.find(([name]) => name === 'DPoP-Nonce')?.[1];
    assert.equal(wordOf(await part.identify(withProof(token, await dpop(token, key, { nonce: nonce! })))), 'known');
    await part.close?.();
  });

  test('a token that is bound to a certificate needs the connection of that certificate', async () => {
    const certificate = randomBytes(64);
    const token = await issuer.sign(claims({ cnf: { 'x5t#S256': b64(certificate) } }));
    const { part } = await begun({}, { bound: 'required' });
    const over = (der: Buffer | undefined) =>
      bearer(token, { peer: { address: '::1', encrypted: true, certificate: der } });
    assert.match(wordOf(await part.identify(over(undefined))), /another certificate/);
    assert.match(wordOf(await part.identify(over(randomBytes(64)))), /another certificate/);
    assert.equal(wordOf(await part.identify(over(certificate))), 'known');
    await part.close?.();
  });
});

// ---- keys and metadata -----------------------------------------------------------------------------------------

/** An issuer of its own, for tests that bend what it publishes. */
async function with_(path: string, run: (own: TestIssuer) => Promise<void>): Promise<void> {
  const own = await startIssuer(path);
  try {
    await run(own);
  } finally {
    await own.close();
  }
}

const fetches = (of: TestIssuer) => of.asked.filter((one) => one.endsWith('/jwks')).length;

verifies(
  'oauth.keys',
  'a key that is rotated in is found at once, one that is rotated out is refused after the refresh',
  () =>
    with_('', async (own) => {
      const { part, clock } = await begun({}, { cache: '1ms' }, {}, own);
      const say = async (key?: SigningKey, sub = 'ada') =>
        wordOf(
          await part.identify(
            bearer(await own.sign(claims({ iss: own.url, sub, iat: NOW, exp: NOW + 3600 }), key ? { key } : {})),
          ),
        );
      assert.equal(await say(), 'known');
      const next = await newKey('two');
      own.keys = [next.published];
      clock.advance(30_000);
      assert.equal(await say(next), 'known');
      assert.equal(fetches(own), 2);
      assert.match(await say(undefined, 'bob'), /no published key/);
      await part.close?.();
    }),
);

verifies('oauth.keys', 'invented key ids make nobody fetch more than once per cool-down', () =>
  with_('', async (own) => {
    const { part, clock } = await begun({}, {}, {}, own);
    const invented = async (kid: string) =>
      part.identify(bearer(await own.sign(claims({ iss: own.url }), { header: { kid } })));
    for (const kid of ['a', 'b', 'c', '../../jwks', "' OR 1=1"]) assert.equal((await invented(kid)).known, false);
    assert.equal(fetches(own), 1);
    clock.advance(30_000);
    for (const kid of ['d', 'e']) await invented(kid);
    assert.equal(fetches(own), 2);
    await part.close?.();
  }),
);

describe('oauth: issuers', () => {
  test('metadata is found before and behind the path of an issuer, and must speak for it', () =>
    with_('/realms/a', async (own) => {
      const token = await own.sign(claims({ iss: own.url }));
      const ask = async (): Promise<string> => {
        const { part } = await begun({}, {}, {}, own);
        try {
          return wordOf(await part.identify(bearer(token)));
        } catch (error) {
          return (error as Error).message;
        } finally {
          await part.close?.();
        }
      };
      assert.equal(await ask(), 'known');
      own.answers.set('/.well-known/openid-configuration/realms/a', '<html>a page for everything</html>');
      own.metadata = { issuer: `${own.url}/` };
      assert.match(await ask(), /speaks for another issuer/);
      const { origin } = new URL(own.url);
      own.answers.set('/.well-known/oauth-authorization-server/realms/a', 404);
      own.answers.set('/realms/a/.well-known/openid-configuration', { issuer: own.url, jwks_uri: `${origin}/jwks` });
      assert.equal(await ask(), 'known');
    }));

  test('the places of metadata are those of RFC 8414 and of OpenID Connect Discovery', () => {
    assert.deepEqual(metadataUrls('https://x.example/a'), [
      'https://x.example/.well-known/oauth-authorization-server/a',
      'https://x.example/.well-known/openid-configuration/a',
      'https://x.example/a/.well-known/openid-configuration',
    ]);
    assert.equal(metadataUrls('https://x.example/').length, 2);
  });

  const broken: readonly [what: string, path: string, answer: number | object | string][] = [
    ['redirects', '/jwks', 302],
    ['fails', '/jwks', 500],
    ['is no JSON', '/jwks', '<html>'],
    ['is too large', '/jwks', { keys: [], filler: 'x'.repeat(600_000) }],
    [
      'names another place without https',
      '/.well-known/oauth-authorization-server',
      { jwks_uri: 'http://keys.example/jwks' },
    ],
    [
      'names the metadata of a cloud',
      '/.well-known/oauth-authorization-server',
      { jwks_uri: 'https://169.254.169.254/jwks' },
    ],
  ];
  for (const [what, path, answer] of broken) {
    test(`an issuer whose answer ${what} is no verdict on the token: the part throws, and says so in its health`, () =>
      with_('', async (own) => {
        const said = typeof answer === 'object' && path !== '/jwks' ? { issuer: own.url, ...answer } : answer;
        own.answers.set(path, said);
        const { part } = await begun({}, {}, {}, own);
        const token = await own.sign(claims({ iss: own.url }));
        await assert.rejects(async () => part.identify(bearer(token)), { name: 'Unavailable' });
        assert.equal(part.health?.().state, 'degraded');
        assert.equal(
          own.asked.some((one) => one.includes('elsewhere')),
          false,
          'a redirect was followed',
        );
        await part.close?.();
      }));
  }

  test('keys in hand go on for a while when their issuer is away', () =>
    with_('', async (own) => {
      const { part, clock } = await begun({ lifetime: '7d' }, {}, {}, own);
      const say = async () =>
        part.identify(bearer(await own.sign(claims({ iss: own.url, exp: NOW + 86_400, jti: `${clock.now()}` }))));
      assert.equal((await say()).known, true);
      own.answers.set('/jwks', 500);
      clock.advance(20 * 60_000);
      assert.equal((await say()).known, true);
      assert.equal(part.health?.().state, 'degraded');
      clock.advance(60 * 60_000);
      await assert.rejects(async () => say(), { name: 'Unavailable' });
      own.answers.clear();
      clock.advance(5_000);
      assert.equal((await say()).known, true);
      assert.equal(part.health?.().state, 'live');
      await part.close?.();
    }));

  test('symmetric and private keys in a key set are not used', () =>
    with_('', async (own) => {
      const token = await own.sign(claims({ iss: own.url }));
      own.keys = [
        { ...own.key.published, d: 'AAAA' },
        { kty: 'oct', k: 'AAAA', kid: 'one' },
      ];
      const { part } = await begun({}, {}, {}, own);
      assert.match(wordOf(await part.identify(bearer(token))), /no published key/);
      await part.close?.();
    }));

  test('only https is fetched, and loopback only for an issuer that was configured there', () => {
    for (const url of [
      'http://x.example/',
      'ftp://x.example/',
      'file:///etc/passwd',
      'https://u:p@x.example/',
      'https://169.254.169.254/',
      'https://[fe80::1]/',
      'https://0x7f.1/',
      'https://[::ffff:7f00:1]/',
    ]) {
      assert.notEqual(fetchable(new URL(url), false), undefined, url);
    }
    assert.equal(fetchable(new URL('https://x.example/jwks'), false), undefined);
    assert.equal(fetchable(new URL('http://127.0.0.1:8080/jwks'), true), undefined);
  });

  test('an issuer without https, with a query or given twice is no configuration', () => {
    const ok = (...issuers: string[]) =>
      oauth.config.safeParse({ issuers: issuers.map((one) => ({ issuer: one })) }).success;
    assert.equal(ok('https://x.example'), true);
    for (const wrong of ['http://x.example', 'https://x.example?a', 'https://x.example#a', 'x', 'https://u@x.example'])
      assert.equal(ok(wrong), false, wrong);
    assert.equal(ok('https://x.example', 'https://x.example'), false);
  });
});

// ---- memory, withdrawal, introspection -------------------------------------------------------------------------

verifies(
  'oauth.revoked',
  'a withdrawn token is refused at once, on every replica, and its listeners are told',
  async () => {
    const ways = [
      (token: string) => ({ by: 'token', sha256: createHash('sha256').update(token).digest('hex') }) as const,
      () => ({ by: 'id', issuer: issuer.url, value: 'a-token' }) as const,
      () => ({ by: 'session', issuer: issuer.url, value: 'login-1' }) as const,
      () => ({ by: 'subject', issuer: issuer.url, value: 'ada' }) as const,
    ];
    for (const way of ways) {
      const store = memoryStore();
      const [one, other] = [await begun({}, {}, { store }), await begun({}, {}, { store })];
      const token = await issuer.sign(claims({ sid: 'login-1' }));
      const bob = await issuer.sign(claims({ sub: 'bob', jti: 'b', sid: 'login-2' }));
      const found = await other.part.identify(bearer(token));
      assert.ok(found.known);
      assert.equal(other.part.holds?.(found.principal), true);
      await one.part.revoke?.(way(token));
      await new Promise(setImmediate);
      for (const { part } of [one, other]) {
        assert.equal(wordOf(await part.identify(bearer(token))), 'rejected: withdrawn');
        assert.equal(wordOf(await part.identify(bearer(bob))), 'known');
      }
      assert.equal(other.part.holds?.(found.principal), false);
      const restarted = await begun({}, {}, { store });
      assert.equal(wordOf(await restarted.part.identify(bearer(token))), 'rejected: withdrawn');
      for (const { part } of [one, other, restarted]) await part.close?.();
    }
  },
);

verifies('oauth.revoked', 'whoever logs in again after a withdrawal is let in', async () => {
  const { part, clock } = await begun();
  await part.revoke?.({ by: 'subject', issuer: issuer.url, value: 'ada' });
  clock.advance(1_000);
  assert.equal(wordOf(await part.identify(bearer(await issuer.sign(claims())))), 'rejected: withdrawn');
  assert.equal(wordOf(await part.identify(bearer(await issuer.sign(claims({ iat: NOW + 1 }))))), 'known');
  await part.close?.();
});

describe('oauth: memory', () => {
  test('a verified token is known without waiting, and not beyond its end', async () => {
    const { part, clock } = await begun({}, { cache: '5m' });
    const token = await issuer.sign(claims({ exp: NOW + 10 }));
    assert.ok(part.identify(bearer(token)) instanceof Promise);
    await part.identify(bearer(token));
    assert.equal(part.identify(bearer(token)) instanceof Promise, false);
    clock.advance(10_000);
    assert.match(wordOf(await part.identify(bearer(token))), /expired/);
    await part.close?.();
  });

  test('a refusal is remembered for a moment, and for the endpoint where it was given', async () => {
    const { part } = await begun();
    const token = await issuer.sign(claims());
    const at = { endpoint: { kind: 'server', server: 'files' } } as const;
    assert.match(wordOf(await part.identify(bearer(token, at))), /aud/);
    assert.equal(part.identify(bearer(token, at)) instanceof Promise, false);
    assert.equal(wordOf(await part.identify(bearer(token))), 'known');
    await part.close?.();
  });
});

describe('oauth: introspection', () => {
  const introspection = { client: 'gate way', secret: 'p:ss wörd' };
  const active = (more: object = {}) => ({ active: true, ...claims(), scope: 'x', token_type: 'Bearer', ...more });

  test('an opaque token is what its issuer says, and the gateway proves who asks', async () => {
    issuer.known.set('opaque', active());
    assert.equal(await said('opaque', { introspection }), 'known');
    const { form, authorization } = issuer.introspected.at(-1)!;
    assert.equal(form.get('token'), 'opaque');
    const pair = Buffer.from((authorization ?? '').slice('Basic '.length), 'base64').toString();
    assert.equal(pair, 'gate+way:p%3Ass+w%C3%B6rd');
  });

  test('the gateway may prove itself with a key', async () => {
    const key = await exportPKCS8((await newKey('gw')).secret);
    issuer.known.set('opaque', active());
    assert.equal(await said('opaque', { introspection: { client: 'gw', key } }), 'known');
    assert.equal(issuer.introspected.at(-1)!.form.get('client_assertion')?.split('.').length, 3);
    for (const wrong of [{ client: 'gw' }, { client: 'gw', key, secret: 's' }])
      assert.equal(oauth.config.safeParse({ issuers: [{ issuer: issuer.url, introspection: wrong }] }).success, false);
  });

  const wrong: readonly [what: string, answer: () => object][] = [
    ['is not active', () => ({ active: false })],
    ['says active in a text', () => active({ active: 'true' })],
    ['is for another resource', () => active({ aud: 'https://other.example' })],
    ['names no resource', () => active({ aud: undefined })],
    ['speaks for another issuer', () => active({ iss: 'https://other.example' })],
    ['is about a refresh token', () => active({ token_type: 'refresh_token' })],
    ['is over', () => active({ exp: NOW })],
  ];
  for (const [what, answer] of wrong) {
    test(`a token is refused whose answer ${what}`, async () => {
      issuer.known.set('opaque', answer());
      assert.match(await said('opaque', { introspection }), /^rejected/);
    });
  }

  test('a JWT that its issuer withdrew is noticed where introspection is asked always, after the cache at the latest', async () => {
    const token = await issuer.sign(claims());
    const { part, clock } = await begun({ introspection: { ...introspection, always: true, cache: '5s' } });
    issuer.known.set(token, active());
    assert.equal(wordOf(await part.identify(bearer(token))), 'known');
    issuer.known.delete(token);
    clock.advance(5_000);
    assert.equal(wordOf(await part.identify(bearer(token))), 'rejected: withdrawn by its issuer');
    await part.close?.();
  });

  test('invented tokens do not become a flood: beyond 64 questions at once nobody is asked', () =>
    with_('', async (own) => {
      const { part } = await begun({ introspection }, {}, {}, own);
      const all = Array.from({ length: 100 }, async (_, index) => part.identify(bearer(`invented-${index}`)));
      const settled = await Promise.allSettled(all);
      assert.equal(settled.filter(({ status }) => status === 'rejected').length, 36);
      assert.equal(own.introspected.length, 64);
      assert.match(wordOf(await part.identify(bearer('invented-later'))), /^rejected/);
      await part.close?.();
    }));

  test('two issuers with introspection are refused: an opaque token would be shown to both', () => {
    const both = ['https://a.example', 'https://b.example'].map((one) => ({ issuer: one, introspection }));
    assert.equal(oauth.config.safeParse({ issuers: both }).success, false);
  });
});

// ---- scopes and metadata ---------------------------------------------------------------------------------------

verifies(
  'oauth.scopes',
  'a token without the scopes of an operation is told all of them in one challenge',
  async () => {
    const scopes = [
      { scopes: ['mcp'] },
      { scopes: ['files:write'], actions: ['tool.*'], servers: ['files'] },
      { scopes: ['mail'], servers: ['mail'] },
    ];
    const { part } = await begun({}, { scopes, implies: { admin: ['everything'], everything: ['files:write'] } });
    const ask = async (scope: string, action = 'tool.call', server: string | undefined = 'files') => {
      const found = await part.identify(bearer(await issuer.sign(claims({ scope }))));
      assert.ok(found.known);
      return part.sufficient!(found.principal, action, server, { kind: 'joint' });
    };
    const short = await ask('mcp');
    assert.ok(!short.sufficient);
    assert.match(
      short.challenge,
      /^Bearer resource_metadata="https:\/\/gw\.example\.com\/\.well-known\/oauth-protected-resource\/mcp"/,
    );
    assert.match(short.challenge, /scope="mcp files:write"/);
    assert.match(short.challenge, /error="insufficient_scope"/);
    assert.equal((await ask('files:write')).sufficient, false);
    assert.equal((await ask('mcp', 'prompt.get')).sufficient, true);
    assert.equal((await ask('mcp', 'tool.call', 'mail')).sufficient, false);
    for (const enough of ['mcp files:write', 'mcp admin']) assert.equal((await ask(enough)).sufficient, true);
    await part.close?.();
  },
);

describe('oauth: what is published', () => {
  test('a request without a token is told where to get one, by the configured name only', async () => {
    const { part } = await begun({}, { scopes: [{ scopes: ['mcp'] }, { scopes: ['x'], actions: ['tool.call'] }] });
    const headers = { host: 'evil.example', 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' };
    const found = await part.identify(sampleArrival(headers));
    assert.equal(
      !found.known && found.challenge,
      'Bearer resource_metadata="https://gw.example.com/.well-known/oauth-protected-resource/mcp", scope="mcp"',
    );
    await part.close?.();
  });

  test('metadata stands at both places of each endpoint (RFC 9728)', async () => {
    const { part } = await begun({}, { scopes: [{ scopes: ['mcp', 'offline_access'] }] });
    const at = '/.well-known/oauth-protected-resource';
    const read = (path: string) => part.document?.(path) as Record<string, unknown> | undefined;
    assert.deepEqual(read(at), read(`${at}/mcp`));
    const found = read(`${at}/mcp/files`)!;
    assert.deepEqual(
      [found['resource'], found['authorization_servers'], found['scopes_supported']],
      [`${MCP}/files`, [issuer.url], ['mcp']],
    );
    assert.equal(read(`${at}/mcp/nowhere`)?.['resource'], `${MCP}/nowhere`, 'strangers learn which servers there are');
    for (const path of [
      '/mcp',
      `${at}/`,
      `${at}/mcp/`,
      `${at}/mcp/a/b`,
      `${at}x/mcp`,
      '/.well-known/openid-configuration',
    ])
      assert.equal(read(path), undefined, path);
    await part.close?.();
  });

  test('a base URL keeps its own path, and loses its slash', async () => {
    const { part } = await begun({}, {}, { url: 'HTTPS://GW.example.com/team/' });
    const found = await part.identify(bearer(await issuer.sign(claims({ aud: 'https://gw.example.com/team/mcp' }))));
    assert.equal(found.known, true);
    assert.ok(part.document?.('/.well-known/oauth-protected-resource/team/mcp'));
    await part.close?.();
  });

  test('without a base URL the part does not start, and says what to do', async () => {
    const settings = oauth.config.parse({ issuers: [{ issuer: 'https://x.example' }] });
    await assert.rejects(async () => oauth.create(settings, sampleDeps('.', { store: memoryStore() })), /give `url`/);
  });
});
