/** Which caller a verified certificate is: the first entry of `map` that names it decides. */
import { z } from 'zod';
import { line } from '../../../lib/line.ts';
import type { Attribute, Certificate } from './certificate.ts';

/** SPIFFE-ID §2: trust domain and path in these characters only, no empty and no dot segments. */
const SPIFFE = /^spiffe:\/\/([a-z0-9._-]{1,255})((?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+)*)$/;

const DNS = /^(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/;

const subject = z
  .strictObject({ CN: line(256).optional(), O: line(256).optional(), OU: line(256).optional() })
  .refine((one) => Object.keys(one).length > 0, 'at least one of CN, O and OU');

export const nameEntry = z
  .strictObject({
    spiffe: z
      .string()
      .regex(
        /^spiffe:\/\/[a-z0-9._-]+(\/[A-Za-z0-9._/-]+|(\/[A-Za-z0-9._/-]*)?\/\*)?$/,
        'a SPIFFE ID, or its beginning with "/*"',
      )
      .optional()
      .describe('A SPIFFE ID, exactly, or everything below a path: `spiffe://example.org/agents/*`.'),
    dns: z
      .string()
      .regex(DNS, 'a DNS name in lower case, or "*." and one')
      .optional()
      .describe('A DNS name of the certificate, exactly, or one label below: `*.agents.example.com`.'),
    subject: subject.optional().describe('Parts of the subject. Each must be there once, and equal.'),
    agent: line(128).optional().describe('Name of the agent, for policy and records.'),
    groups: z.array(line(128)).max(64).default([]).describe('Groups that policy sees.'),
  })
  .refine(
    ({ spiffe, dns, subject: of }) => [spiffe, dns, of].filter((one) => one !== undefined).length === 1,
    'one of `spiffe`, `dns` and `subject`',
  );

export type NameEntry = z.infer<typeof nameEntry>;

export interface Named {
  readonly subject: string;
  readonly entry: NameEntry;
}

/** The id of an X509-SVID (SPIFFE X509-SVID §2): its only URI, in this trust domain. */
export function spiffeId({ uris }: Certificate, trustDomain: string): string | undefined {
  const [uri, other] = uris;
  if (uri === undefined || other !== undefined) return undefined;
  return SPIFFE.exec(uri)?.[1] === trustDomain ? uri : undefined;
}

/** @param id the SPIFFE ID that its authority may give; undefined where the authority stands for no trust domain */
export function namedIn(
  map: readonly NameEntry[],
  certificate: Certificate,
  id: string | undefined,
): Named | undefined {
  for (const entry of map) {
    const found = entry.spiffe !== undefined ? bySpiffe(entry.spiffe, id) : byName(entry, certificate);
    if (found !== undefined) return { subject: found, entry };
  }
  return undefined;
}

function bySpiffe(wanted: string, id: string | undefined): string | undefined {
  const fits = wanted.endsWith('/*') ? id?.startsWith(wanted.slice(0, -1)) : id === wanted;
  return fits ? id : undefined;
}

function byName({ dns, subject: wanted }: NameEntry, certificate: Certificate): string | undefined {
  if (dns !== undefined) return certificate.dns.find((name) => name === dns || belowOf(dns, name));
  const pairs = Object.entries(wanted ?? {}) as [Attribute, string][];
  const fits = pairs.every(([attribute, value]) => {
    const [first, ...more] = certificate.subject[attribute];
    return first === value && more.length === 0;
  });
  return fits ? pairs.map(([attribute, value]) => `${attribute}=${quoted(value)}`).join(',') : undefined;
}

function belowOf(pattern: string, name: string): boolean {
  return pattern.startsWith('*.') && name.slice(name.indexOf('.')) === pattern.slice(1);
}

function quoted(value: string): string {
  return /[",=+\\]/.test(value) ? JSON.stringify(value) : value;
}
