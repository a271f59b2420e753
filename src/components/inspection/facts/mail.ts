/** Addresses of mail (RFC 5322, the part of it that is written in practice). What is more than plain is unclear. */
import { distinct, type Reading } from './reading.ts';

const LONGEST = 4_096;
const ADDRESS = /^[a-z0-9!#$&'*+/=?^_`{|}~.-]{1,64}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})+$/;

export function recipientsOf(texts: readonly string[]): Reading {
  const each = texts.flatMap((text) => (text.length > LONGEST ? [''] : text.split(/[,;]/))).map(addressOf);
  const addresses = distinct(each.filter((address) => address !== undefined));
  return {
    facts: {
      recipients: addresses,
      recipientDomains: distinct(addresses.map((one) => one.slice(one.indexOf('@') + 1))),
    },
    unclear: each.includes(undefined),
  };
}

/** `Ada <ada@example.com>` and `ada@example.com`. Quoted names hold commas, and would be cut in two: unclear. */
function addressOf(text: string): string | undefined {
  const trimmed = text.trim();
  const open = trimmed.lastIndexOf('<');
  const named = open !== -1 && trimmed.endsWith('>') && !trimmed.slice(0, open).includes('@');
  const address = (named ? trimmed.slice(open + 1, -1) : trimmed).toLowerCase();
  return ADDRESS.test(address) && !trimmed.includes('"') ? address : undefined;
}
