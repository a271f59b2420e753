/**
 * The cells of the conformance matrix. Server leg: a requirement set against one flavour of the fixture, direct or through
 * the gateway. Client leg: our client against the suite's own servers, direct or through the gateway.
 */
import { startGateway } from '../gateway.ts';
import { expectedIn, type Expected } from './baseline.ts';
import { startFixture, stdioCommand } from './fixture.ts';
import type { Flavour } from './fixture.ts';
import { startForwarder } from './forwarder.ts';
import { runClient, runScenario, runSuite } from './suite.ts';
import type { Outcome, Revision } from './suite.ts';

/** `direct`: without a gateway, which shows what the fixture, or the client, is worth. */
export interface Cell {
  revision: Revision;
  /** Undefined: the client leg. */
  flavour: Flavour | undefined;
  direct: boolean;
}

export interface Score {
  name: string;
  /** Required scenarios only. */
  passed: number;
  total: number;
  /** Of those that failed: how many the baseline expects. */
  expected: number;
  /** Entries of the baseline that did not come true: they must be taken out. */
  surprises: readonly Expected[];
  /** Scenarios that failed at first and passed by themselves: some give a server less than a second. */
  again: readonly string[];
  outcomes: Outcome[];
}

const SERVER = 'conformance';
const FLAVOURS: readonly Flavour[] = [
  { era: 'modern', transport: 'http' },
  { era: 'modern', transport: 'stdio' },
  { era: 'legacy', transport: 'http' },
  { era: 'legacy', transport: 'stdio' },
];
const MODERN_HTTP: Flavour = { era: 'modern', transport: 'http' };
const LEGACY_HTTP: Flavour = { era: 'legacy', transport: 'http' };

/** Every set direct, then through the gateway over its flavours; then the client leg, both ways. */
export const cells: readonly Cell[] = [
  { revision: '2026-07-28', flavour: MODERN_HTTP, direct: true },
  { revision: '2025-11-25', flavour: LEGACY_HTTP, direct: true },
  { revision: '2025-06-18', flavour: LEGACY_HTTP, direct: true },
  ...(['2026-07-28', '2025-11-25', '2025-06-18'] as const).flatMap((revision) =>
    FLAVOURS.map((flavour) => ({ revision, flavour, direct: false })),
  ),
  ...(['2026-07-28', '2025-11-25'] as const).flatMap((revision) =>
    [true, false].map((direct) => ({ revision, flavour: undefined, direct })),
  ),
];

const YEAR: Readonly<Record<Revision, string>> = {
  '2026-07-28': '2026',
  '2025-11-25': '2025',
  '2025-06-18': '2025-06',
};

/** For example `2026/modern/stdio`, `2025/direct`, `2026/client/gateway`. */
export function nameOf({ revision, flavour, direct }: Cell): string {
  const set = YEAR[revision];
  if (!flavour) return `${set}/client/${direct ? 'direct' : 'gateway'}`;
  return direct ? `${set}/direct` : `${set}/${flavour.era}/${flavour.transport}`;
}

/** Runs one cell and stops everything it started. */
export async function runCell(cell: Cell): Promise<Score> {
  const { flavour, revision, direct } = cell;
  if (!flavour) return scored(cell, await runClient(revision, !direct), []);
  await using stack = new AsyncDisposableStack();
  const url = direct ? await fixtureUrl(stack, flavour) : await gatewayUrl(stack, flavour);
  const first = await runSuite(revision, url);
  const outcomes: Outcome[] = [];
  for (const one of first) outcomes.push(unlucky(one, cell) ? await runScenario(revision, url, one) : one);
  const again = outcomes.filter((one, at) => one.passed && !first[at]!.passed);
  return scored(
    cell,
    outcomes,
    again.map(({ scenario }) => scenario),
  );
}

function unlucky({ required, passed, scenario }: Outcome, cell: Cell): boolean {
  return required && !passed && !expectedIn(nameOf(cell)).some((one) => one.scenario === scenario);
}

function scored(cell: Cell, outcomes: Outcome[], again: readonly string[]): Score {
  const expected = expectedIn(nameOf(cell));
  const required = outcomes.filter((outcome) => outcome.required);
  const failing = (scenario: string) =>
    required.some((one) => one.scenario === scenario && one.failedChecks.length > 0);
  return {
    name: nameOf(cell),
    passed: required.filter(({ passed }) => passed).length,
    total: required.length,
    expected: required.filter((one) => !one.passed && isExpected(one, cell)).length,
    surprises: expected.filter(({ scenario }) => !failing(scenario)),
    again,
    outcomes,
  };
}

export function isExpected({ scenario }: Outcome, cell: Cell): boolean {
  return expectedIn(nameOf(cell)).some((one) => one.scenario === scenario);
}

/** Full marks, but for what is expected; and all that is expected. */
export function isWell({ passed, expected, total, surprises }: Score): boolean {
  return passed + expected === total && surprises.length === 0;
}

async function fixtureUrl(stack: AsyncDisposableStack, { era }: Flavour): Promise<string> {
  return stack.adopt(await startFixture(era), (fixture) => fixture.close()).url;
}

async function gatewayUrl(stack: AsyncDisposableStack, flavour: Flavour): Promise<string> {
  const server = flavour.transport === 'stdio' ? stdioCommand(flavour.era) : { url: await fixtureUrl(stack, flavour) };
  const gateway = stack.adopt(await startGateway(configuration(server)), (running) => running.close());
  const endpoint = `${gateway.url}/mcp/${SERVER}`;
  return stack.adopt(await startForwarder(endpoint, gateway.token), (forwarder) => forwarder.close()).url;
}

/** One server, names untouched, nothing that is made for the fixture. */
function configuration(server: object): object {
  return { servers: { [SERVER]: server } };
}
