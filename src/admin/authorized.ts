/** May this request administer the gateway? The same identity parts and the same policy as for calls; any doubt refuses. */
import type { IncomingMessage } from 'node:http';
import type { House } from '../gateway/house.ts';
import type { Principal } from '../gateway/principal.ts';
import { Crossing } from '../gateway/stage.ts';
import { authenticate } from '../gateway/stages/authenticate.ts';
import { HttpArrival, peerOf } from '../mcp/downstream/arrival.ts';

export interface Allowed {
  readonly status: 200 | 401 | 403;
  readonly tell: string;
  /** For the notice that is kept of it. */
  readonly record: { readonly allowed: boolean; readonly principal?: string };
}

export async function authorized(action: string, request: IncomingMessage, house: House): Promise<Allowed> {
  try {
    const principal = await principalOf(request, house);
    if (!principal) return { status: 401, tell: 'Authentication is required.', record: { allowed: false } };
    const allowed = await permits(action, principal, house);
    const record = { allowed, principal: principal.key };
    return allowed ? { status: 200, tell: '', record } : { status: 403, tell: 'Not permitted.', record };
  } catch (error) {
    house.log.error({ err: error, action }, 'an administrative request could not be judged; it was refused');
    return { status: 403, tell: 'Not permitted.', record: { allowed: false } };
  }
}

async function principalOf(request: IncomingMessage, house: House): Promise<Principal | undefined> {
  const crossing = new Crossing('inward', 'opening');
  crossing.arrival = new HttpArrival(
    request,
    'GET',
    { kind: 'joint' },
    peerOf(request, 'socket', false),
    house.clock.now(),
  );
  const verdict = await authenticate(house).pass(crossing);
  return verdict.effect === 'pass' ? crossing.principal : undefined;
}

async function permits(action: string, principal: Principal, house: House): Promise<boolean> {
  const resource = {
    endpoint: { kind: 'joint' },
    server: undefined,
    kind: 'gateway',
    name: undefined,
    definition: undefined,
  } as const;
  const question = {
    principal,
    action,
    resource,
    params: undefined,
    facts: {},
    labels: [],
    method: action,
    at: house.clock.now(),
    peer: 'socket',
    run: `principal:${principal.key}`,
    risk: 0,
  };
  return (await house.parts.policy.decide(question)).effect === 'permit';
}
