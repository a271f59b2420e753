/** `sallyport demo`: a gateway in front of three real servers, without a configuration file. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { Running } from '../running.ts';
import { helpEnd } from '../command.ts';
import { EXIT } from '../exit.ts';
import { coloured, err, out } from '../terminal.ts';
import { readyJson } from './up.ts';

interface Options {
  readonly listen?: string[];
  readonly json?: true;
}

export function demo(root: Command, done: (code: number) => void): void {
  const command = root
    .command('demo')
    .summary('start a gateway in front of three sample servers')
    .description(
      'Starts a gateway in front of three real MCP servers (filesystem on a sample folder, memory, everything) and prints settings for agents, ready to paste. They hold the token of this gateway.',
    )
    .option('--listen <address...>', 'where to listen (default: 127.0.0.1:7777)')
    .option('--json', 'print the ready line as JSON, without the settings')
    .action(async (options: Options) => done(await start(options)));
  helpEnd(command, {
    examples: ['sallyport demo', 'sallyport demo --listen 127.0.0.1:0'],
    exits: [EXIT.ok, EXIT.problem, EXIT.usage],
  });
}

async function start({ listen, json }: Options): Promise<number> {
  const [{ checkText }, { problemText }, { defaultData }, { COMPONENTS }, { demoConfig }, { runGateway }] =
    await Promise.all([
      import('../../config/load.ts'),
      import('../../config/problem.ts'),
      import('../../config/places.ts'),
      import('../../components/components.ts'),
      import('../demo-config.ts'),
      import('../running.ts'),
    ]);
  const set = listen === undefined ? {} : { listen };
  const data = defaultData(process.env);
  const loaded = await checkText(demoConfig(data), join(process.cwd(), 'demo.yaml'), COMPONENTS, { set });
  if (!loaded.ok) {
    err(loaded.problems.map(problemText).join('\n'));
    return EXIT.problem;
  }
  const { clientSettings, clientSettingsText } = await import('../client-settings.ts');
  const text = ({ urls: [url = ''], tokenFile }: Running) => {
    const settings = clientSettingsText(clientSettings(url, readFileSync(tokenFile, 'utf8').trim()));
    return `${coloured('green', `ready ${url}`)}\n\n${settings}\n\nTry it: sallyport call files list_directory --arg path=.\n`;
  };
  return runGateway({ loaded, ready: (gateway) => out(json ? readyJson(gateway) : text(gateway)) });
}
