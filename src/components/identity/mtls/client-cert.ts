/**
 * `Client-Cert` and `Client-Cert-Chain` (RFC 9440): what a proxy that ended TLS says of its peer. Whoever can send a header can
 * send these, so they count from named proxies only, and from anybody else their presence is refused (§4).
 */
import { BlockList, isIP } from 'node:net';
import type { Arrival } from '../../../gateway/ports.ts';

export type Presented =
  | { readonly from: 'nobody' }
  | { readonly from: 'connection' | 'proxy'; readonly leaf: Buffer; readonly between: readonly Buffer[] }
  | { readonly from: 'wrong'; readonly detail: string };

const CHAIN = 8;

export function proxyList(proxies: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const proxy of proxies) add(list, proxy);
  return (address) => {
    const family = isIP(address);
    if (family === 0) return proxies.includes(address);
    return list.check(address, family === 6 ? 'ipv6' : 'ipv4');
  };
}

function add(list: BlockList, proxy: string): void {
  const [address = '', bits] = proxy.split('/');
  const family = isIP(address);
  if (family === 0) return;
  const type = family === 6 ? 'ipv6' : 'ipv4';
  if (bits === undefined) list.addAddress(address, type);
  else list.addSubnet(address, Number(bits), type);
}

export function presented(arrival: Arrival, isProxy: (address: string) => boolean): Presented {
  const { peer } = arrival;
  const [leaf, chain] = [arrival.header('client-cert'), arrival.header('client-cert-chain')];
  if (!isProxy(peer.address)) {
    if (leaf !== undefined || chain !== undefined)
      return { from: 'wrong', detail: 'Client-Cert, and not from a named proxy' };
    if (!peer.certificate) return { from: 'nobody' };
    return { from: 'connection', leaf: peer.certificate, between: (peer.intermediates ?? []).slice(0, CHAIN) };
  }
  // A proxy's own certificate is the proxy's, never the agent's.
  if (leaf === undefined)
    return chain === undefined ? { from: 'nobody' } : { from: 'wrong', detail: 'a chain of nothing' };
  const certificates = [leaf, ...(chain === undefined ? [] : chain.split(','))].map((item) => bytesIn(item.trim()));
  const whole = certificates.filter((one) => one !== undefined);
  if (whole.length !== certificates.length || whole.length > CHAIN)
    return { from: 'wrong', detail: 'Client-Cert is not in the form of RFC 9440' };
  return { from: 'proxy', leaf: whole[0]!, between: whole.slice(1) };
}

/** A Byte Sequence of RFC 8941 §3.3.5, without parameters. */
function bytesIn(item: string): Buffer | undefined {
  const text = /^:([A-Za-z0-9+/]+={0,2}):$/.exec(item)?.[1];
  const bytes = text === undefined ? undefined : Buffer.from(text, 'base64');
  return bytes?.toString('base64') === text ? bytes : undefined;
}
