/** Where to listen: `127.0.0.1:7777`, `[::1]:7777`, `localhost:0`, `unix:/run/sallyport.sock`. */
import { isIP } from 'node:net';
import type { Listen } from './config.ts';

const TCP = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/;

export function parseListen(text: string): Listen | undefined {
  if (text.startsWith('unix:')) return text.length > 5 ? { kind: 'unix', path: text.slice(5) } : undefined;
  const [, ipv6, host, digits] = TCP.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535 || (ipv6 !== undefined && isIP(ipv6) !== 6)) return undefined;
  return { kind: 'tcp', host: ipv6 ?? host!, port };
}

/** Whether only this machine can reach it. A name other than `localhost` may resolve to anything, so it does not count. */
export function isLoopback(listen: Listen): boolean {
  if (listen.kind === 'unix') return true;
  return /^(127\.\d{1,3}\.\d{1,3}\.\d{1,3}|::1|localhost)$/.test(listen.host);
}
