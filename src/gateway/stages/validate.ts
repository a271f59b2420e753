/**
 * Is the payload one that may be judged at all? Prototype keys (a judge in JavaScript would read another tree than the
 * server), control characters in names, mirrored headers; outward: a payload of the shape its kind must have.
 */
import { isObject, type Json, type JsonObject } from '../document.ts';
import type { House } from '../house.ts';
import type { Crossing, Stage } from '../stage.ts';
import { deny, PASS, type Verdict } from '../verdict.ts';

export function validate(house: House): Stage {
  return {
    name: 'validate',
    pass(crossing) {
      const payload = payloadOf(crossing);
      const where = polluting(payload, crossing.message.payload);
      if (where !== undefined) return deny('arguments_refused', { detail: `prototype key at ${where}` });
      if (crossing.kind !== 'opening') return PASS;
      return names(payload) ?? mirrored(crossing, house) ?? PASS;
    },
  };
}

/** Headers against arguments is parsing, which observe mode never relaxes (law 13). */
function mirrored(crossing: Crossing, house: House): Verdict | undefined {
  const verdict = house.mirrored(crossing.arrival, crossing.exchange);
  if (verdict) crossing.relaxable = false;
  return verdict;
}

export function validateOutward(): Stage {
  return { name: 'validate', pass: (crossing) => shape(crossing) };
}

function payloadOf({ message }: Crossing): Json | undefined {
  return isObject(message.doc.value) ? message.doc.value[message.payload] : undefined;
}

/** CWE-1321. `constructor` alone is an honest word; `constructor.prototype` is not. */
function polluting(value: Json | undefined, at: string): string | undefined {
  if (Array.isArray(value))
    return first(
      value.map((item, index) => [String(index), item] as const),
      at,
    );
  if (!isObject(value)) return undefined;
  if (Object.hasOwn(value, '__proto__')) return `${at}.__proto__`;
  const made = Object.hasOwn(value, 'constructor') ? value['constructor'] : undefined;
  if (isObject(made) && Object.hasOwn(made, 'prototype')) return `${at}.constructor.prototype`;
  return first(Object.entries(value), at);
}

function first(entries: readonly (readonly [string, Json])[], at: string): string | undefined {
  for (const [key, item] of entries) {
    if (typeof item !== 'object' || item === null) continue;
    const found = polluting(item, `${at}.${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Names and URIs travel into logs, headers and tables: no control characters, no lone surrogates. */
function names(params: Json | undefined): Verdict | undefined {
  if (!isObject(params)) return undefined;
  for (const key of ['name', 'uri', 'taskId'] as const) {
    const name = params[key];
    if (typeof name === 'string' && !clean(name))
      return deny('arguments_refused', { detail: `params.${key} holds control characters or half a character` });
  }
  return undefined;
}

function clean(name: string): boolean {
  return name.isWellFormed() && !/[\u0000-\u001f\u007f]/.test(name);
}

/** What is not of its kind's shape is not MCP: parsing again, and never relaxed. */
function shape(crossing: Crossing): Verdict {
  const wrong = misshapen(crossing);
  if (wrong === undefined) return PASS;
  crossing.relaxable = false;
  return deny('upstream_garbage', { detail: `${wrong} is not an object` });
}

function misshapen({ kind, message }: Crossing): 'result' | 'params' | undefined {
  const body = isObject(message.doc.value) ? message.doc.value : ({} as JsonObject);
  if (kind === 'closing') return message.payload === 'result' && !isObject(body['result']) ? 'result' : undefined;
  return body['params'] !== undefined && !isObject(body['params']) ? 'params' : undefined;
}
