/**
 * Host, Origin, doubled headers, size announced: judged before a byte of the body is read.
 * DNS rebinding (protocol.md S19, transports/streamable-http#security-warning); request smuggling by doubled headers.
 */
import type { House } from '../house.ts';
import type { Stage } from '../stage.ts';
import { deny, PASS, type Verdict } from '../verdict.ts';
import type { Arrival } from '../ports.ts';

export function head(house: House): Stage {
  return { name: 'head', pass: (crossing) => judge(crossing.arrival, house) };
}

function judge(arrival: Arrival, { settings, draining }: House): Verdict {
  if (arrival.duplicates.length > 0)
    return deny('header_duplicated', { detail: `doubled: ${arrival.duplicates.join(', ')}` });
  if (!settings.hostAllowed(arrival.header('host')))
    return deny('host_not_allowed', { detail: `Host: ${arrival.header('host') ?? '(none)'}` });
  if (!settings.originAllowed(arrival.header('origin'), arrival.header('host')))
    return deny('origin_not_allowed', { detail: `Origin: ${arrival.header('origin') ?? ''}` });
  if (arrival.endpoint === undefined) return deny('endpoint_unknown');
  if ((arrival.announced ?? 0) > settings.messageBytes)
    return deny('body_too_large', { detail: `announced ${arrival.announced} bytes` });
  return draining ? deny('draining') : PASS;
}
