/** `sallyport up`: the gateway in the foreground. */
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { CONFIG_HELP, configFile, helpEnd } from '../command.ts';
import { EXIT } from '../exit.ts';
import type { Running } from '../running.ts';
import { err, out } from '../terminal.ts';

interface Options {
  readonly config?: string;
  readonly listen?: string[];
  readonly json?: true;
}

export function up(root: Command, done: (code: number) => void): void {
  const command = root
    .command('up')
    .summary('start the gateway')
    .description(
      'Starts the gateway in the foreground and prints `ready <url>`. Changes of the configuration take effect while it runs; SIGTERM or Ctrl-C lets open calls end first, a second one does not.',
    )
    .option('--config <file>', CONFIG_HELP)
    .option('--listen <address...>', 'where to listen, instead of what the configuration says: host:port or unix:/path')
    .option('--json', 'print the ready line as JSON')
    .action(async (options: Options) => done(await start(options)));
  helpEnd(command, {
    examples: [
      'sallyport up',
      'sallyport up --config deploy/sallyport.yaml',
      'sallyport up --listen 127.0.0.1:0 --json',
    ],
    exits: [EXIT.ok, EXIT.problem, EXIT.usage],
  });
}

async function start({ config, listen, json }: Options): Promise<number> {
  const file = configFile(config);
  if (!existsSync(file)) {
    err(`There is no ${file} here. Write one, name one with --config, or try \`sallyport demo\`, which needs none.`);
    return EXIT.problem;
  }
  const [{ loadConfig }, { problemText }, { COMPONENTS }] = await Promise.all([
    import('../../config/load.ts'),
    import('../../config/problem.ts'),
    import('../../components/components.ts'),
  ]);
  const set = listen === undefined ? {} : { listen };
  const loaded = await loadConfig(file, COMPONENTS, { set });
  if (!loaded.ok) {
    err(loaded.problems.map(problemText).join('\n'));
    return EXIT.problem;
  }
  const { runGateway } = await import('../running.ts');
  return runGateway({ loaded, file, set, ready: (gateway) => out(json ? readyJson(gateway) : readyText(gateway)) });
}

export function readyJson({ urls, tokenFile, socket }: Running): string {
  return JSON.stringify({ ready: urls[0] ?? `unix:${socket}`, urls, tokenFile, socket });
}

function readyText({ urls, tokenFile, socket }: Running): string {
  return [
    `ready ${urls[0] ?? `unix:${socket}`}`,
    ...urls.slice(1).map((url) => `also at ${url}`),
    '',
    `  agents   the token is in ${tokenFile}`,
    '  next     sallyport status · sallyport doctor · sallyport explain',
  ].join('\n');
}
