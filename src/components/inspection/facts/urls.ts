/** URLs as browsers and HTTP clients read them (WHATWG URL Standard): `http:\\\\2130706433` is 127.0.0.1. */
import { distinct, type Reading } from './reading.ts';

const URL_LIKE = /^\s*(?:[a-z][a-z0-9+.-]*:|\/\/|\\\\)/i;
const STANDARD: Readonly<Record<string, string>> = {
  'http:': '80',
  'https:': '443',
  'ws:': '80',
  'wss:': '443',
  'ftp:': '21',
};

export function urlsOf(texts: readonly string[]): Reading {
  const likely = texts.filter((text) => URL_LIKE.test(text) && text.length <= LONGEST);
  const urls = likely.flatMap(read);
  const broken = likely.some((text) => /^\s*(?:https?|wss?|ftp):/i.test(text) && read(text).length === 0);
  const relative = likely.some((text) => /^\s*(?:\/\/|\\\\)/.test(text));
  const tooLong = texts.some((text) => text.length > LONGEST && URL_LIKE.test(text));
  return {
    facts: {
      hosts: distinct(urls.map(({ hostname }) => hostname.replace(/\.$/, '')).filter((host) => host !== '')),
      schemes: distinct(urls.map(({ protocol }) => protocol.slice(0, -1))),
      ports: distinct(
        urls.map(({ port, protocol }) => port || (STANDARD[protocol] ?? '')).filter((port) => port !== ''),
      ),
    },
    unclear: broken || relative || tooLong,
  };
}

const LONGEST = 8_192;

function read(text: string): URL[] {
  const url = URL.parse(text.trim());
  return url ? [url] : [];
}
