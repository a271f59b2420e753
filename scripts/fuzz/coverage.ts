/** Which of this project's code never ran: V8's precise block coverage, read while the process runs. */
import type { Profiler, Session } from 'node:inspector';

/** Source offsets from and to. */
type Span = readonly [start: number, end: number];

const SOURCES = new URL('../../src/', import.meta.url).href;

export class Coverage {
  readonly #session: Session;
  /** By function: what no run has reached so far. */
  readonly #unreached = new Map<string, readonly Span[]>();

  constructor(session: Session) {
    this.#session = session;
    session.post('Profiler.enable');
    session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** The functions of which more ran since the last reading than ever before, with what is still unreached. */
  news(): ReadonlyMap<string, readonly Span[]> {
    const news = new Map<string, readonly Span[]>();
    for (const { url, functions } of this.#read()) {
      if (!url.startsWith(SOURCES)) continue;
      for (const { ranges } of functions) {
        if (ranges[0] === undefined || ranges[0].count === 0) continue;
        const name = `${url.slice(SOURCES.length)}:${ranges[0].startOffset}`;
        const now = ranges
          .filter(({ count }) => count === 0)
          .map((range) => [range.startOffset, range.endOffset] as const);
        const before = this.#unreached.get(name);
        const left = before === undefined ? now : common(before, now);
        if (before === undefined || size(left) < size(before)) news.set(name, left);
      }
    }
    return news;
  }

  take(news: ReadonlyMap<string, readonly Span[]>): void {
    for (const [name, left] of news) this.#unreached.set(name, left);
  }

  #read(): Profiler.ScriptCoverage[] {
    let result: Profiler.ScriptCoverage[] = [];
    // in the same process the answer comes before `post` returns
    this.#session.post('Profiler.takePreciseCoverage', (error, answer) => {
      if (error) throw error;
      result = answer.result;
    });
    return result;
  }
}

function common(some: readonly Span[], others: readonly Span[]): Span[] {
  const overlaps = some.flatMap((one) =>
    others.map((other) => [Math.max(one[0], other[0]), Math.min(one[1], other[1])] as const),
  );
  return overlaps.filter(([start, end]) => start < end);
}

function size(spans: readonly Span[]): number {
  return spans.reduce((sum, [start, end]) => sum + end - start, 0);
}
