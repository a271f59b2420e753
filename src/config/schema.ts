/** The schema of sallyport.yaml: the gateway's own keys here, those of every part beside its code. */
import { z } from 'zod';
import type { AnyComponent } from '../gateway/component.ts';
import { duration, size } from '../lib/units.ts';
import { parseListen } from './address.ts';

/** What stands in a slot, before the part is looked up. */
export type PartSettings = { use: string } & Record<string, unknown>;

type PartSchema = z.ZodType<PartSettings, PartSettings>;

const AN_ADDRESS = 'an address such as "127.0.0.1:7777", "[::1]:7777" or "unix:/path"';

const address = z
  .string(AN_ADDRESS)
  .regex(/^unix:.|:\d{1,5}$/, AN_ADDRESS)
  .transform((text, context) => {
    const listen = parseListen(text);
    if (listen) return listen;
    context.issues.push({ code: 'custom', input: text, message: AN_ADDRESS });
    return z.NEVER;
  });

const url = (what: string) => z.url({ protocol: /^https?$/, error: what });

const pem = z.string().regex(/-----BEGIN [A-Z0-9 ]+-----/, 'PEM text, usually ${file:path/to.pem}');

const headerName = z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'a header name');
const headerValue = z.string().regex(/^[\t\x20-\x7e]*$/, 'a header value in printable ASCII');
const headers = z.record(headerName, headerValue);

const tls = z.strictObject({
  cert: pem.describe('The certificate chain, PEM.'),
  key: pem.describe('The private key, PEM.'),
  clientCa: pem.optional().describe('Authorities whose client certificates are accepted, PEM.'),
  clientCertRequired: z.boolean().default(false).describe('Refuse connections without a client certificate.'),
  minVersion: z.enum(['TLSv1.2', 'TLSv1.3']).default('TLSv1.3').describe('The oldest TLS version that is spoken.'),
});

const upstreamTls = z.strictObject({
  ca: pem.optional().describe('Authorities that the server is checked against, PEM; default: those of Node.js.'),
  cert: pem.optional().describe("The gateway's own client certificate for this server, PEM."),
  key: pem.optional().describe('Its private key, PEM.'),
  servername: z.string().optional().describe('The name that the certificate must carry, where the URL has another.'),
});

export const serverName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,30}$/, 'a server name: a-z, 0-9 and "-", at most 31 characters');

/** The keys that servers of both transports have. */
function serverKeys(credentials: PartSchema) {
  return {
    isolation: z
      .enum(['shared', 'principal', 'session'])
      .default('principal')
      .describe('Who shares a connection or process: everybody, one principal, or one session of one principal.'),
    era: z
      .enum(['auto', 'modern', 'legacy'])
      .default('auto')
      .describe('modern: 2026-07-28 and later. legacy: the initialize handshake. auto: asked once, then remembered.'),
    deadline: duration.prefault('60s').describe('How long an answer may take.'),
    idle: duration.prefault('10m').describe('A connection or process that nobody used for so long is ended.'),
    concurrency: z.int().min(1).max(10_000).default(64).describe('Requests that are open at this server at once.'),
    credentials: credentials.optional().describe('The secret that the server gets; the agent never sees it.'),
  };
}

function server(credentials: PartSchema) {
  const http = z.strictObject({
    url: url('an http or https URL').describe('Where the server listens.'),
    transport: z
      .enum(['streamable-http', 'sse'])
      .default('streamable-http')
      .describe('sse: the two-endpoint transport of 2024-11-05.'),
    headers: headers.default({}).describe('Headers that are sent with every request.'),
    tls: upstreamTls.optional().describe('TLS toward this server.'),
    ...serverKeys(credentials),
  });
  const stdio = z.strictObject({
    command: z.string().min(1).describe('The program that is started.'),
    args: z.array(z.string()).default([]).describe('Its arguments, one word each.'),
    cwd: z.string().optional().describe('Its working directory; default: the folder of the configuration file.'),
    env: z.record(z.string(), z.string()).default({}).describe('Environment variables that it gets.'),
    ...serverKeys(credentials),
  });
  return z.union([http, stdio]);
}

/**
 * The parts of one kind, told apart by `use`.
 * `own`: a branch for parts outside the box, which only the published JSON Schema needs; a loaded file names each.
 */
function partOf(components: readonly AnyComponent[], kind: string, own: boolean): PartSchema {
  const mine = components.filter((component) => component.kind === kind);
  const boxed = mine.map((component) => named(component));
  if (own) return z.union([...boxed, ownPart(mine.map(({ use }) => use))]) as unknown as PartSchema;
  if (boxed.length === 0) return z.strictObject({ use: z.enum([]) }) as unknown as PartSchema;
  return z.discriminatedUnion('use', boxed as [z.ZodObject, ...z.ZodObject[]]) as unknown as PartSchema;
}

function named({ kind, use, config }: AnyComponent): z.ZodObject {
  if (!(config instanceof z.ZodObject)) throw new TypeError(`the config of ${kind}/${use} must be a z.strictObject`);
  return config.safeExtend({ use: z.literal(use).describe(config.description ?? `The part \`${use}\`.`) });
}

function ownPart(boxed: readonly string[]): z.ZodObject {
  const others = boxed.length > 0 ? `(?!(?:${boxed.join('|')})$)` : '';
  return z.looseObject({ use: z.string().regex(new RegExp(`^${others}[./@a-z].*$`)) });
}

