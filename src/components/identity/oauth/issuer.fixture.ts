/** An authorization server on loopback whose every answer and token a test can bend, and a store in memory. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK, type JWTPayload } from 'jose';
import type { Store } from '../../store/store.ts';

export interface SigningKey {
  readonly id: string;
  readonly algorithm: string;
  readonly secret: CryptoKey;
  readonly published: JWK;
}

export async function newKey(id: string, algorithm = 'ES256'): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
  const published = { ...(await exportJWK(publicKey)), kid: id, alg: algorithm, use: 'sig' };
  return { id, algorithm, secret: privateKey, published };
}

export interface TestIssuer {
  readonly url: string;
  /** What is published; a test replaces it. */
  keys: JWK[];
  /** Members that replace those of the metadata. */
  metadata: Record<string, unknown>;
  /** Other answers by path: a status, or a body. */
  readonly answers: Map<string, number | object | string>;
  /** Every request: method and path. */
  readonly asked: string[];
  /** What introspection says, by token. */
  readonly known: Map<string, object>;
  /** Forms and Authorization headers of introspections. */
  readonly introspected: { readonly form: URLSearchParams; readonly authorization: string | undefined }[];
  readonly key: SigningKey;
  sign(claims: JWTPayload, more?: { header?: Record<string, unknown>; key?: SigningKey }): Promise<string>;
  close(): Promise<void>;
}

export async function startIssuer(path = ''): Promise<TestIssuer> {
  const key = await newKey('one');
  const asked: string[] = [];
  const answers: TestIssuer['answers'] = new Map();
  const known: TestIssuer['known'] = new Map();
  const introspected: { form: URLSearchParams; authorization: string | undefined }[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const at = request.url ?? '';
    asked.push(`${request.method} ${at}`);
    const body = (await request.toArray()).join('');
    const found = answers.get(at) ?? own(at, body, request.headers.authorization);
    const type = { 'content-type': 'application/json' };
    if (typeof found === 'number') response.writeHead(found, { location: `${issuer.url}/elsewhere` }).end();
    else response.writeHead(200, type).end(typeof found === 'string' ? found : JSON.stringify(found));
  };
  const server = createServer((request, response) => void answer(request, response));
  const own = (at: string, body: string, authorization: string | undefined): number | object => {
    if (at === `/.well-known/oauth-authorization-server${path}`)
      return { ...published(issuer.url), ...issuer.metadata };
    if (at === '/jwks') return { keys: issuer.keys };
    if (at !== '/introspect') return 404;
    const form = new URLSearchParams(body);
    introspected.push({ form, authorization });
    return known.get(form.get('token') ?? '') ?? { active: false };
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
  const issuer: TestIssuer = {
    url,
    keys: [key.published],
    metadata: {},
    answers,
    asked,
    known,
    introspected,
    key,
    sign: (claims, more = {}) => signed(claims, more.key ?? key, more.header),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return issuer;
}

function published(issuer: string): object {
  const { origin } = new URL(issuer);
  return { issuer, jwks_uri: `${origin}/jwks`, introspection_endpoint: `${origin}/introspect` };
}

export function signed(claims: JWTPayload, key: SigningKey, header: Record<string, unknown> = {}): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: key.algorithm, kid: key.id, typ: 'at+jwt', ...header })
    .sign(key.secret);
}

/** What identity keeps in a store: records and single uses, for one process. */
export function memoryStore(): Store {
  const records = new Map<string, { key: string; value: string; version: number }>();
  const used = new Set<string>();
  const watchers = new Set<(key: string | undefined) => void>();
  const store = {
    records: {
      get: async (_tenant: string, _collection: string, key: string) => records.get(key),
      put: async (_tenant: string, _collection: string, key: string, { value }: { value: string }) => {
        records.set(key, { key, value, version: 1 });
        for (const told of watchers) told(key);
        return 1;
      },
      list: async () => ({ records: [...records.values()] }),
      watch: (_tenant: string, _collection: string, told: (key: string | undefined) => void) => {
        watchers.add(told);
        return () => watchers.delete(told);
      },
    },
    uses: {
      consume: async (_tenant: string, name: string) => !used.has(name) && used.add(name).has(name),
    },
  };
  return store as unknown as Store;
}
