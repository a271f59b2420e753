/** What is measured, in the order in which it is shown. Rows that name the same target share one process. */
import { installed } from './processes.ts';
import { peerRows } from './peers.ts';
import type { Called } from './requests.ts';
import { floor, haproxy, nginx, part, sallyport, type Scene, type Starter } from './targets.ts';

export interface Row extends Called {
  readonly group: string;
  readonly name: string;
  /** Undefined: the upstream itself is called. */
  readonly target: { readonly name: string; readonly start: Starter } | undefined;
}

const OWNER = { policy: { use: 'owner' } };
const LIMITS = { limits: [{ use: 'concurrency' }] };
const METRICS = { metrics: true };
const BARE = { policy: part('permit-all'), limits: [], audit: part('null-audit') };

const DEFAULTS = '+ audit: jsonl = the defaults';

/** Each with one control more than the one before. */
const CONTROLS: readonly (readonly [name: string, settings: (scene: Scene) => object])[] = [
  ['Sallyport, bare', () => BARE],
  ['+ policy: owner', () => ({ ...BARE, ...OWNER })],
  ['+ limits: concurrency', () => ({ ...BARE, ...OWNER, ...LIMITS })],
  [DEFAULTS, () => ({})],
  ['+ metrics', () => METRICS],
  ['+ traces', ({ upstream }) => ({ ...METRICS, traces: { endpoint: `http://127.0.0.1:${upstream}/v1/traces` } })],
];

const SALLYPORT = { name: 'Sallyport', start: sallyport(() => ({})) };
const FLOOR = { name: 'node:http + undici', start: floor };

const SMALL = { era: 'modern', path: '/mcp/modern', tool: 'small' } as const;
const LARGE = { ...SMALL, tool: 'large' } as const;
const EVENTS = { ...SMALL, tool: 'events' } as const;
const LEGACY = { ...SMALL, era: 'legacy', path: '/mcp/legacy' } as const;
const STDIO = { ...LEGACY, path: '/mcp/stdio' } as const;

/**
 * @param peers whether the packages in bench/peers are measured too
 * @param against another checkout, whose rows stand beside ours
 */
export function allRows(peers: boolean, against: string | undefined): readonly Row[] {
  return [
    ...(against === undefined ? [] : beside(against)),
    ...plain('HTTP 1.5 KB', SMALL),
    ...CONTROLS.map(([name, settings]) => ({
      ...SMALL,
      group: 'HTTP 1.5 KB',
      name,
      target: name === DEFAULTS ? SALLYPORT : { name, start: sallyport(settings) },
    })),
    ...plain('HTTP 100 KB', LARGE),
    ours('HTTP 100 KB', 'Sallyport', LARGE),
    ...plain('HTTP 10 events + 1.5 KB', EVENTS),
    ours('HTTP 10 events + 1.5 KB', 'Sallyport', EVENTS),
    ...cells(),
    ...(peers ? [...peerRows(LEGACY), ours('peers 1.5 KB', 'Sallyport → stdio', STDIO)] : []),
  ];
}

/** What a change costs or saves is seen only where both run in one series. */
function beside(root: string): readonly Row[] {
  const before = { name: 'before', start: sallyport(() => ({}), [], root) };
  const pair = (group: string, called: Called): readonly Row[] => [
    { ...called, group, name: 'before', target: before },
    ours(group, 'after', called),
  ];
  return [
    ...pair('against 1.5 KB', SMALL),
    ...pair('against 100 KB', LARGE),
    ...pair('against events', EVENTS),
    ...pair('against legacy', LEGACY),
  ];
}

/** The upstream itself, and proxies that look at nothing. */
function plain(group: string, called: Called): readonly Row[] {
  return [
    { ...called, group, name: 'direct', target: undefined },
    ...(installed('haproxy')
      ? [{ ...called, group, name: 'haproxy', target: { name: 'haproxy', start: haproxy } }]
      : []),
    ...(installed('nginx') ? [{ ...called, group, name: 'nginx', target: { name: 'nginx', start: nginx } }] : []),
    { ...called, group, name: FLOOR.name, target: FLOOR },
  ];
}

/** An agent and a server of either era, and servers that are programs. */
function cells(): readonly Row[] {
  const group = 'agent → server 1.5 KB';
  return [
    { ...LEGACY, group, name: 'direct', target: undefined },
    ours(group, 'modern → modern', SMALL),
    ours(group, 'modern → legacy', { ...SMALL, path: '/mcp/legacy' }),
    ours(group, 'legacy → modern', { ...LEGACY, path: '/mcp/modern' }),
    ours(group, 'legacy → legacy', LEGACY),
    ours(group, 'modern → stdio', { ...SMALL, path: '/mcp/stdio' }),
    ours(group, 'legacy → stdio', STDIO),
  ];
}

function ours(group: string, name: string, called: Called): Row {
  return { ...called, group, name, target: SALLYPORT };
}
