/**
 * Which era a server speaks, and how long that is believed. A legacy verdict goes stale in silence, because an upgraded
 * server still answers `initialize`; a modern one is tested by every `server/discover` that opens a connection.
 */
import type { Clock, UpstreamFault } from '../../gateway/ports.ts';
import type { Era } from '../../gateway/exchange.ts';
import { isObject } from '../../gateway/document.ts';
import { RefusedFault } from './own.ts';
import { MODERN_CODES } from './refusal.ts';
import { MODERN_VERSION } from './rewrite.ts';

const LEGACY_BELIEVED_MS = 3_600_000;

const VERSION_UNSUPPORTED = -32022;

/** How the transport of a legacy server turned out. */
export type LegacyKind = 'streamable' | 'sse';

export interface Verdict {
  readonly era: Era;
  readonly kind: LegacyKind;
}

export class EraMemory {
  readonly #clock: Clock;
  #verdict: Verdict | undefined;
  #until = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  known(): Verdict | undefined {
    return this.#verdict !== undefined && this.#clock.monotonic() < this.#until ? this.#verdict : undefined;
  }

  learn(era: Era, kind: LegacyKind = 'streamable'): void {
    this.#verdict = { era, kind };
    this.#until = era === 'legacy' ? this.#clock.monotonic() + LEGACY_BELIEVED_MS : Number.POSITIVE_INFINITY;
  }

  /** The server did something that its era does not do. */
  contradicted(): void {
    this.#verdict = undefined;
  }
}

/**
 * What a refused `server/discover` says. `unauthorized` is no evidence of an era. Everything else that is not an error
 * only a modern server gives is worth an `initialize`: servers answer 400, 404, 405, 500, HTML, and any error code.
 */
export function evidenceOf(fault: UpstreamFault): 'unauthorized' | 'modern' | 'legacy' {
  if (fault.reason === 'credential_unavailable') return 'unauthorized';
  const code = fault.answer?.code;
  if (code === undefined || !MODERN_CODES.has(code)) return 'legacy';
  return code === VERSION_UNSUPPORTED && listsLegacyOnly(fault) ? 'legacy' : 'modern';
}

/** It refused the version and names the same one: asked again, it is of another mind (2026-07-28 basic/versioning). */
export function offersModern({ answer }: UpstreamFault): boolean {
  if (answer?.code !== VERSION_UNSUPPORTED || !isObject(answer.data)) return false;
  const { supported } = answer.data;
  return Array.isArray(supported) && supported.includes(MODERN_VERSION);
}

/** HTTP+SSE servers know no POST at their stream's address (2025-03-26 basic/transports, backwards compatibility). */
export function maybeSse(fault: UpstreamFault): boolean {
  const status = fault instanceof RefusedFault ? fault.status : undefined;
  return status === 400 || status === 404 || status === 405;
}

function listsLegacyOnly(fault: UpstreamFault): boolean {
  const data = fault.answer?.data;
  const supported = isObject(data) ? data['supported'] : undefined;
  if (!Array.isArray(supported)) return false;
  return supported.every((version) => typeof version === 'string' && version < '2026');
}
