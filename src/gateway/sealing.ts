/**
 * Sealed tokens: what the gateway hands out and wants back unread and unchanged (session ids, request state, task
 * handles, cursors). One token is, in base64url:
 *
 *     key id 6 │ salt 16 │ counter 6 │ ciphertext │ tag 16            bytes
 *
 * AES-256-GCM (NIST SP 800-38D) under a key derived from the ring's key and the salt, which every process draws anew.
 * Under a derived key the counter is the nonce, so no nonce ever repeats, however many replicas share the ring's key
 * and however long they run; random nonces would allow 2^32 tokens per key, less than a busy month.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hash,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { Lru } from '../lib/lru.ts';

const KEY_ID_BYTES = 6;
const SALT_BYTES = 16;
const COUNTER_BYTES = 6;
const PREFIX_BYTES = KEY_ID_BYTES + SALT_BYTES;
const HEAD_BYTES = PREFIX_BYTES + COUNTER_BYTES;
const TAG_BYTES = 16;
const BINDING_BYTES = 32;
const LEAST_BYTES = HEAD_BYTES + BINDING_BYTES + TAG_BYTES;
const MOST_CHARACTERS = 64 * 1024;

const CIPHER = 'aes-256-gcm';
const DERIVATION = 'sallyport sealed token 1';

/** What a token says. JSON; `expires` in milliseconds since the epoch is required of every token. */
export interface Claims {
  readonly expires: number;
  readonly [claim: string]: unknown;
}

/**
 * Who a token is for: issuer, subject, agent, request digest, replica, in an order that the purpose fixes. A token opens
 * only for exactly the same list.
 */
export type Binding = readonly string[];

/** One process's hand in one key of the ring. */
export interface Sealer {
  readonly keyId: string;
  seal(purpose: string, claims: Claims, binding: Binding): string;
}

export function createSealer(keyId: string, secret: KeyObject): Sealer {
  const prefix = Buffer.concat([Buffer.from(keyId, 'base64url'), randomBytes(SALT_BYTES)]);
  const key = deriveKey(secret, prefix);
  let counter = 0;
  return {
    keyId,
    seal: (purpose, claims, binding) => {
      const head = Buffer.alloc(HEAD_BYTES);
      prefix.copy(head);
      head.writeUIntBE((counter += 1), PREFIX_BYTES, COUNTER_BYTES);
      const cipher = createCipheriv(CIPHER, key, nonceOf(head), { authTagLength: TAG_BYTES });
      cipher.setAAD(associated(head, purpose));
      const sealed = [
        cipher.update(bindingDigest(binding)),
        cipher.update(JSON.stringify(claims), 'utf8'),
        cipher.final(),
      ];
      const token = Buffer.concat([head, ...sealed, cipher.getAuthTag()]).toString('base64url');
      if (token.length > MOST_CHARACTERS) throw new RangeError('the claims are too long for a token');
      return token;
    },
  };
}

/** The key that a token names, and the bytes it is made of; undefined for what no sealer can have written. */
export function readToken(token: string): { readonly keyId: string; readonly bytes: Buffer } | undefined {
  if (token.length > MOST_CHARACTERS) return undefined;
  const bytes = Buffer.from(token, 'base64url');
  // The decoder skips strange characters and ignores spare bits: without this one token would have many spellings.
  if (bytes.length < LEAST_BYTES || bytes.toString('base64url') !== token) return undefined;
  return { keyId: bytes.toString('base64url', 0, KEY_ID_BYTES), bytes };
}

/**
 * The binding is compared after decryption instead of being associated data: it is authenticated all the same, and the
 * audit can tell a stolen token (`wrong_binding`) from a made-up one (`forged`). The purpose is associated data.
 */
export function unseal(
  secret: KeyObject,
  bytes: Buffer,
  purpose: string,
  binding: Binding,
): Claims | 'forged' | 'wrong_binding' {
  const opened = decrypt(derivedKey(secret, bytes), bytes, purpose);
  if (!opened) return 'forged';
  if (!timingSafeEqual(opened.subarray(0, BINDING_BYTES), bindingDigest(binding))) return 'wrong_binding';
  return JSON.parse(opened.toString('utf8', BINDING_BYTES)) as Claims;
}

function decrypt(key: KeyObject, bytes: Buffer, purpose: string): Buffer | undefined {
  const head = bytes.subarray(0, HEAD_BYTES);
  const decipher = createDecipheriv(CIPHER, key, nonceOf(head), { authTagLength: TAG_BYTES });
  decipher.setAAD(associated(head, purpose));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  const opened = decipher.update(bytes.subarray(HEAD_BYTES, -TAG_BYTES));
  try {
    decipher.final();
    return opened;
  } catch {
    return undefined;
  }
}

/** 96 bits (SP 800-38D §8.2.1): zeros, then the counter. */
function nonceOf(head: Buffer): Buffer {
  const nonce = Buffer.alloc(12);
  head.copy(nonce, 12 - COUNTER_BYTES, PREFIX_BYTES, HEAD_BYTES);
  return nonce;
}

// The head has a fixed length, so the purpose cannot run into it.
const associated = (head: Buffer, purpose: string): Buffer => Buffer.concat([head, Buffer.from(purpose, 'utf8')]);

// A JSON array has one reading: no two bindings share a text, whatever their parts hold.
const bindingDigest = (binding: Binding): Buffer => hash('sha256', JSON.stringify(binding), 'buffer');

// Salts that strangers make up push out others: that costs a derivation, not memory.
const derived = new Lru<string, { readonly from: KeyObject; readonly key: KeyObject }>(256);

function derivedKey(secret: KeyObject, bytes: Buffer): KeyObject {
  const prefix = bytes.subarray(0, PREFIX_BYTES);
  const name = prefix.toString('latin1');
  const known = derived.get(name);
  if (known?.from === secret) return known.key;
  const key = deriveKey(secret, prefix);
  derived.set(name, { from: secret, key });
  return key;
}

/** HMAC-SHA-256 as a key derivation function (NIST SP 800-108r1 §4.1, one block). */
function deriveKey(secret: KeyObject, prefix: Buffer): KeyObject {
  return createSecretKey(createHmac('sha256', secret).update(DERIVATION).update(prefix).digest());
}

export const newKeyId = (): string => randomBytes(KEY_ID_BYTES).toString('base64url');
