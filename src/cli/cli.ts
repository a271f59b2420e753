/** The command line: one thin file a command. What a command needs is loaded when it runs, not before. */
import { Command, CommanderError } from 'commander';
import { GATEWAY } from '../version.ts';
import { agent } from './commands/agent.ts';
import { call } from './commands/call.ts';
import { check } from './commands/check.ts';
import { demo } from './commands/demo.ts';
import { doctor } from './commands/doctor.ts';
import { explain } from './commands/explain.ts';
import { key } from './commands/key.ts';
import { status } from './commands/status.ts';
import { policy } from './commands/policy/policy.ts';
import { stdio } from './commands/stdio.ts';
import { up } from './commands/up.ts';
import { EXIT } from './exit.ts';
import { NoGateway } from './gateway-client.ts';
import { coloured, err } from './terminal.ts';

export const COMMANDS = [up, demo, check, stdio, status, call, explain, policy, doctor, agent, key] as const;

/** Exit codes go to `done`; a command that says nothing ends with 0. */
export function program(done: (code: number) => void = () => {}): Command {
  const root = new Command(GATEWAY.name)
    .description(
      'MCP security gateway: every message between an agent and an MCP server is identified, authorized, searched and recorded.',
    )
    .version(GATEWAY.version)
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(coloured('red', text, process.stderr)) });
  for (const add of COMMANDS) add(root, done);
  return root;
}

/** @returns the exit code */
export async function run(args: readonly string[]): Promise<number> {
  let code: number = EXIT.ok;
  try {
    await program((given) => (code = given)).parseAsync([...args], { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    err(coloured('red', error instanceof Error ? error.message : String(error), process.stderr));
    return error instanceof NoGateway ? EXIT.noGateway : EXIT.problem;
  }
}
