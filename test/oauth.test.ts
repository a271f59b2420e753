/** The gateway as a resource server, with a real authorization server and stock clients, from a bare 401 on. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import {
  Client,
  StreamableHTTPClientTransport,
  UnauthorizedError,
  type OAuthClientProvider,
} from '@modelcontextprotocol/client';
import { decodeJwt } from 'jose';
import * as oauth4webapi from 'oauth4webapi';
import { startEcho, type EchoServer } from './fixtures/echo-headers.ts';
import {
  browse,
  GATEWAY_SECRET,
  REDIRECT,
  ROBOT_SECRET,
  startOidc,
  type Oidc,
  type OidcSettings,
} from './fixtures/oidc.ts';
import { startGateway, type Gateway } from './gateway.ts';

interface World {
  readonly oidc: Oidc;
  readonly echo: EchoServer;
  readonly gateway: Gateway;
  readonly mcp: string;
  /** Where records are. */
  readonly audit: string;
  close(): Promise<void>;
}

async function world(settings: OidcSettings = {}, oauth: object = {}, issuer: object = {}): Promise<World> {
  const [oidc, echo, port] = await Promise.all([startOidc(settings), startEcho(), freePort()]);
  const base = `http://127.0.0.1:${port}`;
  const gateway = await startGateway({
    listen: `127.0.0.1:${port}`,
    url: base,
    servers: { echo: { url: echo.url } },
    identity: [{ use: 'local' }, { use: 'oauth', issuers: [{ issuer: oidc.issuer, ...issuer }], ...oauth }],
  });
  const close = async (): Promise<void> => {
    await gateway.close();
    await Promise.all([oidc.close(), echo.close()]);
  };
  return { oidc, echo, gateway, mcp: `${base}/mcp`, audit: gateway.audit, close };
}

/** The name of the gateway holds its port, so it must be known before it listens. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

// ---- an agent with a person ------------------------------------------------------------------------------------

/** What a client keeps; the person agrees in a browser without a window. */
class Agent implements OAuthClientProvider {
  readonly redirectUrl = REDIRECT;
  readonly clientMetadata = { client_name: 'agent', redirect_uris: [REDIRECT], token_endpoint_auth_method: 'none' };
  asked: URL[] = [];
  kept: { access_token: string; refresh_token?: string; token_type: string; scope?: string } | undefined;
  #verifier = '';

  clientInformation() {
    return { client_id: 'agent' };
  }
  tokens() {
    return this.kept;
  }
  saveTokens(tokens: NonNullable<Agent['kept']>) {
    this.kept = tokens;
  }
  redirectToAuthorization(url: URL) {
    this.asked.push(url);
  }
  saveCodeVerifier(verifier: string) {
    this.#verifier = verifier;
  }
  codeVerifier() {
    return this.#verifier;
  }
  /** The scopes of the token in hand. */
  get scopes(): readonly string[] {
    return String(decodeJwt(this.kept!.access_token)['scope']).split(' ');
  }
}

type Mode = 'legacy' | { pin: string };

async function connected(
  mcp: string,
  agent: Agent,
  mode: Mode,
): Promise<{ client: Client; transport: StreamableHTTPClientTransport }> {
  const fresh = () => new StreamableHTTPClientTransport(new URL(mcp), { authProvider: agent });
  const client = () => new Client({ name: 'agent', version: '0' }, { versionNegotiation: { mode } });
  const first = fresh();
  const one = client();
  try {
    await one.connect(first);
    return { client: one, transport: first };
  } catch (error) {
    assert.ok(error instanceof UnauthorizedError, String(error));
  }
  await first.finishAuth((await browse(agent.asked.at(-1)!)).searchParams);
  const [transport, two] = [fresh(), client()];
  await two.connect(transport);
  return { client: two, transport };
}

const textOf = (result: unknown): string => (result as { content: { text: string }[] }).content[0]!.text;

