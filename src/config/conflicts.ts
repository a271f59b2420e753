/** What each value alone does not show: settings that do not go together. */
import { isLoopback } from './address.ts';
import type { Written } from './schema.ts';
import type { Path } from './source.ts';

interface Conflict {
  readonly path: Path;
  readonly expected: string;
  readonly found: string;
}

export function conflicts(written: Written): Conflict[] {
  return [...openListeners(written), ...clientCertificates(written)];
}

function openListeners({ listen, tls, plain }: Written): Conflict[] {
  const open = [listen].flat().filter((one) => !isLoopback(one));
  if (open.length === 0 || tls !== undefined || plain) return [];
  const found = 'an address that other machines reach, without TLS';
  return [{ path: ['listen'], expected: 'tls, or plain: true spelled out, for an address off loopback', found }];
}

function clientCertificates({ tls }: Written): Conflict[] {
  if (!tls?.clientCertRequired || tls.clientCa !== undefined) return [];
  return [
    {
      path: ['tls', 'clientCertRequired'],
      expected: 'tls.clientCa with it',
      found: 'no authority to check them against',
    },
  ];
}
