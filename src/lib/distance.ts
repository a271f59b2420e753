/** What was meant? Edit distance between words that people type. */

/** Fewest insertions, removals, replacements and swaps of neighbours that turn `a` into `b` (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) row[j] = cell(a, b, i, j, row, last, before);
    before = last;
    last = row;
  }
  return last[b.length]!;
}

function cell(a: string, b: string, i: number, j: number, row: number[], last: number[], before: number[]): number {
  const cost = a[i - 1] === b[j - 1] ? 0 : 1;
  const best = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + cost);
  const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
  return swapped ? Math.min(best, before[j - 2]! + 1) : best;
}

/** The word nearest to `typed`, if it is near enough to be a slip of the fingers: a third of its length, ignoring case. */
export function nearest(typed: string, words: readonly string[]): string | undefined {
  if (typed.length > 64) return undefined;
  const ranked = words
    .map((word) => ({ word, distance: editDistance(typed.toLowerCase(), word.toLowerCase()) }))
    .sort((one, other) => one.distance - other.distance);
  const best = ranked[0];
  return best && best.distance <= Math.max(1, Math.floor(typed.length / 3)) ? best.word : undefined;
}