for (const mode of ['legacy', { pin: '2026-07-28' }] as const) {
  const era = typeof mode === 'string' ? mode : mode.pin;
  describe(`a stock client of ${era}`, { timeout: 60_000 }, () => {
    let here: World;
    before(async () => {
      const scopes = [{ scopes: ['mcp'] }, { scopes: ['files:write'], actions: ['tool.call'], servers: ['echo'] }];
      here = await world({}, { scopes });
    });
    after(() => here?.close());

    test('comes from a bare 401 to an answer: discovery, login, scopes, step-up, refresh', async () => {
      const agent = new Agent();
      const { client, transport } = await connected(here.mcp, agent, mode);
      const asked = agent.asked[0]!.searchParams;
      assert.equal(asked.get('resource'), here.mcp);
      assert.equal(asked.get('code_challenge_method'), 'S256');
      assert.equal(asked.get('scope')?.split(' ').includes('mcp'), true);
      assert.deepEqual(decodeJwt(agent.kept!.access_token).aud, here.mcp);
      assert.deepEqual(
        (await client.listTools()).tools.map(({ name }) => name),
        ['echo__headers'],
      );

      assert.equal(agent.scopes.includes('files:write'), false);
      await assert.rejects(client.callTool({ name: 'echo__headers', arguments: {} }), UnauthorizedError);
      assert.deepEqual(agent.asked.at(-1)!.searchParams.get('scope')?.split(' ').toSorted(), ['files:write', 'mcp']);
      await transport.finishAuth((await browse(agent.asked.at(-1)!)).searchParams);
      assert.equal(agent.scopes.includes('files:write'), true);

      const told = textOf(await client.callTool({ name: 'echo__headers', arguments: {} }));
      assert.equal(JSON.parse(told).authorization, undefined);

      const before_ = agent.kept!.access_token;
      agent.kept = { ...agent.kept!, access_token: `${before_.slice(0, -4)}AAAA` };
      await client.callTool({ name: 'echo__headers', arguments: {} });
      assert.notEqual(agent.kept.access_token, before_, 'the token was refreshed');
      assert.equal(agent.asked.length, 2, 'nobody was asked for it');
      await client.close();
    });

    test('its token reaches no server, no record and no log', async () => {
      const agent = new Agent();
      const { client } = await connected(here.mcp, agent, mode);
      await client.listTools();
      await client.close();
      const records = await readFile(here.audit, 'utf8');
      const token = agent.kept!.access_token;
      for (const secret of [token, token.split('.')[1]!, token.split('.')[2]!, agent.kept!.refresh_token!]) {
        assert.equal(here.echo.heard.join('\n').includes(secret), false);
        assert.equal(records.includes(secret), false);
        assert.equal(here.gateway.printed().includes(secret), false);
      }
      assert.match(records, /"subject":"ada"/);
      assert.match(records, new RegExp(JSON.stringify(here.oidc.issuer)));
    });
  });
}

// ---- programs alone --------------------------------------------------------------------------------------------

const REVISION = '2026-07-28';

/** `tools/list` of 2026-07-28. */
async function list(
  mcp: string,
  headers: Record<string, string>,
): Promise<{ status: number; body: string; challenge: string }> {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': REVISION,
    'io.modelcontextprotocol/clientCapabilities': {},
    'io.modelcontextprotocol/clientInfo': { name: 'robot', version: '0' },
  };
  const response = await fetch(mcp, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': REVISION,
      'mcp-method': 'tools/list',
      ...headers,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta } }),
  });
  return {
    status: response.status,
    body: await response.text(),
    challenge: response.headers.get('www-authenticate') ?? '',
  };
}

