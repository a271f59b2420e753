/** Servers, disks, agents and the gateway itself in trouble, as processes: what the agent is told, what is on record, what heals. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { isAlive } from './background.ts';
import { descendants } from './descendants.ts';
import { beside, call, endOf, textOf, until } from './fixtures/drama/agent.ts';
import type { Answer } from './fixtures/drama/agent.ts';
import { startDramaHttp } from './fixtures/drama/http.ts';
import type { DramaHttp } from './fixtures/drama/http.ts';
import { startStage } from './fixtures/drama/stage.ts';
import type { Stage } from './fixtures/drama/stage.ts';
import { openRaw } from './real/raw.ts';

const SCRIPT = fileURLToPath(new URL('fixtures/drama/stdio.ts', import.meta.url));
const DEADLINE = 1_000;
/** What a healthy call may take beside trouble, on a machine that other tests keep busy. */
const QUICK = 750;

const TOLD = {
  deadline_passed: /did not answer in time/,
  upstream_lost: /went away before it answered/,
  upstream_garbage: /not MCP/,
  upstream_too_large: /larger than this gateway passes on/,
  upstream_unavailable: /cannot be reached/,
  credential_unavailable: /credential for this server/,
} as const;

type Told = keyof typeof TOLD;

function scripted(...args: string[]): object {
  return { command: process.execPath, args: [SCRIPT, ...args], deadline: `${DEADLINE}ms` };
}

/** The agent is told within the deadline, a neighbour feels nothing, and the reason is on record. */
async function fails(stage: Stage, server: string, tool: string, ...reasons: Told[]): Promise<Answer> {
  const start = performance.now();
  const answer = await beside(stage, 'steady', QUICK, call(stage, server, tool));
  const took = performance.now() - start;
  assert.ok(took < DEADLINE + QUICK, `${tool} took ${Math.round(took)} ms`);
  const told = answer.error?.message ?? JSON.stringify(answer);
  assert.ok(
    reasons.some((reason) => TOLD[reason].test(told)),
    `${tool}: ${told}`,
  );
  const end = await until(`the record of ${tool}`, () => endOf(stage, server, tool));
  assert.ok(reasons.includes(end.reason as Told), `${tool}: on record as ${end.reason}: ${end.detail}`);
  return answer;
}

async function answers(stage: Stage, server: string): Promise<void> {
  assert.match(textOf(await call(stage, server, 'echo')), /here$/);
}

async function heals(stage: Stage, server: string): Promise<void> {
  await until(`${server} is back`, async () => (await call(stage, server, 'echo')).result !== undefined);
}

