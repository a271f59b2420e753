/** `sallyport stdio`: what an agent starts to reach the gateway over standard input and output. */
import type { Command } from 'commander';
import { findOptions, helpEnd } from '../command.ts';
import { EXIT } from '../exit.ts';

export function stdio(root: Command): void {
  const command = findOptions(
    root
      .command('stdio')
      .summary('relay standard input and output to the gateway')
      .description(
        'Relays MCP between standard input and output and the running gateway; starts one when none is running. This is what an agent starts.',
      )
      .argument('[server]', 'one server, its names untouched (default: all servers, joined)'),
  ).action(async () => {
    await import('../relay/main.ts');
  });
  helpEnd(command, {
    examples: ['sallyport stdio', 'sallyport stdio files'],
    exits: [EXIT.ok, EXIT.problem, EXIT.usage, EXIT.noGateway],
  });
}
