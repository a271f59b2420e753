/**
 * One server as a child process: one message a line. The process leads a group of its own, because `npx` and the like
 * start the real server as their child, and both have to go together.
 */
import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { Grant, Log, ServerSettings } from '../../gateway/ports.ts';
import type { JsonLimits } from '../codec/json.ts';
import { LineReader, toLine } from '../codec/lines.ts';
import { Ration } from './ration.ts';
import { scrub, secretsOf } from './scrub.ts';

export type StdioTransport = Extract<ServerSettings['transport'], { kind: 'stdio' }>;

export interface ProcessEvents {
  /** A line of standard output that may be a message. A promise pauses the reading. */
  line(bytes: Buffer): void | Promise<void>;
  oversize(detail: string): void;
  /** The process is gone, and so is its group. Called once, also when it could not be started. */
  gone(detail: string): void;
}

/** Milliseconds that a process has for each step of its end. */
export interface Patience {
  readonly stdin: number;
  readonly term: number;
}

const PATIENCE: Patience = { stdin: 2000, term: 2000 };
/** What every program may need and no secret is kept in. Everything else has to be declared. */
const INHERITED = ['PATH', 'HOME', 'LANG', 'TMPDIR', 'USER', 'SHELL', 'TERM'];
const STDERR_LINE = 4096;
const KEPT_LINES = 8;
/** Largest messages that may wait in the pipe. */
const UNREAD_MESSAGES = 16;
/** Times the largest message: a line that is longer never ends, and no answer comes behind it. */
const ENDLESS = 16;
/** Milliseconds from the end of the output to the end of the process: nothing can be heard from it any more. */
const MUTE_MS = 500;
/** Lines in a second that reach the log. */
const PRINTED = 100;
const OPEN_BRACE = 0x7b;

export class ServerProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #events: ProcessEvents;
  readonly #log: Log;
  readonly #name: string;
  readonly #secrets: readonly string[];
  readonly #lastWords: string[] = [];
  readonly #gone = Promise.withResolvers<void>();
  readonly #mostUnread: number;
  readonly #printed: Ration;
  #over = false;
  #untaken = 0;

  constructor(
    settings: { readonly name: string; readonly transport: StdioTransport },
    grant: Grant | undefined,
    deps: { readonly log: Log; readonly limits: JsonLimits },
    events: ProcessEvents,
  ) {
    const { command, args, cwd, env } = settings.transport;
    this.#name = settings.name;
    this.#events = events;
    this.#mostUnread = UNREAD_MESSAGES * deps.limits.bytes;
    this.#log = deps.log;
    this.#printed = new Ration(PRINTED, (lines) => this.#leftOut(lines));
    this.#secrets = secretsOf(settings, grant);
    this.#child = spawn(command, args, {
      cwd,
      env: { ...inherited(), ...env, ...grant?.env },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    this.#wire(deps.limits);
  }

  send(json: Buffer): void {
    if (this.#over) return;
    this.#child.stdin.write(toLine(json));
    // a server that has stopped to read would fill the memory, whoever cancels what was sent
    if (this.#child.stdin.writableLength > this.#mostUnread) this.#signal('SIGKILL');
  }

  /** Ends the standard input, waits, asks the group to go, makes it go (2026-07-28 basic/transports/stdio). */
  async end(patience: Patience = PATIENCE): Promise<void> {
    if (this.#over) return;
    this.#child.stdin.end();
    if (await this.#goneWithin(patience.stdin)) return;
    this.#signal('SIGTERM');
    if (await this.#goneWithin(patience.term)) return;
    this.#signal('SIGKILL');
    await this.#gone.promise;
  }

  #wire(limits: JsonLimits): void {
    const child = this.#child;
    const output = new LineReader(
      { line: limits.bytes },
      {
        line: (line) => this.#line(line),
        fault: ({ detail }) => this.#events.oversize(detail),
        skipping: (bytes) => {
          if (bytes > ENDLESS * limits.bytes) this.#signal('SIGKILL');
        },
      },
    );
    const errors = new LineReader({ line: STDERR_LINE }, { line: (line) => this.#words(line), fault: () => undefined });
    child.stdout
      .on('data', (chunk: Buffer) => output.push(chunk))
      .on('end', () => {
        output.end();
        setTimeout(() => this.#over || this.#signal('SIGKILL'), MUTE_MS).unref();
      });
    child.stderr.on('data', (chunk: Buffer) => errors.push(chunk)).on('end', () => errors.end());
    // a process that is gone does not read; `exit` says so
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.on('error', () => undefined);
    child.on('error', (error) => this.#finish(`cannot be started: ${error.message}`));
    child.on('exit', () => this.#exited());
    child.on('close', (code, signal) => this.#finish(`the process ended with ${signal ?? `exit code ${code}`}`));
  }

  #line(line: Buffer): void {
    if (line[0] === OPEN_BRACE) return this.#pauseFor(this.#events.line(line));
    if (!this.#printed.take()) return;
    const text = scrub(line.toString('utf8', 0, 200), this.#secrets);
    this.#log.warn({ server: this.#name, line: text }, 'a line on standard output is no message; dropped');
  }

  #pauseFor(taken: void | Promise<void>): void {
    if (taken === undefined) return;
    this.#untaken += 1;
    this.#child.stdout.pause();
    const go = () => {
      this.#untaken -= 1;
      if (this.#untaken === 0) this.#child.stdout.resume();
    };
    taken.then(go, go);
  }

  #words(line: Buffer): void {
    const text = scrub(line.toString(), this.#secrets);
    this.#lastWords.push(text);
    if (this.#lastWords.length > KEPT_LINES) this.#lastWords.shift();
    if (this.#printed.take()) this.#log.info({ server: this.#name, line: text }, 'server stderr');
  }

  #leftOut(lines: number): void {
    this.#log.warn({ server: this.#name, lines }, 'the server prints too much; lines were left out');
  }

  /** The leader is gone. What it left behind holds the pipes open, and would live on. */
  #exited(): void {
    this.#signal('SIGKILL');
    // a grandchild that left the group may keep the pipes for ever
    setTimeout(() => this.#child.stdout.destroy(), 500).unref();
    setTimeout(() => this.#child.stderr.destroy(), 500).unref();
  }

  #finish(what: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#printed.end();
    const words = this.#lastWords.length === 0 ? '' : `; last words: ${this.#lastWords.join(' | ')}`;
    this.#events.gone(what + words);
    this.#gone.resolve();
  }

  #signal(signal: 'SIGTERM' | 'SIGKILL'): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // nobody of the group is left
    }
  }

  async #goneWithin(milliseconds: number): Promise<boolean> {
    const late = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => late.resolve(false), milliseconds);
    const gone = await Promise.race([this.#gone.promise.then(() => true), late.promise]);
    clearTimeout(timer);
    return gone;
  }
}

function inherited(): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of INHERITED) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return env;
}
