/** Settings that connect an agent to the gateway, ready to paste. */

export interface ClientSettings {
  readonly client: string;
  /** Where it goes. */
  readonly where: string;
  readonly text: string;
}

/** @param endpoint for example `http://127.0.0.1:7777/mcp` */
export function clientSettings(endpoint: string, token: string): ClientSettings[] {
  const headers = { Authorization: `Bearer ${token}` };
  return [
    {
      client: 'Claude Code',
      where: 'run',
      text: `claude mcp add --transport http sallyport ${endpoint} --header "Authorization: Bearer ${token}"`,
    },
    {
      client: 'Cursor',
      where: '~/.cursor/mcp.json',
      text: json({ mcpServers: { sallyport: { url: endpoint, headers } } }),
    },
    {
      client: 'VS Code',
      where: '.vscode/mcp.json',
      text: json({ servers: { sallyport: { type: 'http', url: endpoint, headers } } }),
    },
    {
      client: 'MCP Inspector',
      where: 'run',
      text: `npx @modelcontextprotocol/inspector --cli ${endpoint} --transport http --header "Authorization: Bearer ${token}" --method tools/list`,
    },
    {
      client: 'TypeScript SDK',
      where: 'import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"',
      text: [
        'const client = new Client({ name: "my-agent", version: "1.0.0" });',
        `await client.connect(new StreamableHTTPClientTransport(new URL("${endpoint}"), {`,
        `  requestInit: { headers: { Authorization: "Bearer ${token}" } },`,
        '}));',
      ].join('\n'),
    },
  ];
}

function json(value: unknown): string {
  return JSON.stringify(value, null, 2);
}

export function clientSettingsText(settings: readonly ClientSettings[]): string {
  return settings.map(({ client, where, text }) => `${client} (${where})\n${indented(text)}`).join('\n\n');
}

function indented(text: string): string {
  return text.replace(/^/gm, '  ');
}
