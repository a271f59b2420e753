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
  const verdict = await pending.catch((error: unknown) => broken(stage, error, house));
  return settle(stage, verdict, crossing, house) ?? walk(stages, crossing, house, index + 1);
}

function ask(stage: BoundStage, crossing: Crossing, house: House): Verdict | Promise<Verdict> {
  try {
    return stage.run(crossing);
  } catch (error) {
    return broken(stage, error, house);
  }
}

function broken(stage: BoundStage, error: unknown, house: House): Deny {
  const detail = error instanceof Error ? error.message : String(error);
  house.log.error({ stage: stage.stage, err: error }, 'a stage failed; the message was refused');
  return deny(stage.act === 'records' ? 'record_unavailable' : 'stage_failed', { detail: `${stage.stage}: ${detail}` });
}

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
