/** docs/reference/cli.md: the commands' own help. */
import type { Command } from 'commander';
import { helpEndText } from '../../src/cli/command.ts';
import { program } from '../../src/cli/cli.ts';
import { EXIT_MEANING } from '../../src/cli/exit.ts';
import { code, page, tableOf } from './markdown.ts';

const LEAD = `What was asked for goes to standard output, everything else to standard error. \`--json\` prints what programs read. Colour appears on terminals only, and not where \`NO_COLOR\` is set.`;

export function cliPage(): string {
  const root = program();
  const rows = root.commands.flatMap((command) =>
    (command.commands.length > 0 ? command.commands : [command]).map((one) => {
      const name = one === command ? one.name() : `${command.name()} ${one.name()}`;
      return [`[${code(name)}](#sallyport-${name.replace(' ', '-')})`, one.summary()];
    }),
  );
  const codes = Object.entries(EXIT_MEANING).map(([number, meaning]) => [number, meaning]);
  return page(
    'Commands',
    LEAD,
    tableOf(['command', 'does'], rows),
    tableOf(['exit code', 'means'], codes),
    ...root.commands.flatMap((command) => sections(command, `sallyport ${command.name()}`)),
  );
}

/** A command, or, where it only holds others, those. */
function sections(command: Command, name: string): string[] {
  if (command.commands.length > 0) return command.commands.flatMap((one) => sections(one, `${name} ${one.name()}`));
  command.configureHelp({ helpWidth: 100 });
  const help = command.helpInformation().trimEnd();
  return [`## ${name}`, `\`\`\`text\n${help}\n\n${helpEndText(command)}\n\`\`\``];
}
