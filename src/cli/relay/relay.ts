/** Standard input and output on one side, the gateway's socket on the other; both eras on one pipe. */
import type { IncomingMessage } from 'node:http';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as after } from 'node:timers/promises';
import { LineReader, toLine } from '../../mcp/codec/lines.ts';
import { discoverMemory } from './discover.ts';
import { Gate, NobodyThere } from './gate.ts';
import type { GateSettings, Sent } from './gate.ts';
import { LegacyLeg } from './legacy.ts';
import { failure, namedVersion, readLine } from './message.ts';
import type { Line } from './message.ts';
import { ModernLeg } from './modern.ts';

export interface RelaySettings extends Omit<GateSettings, 'path'> {
  /** One server, its names untouched; undefined: all servers joined. */
  readonly server: string | undefined;
  /** The gateway's own folder. */
  readonly data: string;
  readonly input: Readable;
  readonly output: Writable;
  /** Sees to it that somebody listens at the socket; rejects with what to tell the agent. */
  readonly ensure: () => Promise<void>;
}

/** What the legs are given. */
export interface Pipe {
  /** One message out, on a line of its own; a promise when the agent reads slowly. */
  write(json: Buffer | string): void | Promise<void>;
  /** Starts a gateway if none is there, and waits for it. */
  send(sent: Sent): Promise<IncomingMessage>;
  /** Undefined when no gateway is there; one is started then, but not waited for. */
  tryNow(sent: Sent): Promise<IncomingMessage | undefined>;
  /** Undefined when no gateway is there, and none is started. */
  peek(sent: Sent): Promise<IncomingMessage | undefined>;
}

/** Milliseconds that requests may still take when the agent has closed its side. */
const GRACE = 1500;
const LINE = 256 * 1024 * 1024;

/** Relays until the input ends. */
export async function relay(settings: RelaySettings): Promise<void> {
  const path = settings.server === undefined ? '/mcp' : `/mcp/${settings.server}`;
  const gate = new Gate({ socket: settings.socket, token: settings.token, path });
  const pipe = pipeOf(gate, settings);
  const modern = new ModernLeg(pipe, discoverMemory(settings.data, settings.server ?? 'joint'));
  const legacy = new LegacyLeg(pipe);
  const open = new Set<Promise<void>>();
  await readLines(settings.input, (bytes) => {
    const done = take(bytes, pipe, modern, legacy).finally(() => open.delete(done));
    open.add(done);
  });
  modern.hangUp();
  await Promise.race([Promise.all(open), after(GRACE)]);
  modern.close();
  await legacy.close();
  gate.close();
}

function pipeOf(gate: Gate, { ensure, output }: RelaySettings): Pipe {
  let starting: Promise<void> | undefined;
  const start = (): Promise<void> => {
    starting ??= ensure().finally(() => (starting = undefined));
    return starting;
  };
  const peek = async (sent: Sent): Promise<IncomingMessage | undefined> => {
    try {
      return await gate.send(sent);
    } catch (error) {
      if (error instanceof NobodyThere) return undefined;
      throw error;
    }
  };
  return {
    write: (json) => write(output, toLine(json)),
    async send(sent) {
      const response = await peek(sent);
      if (response !== undefined) return response;
      await start();
      return gate.send(sent);
    },
    async tryNow(sent) {
      const response = await peek(sent);
      if (response === undefined) start().catch(() => undefined);
      return response;
    },
    peek,
  };
}

function write(output: Writable, line: Buffer): void | Promise<void> {
  if (output.write(line)) return;
  return new Promise((resolve) => {
    const done = (): void => {
      output.off('drain', done).off('close', done);
      resolve();
    };
    output.on('drain', done).on('close', done);
  });
}

function readLines(input: Readable, line: (bytes: Buffer) => void): Promise<void> {
  // a line is a view of its chunk and outlives it
  const reader = new LineReader({ line: LINE }, { line: (bytes) => line(Buffer.from(bytes)), fault: () => undefined });
  return new Promise((resolve) => {
    input.on('data', (chunk: Buffer) => reader.push(chunk));
    input.on('end', () => {
      reader.end();
      resolve();
    });
    input.on('error', () => resolve());
  });
}

/** The era is found anew for every message: some agents discover first and initialize afterwards on the same pipe. */
async function take(bytes: Buffer, pipe: Pipe, modern: ModernLeg, legacy: LegacyLeg): Promise<void> {
  const line = readLine(bytes);
  if (typeof line === 'string') return pipe.write(line);
  try {
    await moved(line, modern, legacy);
  } catch (error) {
    if (line.kind === 'request') await pipe.write(failure(line.id, String(error)));
  }
}

function moved(line: Line, modern: ModernLeg, legacy: LegacyLeg): Promise<void> {
  switch (line.kind) {
    case 'request':
      return namedVersion(line.params) === undefined ? legacy.request(line) : modern.request(line);
    case 'answer':
      return legacy.answer(line);
    case 'notification': {
      const ours = line.method === 'notifications/cancelled' && line.about !== undefined && modern.cancel(line.about);
      if (ours) return Promise.resolve();
      return namedVersion(line.params) === undefined && legacy.begun ? legacy.notify(line) : modern.notify(line);
    }
  }
}
