/**
 * Names under which the joint endpoint shows tools and prompts: `server__tool`, of `[A-Za-z0-9_-]`, at most 48
 * characters, because models' function names allow no more and clients add prefixes of their own.
 *
 * A name depends on the server's name and its own name alone, so it stays what it is whatever other servers are there,
 * are down, or were there before. Nothing is ever found by taking an exposed name apart: it is looked up in the table
 * of what was shown.
 *
 * Why two definitions get two names: a plain name is used only where the server ends at the first `__` and the end does
 * not look like one of our hashes. So plain names differ among themselves and from hashed ones, and hashed ones carry
 * 50 bits of SHA-256. Otherwise a server could choose a tool name that stands for another server's tool.
 */
import { createHash } from 'node:crypto';

export const LONGEST_NAME = 48;
const LONGEST_SERVER = 20;
const HASH_LENGTH = 10;

const FITTING = /^[A-Za-z0-9_-]+$/;
const LOOKS_HASHED = /_[0-9a-v]{10}$/;

export function exposedName(server: string, name: string): string {
  const plain = `${server}__${name}`;
  return standsPlain(server, name, plain) ? plain : hashed(server, name);
}

/** Whether an exposed name can be one of this server's: which lists have to be looked into. */
export function mayBelong(exposed: string, server: string): boolean {
  return exposed.startsWith(`${server}__`) || exposed.startsWith(serverPart(server));
}

function standsPlain(server: string, name: string, plain: string): boolean {
  if (plain.length > LONGEST_NAME || name === '' || !FITTING.test(plain)) return false;
  const serverEndsAtFirstMark = !server.includes('__') && !server.endsWith('_');
  return serverEndsAtFirstMark && !LOOKS_HASHED.test(plain);
}

function hashed(server: string, name: string): string {
  const start = serverPart(server);
  const room = LONGEST_NAME - start.length - HASH_LENGTH - 1;
  return `${start}${fitting(name).slice(0, room)}_${hash(server, name)}`;
}

function serverPart(server: string): string {
  return `${fitting(server).slice(0, LONGEST_SERVER)}__`;
}

function fitting(text: string): string {
  return text.replace(/[^A-Za-z0-9_-]/g, '_');
}

/** 50 bits in base 32; the lengths keep `a` + `bc` apart from `ab` + `c`. */
function hash(server: string, name: string): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([server, name]))
    .digest();
  const bits = digest.readBigUInt64BE(0) >> 14n;
  return bits.toString(32).padStart(HASH_LENGTH, '0');
}
