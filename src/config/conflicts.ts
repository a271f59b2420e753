/** What each value alone does not show: settings that do not go together. */
import { isLoopback } from './address.ts';
import type { Config } from './config.ts';
import { places } from './places.ts';
import type { Path } from './source.ts';

type Settled = Omit<Config, 'digest'>;

interface Conflict {
  readonly path: Path;
  readonly expected: string;
  readonly found: string;
}

export function conflicts(config: Settled): Conflict[] {
  return [...openListeners(config), ...clientCertificates(config), ...socketTooLong(config)];
}

function openListeners({ listen, admin, tls, plain }: Settled): Conflict[] {
  if (tls !== undefined || plain) return [];
  const doors = [
    { path: ['listen'], at: listen },
    { path: ['admin', 'listen'], at: admin ? [admin.listen] : [] },
  ];
  const open = doors.filter(({ at }) => at.some((one) => !isLoopback(one)));
  const found = 'an address that other machines reach, without TLS';
  return open.map(({ path }) => ({
    path,
    expected: 'tls, or plain: true spelled out, for an address off loopback',
    found,
  }));
}

function clientCertificates({ tls }: Settled): Conflict[] {
  if (!tls?.clientCertRequired || tls.clientCa !== undefined) return [];
  return [
    {
      path: ['tls', 'clientCertRequired'],
      expected: 'tls.clientCa with it',
      found: 'no authority to check them against',
    },
  ];
}

// sun_path holds 104 bytes on macOS and 108 on Linux, its end included.
const LONGEST_SOCKET = 103;

function socketTooLong({ data }: Settled): Conflict[] {
  const length = Buffer.byteLength(places(data).socket);
  if (length <= LONGEST_SOCKET) return [];
  const expected = `a folder whose socket has a path of at most ${LONGEST_SOCKET} bytes`;
  return [{ path: ['data'], expected, found: `one of ${length}` }];
}
