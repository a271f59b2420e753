/** One tool call of a 2026-07-28 client, as plain HTTP. */
import type { Gateway } from './gateway.ts';

export interface Called {
  readonly result?: { readonly content?: readonly { readonly text?: string }[]; readonly isError?: boolean };
  readonly error?: { readonly code: number; readonly message: string };
}

const REVISION = '2026-07-28';

/** @param tool as agents see it: `server__tool` */
export async function callTool({ url, token }: Gateway, tool: string, given: object): Promise<Called> {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': REVISION,
    'io.modelcontextprotocol/clientCapabilities': {},
    'io.modelcontextprotocol/clientInfo': { name: 'test', version: '0' },
  };
  const response = await fetch(`${url}/mcp`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': REVISION,
      'mcp-method': 'tools/call',
      'mcp-name': tool,
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: tool, arguments: given, _meta },
    }),
  });
  return answerIn(await response.text());
}

/** The message that ends the exchange: the whole body, or the last event of a stream. */
function answerIn(text: string): Called {
  const events = text.split('\n').filter((line) => line.startsWith('data:'));
  return JSON.parse(events.at(-1)?.slice('data:'.length) ?? text) as Called;
}

export function textOf({ result }: Called): string {
  return (result?.content ?? []).map((block) => block.text ?? '').join('\n');
}