async function robotToken(oidc: Oidc, resource: string): Promise<string> {
  const pair = Buffer.from(`robot:${ROBOT_SECRET}`).toString('base64');
  const response = await fetch(`${oidc.issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${pair}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', resource, scope: 'mcp' }),
  });
  const { access_token } = (await response.json()) as { access_token: string };
  return access_token;
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe('a program without a person', { timeout: 60_000 }, () => {
  let here: World;
  before(async () => {
    here = await world({}, { keys: { refresh: '1ms', cooldown: '1ms' }, cache: '1ms' });
  });
  after(() => here?.close());

  test('calls with client credentials, at the endpoint that its token is for', async () => {
    const token = await robotToken(here.oidc, here.mcp);
    assert.equal((await list(here.mcp, bearer(token))).status, 200);
    assert.equal((await list(`${here.mcp}/echo`, bearer(token))).status, 401);
    const other = await robotToken(here.oidc, `${here.mcp}/echo`);
    assert.equal((await list(`${here.mcp}/echo`, bearer(other))).status, 200);
    assert.equal((await list(here.mcp, bearer(other))).status, 401);
  });

  test('goes on while its authorization server rotates keys, until the old one is gone', async () => {
    const old = await robotToken(here.oidc, here.mcp);
    await here.oidc.rotate(false);
    const token = await robotToken(here.oidc, here.mcp);
    assert.equal((await list(here.mcp, bearer(token))).status, 200);
    assert.equal((await list(here.mcp, bearer(old))).status, 200);
    await here.oidc.rotate(true);
    assert.equal((await list(here.mcp, bearer(old))).status, 401);
    assert.equal((await list(here.mcp, bearer(await robotToken(here.oidc, here.mcp)))).status, 200);
  });

  test('proves that its token is its own (DPoP), and nobody else can use it', async () => {
    const found = await discovered(here.oidc);
    const client: oauth4webapi.Client = { client_id: 'robot' };
    const keys = await oauth4webapi.generateKeyPair('ES256');
    const DPoP = oauth4webapi.DPoP(client, keys);
    const insecure = { [oauth4webapi.allowInsecureRequests]: true };
    const auth = oauth4webapi.ClientSecretBasic(ROBOT_SECRET);
    const asked = { resource: here.mcp, scope: 'mcp' };
    const response = await oauth4webapi.clientCredentialsGrantRequest(found, client, auth, asked, {
      DPoP,
      ...insecure,
    });
    const { access_token } = await oauth4webapi.processClientCredentialsResponse(found, client, response);
    assert.equal((await list(here.mcp, bearer(access_token))).status, 401);
    const answer = await oauth4webapi.protectedResourceRequest(
      access_token,
      'POST',
      new URL(here.mcp),
      new Headers({
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': REVISION,
        'mcp-method': 'tools/list',
      }),
      JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/list',
        params: {
          _meta: {
            'io.modelcontextprotocol/protocolVersion': REVISION,
            'io.modelcontextprotocol/clientCapabilities': {},
          },
        },
      }),
      { DPoP, ...insecure },
    );
    assert.equal(answer.status, 200, await answer.text());
  });
});

async function discovered(oidc: Oidc): Promise<oauth4webapi.AuthorizationServer> {
  const issuer = new URL(oidc.issuer);
  const response = await oauth4webapi.discoveryRequest(issuer, { [oauth4webapi.allowInsecureRequests]: true });
  return oauth4webapi.processDiscoveryResponse(issuer, response);
}

describe('opaque tokens', { timeout: 60_000 }, () => {
  let here: World;
  before(async () => {
    const introspection = { client: 'gateway', secret: GATEWAY_SECRET, cache: '1ms' };
    here = await world({ format: 'opaque' }, {}, { introspection });
  });
  after(() => here?.close());

  test('count as long as their issuer says so', async () => {
    const token = await robotToken(here.oidc, here.mcp);
    assert.equal(token.includes('.'), false);
    assert.equal((await list(here.mcp, bearer(token))).status, 200);
    const revoked = await fetch(`${here.oidc.issuer}/token/revocation`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`robot:${ROBOT_SECRET}`).toString('base64')}` },
      body: new URLSearchParams({ token }),
    });
    assert.equal(revoked.status, 200);
    assert.equal((await list(here.mcp, bearer(token))).status, 401);
  });

  test('the token of the owner is shown to no issuer', async () => {
    const before_ = here.oidc.asked.length;
    assert.equal((await list(here.mcp, bearer(here.gateway.token))).status, 200);
    assert.equal((await list(here.mcp, bearer(`spt_${'x'.repeat(43)}`))).status, 401);
    assert.equal(here.oidc.asked.length, before_);
  });
});

