/** The cells of the conformance matrix: a requirement set against one flavour of the fixture, direct or through the gateway. */
import { startGateway } from '../gateway.ts';
import { startFixture, stdioCommand } from './fixture.ts';
import type { Flavour } from './fixture.ts';
import { startForwarder } from './forwarder.ts';
import { runSuite } from './suite.ts';
import type { Outcome, Revision } from './suite.ts';

/** `direct`: the suite speaks to the fixture itself, which shows what the fixture is worth. */
export interface Cell {
  revision: Revision;
  flavour: Flavour;
  direct: boolean;
}

export interface Score {
  name: string;
  /** Required scenarios only. */
  passed: number;
  total: number;
  outcomes: Outcome[];
}

const SERVER = 'conformance';
const FLAVOURS: readonly Flavour[] = [
  { era: 'modern', transport: 'http' },
  { era: 'modern', transport: 'stdio' },
  { era: 'legacy', transport: 'http' },
  { era: 'legacy', transport: 'stdio' },
];

/** Both sets direct, then both sets through the gateway over all four flavours. */
export const cells: readonly Cell[] = [
  { revision: '2026-07-28', flavour: { era: 'modern', transport: 'http' }, direct: true },
  { revision: '2025-11-25', flavour: { era: 'legacy', transport: 'http' }, direct: true },
  ...(['2026-07-28', '2025-11-25'] as const).flatMap((revision) =>
    FLAVOURS.map((flavour) => ({ revision, flavour, direct: false })),
  ),
];

/** For example `2026/modern/stdio`, `2025/direct`. */
export function nameOf({ revision, flavour, direct }: Cell): string {
  const year = revision.slice(0, 4);
  return direct ? `${year}/direct` : `${year}/${flavour.era}/${flavour.transport}`;
}

/** Runs one cell and stops everything it started. */
export async function runCell(cell: Cell): Promise<Score> {
  await using stack = new AsyncDisposableStack();
  const url = cell.direct ? await fixtureUrl(stack, cell.flavour) : await gatewayUrl(stack, cell.flavour);
  const outcomes = await runSuite(cell.revision, url);
  const required = outcomes.filter((outcome) => outcome.required);
  return {
    name: nameOf(cell),
    passed: required.filter(({ passed }) => passed).length,
    total: required.length,
    outcomes,
  };
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
