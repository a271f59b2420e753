/**
 * Agents by client certificate (mutual TLS), SPIFFE X509-SVIDs among them. The listener has checked that the agent holds the
 * key and that one of `tls.clientCa` stands behind the certificate; this part checks for itself whose authority it is, for
 * which trust domain, whether it is revoked, and which agent that makes.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { defineComponent, type Health, type PartDeps } from '../../../gateway/component.ts';
import { principalKey, type Principal } from '../../../gateway/principal.ts';
import { line } from '../../../lib/line.ts';
import { Lru } from '../../../lib/lru.ts';
import type { Identified, Identity } from '../identity.ts';
import { readCertificate, type Certificate } from './certificate.ts';
import { presented, proxyList, type Presented } from './client-cert.ts';
import { namedIn, nameEntry, spiffeId, type NameEntry } from './names.ts';
import { bundleIn, pathTo, type Link } from './path.ts';
import { openLists, type Lists } from './lists.ts';

const authority = z.strictObject({
  ca: z
    .string()
    .regex(/-----BEGIN CERTIFICATE-----/, 'PEM text, usually ${file:path/to.pem}')
    .describe('The authorities whose certificates are accepted, PEM: a SPIFFE trust bundle, or a CA of your own.'),
  trustDomain: z
    .string()
    .regex(/^[a-z0-9._-]{1,255}$/, 'a SPIFFE trust domain such as "example.org"')
    .optional()
    .describe('The one SPIFFE trust domain that they speak for. Absent: they give no SPIFFE IDs.'),
  name: line(64).default('ca').describe('Their name in principals, where there is no trust domain.'),
  crl: z
    .array(z.string().min(1))
    .default([])
    .describe(
      'Paths of revocation lists, DER or PEM, read again when they change. Then each issuer of agents needs one that is not out of date.',
    ),
});

const config = z
  .strictObject({
    authorities: z.array(authority).min(1).describe('Whose certificates are accepted.'),
    map: z
      .array(nameEntry)
      .min(1)
      .describe('Which certificates are which agents. The first that fits decides; none: refused.'),
    proxies: z
      .array(
        z
          .string()
          .regex(/^(socket|[0-9a-fA-F.:]+(\/\d{1,3})?)$/, 'an IP address, a network such as "10.0.0.0/8", or "socket"'),
      )
      .default([])
      .describe(
        'Proxies that end TLS and tell of the certificate by `Client-Cert` (RFC 9440). From others the header is refused.',
      ),
  })
  .describe('Agents by client certificate: SPIFFE ID, DNS name or subject. Needs `tls.clientCa`, or `proxies`.');

type Authority = z.infer<typeof authority>;

export const mtls = defineComponent({
  kind: 'identity',
  use: 'mtls',
  config,
  create: (settings, deps): Identity => new Mtls(settings, deps),
});

interface Trusted {
  readonly anchors: readonly Certificate[];
  readonly settings: Authority;
}

/** What does not change about a certificate; times and revocation are asked each time. */
type Verified =
  | {
      readonly ok: true;
      readonly principal: Principal;
      readonly links: readonly Link[];
      readonly from: number;
      readonly until: number;
    }
  | { readonly ok: false; readonly detail: string };

/** Certificates that were verified lately; strangers among them, so it is bounded. */
const REMEMBERED = 4_096;

class Mtls implements Identity {
  readonly #trusted: readonly Trusted[];
  readonly #map: readonly NameEntry[];
  readonly #isProxy: (address: string) => boolean;
  readonly #lists: Lists;
  readonly #deps: PartDeps;
  readonly #verified = new Lru<string, Verified>(REMEMBERED);
  readonly #onConnection = new WeakMap<Buffer, Verified>();

