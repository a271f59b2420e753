/** Which file stands behind each row of pipeline.ts. */
import type { House } from '../house.ts';
import { INWARD, OUTWARD, type StageRow } from '../pipeline.ts';
import type { Stage } from '../stage.ts';
import type { BoundStage } from '../walk.ts';
import { admit } from './admit.ts';
import { approve } from './approve.ts';
import { authenticate } from './authenticate.ts';
import { authorizeRelease } from './authorize-release.ts';
import { authorize } from './authorize.ts';
import { correlate } from './correlate.ts';
import { credential } from './credential.ts';
import { forward } from './forward.ts';
import { head } from './head.ts';
import { inspect } from './inspect.ts';
import { keep } from './keep.ts';
import { label } from './label.ts';
import { limit } from './limit.ts';
import { match } from './match.ts';
import { read, readOutward } from './read.ts';
import { redact } from './redact.ts';
import { release } from './release.ts';
import { resolve } from './resolve.ts';
import { throttle } from './throttle.ts';
import { validate, validateOutward } from './validate.ts';

type Make = (house: House) => Stage;

const inward: Partial<Record<StageRow['stage'], Make>> = {
  head,
  authenticate,
  throttle,
  read,
  correlate,
  resolve,
  limit,
  admit,
  validate,
  inspect,
  authorize,
  approve,
  credential,
  keep,
  forward,
};

const outward: Partial<Record<StageRow['stage'], Make>> = {
  read: readOutward,
  match,
  validate: validateOutward,
  inspect,
  authorizeRelease,
  redact,
  label,
  keep,
  release,
};

/** An empty row of the pipeline does not start: it would be a control that is drawn and not there. */
export function bind(rows: readonly StageRow[], make: typeof inward, house: House): readonly BoundStage[] {
  return rows.map((row) => {
    const stage = make[row.stage]?.(house);
    if (!stage) throw new Error(`the pipeline names ${row.stage}, and no file stands behind it`);
    return { ...row, run: (crossing) => stage.pass(crossing) };
  });
}

export function bindStages(house: House): {
  readonly inward: readonly BoundStage[];
  readonly outward: readonly BoundStage[];
} {
  return { inward: bind(INWARD, inward, house), outward: bind(OUTWARD, outward, house) };
}
