/** `sallyport call`: a tool call through the running gateway, judged and recorded as any other. */
import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { encodeHeaderValue } from '../../mcp/codec/headers.ts';
import { GATEWAY } from '../../version.ts';
import { findOptions, helpEnd } from '../command.ts';
import type { FindOptions } from '../command.ts';
import { EXIT } from '../exit.ts';
import { findPlaces } from '../find.ts';
import { ask, rpcAnswer } from '../gateway-client.ts';
import type { Answered } from '../gateway-client.ts';
import { visible } from '../../telemetry/log.ts';
import { coloured, err, out, outJson } from '../terminal.ts';

interface Options extends FindOptions {
  readonly arg: Readonly<Record<string, unknown>>;
  readonly json?: string | true;
}

export function call(root: Command, done: (code: number) => void): void {
  const command = findOptions(
    root
      .command('call')
      .summary('call a tool through the gateway')
      .description(
        'Calls a tool through the running gateway, as its owner: the call is judged and recorded like that of any agent.',
      )
      .argument('<tool>', 'the tool as agents see it (`server__tool`), or the server, where a tool follows')
      .argument('[name]', "the tool's own name at that server"),
  )
    .option('--arg <key=value>', 'one argument; a value that is JSON is taken as JSON', addArgument, {})
    .option('--json [arguments]', 'the arguments as one JSON object; without them: print the whole answer as JSON')
    .action(async (tool: string, name: string | undefined, options: Options) =>
      done(await callTool(tool, name, options)),
    );
  helpEnd(command, {
    examples: [
      'sallyport call files__list_directory --arg path=.',
      `sallyport call files read_text_file --json '{"path":"welcome.md"}'`,
    ],
    exits: [EXIT.ok, EXIT.problem, EXIT.usage, EXIT.noGateway, EXIT.refused],
  });
}

function addArgument(text: string, before: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It must be key=value.');
  return { ...before, [text.slice(0, at)]: jsonOrText(text.slice(at + 1)) };
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

async function callTool(first: string, second: string | undefined, options: Options): Promise<number> {
  const given = argumentsOf(options);
  if (given === undefined) {
    err('--json takes one JSON object, for example \'{"path":"."}\'');
    return EXIT.usage;
  }
  const name = second ?? first;
  const path = second === undefined ? '/mcp' : `/mcp/${encodeURIComponent(first)}`;
  const answer = await ask(await findPlaces(options), { method: 'POST', path, ...toolsCall(name, given) });
  return tell(answer, options.json === true);
}

function argumentsOf({ arg, json }: Options): Record<string, unknown> | undefined {
  if (typeof json !== 'string') return { ...arg };
  const value = jsonOrText(json);
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value, ...arg } : undefined;
}

const REVISION = '2026-07-28';

function toolsCall(name: string, given: Record<string, unknown>) {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': REVISION,
    'io.modelcontextprotocol/clientCapabilities': {},
    'io.modelcontextprotocol/clientInfo': { name: 'sallyport', version: GATEWAY.version },
  };
  const headers = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': REVISION,
    'mcp-method': 'tools/call',
    'mcp-name': encodeHeaderValue(name),
  };
  const params = { name, arguments: given, _meta };
  return { headers, body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }) };
}

interface ToolResult {
  readonly content?: readonly { readonly type?: string; readonly text?: string }[];
  readonly isError?: boolean;
  readonly resultType?: string;
}

function tell(answer: Answered, json: boolean): number {
  const message = rpcAnswer(answer);
  if (message === undefined)
    throw new Error(`the gateway answered ${answer.status} without a result: ${answer.text.slice(0, 200)}`);
  if ('error' in message) return tellError(message['error'] as { code: number; message: string }, message, json);
  const result = message['result'] as ToolResult;
  if (json) outJson(result);
  else out((result.content ?? []).map((block) => printable(block.text ?? JSON.stringify(block))).join('\n'));
  if (result.resultType === 'input_required') err('the tool wants input first, which this command cannot give');
  return result.isError === true || result.resultType === 'input_required' ? EXIT.problem : EXIT.ok;
}

/** A terminal obeys control characters, and the text may be hostile (law 11); whatever else reads gets the text as it is. */
function printable(text: string): string {
  return process.stdout.isTTY ? text.split('\n').map(visible).join('\n') : text;
}

function tellError(error: { code: number; message: string }, message: object, json: boolean): number {
  if (json) outJson(message);
  else err(coloured('red', `refused: ${printable(error.message)} (${error.code})`, process.stderr));
  // The gateway's own verdicts have codes outside those of JSON-RPC (reasons.ts).
  return error.code > 0 ? EXIT.refused : EXIT.problem;
}
