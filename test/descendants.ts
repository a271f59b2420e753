/** The processes below a process, as `ps` sees them. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Ids of children and their children; those that left for a process group of their own are still children. */
export async function descendants(of: number): Promise<number[]> {
  const { stdout } = await promisify(execFile)('ps', ['-eo', 'pid=,ppid=']);
  const pairs = stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number) as [pid: number, parent: number]);
  const below = (parent: number): number[] =>
    pairs.filter(([, its]) => its === parent).flatMap(([pid]) => [pid, ...below(pid)]);
  return below(of);
}
