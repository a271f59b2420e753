import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpanStatusCode } from '@opentelemetry/api';
import { InMemorySpanExporter } from '@opentelemetry/sdk-trace-base';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { exampleExchange } from '../../test/fixtures/exchange.ts';
import { createTraces } from './traces.ts';
import type { Traces } from './traces.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';

class Kept extends InMemorySpanExporter {
  spans: ReadableSpan[] = [];
  override shutdown(): Promise<void> {
    this.spans = this.getFinishedSpans();
    return super.shutdown();
  }
}

async function spansOf(work: (traces: Traces) => void): Promise<ReadableSpan[]> {
  const exporter = new Kept();
  const gateway = { name: 'sallyport', version: '0' };
  const traces = createTraces(
    { endpoint: 'http://127.0.0.1:1', headers: {} },
    { gateway, exporter, address: () => 'example.com' },
  );
  work(traces);
  await traces.close();
  return exporter.spans;
}

test('a name that no catalog knows is not put into the span', async () => {
  const target = { of: 'definition', server: 'files', kind: 'tool', name: 'evil', definition: undefined } as const;
  const [span] = await spansOf((traces) => {
    const exchange = exampleExchange({ target });
    traces.opened(exchange);
    traces.closed(exchange, 'refused', 'tool_unknown');
  });
  assert.equal(span?.name, 'tools/call');
  assert.ok(!JSON.stringify(span?.attributes).includes('evil'));
  assert.equal(span?.attributes['error.type'], 'tool_unknown');
  assert.equal(span?.status.code, SpanStatusCode.ERROR);
});

test('a malformed traceparent starts a trace of its own', async () => {
  for (const traceparent of ['nonsense', `00-${'0'.repeat(32)}-${PARENT}-01`, `ff-${TRACE}-${PARENT}-01`]) {
    const [span] = await spansOf((traces) => {
      const exchange = exampleExchange({ meta: { traceparent } });
      traces.opened(exchange);
      traces.closed(exchange, 'result', undefined);
    });
    assert.equal(span?.parentSpanContext, undefined);
  }
});

test('an agent that asks not to be sampled is traced all the same', async () => {
  const spans = await spansOf((traces) => {
    const exchange = exampleExchange({ meta: { traceparent: `00-${TRACE}-${PARENT}-00` } });
    traces.opened(exchange);
    traces.closed(exchange, 'result', undefined);
  });
  assert.equal(spans.length, 1);
});

test('user, password and query of a resource stay out of the span', async () => {
  const name = 'https://user:pw@example.com/a?token=hunter2';
  const definition = { server: 'web', kind: 'resource', name, digest: '', body: Buffer.alloc(0), value: {} } as const;
  const [span] = await spansOf((traces) => {
    const exchange = exampleExchange({
      target: { of: 'definition', server: 'web', kind: 'resource', name, definition },
    });
    traces.opened(exchange);
    traces.closed(exchange, 'result', undefined);
  });
  assert.equal(span?.attributes['mcp.resource.uri'], 'https://example.com/a');
});

test('a tool call is one span below the one the agent named, with the names of the conventions', async () => {
  const [span] = await spansOf((traces) => {
    const exchange = exampleExchange({ meta: { traceparent: `00-${TRACE}-${PARENT}-01` } });
    traces.opened(exchange);
    traces.closed(exchange, 'result', undefined);
  });
  assert.equal(span?.name, 'tools/call read');
  assert.equal(span?.spanContext().traceId, TRACE);
  assert.equal(span?.parentSpanContext?.spanId, PARENT);
  assert.deepEqual(span?.attributes, {
    'mcp.method.name': 'tools/call',
    'mcp.protocol.version': '2026-07-28',
    'jsonrpc.request.id': '1',
    'sallyport.server': 'files',
    'server.address': 'example.com',
    'sallyport.exchange.id': 'x1',
    'sallyport.run': 'r1',
    'gen_ai.tool.name': 'read',
    'gen_ai.operation.name': 'execute_tool',
    'sallyport.status': 'result',
  });
});

test("the upstream gets this span as its parent, and the agent's state and baggage", async () => {
  await spansOf((traces) => {
    const meta = { traceparent: `00-${TRACE}-${PARENT}-01`, tracestate: 'vendor=1', baggage: 'user=dana' };
    const exchange = exampleExchange({ meta });
    assert.equal(traces.outgoing(exchange), undefined);
    traces.opened(exchange);
    const context = traces.outgoing(exchange);
    assert.match(context!.traceparent, new RegExp(`^00-${TRACE}-(?!${PARENT})[0-9a-f]{16}-01$`));
    assert.deepEqual([context!.tracestate, context!.baggage], ['vendor=1', 'user=dana']);
    traces.closed(exchange, 'result', undefined);
  });
});

test('an ask of the server is a span below that of its call', async () => {
  const [ask, call] = await spansOf((traces) => {
    const parent = exampleExchange();
    const child = exampleExchange({ parent });
    traces.opened(parent);
    traces.opened(child);
    traces.closed(child, 'result', undefined);
    traces.closed(parent, 'result', undefined);
  });
  assert.equal(ask?.parentSpanContext?.spanId, call?.spanContext().spanId);
});
