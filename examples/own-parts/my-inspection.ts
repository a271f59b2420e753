/** An inspection of one's own: names of internal hosts must not reach a server in arguments. In answers they are only noted. */
import { defineComponent, z } from 'sallyport/component';
import type { Finding, Inspection, Json } from 'sallyport/component';

const config = z.strictObject({
  domains: z
    .array(z.string().regex(/^[a-z0-9.-]+$/))
    .min(1)
    .describe('Host names below these are internal.'),
});

export const component = defineComponent({
  kind: 'inspection',
  use: 'my-inspection',
  config,
  create: ({ domains }): Inspection => {
    const endings = domains.map((domain) => `.${domain}`);
    return {
      inspect: ({ doc, payload }, _exchange, direction) => {
        const findings = find(doc.value, '', endings);
        const refuse = direction === 'inward' && findings.length > 0 ? 'the name of an internal host' : undefined;
        return {
          findings: findings.map((path) => finding(path)),
          facts: { [`internalHosts.${payload}`]: findings.length },
          refuse,
        };
      },
    };
  },
});

/** JSON pointers (RFC 6901) of the strings that hold such a name. */
function find(value: Json, path: string, endings: readonly string[]): string[] {
  if (typeof value === 'string') return namesHost(value, endings) ? [path] : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) => find(child, `${path}/${escaped(key)}`, endings));
}

// No pattern with a choice inside a repetition: the text may be hostile, and must not stall the gateway.
function namesHost(text: string, endings: readonly string[]): boolean {
  const words = text.toLowerCase().split(/[^a-z0-9.-]/);
  return words.some((word) => endings.some((ending) => word.length > ending.length && word.endsWith(ending)));
}

/** A finding says where and what kind, never what: findings are recorded. */
function finding(path: string): Finding {
  return { by: 'my-inspection', kind: 'internal-host', severity: 'high', path };
}

function escaped(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}
