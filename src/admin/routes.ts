/** Plain HTTP beside MCP: probes, metrics, and what identity parts publish. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { House } from '../gateway/house.ts';
import type { Route } from '../mcp/downstream/listen.ts';
import { livez, readyz, type NamedPart } from '../telemetry/health.ts';
import type { Metrics } from '../telemetry/metrics.ts';

export interface RouteSources {
  readonly house: House;
  readonly parts: () => readonly NamedPart[];
  readonly metrics: Metrics | undefined;
}

/** For every listener of agents. They tell states and counts, no names of agents and no contents. */
export function probeRoutes({ house, parts }: RouteSources): Record<string, Route> {
  return {
    '/livez': (request, response) => read(request, response, () => json(response, 200, livez().body)),
    '/readyz': (request, response) =>
      read(request, response, () => {
        const { status, body } = readyz({ parts, draining: () => house.draining });
        json(response, status, body);
      }),
  };
}

/** What identity parts tell everybody (RFC 9728), as they say it now: a reload may change it. */
export function documentsOf(house: House): (path: string) => Route | undefined {
  return (path) => {
    if (!path.startsWith('/.well-known/')) return undefined;
    const found = firstOf(house.parts.identity, (part) => part.document?.(path) ?? listed(part, path));
    return found && ((request, response) => published(request, response, found));
  };
}

type Identity = House['parts']['identity'][number];

function listed(part: Identity, path: string): object | undefined {
  const all = part.documents?.() ?? {};
  return Object.hasOwn(all, path) ? all[path] : undefined;
}

function firstOf<T>(parts: readonly Identity[], find: (part: Identity) => T | undefined): T | undefined {
  for (const part of parts) {
    const found = find(part);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Pages of any origin may read it, with whatever headers their client sends along (`mcp-protocol-version`). */
function published(request: IncomingMessage, response: ServerResponse, body: object): void {
  response.setHeader('access-control-allow-origin', '*');
  if (request.method !== 'OPTIONS') return read(request, response, () => json(response, 200, body));
  response.setHeader('access-control-allow-headers', '*');
  response.writeHead(204, { 'access-control-allow-methods': 'GET, HEAD' }).end();
}

export function metricsRoute({ metrics }: RouteSources): Record<string, Route> {
  if (!metrics) return {};
  return { '/metrics': (request, response) => read(request, response, () => void scrape(metrics, response)) };
}

function read(request: IncomingMessage, response: ServerResponse, answer: () => void): void {
  if (request.method === 'GET' || request.method === 'HEAD') return answer();
  response.setHeader('allow', 'GET, HEAD');
  json(response, 405, { error: 'only GET and HEAD are answered here' });
}

async function scrape(metrics: Metrics, response: ServerResponse): Promise<void> {
  try {
    const text = await metrics.text();
    response.writeHead(200, { 'content-type': metrics.contentType }).end(text);
  } catch {
    json(response, 500, { error: 'the metrics could not be read' });
  }
}

function json(response: ServerResponse, status: number, body: object): void {
  const text = `${JSON.stringify(body)}\n`;
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(text);
}
