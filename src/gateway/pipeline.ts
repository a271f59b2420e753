/**
 * The way of a message, top to bottom. Every message of every era crosses exactly once in its direction.
 * A stage judges, changes, records or moves. Whatever changes a message stands before whatever judges it; the two
 * exceptions are named: `credential` (law 2: no judge may see a secret) and `redact` (it removes what judges found).
 */
import type { Direction, MessageKind } from './exchange.ts';

export type Act = 'judges' | 'changes' | 'records' | 'moves';

export interface StageRow {
  readonly stage: StageName;
  readonly act: Act;
  readonly kinds: readonly MessageKind[];
  /** Law 13: whether observe mode turns this stage's denials into recorded would-verdicts. */
  readonly observable: boolean;
}

const O = 'opening',
  E = 'event',
  C = 'closing';

// prettier-ignore
const INWARD_TABLE = [
  // stage          act        openings, events, closings   observable
  ['head',         'judges',  [O, E, C], false],   // Host, Origin, size announced, doubled headers: before a body is read
  ['authenticate', 'judges',  [O, E, C], false],   // who is it, and how proven?
  ['throttle',     'judges',  [O, E, C], false],   // may this caller make us read this?
  ['read',         'judges',  [O, E, C], false],   // one well-formed message? envelope against headers
  ['correlate',    'judges',  [O, E, C], false],   // which session, run and exchange?
  ['resolve',      'judges',  [O      ], false],   // which server, which exact definition?
  ['limit',        'judges',  [O      ], true ],   // rate, concurrency, quota
  ['admit',        'judges',  [O      ], false],   // server approved, definition the approved one, nobody blocked?
  ['validate',     'judges',  [O, E, C], true ],   // sizes, control characters, prototype keys
  ['inspect',      'judges',  [O, E, C], true ],   // threats, secrets, personal data, facts for policy
  ['authorize',    'judges',  [O, E, C], true ],   // may this principal do exactly this, now?
  ['approve',      'judges',  [O      ], true ],   // must a person look?
  ['credential',   'changes', [O      ], false],   // which secret does the upstream get? no stage after it judges
  ['keep',         'records', [O, E, C], false],   // the attempt is kept before it is made
  ['forward',      'moves',   [O, E, C], false],   // to the upstream, the catalog, or the gateway's own answer
] as const;

// prettier-ignore
const OUTWARD_TABLE = [
  ['read',             'judges',  [O, E, C], false],   // one well-formed message?
  ['match',            'judges',  [O, E, C], false],   // does it belong to an open exchange that allows it?
  ['validate',         'judges',  [O, E, C], true ],
  ['inspect',          'judges',  [O, E, C], true ],
  ['authorizeRelease', 'judges',  [O, E, C], true ],   // may data of these classes go to this principal?
  ['redact',           'changes', [O, E, C], true ],   // every copy rewritten, or nothing goes out
  ['label',            'changes', [O, E, C], false],   // what the run has now seen
  ['keep',             'records', [O, E, C], false],   // kept before it is let out
  ['release',          'moves',   [O, E, C], false],
] as const;

export type StageName = (typeof INWARD_TABLE)[number][0] | (typeof OUTWARD_TABLE)[number][0];

type Columns = readonly [StageName, Act, readonly MessageKind[], boolean];

function rows(table: readonly Columns[]): readonly StageRow[] {
  return table.map(([stage, act, kinds, observable]) => ({ stage, act, kinds, observable }));
}

export const INWARD = rows(INWARD_TABLE);
export const OUTWARD = rows(OUTWARD_TABLE);

/** The stages that a message of this kind passes in this direction, in order. */
export function way(direction: Direction, kind: MessageKind): readonly StageRow[] {
  return (direction === 'inward' ? INWARD : OUTWARD).filter((row) => row.kinds.includes(kind));
}
