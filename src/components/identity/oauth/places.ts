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
  /** What stands at a path below `.well-known`. */
  document(path: string): object | undefined;
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
    document: (path) => {
      const endpoint = endpointAt(path, below);
      return endpoint && metadata(resource(endpoint), endpoint, config);
    },
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

/** Of every name that a server could have: what is published tells nobody which there are. */
const ENDPOINT = /^\/mcp(?:\/([A-Za-z0-9_-][A-Za-z0-9._-]{0,63}))?$/;

/** Without an endpoint's path it is the joint one (RFC 9728 §3.1). A proxy in front may leave out the path of the base URL. */
function endpointAt(path: string, below: string): Endpoint | undefined {
  if (!path.startsWith(WELL_KNOWN)) return undefined;
  const rest = path.slice(WELL_KNOWN.length);
  if (rest === '') return { kind: 'joint' };
  const found = ENDPOINT.exec(rest.startsWith(`${below}/`) ? rest.slice(below.length) : rest);
  if (!found) return undefined;
  return found[1] === undefined ? { kind: 'joint' } : { kind: 'server', server: found[1] };
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
