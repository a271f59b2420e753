/** The engine of both crossings: stages in order, first stop wins, a stage that throws denies (law 4). */
import type { House } from './house.ts';
import type { StageRow } from './pipeline.ts';
import type { Crossing, Stage } from './stage.ts';
import { deny, type Deny, type Hold, type Step, type Verdict } from './verdict.ts';

export interface BoundStage extends StageRow {
  readonly run: Stage['pass'];
}

/** Why a crossing ended early, and where. */
export interface Stop {
  readonly stage: StageRow['stage'];
  readonly verdict: Deny | Hold;
}

/** Walks until a stage stops the message. Synchronous as long as every stage is. */
export function walk(
  stages: readonly BoundStage[],
  crossing: Crossing,
  house: House,
  from = 0,
): Stop | undefined | Promise<Stop | undefined> {
  for (let index = from; index < stages.length; index += 1) {
    const stage = stages[index]!;
    if (!stage.kinds.includes(crossing.kind)) continue;
    const verdict = ask(stage, crossing, house);
    if (verdict instanceof Promise) return later(verdict, stages, index, crossing, house);
    const stop = settle(stage, verdict, crossing, house);
    if (stop) return stop;
  }
  return undefined;
}

async function later(
  pending: Promise<Verdict>,
  stages: readonly BoundStage[],
  index: number,
  crossing: Crossing,
  house: House,
): Promise<Stop | undefined> {
  const stage = stages[index]!;
  const verdict = await pending
    .then((late) => known(late))
    .catch((error: unknown) => broken(stage, error, crossing, house));
  return settle(stage, verdict, crossing, house) ?? walk(stages, crossing, house, index + 1);
}

function ask(stage: BoundStage, crossing: Crossing, house: House): Verdict | Promise<Verdict> {
  try {
    const verdict = stage.run(crossing);
    return verdict instanceof Promise ? verdict : known(verdict);
  } catch (error) {
    return broken(stage, error, crossing, house);
  }
}

/** A part of somebody else's may answer with anything; what is no verdict must not count as one (law 4). */
function known(verdict: Verdict): Verdict {
  switch (verdict.effect) {
    case 'pass':
      if (Array.isArray(verdict.rules) && Array.isArray(verdict.obligations)) return verdict;
      break;
    case 'deny':
    case 'hold':
      return verdict;
  }
  throw new Error('what was answered is no verdict');
}

/** Law 13 relaxes verdicts. A stage that broke has given none. */
function broken(stage: BoundStage, error: unknown, crossing: Crossing, house: House): Deny {
  crossing.relaxable = false;
  const detail = `${stage.stage}: ${error instanceof Error ? error.message : String(error)}`;
  house.log.error({ stage: stage.stage, err: error }, 'a stage failed; the message was refused');
  if (stage.act !== 'records') return deny('stage_failed', { detail });
  return deny('record_unavailable', { detail, tell: crossing.direction === 'outward' ? UNRECORDED : undefined });
}

/** Outward the call has been made already: the reason's own sentence would be a lie. */
const UNRECORDED = 'The answer cannot be recorded, so it is not released. The call may have taken effect.';

function settle(stage: BoundStage, verdict: Verdict, crossing: Crossing, house: House): Stop | undefined {
  switch (verdict.effect) {
    case 'pass':
      if (verdict.rules.length > 0) crossing.trail.push({ stage: stage.stage, verdict });
      crossing.obligations.push(...verdict.obligations);
      return undefined;
    case 'deny':
    case 'hold': {
      const would = stage.observable && house.settings.mode === 'observe' && crossing.relaxable;
      const step: Step = { stage: stage.stage, verdict, ...(would ? { would: true as const } : {}) };
      crossing.trail.push(step);
      return would ? undefined : { stage: stage.stage, verdict };
    }
  }
}
