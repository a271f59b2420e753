/** Permits whatever is asked: what a policy costs is the difference to this. */
import { z } from 'zod';
import { defineComponent } from '../../src/component.ts';
import type { Decision, Policy } from '../../src/component.ts';

const permit: Decision = { effect: 'permit', rules: ['bench'], obligations: [] };

export const component = defineComponent({
  kind: 'policy',
  use: 'permit-all',
  config: z.strictObject({}),
  create: (): Policy => ({ decide: () => permit, release: () => permit, epoch: () => 0 }),
});
