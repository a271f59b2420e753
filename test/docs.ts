/**
 * Guides as tests: every fenced block of a page is carried out, top to bottom, in one temporary project.
 * A block whose info string ends with a file name is written there; a `console` block is run: `$ ` begins a command, what
 * follows is what it prints, `…` stands for anything. A block that is neither fails: nothing would notice it rot.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

export interface Block {
  /** What stands behind the opening fence: `ts my-policy.ts`, `console`. */
  readonly info: string;
  readonly text: string;
  readonly line: number;
}

export function blocksOf(markdown: string): Block[] {
  const fences = markdown.matchAll(/^```([^\n]+)\n(.*?)^```$/gms);
  return [...fences].map(({ 1: info = '', 2: text = '', index }) => ({
    info: info.trim(),
    text,
    line: markdown.slice(0, index).split('\n').length,
  }));
}

const fileOf = ({ info }: Block): string | undefined => /^\S+ (\S+)$/.exec(info)?.[1];

/** Registers one test a block of the page. */
export function guideTests(page: URL): void {
  describe(basename(page.pathname), () => {
    let project: Project;
    before(async () => {
      project = await Project.open();
    });
    after(() => project?.close());
    for (const block of blocksOf(readFileSync(page, 'utf8'))) {
      const file = fileOf(block);
      if (file !== undefined) test(`line ${block.line}: ${file} is written`, () => project.write(file, block.text));
      else if (block.info === 'console') consoleTests(block, () => project);
      else
        test(`line ${block.line}`, () => assert.fail(`a block of ${block.info} that nothing runs: name a file for it`));
    }
  });
}

function consoleTests({ text, line }: Block, project: () => Project): void {
  for (const part of text.split(/^\$ /m).slice(1)) {
    const [command = '', ...printed] = part.trimEnd().split('\n');
    test(`line ${line}: $ ${command}`, () => project().run(command, printed));
  }
}

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** What a reader has after `npm install sallyport`, with this working tree as the package. Nothing is downloaded. */
const PROGRAMS = {
  npm: 'exit 0',
  npx: 'case "$1" in -y) shift ;; esac\ncase "$1" in @modelcontextprotocol/server-filesystem*) shift; set -- mcp-server-filesystem "$@" ;; esac\nexec "$@"',
  // No fixed port: other tests run beside this one.
  sallyport: `case "$1" in up) set -- "$@" --listen 127.0.0.1:0 ;; esac\nexec node "${join(ROOT, 'src/main.ts')}" "$@"`,
};

class Project {
  readonly #folder: string;
  readonly #running: ChildProcess[] = [];

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async open(): Promise<Project> {
    const folder = await mkdtemp(join(tmpdir(), 'sp-guide-'));
    const installed = join(folder, 'node_modules/sallyport');
    await mkdir(installed, { recursive: true });
    await symlink(join(ROOT, 'src'), join(installed, 'src'));
    const exports = { './component': './src/component.ts', './suites': './src/suites.ts' };
    await writeFile(join(installed, 'package.json'), JSON.stringify({ name: 'sallyport', type: 'module', exports }));
    await mkdir(join(folder, 'bin'));
    for (const [name, script] of Object.entries(PROGRAMS)) {
      await writeFile(join(folder, 'bin', name), `#!/bin/sh\n${script}\n`);
      await chmod(join(folder, 'bin', name), 0o755);
    }
    return new Project(folder);
  }

  async write(file: string, text: string): Promise<void> {
    const path = join(this.#folder, file);
    assert.ok(path.startsWith(this.#folder));
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }

  /** A command that ends with `&` runs until the guide ends; it must say that it is ready. */
  async run(command: string, printed: readonly string[]): Promise<void> {
    const background = command.endsWith('&');
    const child = this.#start(background ? `exec ${command.slice(0, -1)}` : command);
    if (background) return this.#ready(child);
    const output = await textOf(child);
    if (printed.length === 0) assert.equal(child.exitCode, 0, output);
    else assert.match(output, pattern(printed), 'something else was printed');
  }

  #start(command: string): ChildProcess {
    const path = [join(this.#folder, 'bin'), join(ROOT, 'node_modules/.bin'), process.env['PATH']].join(delimiter);
    const { NODE_TEST_CONTEXT: _, ...outside } = process.env;
    const env = { ...outside, PATH: path, HOME: this.#folder, NO_COLOR: '1' };
    return spawn('sh', ['-c', `${command} 2>&1`], { cwd: this.#folder, env, stdio: ['ignore', 'pipe', 'ignore'] });
  }

  #ready(child: ChildProcess): Promise<void> {
    this.#running.push(child);
    let output = '';
    return new Promise((resolve, reject) => {
      child.stdout?.on('data', (chunk: Buffer) => {
        output += chunk.toString();
        if (/\bready\b/.test(output)) resolve();
      });
      child.once('exit', () => reject(new Error(`it ended before it was ready:\n${output}`)));
    });
  }

  async close(): Promise<void> {
    for (const child of this.#running.filter(({ exitCode }) => exitCode === null)) {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}

async function textOf(child: ChildProcess): Promise<string> {
  const closed = once(child, 'close');
  let output = '';
  for await (const chunk of child.stdout!) output += String(chunk);
  await closed;
  return output;
}

function pattern(printed: readonly string[]): RegExp {
  const lines = printed.map((line) => line.split('…').map(escaped).join('.*'));
  return new RegExp(`^\\s*${lines.join('\\s*\\n')}\\s*$`, 's');
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
}
