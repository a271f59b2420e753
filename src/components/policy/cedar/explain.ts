/** Why a question has its answer: which policies decided, and how near the others came. */
import type { Decision, Question } from '../policy.ts';
import { calendarOf } from './calendar.ts';
import type { Compiled } from './compiled.ts';
import { Engine } from './engine.ts';
import { exact, listed, type Judged } from './judge.ts';
import { isAction, isWithin } from './scopes.ts';
import { actionEntity, principalEntity, resourceEntity, type Entity } from './mapping.ts';
import type { Settings } from './settings.ts';
import { Slices } from './slices.ts';

/** `conditions`: its scope fits, its conditions do not hold. `principal`, `action`, `resource`: what of its scope does not fit. */
export type Fit = 'decided' | 'conditions' | 'principal' | 'action' | 'resource';

export interface Explained {
  readonly decision: Decision;
  /** All policies that fit, or of which one part of the scope does not. */
  readonly policies: readonly { readonly name: string; readonly effect: 'permit' | 'forbid'; readonly fit: Fit }[];
}

/** Policies of a set that is not in force: for trying out. */
export class Trial {
  readonly #judged: Judged;
  readonly #settings: Settings;

  constructor(rules: readonly Compiled[], settings: Settings) {
    this.#settings = settings;
    const moment = calendarOf({ zone: settings.zone, days: settings.calendars });
    this.#judged = { slices: new Slices(rules, 0, settings.roles), engine: new Engine(), moment };
  }

  decide(question: Question, listing = false): Decision {
    const { slices } = this.#judged;
    const slice = slices.of(question.principal, question.action, question.resource);
    return (listing ? listed : exact)(question, slice, this.#judged);
  }

  explain(question: Question, listing = false): Explained {
    const decision = this.decide(question, listing);
    const deciding = decision.effect === 'silence' ? [] : decision.rules;
    const [principal, action, resource] = [
      principalEntity(question.principal, this.#settings.roles),
      actionEntity(question.action),
      resourceEntity(question.resource),
    ];
    const policies = this.#judged.slices.rules.flatMap((rule) => {
      const misses = missesOf(rule, principal, action, resource);
      const decided = deciding.some((one) => one === rule.name || one === `${rule.name} cannot be evaluated`);
      const fit: Fit = decided ? 'decided' : (misses[0] ?? 'conditions');
      return misses.length > 1 ? [] : [{ name: rule.name, effect: rule.effect, fit }];
    });
    return { decision, policies };
  }
}

function missesOf({ scope }: Compiled, principal: Entity, action: Entity, resource: Entity): Fit[] {
  const misses: Fit[] = [];
  if (!isWithin(scope.principal, principal)) misses.push('principal');
  if (!isAction(scope.action, action)) misses.push('action');
  if (!isWithin(scope.resource, resource)) misses.push('resource');
  return misses;
}
