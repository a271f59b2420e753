/** Name and version as the package says. */
import { readFileSync } from 'node:fs';

const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
const { version } = JSON.parse(text) as { version: string };

export const NAME = 'sallyport';
export const VERSION: string = version;
export const GATEWAY = { name: NAME, version: VERSION } as const;
