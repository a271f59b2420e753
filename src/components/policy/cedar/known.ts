/** The tools that the gateway has seen, for checking policies against what servers declare. */
import type { JsonObject } from '../../../gateway/document.ts';
import type { PartDeps } from '../../../gateway/component.ts';
import type { Known, KnownTool } from './schema.ts';

/** Every server of the configuration, and the current version of every tool. undefined: the store does not say. */
export async function knownTools({ store, tenant, servers, log }: PartDeps): Promise<Known | undefined> {
  try {
    const lists = await Promise.all(servers.map((server) => store.definitions.all(tenant, server)));
    const tools = lists.flat().filter(({ kind }) => kind === 'tool');
    return { servers, tools: tools.map(({ server, name, body }) => toolOf(server, name, body)) };
  } catch (error) {
    log.warn({ err: error }, 'policies cannot be checked against tools: the store does not say which there are');
    return undefined;
  }
}

/** What the catalog kept was read by the strict parser before. */
function toolOf(server: string, name: string, body: string): KnownTool {
  const declared = JSON.parse(body) as JsonObject;
  return { server, name, inputSchema: declared['inputSchema'] ?? null };
}
