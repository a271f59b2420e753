/**
 * The contract of a replaceable part. A part belongs to a kind (a folder under components/); the kind's contract says what
 * `create` must give. Life: configuration checked → create → used → health asked → close.
 */
import type { ZodType } from 'zod';
import type { Store } from '../components/store/store.ts';
import type { Clock, Log } from './ports.ts';
import type { Keyring } from './keyring.ts';

export type Health = { readonly state: 'live' } | { readonly state: 'degraded' | 'dead'; readonly detail: string };

/** What every part may also have. */
export interface Part {
  /** Asked by /readyz and `doctor`; a control that is not live must say so. Absent: always live. */
  health?(): Health;
  /** Everything that was opened is closed, everything promised is flushed. Called once. */
  close?(): Promise<void> | void;
}

/** What a part may use of the house. */
export interface PartDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly keyring: Keyring;
  /** What must outlive the process, or be shared by replicas. Every call names the tenant first. */
  readonly store: Store;
  readonly tenant: string;
  /** The gateway's own folder, mode 0700. */
  readonly data: string;
  /** The folder of the configuration file: relative paths in settings start there. Absent: the working directory. */
  readonly base?: string;
  readonly gateway: { readonly name: string; readonly version: string };
  /** Names of the configured servers, in order. */
  readonly servers: readonly string[];
  /** The configured public base URL. Nothing else says what the gateway is called: forwarded headers are anybody's word. */
  readonly url?: string | undefined;
}

export interface Component<Kind extends string, Config, P extends Part> {
  readonly kind: Kind;
  /** The name that `use:` takes. */
  readonly use: string;
  /** Strict: an unknown key is an error. Checked once, at load. */
  readonly config: ZodType<Config>;
  /** Throws an Error with a remedy in its message when the part cannot work; the gateway then does not start. */
  create(config: Config, deps: PartDeps): P | Promise<P>;
}

/** Ties the configuration's type to `create`; a user's own file exports what this gives. */
export function defineComponent<const Kind extends string, Config, P extends Part>(
  component: Component<Kind, Config, P>,
): Component<Kind, Config, P> {
  return component;
}

/** A part whose kind and configuration are its own affair: what lists of parts hold. */
export type AnyComponent = Component<string, unknown, Part>;
