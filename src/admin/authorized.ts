/** May this request administer the gateway? The same stages, registry and policy as for calls; any doubt refuses. */
import type { IncomingMessage } from 'node:http';
import type { Verdict } from '../gateway/verdict.ts';
import type { House } from '../gateway/house.ts';
import type { Agents, Arrival, Peer } from '../gateway/ports.ts';
import type { Principal } from '../gateway/principal.ts';
import { outOfReach } from '../gateway/reach.ts';
import { reasonText, type Reason } from '../gateway/reasons.ts';
import { Crossing } from '../gateway/stage.ts';
import { authenticate } from '../gateway/stages/authenticate.ts';
import { head } from '../gateway/stages/head.ts';
import { throttle } from '../gateway/stages/throttle.ts';
import { HttpArrival } from '../mcp/downstream/arrival.ts';

export interface Judged {
  readonly arrival: Arrival;
  readonly principal: Principal | undefined;
  readonly refused: { readonly reason: Reason; readonly detail: string | undefined } | undefined;
  readonly challenges: readonly string[];
  /** Gives back what was taken for reading; call it once. */
  readonly done: () => void;
}

/** @param agents who is registered and blocked may not administer either; see `Agents.asGuest` */
export async function authorized(
  action: string,
  request: IncomingMessage,
  peer: Peer,
  house: House,
  agents: Agents,
): Promise<Judged> {
  const crossing = new Crossing('inward', 'opening');
  const arrival = new HttpArrival(request, 'POST', { kind: 'joint' }, peer, house.clock.now());
  crossing.arrival = arrival;
  const refused = await verdictOn(action, crossing, house, agents);
  const done = (): void => crossing.whenRead.splice(0).forEach((one) => one());
  return { arrival, principal: crossing.sofar().principal, refused, challenges: crossing.challenges, done };
}

async function verdictOn(action: string, crossing: Crossing, house: House, agents: Agents): Promise<Judged['refused']> {
  try {
    for (const stage of [head(house), authenticate(house, agents), throttle(house)]) {
      const refused = refusalIn(await stage.pass(crossing));
      if (refused) return refused;
    }
    const beyond = outOfReach(crossing.principal, action, { of: 'gateway' });
    if (beyond) return refusalIn(beyond);
    return (await permits(action, crossing, house)) ? undefined : { reason: 'not_permitted', detail: action };
  } catch (error) {
    house.log.error({ err: error, action }, 'an administrative request could not be judged; it was refused');
    return { reason: 'stage_failed', detail: action };
  }
}

function refusalIn(verdict: Verdict): Judged['refused'] {
  switch (verdict.effect) {
    case 'pass':
      return undefined;
    case 'deny':
      return { reason: verdict.reason, detail: verdict.detail };
    case 'hold':
      return { reason: 'approval_unavailable', detail: undefined };
  }
}

/** A refusal that travels inside an answer of MCP is a plain 403 here. */
export function statusOf(reason: Reason): number {
  const { status } = reasonText(reason);
  return status === 200 ? 403 : status;
}

async function permits(action: string, { principal, arrival }: Crossing, house: House): Promise<boolean> {
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
    peer: arrival.peer.address,
    run: `principal:${principal.key}`,
    risk: 0,
  };
  return (await house.parts.policy.decide(question)).effect === 'permit';
}