function oneOrMore<T extends z.ZodType>(item: T) {
  return z.union([item, z.array(item).min(1)]);
}

export function configSchema(components: readonly AnyComponent[], { own = false } = {}) {
  const part = (kind: string) => partOf(components, kind, own);
  const inBox = (kind: string, use: string) => components.some((one) => one.kind === kind && one.use === use);
  const orNone = (kind: string, use: string) =>
    inBox(kind, use) ? part(kind).optional().prefault({ use }) : part(kind).optional();
  return z
    .strictObject({
      listen: oneOrMore(address)
        .prefault('127.0.0.1:7777')
        .describe('Addresses that agents connect to: `host:port` or `unix:/path`, one or a list.'),
      tls: tls.optional().describe('TLS toward agents. Required off loopback unless `plain: true` is spelled out.'),
      plain: z
        .boolean()
        .default(false)
        .describe('Listen off loopback without TLS. Tokens then cross the wire in the clear.'),
      hosts: z
        .array(z.string().min(1))
        .default([])
        .describe(
          'Host names that agents may use, besides loopback, `listen` and `url`. Others are refused (DNS rebinding).',
        ),
      origins: z
        .array(url('an origin such as "https://app.example.com"'))
        .default([])
        .describe('Origins of browser clients that may call. Others are refused.'),
      url: url('the public http or https URL')
        .optional()
        .describe('The public base URL, where a proxy stands in front.'),
      data: z
        .string()
        .min(1)
        .optional()
        .describe("The gateway's own folder. Default: `$SALLYPORT_DATA`, else `~/.sallyport`."),
      mode: z
        .enum(['enforce', 'observe'])
        .default('enforce')
        .describe(
          'observe: refusals of limit, validate, inspect, authorize, approve and redact are recorded, not carried out.',
        ),
      tenant: z.string().min(1).max(64).default('default').describe('The tenant that everything is kept under.'),
      servers: z
        .record(serverName, server(part('credentials')))
        .prefault({})
        .describe('The MCP servers behind the gateway, by name.'),
      agents: z
        .strictObject({
          unknown: z
            .enum(['refuse', 'quarantine', 'guest'])
            .default('guest')
            .describe(
              'What becomes of a caller that is not registered. quarantine: it may list, and nothing else. guest: policy alone decides.',
            ),
        })
        .prefault({})
        .describe('The registry of agents, which `sallyport agent` fills.'),
      admin: z
        .strictObject({ listen: address.describe('Its own address. `tls` and `plain` hold for it as for `listen`.') })
        .optional()
        .describe("The admin API on an address of its own, besides the owner's socket."),
      identity: z
        .array(part('identity'))
        .min(1)
        .prefault([{ use: 'local' }])
        .describe('Who is it? The first part that recognizes the proof decides.'),
      policy: part('policy').prefault({ use: 'owner' }).describe('May this principal do exactly this? Silence denies.'),
      limits: z
        .array(part('limits'))
        .prefault([{ use: 'concurrency' }])
        .describe('How much of what. All must agree.'),
      inspect: z.array(part('inspection')).default([]).describe('What is in a message? In this order.'),
      redact: z
        .array(part('redaction'))
        .default([])
        .describe('What may not pass is rewritten in every copy. In this order.'),
      runs: z
        .strictObject({
          idle: duration
            .prefault('30m')
            .describe('After so long without a message a caller without session begins a new run.'),
          claims: z
            .array(z.string().min(1))
            .default(['sid'])
            .describe(
              'Claims of a proof that tell contexts of one caller apart. None that the caller can renew by itself.',
            ),
        })
        .prefault({})
        .describe('Runs: what one agent context has seen, and what it did.'),
      audit: part('audit').prefault({ use: 'jsonl' }).describe('Where it is kept what was tried and what came of it.'),
      risk: orNone('risk', 'constant').describe('One number for policy, 0 to 100.'),
      store: orNone('store', 'embedded').describe('Where state is kept: SQLite inside, or PostgreSQL.'),
      log: z
        .strictObject({
          level: z
            .enum(['debug', 'info', 'warn', 'error'])
            .default('info')
            .describe('The least severe line that is written.'),
          format: z
            .enum(['auto', 'json', 'pretty'])
            .default('auto')
            .describe('auto: pretty on a terminal, JSON lines elsewhere.'),
        })
        .prefault({})
        .describe("The gateway's own log, on standard error."),
      metrics: z
        .union([z.boolean(), z.strictObject({ listen: address.describe('Its own address.') })])
        .prefault(false)
        .describe('Prometheus metrics at `/metrics`: `true` on the listeners above, or on an address of their own.'),
      traces: z
        .strictObject({
          endpoint: url('the http or https URL of an OTLP collector').describe(
            'Where spans go, such as `http://127.0.0.1:4318/v1/traces`.',
          ),
          headers: headers.default({}).describe('Headers for the collector.'),
        })
        .optional()
        .describe('OpenTelemetry traces over OTLP/HTTP. Arguments and results are never recorded.'),
      message: z
        .strictObject({
          size: size.prefault('4MiB').describe('The largest message that is read, either way.'),
          depth: z.int().min(4).max(256).default(64).describe('The deepest nesting of arrays and objects.'),
        })
        .prefault({})
        .describe('Limits of a single message.'),
    })
    .describe('The configuration of Sallyport, sallyport.yaml.');
}

/** The checked tree, before parts are looked up and paths made absolute. */
export type Written = z.output<ReturnType<typeof configSchema>>;
