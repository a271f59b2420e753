/** The throw-away thread: reads policies, checks them, runs their cases, and answers. */
import { setTimeout as wait } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { calendarOf } from './calendar.ts';
import { resultOf, type CaseResult } from './cases.ts';
import type { Compiled } from './compiled.ts';
import { compileAll } from './compile.ts';
import { Engine } from './engine.ts';
import { exact, listed, type Judged } from './judge.ts';
import { Slices } from './slices.ts';
import type { FromThread, Told, ToThread } from './thread.ts';
import { validateAll } from './validate.ts';

const BATCH = 100;
const PAUSE = 2;
const given = workerData as ToThread;

function answer(): FromThread {
  const { rules, problems } = compileAll(given.texts);
  if (problems.length > 0) return { rules, problems, warnings: [], results: [] };
  const checked = validateAll(rules, given.texts, given.known);
  return { rules, ...checked, results: checked.problems.length > 0 ? [] : run(rules) };
}

function run(rules: readonly Compiled[]): CaseResult[] {
  const { cases, roles, calendar } = given;
  const slices = new Slices(rules, 0, roles);
  const judged: Judged = { slices, engine: new Engine(), moment: calendarOf(calendar) };
  return cases.map((one) => {
    const slice = slices.of(one.question.principal, one.question.action, one.question.resource);
    return resultOf(one, (one.listing ? listed : exact)(one.question, slice, judged));
  });
}

const tell = (message: Told): void => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window: there is no origin.
  parentPort?.postMessage(message);
};

/** A few policies at a time: whoever receives a thousand in one message does nothing else meanwhile. */
const { rules, ...rest } = answer();
for (let from = 0; from < rules.length; from += BATCH) {
  tell({ rules: rules.slice(from, from + BATCH) });
  await wait(PAUSE);
}
tell({ rest });
