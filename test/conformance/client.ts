/**
 * The client of the suite's client leg: `client.ts [--through] <url>`. It does what an ordinary client does with whatever it
 * finds there: lists everything, calls every tool, gets every prompt, reads every resource. With `--through` a gateway is
 * started in front of the URL first, so that the suite sees the gateway's own messages.
 */
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import type { Tool } from '@modelcontextprotocol/client';
import { startGateway } from '../gateway.ts';

interface Place {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

interface ToolCall {
  readonly name: string;
  readonly arguments: Record<string, unknown>;
}

const SERVER = 'conformance';
const { MCP_CONFORMANCE_CONTEXT: context = '{}', MCP_CONFORMANCE_PROTOCOL_VERSION: version = '' } = process.env;

const url = process.argv.at(-1)!;
await using stack = new AsyncDisposableStack();
await use(process.argv.includes('--through') ? await gatewayTo(url, stack) : { url, headers: {} });

async function gatewayTo(target: string, started: AsyncDisposableStack): Promise<Place> {
  const gateway = started.adopt(await startGateway({ servers: { [SERVER]: { url: target } } }), (one) => one.close());
  return { url: `${gateway.url}/mcp/${SERVER}`, headers: { authorization: `Bearer ${gateway.token}` } };
}

async function use(place: Place): Promise<void> {
  const client = newClient();
  // Its types predate exactOptionalPropertyTypes.
  await client.connect(
    new StreamableHTTPClientTransport(new URL(place.url), { requestInit: { headers: place.headers } }),
  );
  try {
    // One server has no prompts, another no resources: what is not there does not keep the rest from being used.
    await Promise.allSettled([callEach(client), getEach(client), readEach(client)]);
  } finally {
    await client.close();
  }
}

function newClient(): Client {
  const client = new Client(
    { name: 'conformance-client', version: '1.0.0' },
    {
      versionNegotiation: { mode: version >= '2026' ? 'auto' : 'legacy' },
      capabilities: { roots: {}, sampling: {}, elicitation: { form: { applyDefaults: true } } },
    },
  );
  client.setRequestHandler('roots/list', () => ({ roots: [] }));
  client.setRequestHandler('sampling/createMessage', () => ({
    role: 'assistant',
    model: 'none',
    content: { type: 'text', text: 'Paris' },
  }));
  client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: {} }));
  return client;
}

/** What the scenario wants called, or else every tool once; all at once, as independent calls may be. */
async function callEach(client: Client): Promise<void> {
  const { tools } = await client.listTools();
  const { toolCalls } = JSON.parse(context) as { toolCalls?: ToolCall[] };
  const calls = toolCalls ?? tools.map((tool) => ({ name: tool.name, arguments: argumentsFor(tool, tools) }));
  // Some tools only exist to be listed: what their calls come to is for the suite to judge.
  await Promise.allSettled(calls.map((call) => client.callTool(call)));
}

interface Field {
  readonly type?: string;
  readonly enum?: readonly unknown[];
}

/** Something of the right type for everything that is required; an echo of schemas gets the first tool's. */
function argumentsFor({ inputSchema }: Tool, [first]: readonly Tool[]): Record<string, unknown> {
  const { properties = {}, required = [] } = inputSchema as { properties?: Record<string, Field>; required?: string[] };
  const valueOf = (name: string) => (name === 'schema' ? first?.inputSchema : sample(properties[name] ?? {}));
  return Object.fromEntries(required.map((name) => [name, valueOf(name)]));
}

function sample(field: Field): unknown {
  if (field.enum) return field.enum[0];
  switch (field.type) {
    case 'number':
    case 'integer':
      return 1;
    case 'boolean':
      return true;
    case 'object':
      return {};
    case 'array':
      return [];
    default:
      return 'text';
  }
}

async function getEach(client: Client): Promise<void> {
  const { prompts } = await client.listPrompts();
  for (const { name } of prompts) await client.getPrompt({ name });
}

async function readEach(client: Client): Promise<void> {
  const { resources } = await client.listResources();
  for (const { uri } of resources) await client.readResource({ uri });
}
