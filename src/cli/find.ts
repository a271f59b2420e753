/** Where the running gateway keeps its socket and token. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { defaultData, places } from '../config/places.ts';
import type { Places } from '../config/places.ts';
import { configFile } from './command.ts';
import type { FindOptions } from './command.ts';

/** A configuration that is broken now may have been sound when the gateway started: then the default folder is looked into. */
export async function findPlaces({ data, config }: FindOptions): Promise<Places> {
  if (data !== undefined) return places(resolve(data));
  const file = configFile(config);
  if (!existsSync(file)) return places(defaultData(process.env));
  const [{ loadConfig }, { COMPONENTS }] = await Promise.all([
    import('../config/load.ts'),
    import('../components/components.ts'),
  ]);
  const loaded = await loadConfig(file, COMPONENTS);
  return places(loaded.ok ? loaded.config.data : defaultData(process.env));
}
