/**
 * `node bench/policy.ts`: microseconds of CPU a decision takes with 1,000 policies in Cedar over 500 tools, with arguments that
 * are read and arguments that are not; what a first decision, a list of 5,000 tools and a reload cost. Median of seven rounds.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { Question } from '../src/components/policy/policy.ts';
import { calling, world, type World } from '../src/components/policy/cedar/world.fixture.ts';

const TOOLS = 250;
const ROUNDS = 7;
const TIMES = 2_000;

/** Four policies a pair of tools, and three about everything. */
function policies(): string {
  const scope = (who: string, tool: string) => `(${who}, action == Action::"tool.call", resource == Tool::"${tool}")`;
  const each = Array.from({ length: TOOLS }, (_, index) => {
    const [reads, plain] = [`s${index % 10}/t${index}`, `s${index % 10}/u${index}`];
    return `permit ${scope('principal in Group::"analysts"', reads)} when { context.args has path && context.args.path like "/pub/*" && context.risk < 80 };
permit ${scope('principal in Group::"ops"', reads)} when { context.args has amount && context.args.amount < 100 };
permit ${scope('principal in Group::"analysts"', plain)} when { context.risk < 50 };
forbid ${scope('principal', reads)} when { context.args has options.force && context.args.options.force };`;
  });
  const all = [95, 96, 97].map((risk) => `forbid (principal, action, resource) when { context.risk > ${risk} };`);
  return [...each, ...all].join('\n');
}

/** About 900 bytes. */
const ARGUMENTS = {
  path: '/pub/a',
  body: 'x'.repeat(700),
  amount: 5,
  nested: { list: [1, 2, 3], ratio: 1.5 },
  none: null,
};

async function main(): Promise<void> {
  const started = performance.now();
  const made = await world({ 'a.cedar': policies() });
  row('load, 1,003 policies, in the thread (ms)', performance.now() - started);
  const [read, plain] = [calling('s5/t5', ARGUMENTS), calling('s5/u5', ARGUMENTS)];
  row('arguments read (µs)', await cpu(() => made.policy.decide(read)));
  row('arguments not read (µs)', await cpu(() => made.policy.decide(plain)));
  row('release (µs)', await cpu(() => made.policy.release(read)));
  row('first of a slice (µs)', first(made));
  await delays(made);
  await made.close();
}

function row(name: string, value: number): void {
  console.log(`${name.padEnd(48)} ${value.toFixed(1).padStart(10)}`);
}

/** CPU time, because it does not count what others do meanwhile. */
async function cpu(work: () => unknown): Promise<number> {
  const rounds: number[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    const before = process.cpuUsage();
    for (let times = 0; times < TIMES; times += 1) {
      const answer = work();
      if (answer instanceof Promise) await answer;
    }
    const { user, system } = process.cpuUsage(before);
    if (round > 0) rounds.push((user + system) / TIMES);
  }
  return rounds.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)]!;
}

function first({ policy }: World): number {
  const before = process.cpuUsage();
  for (let tool = 100; tool < 150; tool += 1) void policy.decide(calling(`s${tool % 10}/t${tool}`, ARGUMENTS));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 50;
}

/** The longest turn of the event loop, in CPU of its thread (ms): what others had to wait for, whatever else the machine did. */
async function delays(made: World): Promise<void> {
  const listing = Array.from({ length: 5_000 }, (_, index): Question => {
    const tool = index < TOOLS ? `t${index}` : `x${index}`;
    return { ...calling(`s${index % 10}/${tool}`), params: undefined };
  });
  const changed = `${policies()}\n// changed\n`;
  const list = await longestTurn(() => Promise.all(listing.map(async (question) => made.policy.decide(question))));
  row('a list of 5,000 tools: longest turn (ms)', list);
  made.logged.length = 0;
  made.write('a.cedar', changed);
  const reload = await longestTurn(async () => {
    while (!made.logged.some((line) => line.startsWith('policies are in force'))) await wait(5);
  });
  row('a reload: longest turn (ms)', reload);
}

async function longestTurn(work: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  let done = false;
  let before = process.threadCpuUsage();
  const turn = (): void => {
    const { user, system } = process.threadCpuUsage(before);
    longest = Math.max(longest, (user + system) / 1_000);
    before = process.threadCpuUsage();
    if (!done) setImmediate(turn);
  };
  setImmediate(turn);
  await work();
  done = true;
  await wait(1);
  return longest;
}

await main();
