/** Must a person look? Without anybody to ask, a hold is a refusal (law 4). */
import type { Stage } from '../stage.ts';
import { deny, PASS } from '../verdict.ts';

export function approve(): Stage {
  return {
    name: 'approve',
    pass(crossing) {
      const held = crossing.obligations.filter((obligation) => obligation.kind === 'hold');
      if (held.length === 0) return PASS;
      return deny('approval_unavailable', {
        detail: `held for: ${held.map((obligation) => obligation.group).join(', ')}`,
      });
    },
  };
}
