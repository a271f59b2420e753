/** `sallyport demo` as a user starts it, and what it prints. */
import { once } from 'node:events';
import { printedLine, start } from './real/child.ts';
import type { Child, Program } from './real/child.ts';

export interface Demo {
  /** For example `http://127.0.0.1:41234/mcp`, as it was printed. */
  url: string;
  /** As it stands in the printed settings. */
  token: string;
  printed: () => string;
  child: Child;
}

/** @param program with `demo` and its options among the arguments */
export async function startDemo(program: Program): Promise<Demo> {
  const child = start(program);
  let printed = '';
  child.process.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  const ready = printedLine(child, /^ready /);
  const last = printedLine(child, /^Try it: /);
  try {
    const url = /https?:\/\/\S+/.exec(await ready)![0];
    await last;
    return { url, token: /Bearer (\S+?)"/.exec(printed)?.[1] ?? '', printed: () => printed, child };
  } catch (error) {
    await child.close();
    throw error;
  }
}

/** Asks it to end, as a service manager does. Resolves to the exit code. */
export async function terminated({ child }: Demo): Promise<number | null> {
  const exited = once(child.process, 'exit') as Promise<[number | null]>;
  child.process.kill('SIGTERM');
  const [code] = await exited;
  return code;
}
