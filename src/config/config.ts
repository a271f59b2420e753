/** What a checked configuration is: defaults filled in, references resolved, paths absolute, units gone. */
import type { AnyComponent } from '../gateway/component.ts';
import type { RunSettings } from '../gateway/runs.ts';
import type { ServerSettings } from '../gateway/ports.ts';

export type Listen =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/** A part that was named by `use:`, with its own checked configuration (without `use`). */
export interface ChosenPart {
  readonly component: AnyComponent;
  readonly config: unknown;
}

export interface ServerConfig extends ServerSettings {
  readonly credentials: ChosenPart | undefined;
}

export interface TlsConfig {
  /** PEM texts. */
  readonly cert: string;
  readonly key: string;
  readonly clientCa: string | undefined;
  readonly clientCertRequired: boolean;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
}

/**
 * Holds resolved secrets: hand its parts to whoever needs them, and show `Loaded.effective` to people.
 * `JSON.stringify` of it and inspection in logs give the effective tree, with references as they were written.
 */
export interface Config {
  /** SHA-256 in hex of the effective tree: kept in every record. */
  readonly digest: string;
  readonly listen: readonly Listen[];
  readonly tls: TlsConfig | undefined;
  readonly plain: boolean;
  /** Host names that agents may use besides loopback names, the listeners' and that of `url`. */
  readonly hosts: readonly string[];
  readonly origins: readonly string[];
  readonly url: string | undefined;
  /** Absolute path of the gateway's own folder. */
  readonly data: string;
  /** Absolute path of the folder of the configuration file. */
  readonly base: string;
  readonly mode: 'enforce' | 'observe';
  readonly tenant: string;
  readonly servers: readonly ServerConfig[];
  /** What becomes of a caller that is not in the registry of agents. */
  readonly agents: { readonly unknown: 'refuse' | 'quarantine' | 'guest' };
  /** Where the admin API listens besides the owner's socket. */
  readonly admin: { readonly listen: Listen } | undefined;
  readonly identity: readonly ChosenPart[];
  readonly policy: ChosenPart;
  readonly limits: readonly ChosenPart[];
  readonly inspect: readonly ChosenPart[];
  readonly redact: readonly ChosenPart[];
  readonly audit: ChosenPart;
  readonly runs: RunSettings;
  readonly risk: ChosenPart | undefined;
  /** undefined: the box holds no store part, and state lives as long as the process. */
  readonly store: ChosenPart | undefined;
  readonly log: { readonly level: LogLevel; readonly format: LogFormat };
  /** `listen` undefined: `/metrics` on the gateway's own listeners. */
  readonly metrics: { readonly listen: Listen | undefined } | undefined;
  readonly traces: { readonly endpoint: string; readonly headers: Readonly<Record<string, string>> } | undefined;
  /** Size in bytes, nesting of arrays and objects. */
  readonly message: { readonly size: number; readonly depth: number };
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
/** auto: pretty on a terminal, JSON lines elsewhere. */
export type LogFormat = 'auto' | 'json' | 'pretty';

/** Where a part may stand: its key in the file, and the kind of part that fits. */
export const SLOTS = {
  identity: 'identity',
  policy: 'policy',
  limits: 'limits',
  inspect: 'inspection',
  redact: 'redaction',
  audit: 'audit',
  risk: 'risk',
  store: 'store',
} as const;

export type Slot = keyof typeof SLOTS;