// ---- what everybody may read -----------------------------------------------------------------------------------

describe('metadata', { timeout: 60_000 }, () => {
  let here: World;
  before(async () => {
    here = await world({ ttl: 2 });
  });
  after(() => here?.close());

  test('is found by a general client from the URL of the endpoint (RFC 9728), from any page', async () => {
    const response = await oauth4webapi.resourceDiscoveryRequest(new URL(here.mcp), {
      [oauth4webapi.allowInsecureRequests]: true,
    });
    const found = await oauth4webapi.processResourceDiscoveryResponse(new URL(here.mcp), response);
    assert.deepEqual(found.authorization_servers, [here.oidc.issuer]);
    const at = `${here.gateway.url}/.well-known/oauth-protected-resource/mcp`;
    for (const method of ['GET', 'OPTIONS'])
      assert.equal((await fetch(at, { method })).headers.get('access-control-allow-origin'), '*');
    assert.equal((await fetch(`${at}/no/thing`)).status, 404);
    assert.equal((await fetch(at, { method: 'POST' })).status, 405);
  });

  test('a session ends with the token it was used with last', async () => {
    const first = await robotToken(here.oidc, here.mcp);
    const [left, used] = [await initialized(here.mcp, first), await initialized(here.mcp, first)];
    const news = await fetch(here.mcp, { headers: { ...legacy(left, first), accept: 'text/event-stream' } });
    assert.equal(news.status, 200);
    const ended = news.text();
    while (decodeJwt(await robotToken(here.oidc, here.mcp)).exp === decodeJwt(first).exp) await pause(100);
    const second = await robotToken(here.oidc, here.mcp);
    assert.equal((await ping(here.mcp, used, second)).status, 200);
    await ended;
    assert.equal((await ping(here.mcp, left, second)).status, 404);
    assert.equal((await ping(here.mcp, used, second)).status, 200);
    assert.equal((await ping(here.mcp, used, first)).status, 401);
  });

  test('a listener ends with its token', async () => {
    const token = await robotToken(here.oidc, here.mcp);
    const response = await fetch(here.mcp, {
      method: 'POST',
      headers: {
        ...bearer(token),
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': REVISION,
        'mcp-method': 'subscriptions/listen',
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'subscriptions/listen',
        params: {
          notifications: { toolsListChanged: true },
          _meta: {
            'io.modelcontextprotocol/protocolVersion': REVISION,
            'io.modelcontextprotocol/clientCapabilities': {},
          },
        },
      }),
    });
    const { exp = 0 } = decodeJwt(token);
    assert.match(await response.text(), /acknowledged[\s\S]*"error":\{"code":401/);
    assert.ok(Date.now() >= exp * 1000 - 50);
  });
});

// ---- sessions of the older era ---------------------------------------------------------------------------------

function legacy(session: string | undefined, token: string): Record<string, string> {
  return {
    ...bearer(token),
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': '2025-11-25',
    ...(session === undefined ? {} : { 'mcp-session-id': session }),
  };
}

async function initialized(mcp: string, token: string): Promise<string> {
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'robot', version: '0' } };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params });
  const response = await fetch(mcp, { method: 'POST', headers: legacy(undefined, token), body });
  await response.text();
  return response.headers.get('mcp-session-id')!;
}

async function ping(mcp: string, session: string, token: string): Promise<Response> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'ping' });
  return fetch(mcp, { method: 'POST', headers: legacy(session, token), body });
}
