/** What cannot be reached, and why: `npm run conformance` and its test expect exactly these, and fail when one of them passes. */

export interface Expected {
  readonly scenario: string;
  /** Names of cells, as `nameOf` writes them. */
  readonly cells: readonly string[];
  readonly why: string;
  /** Where the specification says so. */
  readonly source: string;
}

const MODERN_OVER_LEGACY: readonly string[] = ['2026/legacy/http', '2026/legacy/stdio'];
const MRTR = '2026-07-28 basic/patterns/mrtr';

export const BASELINE: readonly Expected[] = [
  {
    scenario: 'input-required-result-basic-elicitation',
    cells: MODERN_OVER_LEGACY,
    why: "The scenario looks for a key of its own in `inputRequests`. Keys are the server's to choose; a legacy server asks by requests, which have none, so the gateway makes one up.",
    source: MRTR,
  },
  {
    scenario: 'input-required-result-ignore-extra-params',
    cells: MODERN_OVER_LEGACY,
    why: 'The scenario answers under the key of its own; under the key that was really asked nothing is answered, so the question is asked again, as the specification wants it.',
    source: MRTR,
  },
];

export function expectedIn(cell: string): readonly Expected[] {
  return BASELINE.filter(({ cells }) => cells.includes(cell));
}
