/**
 * What the endpoints are called, and what is published about them (RFC 9728). Everything is made of the configured base URL:
 * a name out of a request's headers would let anybody send tokens elsewhere.
 */
import type { Endpoint } from '../../../gateway/exchange.ts';
import type { Config } from './config.ts';
import { baseScopes, everyScope } from './scopes.ts';
import { lowerOrigin } from './verify.ts';

export interface Places {
  /** The canonical URI of an endpoint: lower-case origin, no trailing slash (MCP basic/authorization). */
  resource(endpoint: Endpoint): string;
  challenge(scheme: 'Bearer' | 'DPoP', endpoint: Endpoint, more?: ChallengeMore): string;
  documents(servers: readonly string[]): Readonly<Record<string, object>>;
}

export interface ChallengeMore {
  readonly error?: string;
  readonly description?: string;
  readonly scopes?: readonly string[];
}

const WELL_KNOWN = '/.well-known/oauth-protected-resource';

/** @param url the public base URL, with or without a path of its own */
export function placesAt(url: string, config: Config): Places {
  const base = lowerOrigin(url)
    .replace(/[?#].*$/, '')
    .replace(/\/+$/, '');
  const origin = new URL(base).origin;
  const below = base.slice(origin.length);
  const resource = (endpoint: Endpoint): string => base + pathOf(endpoint);
  return {
    resource,
    challenge: (scheme, endpoint, more = {}) => {
      const scopes = more.scopes ?? baseScopes(config.scopes, endpoint);
      return written(scheme, [
        ['resource_metadata', `${origin}${WELL_KNOWN}${below}${pathOf(endpoint)}`],
        ['scope', scopes.length > 0 ? scopes.join(' ') : undefined],
        ['error', more.error],
        ['error_description', more.description],
        ['algs', scheme === 'DPoP' ? config.dpop.algorithms.join(' ') : undefined],
      ]);
    },
    documents: (servers) => documents(servers, below, resource, config),
  };
}

function pathOf(endpoint: Endpoint): string {
  return endpoint.kind === 'joint' ? '/mcp' : `/mcp/${endpoint.server}`;
}

type Parameter = readonly [name: string, value: string | undefined];

function written(scheme: string, parameters: readonly Parameter[]): string {
  const present = parameters.filter(([, value]) => value !== undefined);
  return `${scheme} ${present.map(([name, value]) => `${name}="${value}"`).join(', ')}`;
}

function documents(
  servers: readonly string[],
  below: string,
  resource: (endpoint: Endpoint) => string,
  config: Config,
): Record<string, object> {
  const endpoints: Endpoint[] = [{ kind: 'joint' }, ...servers.map((server) => ({ kind: 'server', server }) as const)];
  const found: Record<string, object> = {};
  for (const endpoint of endpoints) {
    const document = metadata(resource(endpoint), endpoint, config);
    // A proxy in front may take the path of the base URL away, or leave it.
    for (const path of [below + pathOf(endpoint), pathOf(endpoint)]) found[WELL_KNOWN + path] = document;
    if (endpoint.kind === 'joint') found[WELL_KNOWN] = document;
  }
  return found;
}

function metadata(resource: string, endpoint: Endpoint, { issuers, scopes, bound, dpop, name }: Config): object {
  const supported = everyScope(scopes, endpoint);
  return {
    resource,
    authorization_servers: issuers.map(({ issuer }) => issuer),
    ...(supported.length > 0 ? { scopes_supported: supported } : {}),
    bearer_methods_supported: ['header'],
    resource_name: name ?? 'Sallyport',
    dpop_signing_alg_values_supported: dpop.algorithms,
    ...(bound === 'required' ? { tls_client_certificate_bound_access_tokens: true } : {}),
  };
}
