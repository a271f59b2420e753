/** What browsers ask before and read after a request of a page (Fetch, "CORS protocol"), for allowed origins only. */
import type { IncomingMessage } from 'node:http';

const METHODS = 'POST, GET, DELETE';
const REQUEST_HEADERS =
  'Authorization, Content-Type, Accept, MCP-Protocol-Version, Mcp-Method, Mcp-Name, Mcp-Session-Id, Last-Event-ID';
const EXPOSED = 'WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, Retry-After';
const PARAM = /^mcp-param-[!#$%&'*+.^_`|~0-9a-z-]+$/i;

/** Headers of every answer to a page of an allowed origin, as a flat list. */
export function corsHeaders(origin: string): string[] {
  return ['access-control-allow-origin', origin, 'access-control-expose-headers', EXPOSED, 'vary', 'Origin'];
}

/** `Mcp-Param-*` names come from tools, so they are given back as they are asked for. */
export function preflightHeaders(request: IncomingMessage): string[] {
  const asked = request.headers['access-control-request-headers'] ?? '';
  const params = asked.split(',').map((name) => name.trim());
  const allowed = [REQUEST_HEADERS, ...params.filter((name) => PARAM.test(name))].join(', ');
  return Object.entries({
    'access-control-allow-methods': METHODS,
    'access-control-allow-headers': allowed,
    'access-control-max-age': '600',
  }).flat();
}