  constructor({ authorities, map, proxies }: z.infer<typeof config>, deps: PartDeps) {
    this.#trusted = authorities.map((settings) => ({ anchors: bundleIn(settings.ca), settings }));
    this.#map = map;
    this.#isProxy = proxyList(proxies);
    this.#deps = deps;
    this.#lists = openLists(
      this.#trusted.map(({ anchors, settings }) => ({ files: settings.crl, anchors })),
      deps,
    );
  }

  identify(arrival: Parameters<Identity['identify']>[0]): Identified {
    const shown = presented(arrival, this.#isProxy);
    switch (shown.from) {
      case 'nobody':
        return { known: false, why: 'absent' };
      case 'wrong':
        return rejected(shown.detail);
      case 'connection':
      case 'proxy':
        return this.#judge(this.#verify(shown));
    }
  }

  holds({ proof, claims }: Principal): boolean {
    return proof.use !== 'mtls' || this.#lists.fault(linksIn(claims?.['links'])) === undefined;
  }

  onRevoked(listener: () => void): () => void {
    return this.#lists.onChange(listener);
  }

  health(): Health {
    return this.#lists.health();
  }

  close(): void {
    this.#lists.close();
  }

  #judge(verified: Verified): Identified {
    if (!verified.ok) return rejected(verified.detail);
    const now = this.#deps.clock.now();
    if (now < verified.from) return rejected('the certificate is not valid yet');
    if (now >= verified.until) return rejected('the certificate has expired');
    const revoked = this.#lists.fault(verified.links);
    return revoked === undefined ? { known: true, principal: verified.principal } : rejected(revoked);
  }

  /** A connection's certificate never changes, so it is looked at once. */
  #verify(shown: Extract<Presented, { leaf: Buffer }>): Verified {
    const before = shown.from === 'connection' ? this.#onConnection.get(shown.leaf) : undefined;
    if (before) return before;
    const name = digestOf([Buffer.from(shown.from), shown.leaf, ...shown.between]);
    const known = this.#verified.get(name) ?? this.#read(shown);
    this.#verified.set(name, known);
    if (shown.from === 'connection') this.#onConnection.set(shown.leaf, known);
    return known;
  }

  #read({ leaf, between, from }: Extract<Presented, { leaf: Buffer }>): Verified {
    try {
      return this.#trace(readCertificate(leaf), between.map(readCertificate), from);
    } catch {
      return { ok: false, detail: 'it is no certificate that can be read' };
    }
  }

  #trace(leaf: Certificate, between: readonly Certificate[], from: 'connection' | 'proxy'): Verified {
    let detail = '';
    for (const { anchors, settings } of this.#trusted) {
      const path = pathTo(anchors, leaf, between);
      if (!path.ok) detail = path.detail;
      else return this.#name(leaf, path, settings, from);
    }
    return { ok: false, detail };
  }

  #name(
    leaf: Certificate,
    path: Extract<ReturnType<typeof pathTo>, { ok: true }>,
    by: Authority,
    from: 'connection' | 'proxy',
  ): Verified {
    // Lists are signed by authorities of `ca` only: nobody could speak for what another one issued.
    if (by.crl.length > 0 && path.links.length > 1)
      return { ok: false, detail: 'its issuer is not in `ca`, so no revocation list speaks for it' };
    const id = by.trustDomain === undefined ? undefined : spiffeId(leaf, by.trustDomain);
    if (by.trustDomain !== undefined && id === undefined)
      return { ok: false, detail: `it carries no SPIFFE ID of ${by.trustDomain}` };
    // A workload's certificate signs nothing else (X509-SVID §4.3).
    if (id !== undefined && leaf.mayCertify)
      return { ok: false, detail: 'it may sign certificates, which no SVID may' };
    const named = namedIn(this.#map, leaf, id);
    if (!named) return { ok: false, detail: 'no entry of `map` names this certificate' };
    const { tenant } = this.#deps;
    const issuer = by.trustDomain === undefined ? `mtls:${by.name}` : `spiffe://${by.trustDomain}`;
    const { subject, entry } = named;
    const principal: Principal = {
      key: principalKey(tenant, issuer, subject, entry.agent),
      tenant,
      issuer,
      subject,
      agent: entry.agent,
      person: undefined,
      groups: entry.groups,
      chain: [],
      // Behind a proxy nobody here has seen the key: the proxy's word is what there is.
      proof: { use: 'mtls', strength: from === 'connection' ? 'proof-of-possession' : 'bearer' },
      claims: {
        certificate: digestOf([leaf.x509.raw]),
        links: path.links.map(({ signer, serial }) => `${signer} ${serial}`),
        ...(id === undefined ? {} : { spiffe: id }),
      },
      expires: path.until,
    };
    return { ok: true, principal, links: path.links, from: path.from, until: path.until };
  }
}

function linksIn(claim: unknown): readonly Link[] {
  const texts = Array.isArray(claim) ? claim.filter((one) => typeof one === 'string') : [];
  return texts.map((text) => {
    const [signer = '', serial = ''] = text.split(' ');
    return { signer, serial };
  });
}

function digestOf(parts: readonly Buffer[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest('hex');
}

function rejected(detail: string): Identified {
  return { known: false, why: 'rejected', detail };
}