describe('An HTTP server', () => {
  let stage: Stage;
  let upstream: DramaHttp;
  const started = new AsyncDisposableStack();

  before(async () => {
    upstream = started.adopt(await startDramaHttp(), (one) => one.stop());
    const away = started.adopt(await startDramaHttp(), (one) => one.stop().catch(() => undefined));
    const plain = started.adopt(await startDramaHttp(), (one) => one.stop());
    const folder = started.adopt(await mkdtemp(join(tmpdir(), 'drama-')), (one) => rm(one, { recursive: true }));
    const expired = started.adopt(await startDramaHttp(await expiredCertificate(folder)), (one) => one.stop());
    await away.stop();
    const http = (url: string, more: object = {}) => ({ url, deadline: `${DEADLINE}ms`, ...more });
    stage = started.adopt(
      await startStage({
        message: { size: '256KiB' },
        servers: {
          steady: scripted(),
          http: http(upstream.url),
          away: http(away.url),
          nameless: http('http://no-such-host.invalid/mcp'),
          plain: http(plain.url.replace('http:', 'https:')),
          expired: http(expired.url, { tls: { ca: `\${file:${join(folder, 'expired.pem')}}` } }),
        },
      }),
      (one) => one.close(),
    );
    await answers(stage, 'steady');
    await answers(stage, 'http');
  });
  after(() => started.disposeAsync());

  const FAULTS: readonly (readonly [sentence: string, tool: string, ...reasons: Told[]])[] = [
    ['that takes a call and never answers is late', 'silent', 'deadline_passed'],
    ['that sends headers and then nothing is late', 'headers', 'deadline_passed'],
    ['that resets the connection in the middle of an answer is lost', 'half', 'upstream_lost'],
    ['that resets the connection before an answer is lost', 'reset', 'upstream_lost'],
    ['that closes its half of the connection without an answer is lost', 'half-close', 'upstream_lost'],
    ['that announces more than it sends is lost', 'too-long', 'upstream_lost'],
    ['that announces less than it sends talks garbage', 'too-short', 'upstream_garbage'],
    ['that sends chunks without end is cut off at the size of a message', 'endless', 'upstream_too_large'],
    ['that sends one event without end is cut off at the size of a message', 'sse-endless-line', 'upstream_too_large'],
    ['that answers byte by byte beyond its deadline is late', 'drip-for-ever', 'deadline_passed'],
    ['that keeps a stream alive without an answer is late', 'sse-open', 'deadline_passed'],
    ['that streams garbage talks garbage', 'sse-garbage', 'upstream_garbage'],
    ['that ends its stream before the answer is lost', 'sse-early', 'upstream_lost'],
    ['that says 429 with a time to wait cannot be reached', 'busy', 'upstream_unavailable'],
    ['that says 503 with a time to wait cannot be reached', 'unavailable', 'upstream_unavailable'],
    ['that refuses the credential in the middle of its life says so', 'unauthorized', 'credential_unavailable'],
    ['that redirects is not followed', 'redirect', 'upstream_unavailable'],
    ['that answers with a web page talks garbage', 'html', 'upstream_garbage'],
  ];
  for (const [sentence, tool, ...reasons] of FAULTS) {
    test(`${sentence}, and answers the next call`, async () => {
      await fails(stage, 'http', tool, ...reasons);
      await answers(stage, 'http');
    });
  }

  test('that answers byte by byte in time is heard out', async () => {
    assert.equal(textOf(await beside(stage, 'steady', QUICK, call(stage, 'http', 'drip'))), 'here');
  });

  test('that closes a resumable stream before the answer is asked for the rest', async () => {
    assert.equal(textOf(await call(stage, 'http', 'sse-resumable')), 'here');
  });

  test('that forgets its sessions while many calls are under way answers all of them, from one new session', async () => {
    const sessions = upstream.sessions();
    const calls = Array.from({ length: 20 }, () => call(stage, 'http', 'slow'));
    await until('calls are under way', () => upstream.open() > 5);
    upstream.forget();
    const more = Array.from({ length: 20 }, () => call(stage, 'http', 'echo'));
    for (const answer of await Promise.all([...calls, ...more])) assert.equal(textOf(answer), 'here');
    assert.equal(upstream.sessions(), sessions + 1);
  });

  test('whose name does not resolve cannot be reached', () => unreachable('nameless', /ENOTFOUND|EAI_AGAIN/));

  test('that does not speak TLS cannot be reached by https', () => unreachable('plain', /SSL|EPROTO|wrong version/i));

  test('whose certificate has expired cannot be reached', () => unreachable('expired', /CERT_HAS_EXPIRED|expired/i));

  test('that is away is refused at once after some tries, with the time of the next, and is back by itself', async () => {
    for (let tries = 0; tries < 12; tries += 1) {
      const { error } = await call(stage, 'away', 'echo');
      assert.match(error!.message, TOLD.upstream_unavailable);
      if (error!.data?.retryAfter === undefined) continue;
      assert.match(error!.message, /tried again in \d+ s/);
      const start = performance.now();
      await call(stage, 'away', 'echo');
      assert.ok(performance.now() - start < QUICK);
      return;
    }
    assert.fail('never refused at once');
  });

  test('that comes and goes is refused at once while it is away, and healed by the first call that tries', async () => {
    await upstream.stop();
    const refused = await until('calls are refused at once', async () => {
      const answer = await call(stage, 'http', 'echo');
      assert.match(answer.error!.message, TOLD.upstream_unavailable);
      return answer.error!.data?.retryAfter === undefined ? undefined : answer;
    });
    assert.match(refused.error!.message, /tried again in \d+ s/);
    await answers(stage, 'steady');
    await upstream.startAgain();
    await heals(stage, 'http');
    await answers(stage, 'http');
  });

  test('that answers with errors is never refused for it', async () => {
    for (let count = 0; count < 20; count += 1) {
      const { error } = await call(stage, 'http', 'error');
      assert.equal(error!.code, -32000);
    }
    await answers(stage, 'http');
  });

  test('leaves no connection behind, whatever went wrong', async () => {
    // one for the stream on which it speaks by itself, and what is kept for the next call
    await until('connections are given back', () => upstream.open() <= 3);
    assert.doesNotMatch(stage.lines.join('\n'), /MaxListenersExceeded|unhandled|uncaught/i);
  });

  async function unreachable(server: string, detail: RegExp): Promise<void> {
    const start = performance.now();
    const { error } = await beside(stage, 'steady', QUICK, call(stage, server, 'echo'));
    assert.match(error!.message, TOLD.upstream_unavailable);
    assert.ok(performance.now() - start < DEADLINE + QUICK);
    const records = await stage.records();
    assert.match(records.findLast(({ reason }) => reason === 'upstream_unavailable')!.detail!, detail);
  }
});

