/** Time as a dependency: whatever judges or expires asks a clock it was given, so that tests own the time. */
export interface Clock {
  /** Milliseconds since the Unix epoch: for what is kept or told. May jump. */
  now(): number;
  /** Milliseconds since some moment: for durations. Never goes back. */
  monotonic(): number;
}

export const systemClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };

export interface ManualClock extends Clock {
  advance(milliseconds: number): void;
}

/** A clock that stands still until it is advanced. */
export function manualClock(start: number = Date.UTC(2026, 0, 1)): ManualClock {
  let now = start;
  return {
    now: () => now,
    monotonic: () => now - start,
    advance: (milliseconds) => {
      now += milliseconds;
    },
  };
}
