/** Whose connection it is (law 10). */
import type { JsonObject } from '../../gateway/document.ts';
import type { Hop, Isolation } from '../../gateway/ports.ts';
import { principalKey } from '../../gateway/principal.ts';
import { canonicalDigest } from '../../lib/canonical-json.ts';

/**
 * A legacy server learns capabilities once per connection, so they are part of whose connection it is; a modern one is
 * told with each request, so one connection serves hops of any.
 */
export function keyOf(server: string, isolation: Isolation, hop: Hop, modern: boolean): string {
  const caps = modern ? undefined : digestOf(hop.caps);
  switch (isolation) {
    case 'shared':
      return principalKey(server, caps);
    case 'principal':
      return principalKey(server, caps, hop.principal.key);
    case 'session':
      return principalKey(
        server,
        caps,
        hop.principal.key,
        hop.session,
        hop.session === undefined ? hop.run : undefined,
      );
  }
}

/** The capabilities of a legacy session are one object for its whole life. */
const digests = new WeakMap<JsonObject, string>();

function digestOf(caps: JsonObject): string {
  if (Object.keys(caps).length === 0) return 'none';
  let digest = digests.get(caps);
  if (digest === undefined) {
    digest = wellFormed(caps);
    digests.set(caps, digest);
  }
  return digest;
}

/** Text with lone surrogates has no canonical form; it still is what it is. */
function wellFormed(caps: JsonObject): string {
  try {
    return canonicalDigest(caps);
  } catch {
    return canonicalDigest(JSON.stringify(caps));
  }
}
