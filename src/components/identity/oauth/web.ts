/**
 * Requests to issuers. What they name is fetched under guards against SSRF: https, or loopback where the issuer itself was
 * configured there; no redirects; bounded in time and size.
 */
import { Agent } from 'undici';

export interface Web {
  /** The JSON object behind a URL; undefined: something else is there. Throws `Unavailable` when nobody answers. */
  get(url: string): Promise<JsonAnswer | undefined>;
  post(url: string, form: URLSearchParams, headers: Readonly<Record<string, string>>): Promise<JsonAnswer>;
  close(): Promise<void>;
}

export type JsonAnswer = Readonly<Record<string, unknown>>;

/** An issuer does not answer as it should: nobody's fault who calls, so nothing is said about the token. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable';
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;
/** Metadata of clouds and "this host"; `URL` has normalised octal, hexadecimal and short forms by now. */
const NOWHERE = /^(0\.0\.0\.0|169\.254(\.\d{1,3}){2}|\[::\]|\[fe[89ab][0-9a-f]:.*\]|\[::ffff:.*\])$/;

/** Why a URL is not fetched; undefined: it may be. */
export function fetchable(url: URL, loopback: boolean): string | undefined {
  const local = LOOPBACK.test(url.hostname);
  if (url.username !== '' || url.password !== '') return 'credentials in a URL';
  if (NOWHERE.test(url.hostname)) return 'an address of this machine or network only';
  if (local) return loopback && /^https?:$/.test(url.protocol) ? undefined : 'a loopback address';
  return url.protocol === 'https:' ? undefined : `${url.protocol} instead of https:`;
}

export function isLoopback(issuer: string): boolean {
  return LOOPBACK.test(new URL(issuer).hostname);
}

export interface WebSettings {
  /** Milliseconds for the whole request. */
  readonly timeout: number;
  /** Bytes. */
  readonly size: number;
  readonly ca: string | undefined;
  /** Whether loopback may be asked: the issuer is configured there. */
  readonly loopback: boolean;
}

export function openWeb(settings: WebSettings): Web {
  const { timeout, size, ca } = settings;
  const connect = { timeout, ...(ca === undefined ? {} : { ca }) };
  const agent = new Agent({
    connect,
    headersTimeout: timeout,
    bodyTimeout: timeout,
    maxResponseSize: size,
    connections: 4,
  });
  return {
    get: async (url) => {
      const { status, text } = await send(agent, 'GET', url, undefined, {}, settings);
      if (status >= 500) throw new Unavailable(`${new URL(url).origin} answers ${status}`);
      // A redirect is an answer like any other that is not the document: it is not followed.
      return status === 200 ? object(text) : undefined;
    },
    post: async (url, form, headers) => {
      const type = { 'content-type': 'application/x-www-form-urlencoded' };
      const { status, text } = await send(agent, 'POST', url, form.toString(), { ...type, ...headers }, settings);
      const answer = status === 200 ? object(text) : undefined;
      if (answer) return answer;
      throw new Unavailable(`${new URL(url).origin} answers ${status}, and with no JSON object`);
    },
    close: () => agent.destroy(),
  };
}

async function send(
  agent: Agent,
  method: 'GET' | 'POST',
  given: string,
  body: string | undefined,
  headers: Readonly<Record<string, string>>,
  { timeout, loopback }: WebSettings,
): Promise<{ status: number; text: string }> {
  const url = URL.canParse(given) ? new URL(given) : undefined;
  const why = url ? fetchable(url, loopback) : 'no URL';
  if (!url || why !== undefined) throw new Unavailable(`an issuer names ${why ?? ''}, which is not fetched`);
  try {
    const signal = AbortSignal.timeout(timeout);
    const path = url.pathname + url.search;
    const all = { accept: 'application/json', ...headers };
    const answer = await agent.request({ origin: url.origin, path, method, headers: all, body: body ?? null, signal });
    return { status: answer.statusCode, text: await answer.body.text() };
  } catch (error) {
    throw new Unavailable(`${url.origin} does not answer`, { cause: error });
  }
}

function object(text: string): JsonAnswer | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonAnswer) : undefined;
  } catch {
    return undefined;
  }
}
