/**
 * A loopback hop that adds a bearer token, because the suite has no option for one. Everything else passes as it came:
 * Host and Origin (the suite tests that foreign ones are refused), header order, bytes as they arrive, and the
 * disconnect of either side.
 */
import { createServer, request } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';
import type { Running } from './fixture.ts';

/** RFC 9110 section 7.6.1, and the framing, which each hop chooses itself. */
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'te', 'trailer', 'upgrade']);

/** @param target URL of one MCP endpoint: `running.url` has its path, on a port of its own. */
export async function startForwarder(target: string, token: string): Promise<Running> {
  const server = createServer((inbound, response) => forward(new URL(target), token, inbound, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}${new URL(target).pathname}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function forward(target: URL, token: string, inbound: IncomingMessage, response: ServerResponse): void {
  const outbound = request({
    host: target.hostname,
    port: target.port,
    path: inbound.url,
    method: inbound.method,
    headers: [...passing(inbound.rawHeaders), 'Authorization', `Bearer ${token}`],
    setHost: false,
    agent: false,
  });
  outbound.once('response', (answer) => {
    response.writeHead(answer.statusCode ?? 502, passing(answer.rawHeaders));
    response.flushHeaders();
    pipeline(answer, response, () => {});
  });
  outbound.once('error', () => response.destroy());
  response.once('close', () => outbound.destroy());
  inbound.pipe(outbound);
}

/** @param raw names and values in turn. */
function passing(raw: string[]): string[] {
  return raw.filter((_, i) => !HOP_BY_HOP.has(raw[i - (i % 2)]!.toLowerCase()));
}