describe('A server that is a process', () => {
  let stage: Stage;
  const started = new AsyncDisposableStack();

  before(async () => {
    stage = started.adopt(
      await startStage({
        message: { size: '256KiB' },
        servers: {
          steady: scripted(),
          stdio: scripted(),
          // long enough to start twice, once for each era, beside other tests
          crashing: { ...scripted('--crash'), deadline: '10s' },
          mute: { ...scripted('--silent-exit'), deadline: '10s' },
          deaf: scripted('--deaf'),
        },
      }),
      (one) => one.close(),
    );
    await answers(stage, 'steady');
    await answers(stage, 'stdio');
  });
  after(() => started.disposeAsync());

  const FAULTS: readonly (readonly [sentence: string, tool: string, ...reasons: Told[]])[] = [
    ['that crashes during a call is lost, and started again', 'crash', 'upstream_lost'],
    ['that hangs is late, and stays in use', 'hang', 'deadline_passed'],
    ['that writes one gigantic line is cut off', 'gigantic', 'upstream_too_large'],
    ['that writes a line without end is cut off', 'gigantic-for-ever', 'upstream_too_large'],
    ['that writes invalid UTF-8 talks garbage', 'not-utf8', 'upstream_garbage'],
    ['that closes its output and lives on is ended', 'close-stdout', 'upstream_lost', 'deadline_passed'],
  ];
  for (const [sentence, tool, ...reasons] of FAULTS) {
    test(sentence, async () => {
      await fails(stage, 'stdio', tool, ...reasons);
      await heals(stage, 'stdio');
    });
  }

  test('that crashes at its start cannot be reached, and its last words are on record', async () => {
    const { error } = await beside(stage, 'steady', QUICK, call(stage, 'crashing', 'echo'));
    assert.match(error!.message, TOLD.upstream_unavailable);
    const records = await stage.records();
    assert.match(
      records.findLast(({ reason }) => reason === 'upstream_unavailable')!.detail!,
      /exit code 3.*no licence found/,
    );
  });

  test('that ends well and without a word cannot be reached', async () => {
    const { error } = await beside(stage, 'steady', QUICK, call(stage, 'mute', 'echo'));
    assert.match(error!.message, TOLD.upstream_unavailable);
    const records = await stage.records();
    assert.match(records.findLast(({ reason }) => reason === 'upstream_unavailable')!.detail!, /exit code 0/);
  });

  test('that crashes at its start again and again is not started for every call', async () => {
    const refused = await until('calls are refused at once', async () => {
      const { error } = await call(stage, 'crashing', 'echo');
      return error!.data?.retryAfter === undefined ? undefined : error;
    });
    assert.match(refused.message, /tried again in \d+ s/);
  });

  test('may write garbage between its answers', async () => {
    assert.match(textOf(await call(stage, 'stdio', 'garbage')), /here$/);
  });

  test('that answers twice is heard once', async () => {
    assert.match(textOf(await call(stage, 'stdio', 'twice')), /here$/);
    await answers(stage, 'stdio');
  });

  test('that answers what nobody asked is heard only where it was asked', async () => {
    assert.match(textOf(await call(stage, 'stdio', 'unknown')), /here$/);
  });

  test('that floods its standard error is answered for, and does not flood the log', async () => {
    const before = stage.lines.length;
    const answer = await beside(stage, 'steady', 2 * QUICK, call(stage, 'stdio', 'flood-stderr'));
    assert.ok(answer.result ?? answer.error);
    await answers(stage, 'stdio');
    assert.ok(stage.lines.length - before < 2_000, `${stage.lines.length - before} lines in the log`);
  });

  test('that asks five hundred things which the agent cannot answer ends that call, and is in use again at once', async () => {
    assert.equal((await call(stage, 'stdio', 'ask-a-lot')).error!.code, -32021);
    await heals(stage, 'stdio');
  });

  test('that asks an agent five hundred things at once is answered for, and the agent is asked a few of them', async () => {
    const agent = await openRaw({ kind: 'http', url: `${stage.url}/mcp/stdio`, token: stage.token }, 'legacy');
    const { message, before: asked } = await agent.request(1, 'tools/call', { name: 'ask-a-lot', arguments: {} });
    assert.ok(message['result'], JSON.stringify(message));
    assert.ok(asked.length >= 1 && asked.length <= 64, `${asked.length} questions`);
    await agent.close();
    await answers(stage, 'stdio');
  });

  test('that leaves a grandchild behind with its pipes is lost at once, and a new one is started', async () => {
    const orphan = Number(textOf(await call(stage, 'stdio', 'orphan')));
    try {
      await heals(stage, 'stdio');
    } finally {
      if (isAlive(orphan)) process.kill(orphan, 'SIGKILL');
    }
  });

  test('that answers with errors is never refused for it', async () => {
    for (let count = 0; count < 20; count += 1) assert.equal((await call(stage, 'stdio', 'error')).error!.code, -32000);
    await answers(stage, 'stdio');
  });

  test('is gone with the gateway, also one that ignores SIGTERM and one that asks during the end', async () => {
    await answers(stage, 'deaf');
    await call(stage, 'stdio', 'ask-late');
    const children = await descendants(stage.pid);
    assert.ok(children.length >= 3);
    assert.equal(await stage.signal('SIGTERM'), 0);
    await until('all processes are gone', () => children.every((pid) => !isAlive(pid)));
    assert.doesNotMatch(stage.lines.join('\n'), /MaxListenersExceeded|unhandled|uncaught/i);
  });
});

/** A key and a certificate that signed itself and ended yesterday. */
async function expiredCertificate(folder: string): Promise<{ key: Buffer; cert: Buffer }> {
  const [key, cert] = [join(folder, 'expired.key'), join(folder, 'expired.pem')];
  const [asked, names] = [join(folder, 'expired.csr'), join(folder, 'names')];
  writeFileSync(names, 'subjectAltName=IP:127.0.0.1\n');
  const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=expired'];
  await openssl('req', '-new', ...made, '-keyout', key, '-out', asked);
  await openssl('x509', '-req', '-in', asked, '-signkey', key, '-days', '-1', '-extfile', names, '-out', cert);
  return { key: readFileSync(key), cert: readFileSync(cert) };
}

async function openssl(...words: string[]): Promise<void> {
  await promisify(execFile)('openssl', words);
}
