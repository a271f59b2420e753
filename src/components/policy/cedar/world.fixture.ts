/** A folder with policies in it, for tests. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Clock } from '../../../gateway/ports.ts';
import type { PartDeps } from '../../../gateway/component.ts';
import type { JsonObject } from '../../../gateway/document.ts';
import { manualClock } from '../../../lib/clock.ts';
import { sampleDeps, samplePrincipal, sampleQuestion } from '../../samples.ts';
import type { Store } from '../../store/store.ts';
import type { Policy, Question } from '../policy.ts';
import { calendarOf } from './calendar.ts';
import { cedar } from './cedar.ts';
import { compileAll } from './compile.ts';
import { problemLine } from './compiled.ts';
import { Engine } from './engine.ts';
import type { Judged } from './judge.ts';
import { settings } from './settings.ts';
import { Slices } from './slices.ts';

export interface World {
  readonly folder: string;
  readonly policy: Policy;
  readonly logged: string[];
  readonly write: (file: string, text: string) => void;
  readonly close: () => Promise<void>;
}

export interface WorldOptions {
  readonly settings?: object;
  readonly tools?: Readonly<Record<string, object>>;
  readonly clock?: Clock;
}

/** @param files texts by path; `*.cedar` are policies, `*.yaml` cases */
export async function world(files: Readonly<Record<string, string>>, options: WorldOptions = {}): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-cedar-'));
  const write = (file: string, text: string): void => {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  };
  for (const [file, text] of Object.entries(files)) write(file, text);
  const logged: string[] = [];
  try {
    const config = cedar.config.parse({ ...patterns(files), ...options.settings });
    const policy = await cedar.create(config, depsOf(folder, logged, options));
    const close = async (): Promise<void> => {
      await policy.close?.();
      rmSync(folder, { recursive: true });
    };
    return { folder, policy, logged, write, close };
  } catch (error) {
    rmSync(folder, { recursive: true });
    throw error;
  }
}

function patterns(files: Readonly<Record<string, string>>): object {
  const some = (end: string) => (Object.keys(files).some((file) => file.endsWith(end)) ? [`*${end}`] : []);
  return { files: some('.cedar'), tests: some('.yaml') };
}

function depsOf(folder: string, logged: string[], { tools = {}, clock = manualClock() }: WorldOptions): PartDeps {
  const note = (fields: object, message: string): void => void logged.push(`${message} ${JSON.stringify(fields)}`);
  const log = { debug: note, info: note, warn: note, error: note };
  const declared = Object.entries(tools).map(([path, inputSchema]) => {
    const [server = '', name = ''] = path.split('/');
    return { server, name, kind: 'tool', body: JSON.stringify({ name, inputSchema }) };
  });
  const all = async (_tenant: string, server: string) => declared.filter((one) => one.server === server);
  const store = { definitions: { all } } as unknown as Store;
  const servers = [...new Set(['files', ...declared.map(({ server }) => server)])];
  return sampleDeps(folder, { base: folder, log, clock, store, servers });
}

const engine = new Engine();
let version = 0;

/** Policies without a part around them, a folder or a thread. Throws what is wrong with them. */
export function judgedBy(policies: string, given: object = {}): Judged {
  const { roles, zone, calendars } = settings.parse(given);
  const { rules, problems } = compileAll([{ file: 'a.cedar', text: policies }]);
  if (problems.length > 0) throw new Error(problems.map(problemLine).join('\n'));
  const moment = calendarOf({ zone, days: calendars });
  return { slices: new Slices(rules, (version += 1), roles), engine, moment };
}

export const analyst = samplePrincipal('ada', { agent: 'alpha', person: 'ada', groups: ['analysts'] });

/** A call of `server/tool`. */
export function calling(path: string, args: JsonObject = {}, more: Partial<Question> = {}): Question {
  const [server = '', name = ''] = path.split('/');
  const resource = { endpoint: { kind: 'joint' }, server, kind: 'tool', name, definition: undefined } as const;
  return sampleQuestion({ principal: analyst, resource, params: { name, arguments: args }, ...more });
}
