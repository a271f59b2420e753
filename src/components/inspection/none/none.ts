/** Looks at nothing and finds nothing: the stand-in that says in `explain` that nothing is inspected. */
import { z } from 'zod';
import { defineComponent } from '../../../gateway/component.ts';
import type { Inspected, Inspection } from '../inspection.ts';

const NOTHING: Inspected = { findings: [], facts: {}, refuse: undefined };

export const none = defineComponent({
  kind: 'inspection',
  use: 'none',
  config: z.strictObject({}),
  create: (): Inspection => ({ inspect: () => NOTHING }),
});
