/** The policies that a configuration names, loaded as the gateway loads them. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { PolicySet } from '../../../components/policy/cedar/load.ts';
import type { Known } from '../../../components/policy/cedar/schema.ts';
import type { Settings } from '../../../components/policy/cedar/settings.ts';
import type { Loaded } from '../../../config/load.ts';
import { CONFIG_HELP, configFile } from '../../command.ts';
import { err } from '../../terminal.ts';

export interface PolicyOptions {
  readonly config?: string;
  readonly json?: true;
}

export interface Policies {
  readonly settings: Settings;
  readonly set: PolicySet;
  readonly known: Known | undefined;
}

export function policyOptions(command: Command): Command {
  return command.option('--config <file>', CONFIG_HELP).option('--json', 'print it as JSON');
}

/** undefined: something is wrong with the configuration, and was told. */
export async function policiesOf(file: string | undefined): Promise<Policies | undefined> {
  const [{ loadConfig }, { problemText }, { COMPONENTS }, { loadSet, sourcesOf }] = await Promise.all([
    import('../../../config/load.ts'),
    import('../../../config/problem.ts'),
    import('../../../components/components.ts'),
    import('../../../components/policy/cedar/load.ts'),
  ]);
  const loaded = await loadConfig(configFile(file), COMPONENTS);
  if (!loaded.ok) return told(loaded.problems.map(problemText).join('\n'));
  const { policy, base } = loaded.config;
  if (policy.component.use !== 'cedar') return told(`the policy in force is ${policy.component.use}, not cedar`);
  const settings = policy.config as Settings;
  const known = await knownBy(loaded);
  return { settings, known, set: await loadSet(settings, sourcesOf(settings, base), known) };
}

function told(problem: string): undefined {
  err(problem);
  return undefined;
}

/** Tools that the gateway has seen. Its store is opened only where there is one already: a check leaves nothing behind. */
async function knownBy({ config }: Loaded): Promise<Known | undefined> {
  const { dir = config.data } = (config.store?.config ?? {}) as { dir?: string };
  const embedded = config.store?.component.use === 'embedded';
  if (embedded && !existsSync(join(dir, 'sallyport.db'))) return undefined;
  const [{ openState }, { knownTools }] = await Promise.all([
    import('../../../state.ts'),
    import('../../../components/policy/cedar/known.ts'),
  ]);
  const quiet = (): void => undefined;
  const state = await openState(config, { debug: quiet, info: quiet, warn: quiet, error: quiet });
  try {
    return await knownTools(state.deps);
  } finally {
    await state.close();
  }
}
