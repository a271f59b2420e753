/** TLS of a listener: files read at the start and again when they change, so that renewal needs no restart. */
import { readFileSync, statSync } from 'node:fs';
import type { Server } from 'node:http';
import type { Server as TlsServer, ServerOptions } from 'node:https';
import type { Log } from '../../gateway/ports.ts';

export interface TlsSettings {
  /** PEM text, or the path of a PEM file that is read again when it changes. The same for `key` and `clientCa`. */
  readonly cert: string;
  readonly key: string;
  /** Certificates that sign those of agents (mutual TLS). */
  readonly clientCa?: string;
  /** Whether an agent without a certificate of that CA is turned away at once; false: identity decides. */
  readonly requireClient?: boolean;
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3';
  /** Milliseconds between looks at the files. */
  readonly reload?: number;
}

const RELOAD = 10_000;

/** Throws with the path when a file cannot be read. */
export function tlsOptions(settings: TlsSettings): ServerOptions {
  return {
    ...secrets(settings),
    minVersion: settings.minVersion ?? 'TLSv1.3',
    requestCert: settings.clientCa !== undefined,
    rejectUnauthorized: settings.clientCa !== undefined && settings.requireClient !== false,
  };
}

function secrets(settings: TlsSettings): Pick<ServerOptions, 'cert' | 'key' | 'ca'> {
  const { cert, key, clientCa } = settings;
  const both = { cert: pemOf(cert), key: pemOf(key) };
  return clientCa === undefined ? both : { ...both, ca: pemOf(clientCa) };
}

function pemOf(given: string): string {
  return isPem(given) ? given : readFileSync(given, 'utf8');
}

function isPem(given: string): boolean {
  return given.includes('-----BEGIN ');
}

/**
 * Looks at the files by time, because those of Kubernetes and certbot are links whose change no watcher reports. A pair
 * that does not fit together (half renewed) is not taken; the one in force stays. The function returned ends it.
 */
export function keepFresh(server: Server, settings: TlsSettings, log: Log): () => void {
  const given = [settings.cert, settings.key, settings.clientCa ?? ''];
  const files = given.filter((one) => one !== '' && !isPem(one));
  if (files.length === 0) return () => undefined;
  let seen = stampOf(files);
  const look = (): void => {
    const stamp = stampOf(files);
    if (stamp === seen) return;
    seen = stamp;
    renew(server, settings, log);
  };
  const timer = setInterval(look, settings.reload ?? RELOAD).unref();
  return () => clearInterval(timer);
}

/** Puts other certificates in force; open connections keep theirs. False: they do not fit, and nothing changed. */
export function renew(server: Server, settings: TlsSettings, log: Log): boolean {
  try {
    const minVersion = settings.minVersion ?? 'TLSv1.3';
    (server as TlsServer).setSecureContext({ ...secrets(settings), minVersion });
    log.info({}, 'TLS certificate reloaded');
    return true;
  } catch (error) {
    log.warn({ err: error }, 'TLS certificate not reloaded; the one in force stays');
    return false;
  }
}

/** Changes when a file is written, replaced or gone. */
function stampOf(files: readonly string[]): string {
  return files
    .map((file) => statSync(file, { throwIfNoEntry: false }))
    .map((stat) => (stat === undefined ? 'gone' : `${stat.ino}:${stat.size}:${stat.mtimeMs}`))
    .join(' ');
}
