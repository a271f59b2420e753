/**
 * The owner of a laptop gateway: whoever can read the token file (mode 0600). Generated once, compared in constant time.
 * On the gateway's own Unix socket (same mode) the token is needed too: a socket may be passed on, a file's content not by accident.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { defineComponent, type Health } from '../../../gateway/component.ts';
import { principalKey, type Principal } from '../../../gateway/principal.ts';
import type { Identified, Identity } from '../identity.ts';

const config = z.strictObject({
  subject: z.string().min(1).default('owner').describe('Name of the owner in records and policies.'),
  tenant: z.string().min(1).default('default').describe('Tenant that the owner belongs to.'),
});

export const local = defineComponent({
  kind: 'identity',
  use: 'local',
  config,
  create: ({ subject, tenant }, { data }): Identity => {
    const file = join(data, 'token');
    const wanted = Buffer.from(ownerToken(file));
    const principal = ownerOf(subject, tenant);
    return {
      identify: (arrival) => identify(arrival.header('authorization'), wanted, principal),
      health: () => tokenHealth(file),
    };
  },
});

function identify(authorization: string | undefined, wanted: Buffer, principal: Principal): Identified {
  const token = /^bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
  if (token === undefined) return { known: false, why: 'absent', challenge: 'Bearer realm="sallyport"' };
  // Other identity parts may know this token, so a stranger's token is not rejected here unless it carries our mark.
  if (!token.startsWith(PREFIX)) return { known: false, why: 'absent', challenge: 'Bearer realm="sallyport"' };
  if (!same(Buffer.from(token), wanted))
    return { known: false, why: 'rejected', detail: 'not the token in the data directory' };
  return { known: true, principal };
}

const PREFIX = 'spt_';
/** At least 256 bits in base64url: a shorter one was cut, or thought up by somebody. */
const TOKEN = /^spt_[A-Za-z0-9_-]{43,}$/;

/** 256 random bits, made on first use; a file that others can read is closed again. */
function ownerToken(file: string): string {
  const token = readToken(file);
  if (token === undefined || !TOKEN.test(token)) return newToken(file);
  chmodSync(file, 0o600);
  return token;
}

function readToken(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new Error(`the owner's token in ${file} cannot be read: make it yours, or delete it for a new one`, {
      cause: error,
    });
  }
}

/** Under another name first: the file is never half written, nor open to others when an open one stood there before. */
function newToken(file: string): string {
  const token = PREFIX + randomBytes(32).toString('base64url');
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const fresh = `${file}.${process.pid}`;
  writeFileSync(fresh, `${token}\n`, { mode: 0o600, flag: 'wx' });
  renameSync(fresh, file);
  return token;
}

function tokenHealth(file: string): Health {
  try {
    const open = statSync(file).mode & 0o077;
    return open === 0
      ? { state: 'live' }
      : { state: 'degraded', detail: `others can read ${file}: run \`chmod 600\` on it` };
  } catch {
    return { state: 'degraded', detail: `${file} is gone: the token in use cannot be read any more` };
  }
}

function ownerOf(subject: string, tenant: string): Principal {
  return {
    key: principalKey(tenant, 'local', subject, undefined),
    tenant,
    issuer: 'local',
    subject,
    agent: undefined,
    person: subject,
    groups: ['owner'],
    chain: [],
    proof: { use: 'local', strength: 'bearer' },
    expires: undefined,
  };
}

/** How long the token is, everybody may know; what it is, no time that passes here tells. */
function same(token: Buffer, wanted: Buffer): boolean {
  return token.length === wanted.length && timingSafeEqual(token, wanted);
}
