/** The programs that must cost next to nothing, in C: compiled at run time into a temporary folder. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Paths of the compiled programs. */
export interface Native {
  readonly upstream: string;
  readonly stdio: string;
  readonly load: string;
}

const SOURCES = fileURLToPath(new URL('../native', import.meta.url));
const COMPILERS = ['gcc', 'clang', 'cc'];

/** Throws with what to install, where there is no compiler or no Linux (epoll, /proc). */
export function compileInto(folder: string): Native {
  const compiler = COMPILERS.find((name) => spawnSync(name, ['--version']).status === 0);
  if (process.platform !== 'linux' || compiler === undefined) {
    throw new Error('npm run bench needs Linux and a C compiler: apt-get install gcc libc6-dev');
  }
  const compile = (name: string): string => compileOne(compiler, name, folder);
  return { upstream: compile('upstream'), stdio: compile('stdio'), load: compile('load') };
}

function compileOne(compiler: string, name: string, folder: string): string {
  const program = join(folder, name);
  const { status, stderr } = spawnSync(compiler, ['-O2', '-o', program, join(SOURCES, `${name}.c`), '-lm']);
  if (status !== 0) throw new Error(`${name}.c does not compile:\n${String(stderr)}`);
  return program;
}
