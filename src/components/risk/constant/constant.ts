/** The same risk for everything, until something measures it. */
import { z } from 'zod';
import { defineComponent } from '../../../gateway/component.ts';
import type { Risk } from '../risk.ts';

export const constant = defineComponent({
  kind: 'risk',
  use: 'constant',
  config: z.strictObject({ score: z.number().min(0).max(100).default(0).describe('0 none … 100 extreme.') }),
  create: ({ score }): Risk => ({ score: () => score }),
});
