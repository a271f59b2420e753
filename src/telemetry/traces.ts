/**
 * OpenTelemetry traces: one span per exchange. The parent is what the agent says in `params._meta` (SEP-414); the
 * upstream gets this span as its parent. Loaded only when traces are configured.
 */
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, createTraceState, trace } from '@opentelemetry/api';
import type { Attributes, Context, Span } from '@opentelemetry/api';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { AlwaysOnSampler, BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import type { SpanExporter } from '@opentelemetry/sdk-trace-base';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { isObject } from '../gateway/document.ts';
import type { JsonObject } from '../gateway/document.ts';
import type { Exchange } from '../gateway/exchange.ts';
import type { Observer } from '../gateway/ports.ts';
import * as names from './conventions.ts';
import { definitionOf, serverMeant } from '../gateway/target.ts';

export interface TraceContext {
  readonly traceparent: string;
  readonly tracestate?: string;
  readonly baggage?: string;
}

export interface Traces extends Observer {
  /** What the upstream's `_meta` gets; undefined when the exchange has no span. */
  outgoing(exchange: Exchange): TraceContext | undefined;
  /** Sends what is waiting. */
  close(): Promise<void>;
}

export interface TracesSettings {
  /** URL of an OTLP/HTTP collector. */
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface TracesDeps {
  readonly gateway: { readonly name: string; readonly version: string };
  /** Host of an HTTP server, for `server.address`. */
  readonly address?: (server: string) => string | undefined;
  /** Instead of the collector, in tests. */
  readonly exporter?: SpanExporter;
}

export function createTraces({ endpoint, headers }: TracesSettings, deps: TracesDeps): Traces {
  const { gateway, address, exporter = new OTLPTraceExporter({ url: endpoint, headers: { ...headers } }) } = deps;
  // The agent's sampled flag is not obeyed: an agent could otherwise choose not to be seen.
  const provider = new BasicTracerProvider({
    sampler: new AlwaysOnSampler(),
    resource: resourceFromAttributes({ 'service.name': gateway.name, 'service.version': gateway.version }),
    spanProcessors: [new BatchSpanProcessor(exporter)],
  });
  const tracer = provider.getTracer(gateway.name, gateway.version);
  const spans = new WeakMap<Exchange, Span>();
  return {
    opened(exchange) {
      const parent = exchange.parent && spans.get(exchange.parent);
      const context = parent ? trace.setSpan(ROOT_CONTEXT, parent) : parentContext(metaOf(exchange));
      spans.set(exchange, tracer.startSpan(exchange.row.method, { kind: SpanKind.SERVER }, context));
    },
    refused() {},
    closed(exchange, status, reason) {
      const span = spans.get(exchange);
      if (span === undefined || !spans.delete(exchange)) return;
      span.updateName(spanName(exchange));
      span.setAttributes(attributes(exchange, address));
      span.setAttribute(names.STATUS, status);
      if (reason !== undefined) span.setAttributes({ [names.REASON]: reason, [names.ERROR_TYPE]: reason });
      else if (status !== 'result') span.setAttribute(names.ERROR_TYPE, status);
      if (status !== 'result') span.setStatus({ code: SpanStatusCode.ERROR });
      span.end();
    },
    outgoing(exchange) {
      const span = spans.get(exchange);
      return span && contextOf(span, metaOf(exchange));
    },
    close: () => provider.shutdown(),
  };
}

function spanName(exchange: Exchange): string {
  const definition = definitionOf(exchange);
  const named = definition?.kind === 'tool' || definition?.kind === 'prompt';
  return named ? `${exchange.row.method} ${definition.name}` : exchange.row.method;
}

const LONGEST_ID = 64;

function attributes(exchange: Exchange, address: TracesDeps['address']): Attributes {
  const server = serverMeant(exchange);
  const all: Record<string, string | undefined> = {
    [names.METHOD]: exchange.row.method,
    [names.PROTOCOL_VERSION]: exchange.version,
    [names.SESSION]: exchange.session,
    [names.REQUEST_ID]: exchange.requestId?.slice(0, LONGEST_ID),
    [names.SERVER]: server,
    [names.SERVER_ADDRESS]: server && address?.(server),
    [names.EXCHANGE]: exchange.id,
    [names.RUN]: exchange.run,
    ...definitionAttributes(exchange),
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Attributes;
}

function definitionAttributes(exchange: Exchange): Record<string, string> {
  const definition = definitionOf(exchange);
  switch (definition?.kind) {
    case 'tool':
      return { [names.TOOL]: definition.name, [names.OPERATION]: names.EXECUTE_TOOL };
    case 'prompt':
      return { [names.PROMPT]: definition.name };
    case 'resource':
    case 'template':
      return { [names.RESOURCE_URI]: withoutSecrets(definition.name) };
    case undefined:
      return {};
  }
}

/** User names, passwords and queries of a URI may be secrets. */
function withoutSecrets(uri: string): string {
  return uri.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, '$1').replace(/[?#].*$/s, '');
}

function metaOf({ opening }: Exchange): JsonObject {
  const { value } = opening.doc;
  const params = isObject(value) ? value['params'] : undefined;
  const meta = isObject(params) ? params['_meta'] : undefined;
  return isObject(meta) ? meta : {};
}

// W3C Trace Context §3.2: version 00, and no id of zeros only.
const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/;
const MAX_TRACESTATE = 512;
const MAX_BAGGAGE = 8192;

function parentContext(meta: JsonObject): Context {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(text(meta['traceparent'], 55) ?? '') ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return ROOT_CONTEXT;
  const state = text(meta['tracestate'], MAX_TRACESTATE);
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16) & 1,
    isRemote: true,
    ...(state === undefined ? {} : { traceState: createTraceState(state) }),
  });
}

function contextOf(span: Span, meta: JsonObject): TraceContext {
  const { traceId, spanId, traceFlags, traceState } = span.spanContext();
  const state = traceState?.serialize();
  const baggage = text(meta['baggage'], MAX_BAGGAGE);
  return {
    traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`,
    ...(state ? { tracestate: state } : {}),
    ...(baggage === undefined ? {} : { baggage }),
  };
}

function text(value: unknown, longest: number): string | undefined {
  return typeof value === 'string' && value.length > 0 && value.length <= longest ? value : undefined;
}
