/** `/livez` and `/readyz`. A gateway with a control that is not live is not ready: it would let through, or refuse, the wrong things. */
import type { Health, Part } from '../gateway/component.ts';

export interface NamedPart {
  /** `identity/local` */
  readonly name: string;
  readonly part: Part;
}

export interface HealthSources {
  readonly parts: () => readonly NamedPart[];
  readonly draining: () => boolean;
}

export interface HealthAnswer {
  readonly status: 200 | 503;
  readonly body: {
    readonly ready: boolean;
    readonly draining: boolean;
    readonly parts: readonly ({ readonly part: string } & Health)[];
  };
}

/** The process answers; nothing else is asked, so that an orchestrator does not restart what is merely not ready. */
export function livez(): { readonly status: 200; readonly body: { readonly live: true } } {
  return { status: 200, body: { live: true } };
}

export function readyz({ parts, draining }: HealthSources): HealthAnswer {
  const states = parts().map(({ name, part }) => ({ part: name, ...healthOf(part) }));
  const leaving = draining();
  const ready = !leaving && states.every(({ state }) => state === 'live');
  return { status: ready ? 200 : 503, body: { ready, draining: leaving, parts: states } };
}

export function healthOf(part: Part): Health {
  try {
    return part.health?.() ?? { state: 'live' };
  } catch (error) {
    return {
      state: 'dead',
      detail: `its health cannot be asked: ${error instanceof Error ? error.message : 'it threw'}`,
    };
  }
}
