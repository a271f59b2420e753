/**
 * The price of strictness: `parseJson` and `readMessage` next to `JSON.parse(buffer.toString())` of the same bytes.
 * Prints medians of interleaved runs in microseconds. Run with `node bench/codec.ts`.
 */
import { readMessage } from '../src/mcp/codec/envelope.ts';
import { parseJson, splice } from '../src/mcp/codec/json.ts';

const LIMITS = { bytes: 16 << 20, depth: 64 };
const RUNS = 21;
const RUN_BYTES = 2e6;

const call = Buffer.from(
  JSON.stringify({
    jsonrpc: '2.0',
    id: 7,
    method: 'tools/call',
    params: {
      name: 'query',
      arguments: { sql: 'select 1', limit: 10 },
      _meta: {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientCapabilities': {},
        'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1.0.0' },
      },
    },
  }),
);

const documents: readonly (readonly [string, Buffer])[] = [
  ['call 330 B', call],
  ['records 1.5 KB', records(7)],
  ['records 100 KB', records(520)],
  ['records 1 MB', records(5300)],
  ['text 1.5 KB', text(30, '')],
  ['text 100 KB', text(2050, '')],
  ['UTF-8 1.5 KB', text(30, 'ß')],
  ['UTF-8 100 KB', text(2050, 'ß')],
];

for (const [name, bytes] of documents) report(name, bytes);

function report(name: string, bytes: Buffer): void {
  const contenders: Record<string, () => unknown> = {
    'JSON.parse': () => JSON.parse(bytes.toString()) as unknown,
    parseJson: () => parseJson(bytes, LIMITS),
    readMessage: () => readMessage(bytes, LIMITS),
    'read + splice id': () => readAndSplice(bytes),
  };
  const medians = interleaved(contenders, Math.max(4, Math.round(RUN_BYTES / bytes.length)));
  const base = medians['JSON.parse'] ?? 0;
  const cells = Object.entries(medians).map(([who, us]) => `${who} ${us.toFixed(2)} (${(us / base).toFixed(2)}×)`);
  console.log(`${name.padEnd(15)} ${String(bytes.length).padStart(8)} B   ${cells.join('   ')}`);
}

function readAndSplice(bytes: Buffer): Buffer {
  const read = readMessage(bytes, LIMITS);
  if (!read.ok) throw new Error(read.detail);
  return splice(read.doc, [{ op: 'replace', path: ['id'], json: '12345' }]);
}

function interleaved(contenders: Record<string, () => unknown>, calls: number): Record<string, number> {
  const samples: Record<string, number[]> = {};
  for (let run = 0; run < RUNS; run++) {
    for (const [name, work] of Object.entries(contenders)) (samples[name] ??= []).push(microseconds(work, calls));
  }
  return Object.fromEntries(Object.entries(samples).map(([name, all]) => [name, median(all)]));
}

function microseconds(work: () => unknown, calls: number): number {
  const start = process.hrtime.bigint();
  for (let call = 0; call < calls; call++) work();
  return Number(process.hrtime.bigint() - start) / 1000 / calls;
}

function median(all: number[]): number {
  return all.toSorted((a, b) => a - b)[all.length >> 1] ?? Number.NaN;
}

function records(count: number): Buffer {
  const rows = Array.from({ length: count }, (_, id) => ({
    id,
    name: `item-${id}`,
    tags: ['new', 'sold\nout'],
    ok: id % 2 === 0,
    text: 'A line that says "something" about this item. '.repeat(2),
  }));
  return Buffer.from(JSON.stringify({ result: { content: [], structuredContent: { rows } }, jsonrpc: '2.0', id: 7 }));
}

function text(count: number, mark: string): Buffer {
  const words = `Some line of text with a "quote"${mark} and an end.\n`.repeat(count);
  return Buffer.from(JSON.stringify({ result: { content: [{ type: 'text', text: words }] }, jsonrpc: '2.0', id: 7 }));
}
