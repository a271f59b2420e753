/** Instances of the engine. One that has trapped throws at every later call, so whoever sees a throw takes a fresh one. */
import { createRequire } from 'node:module';
import type * as Nodejs from '@cedar-policy/cedar-wasm/nodejs';

export type Cedar = typeof Nodejs;

const require = createRequire(import.meta.url);
const MODULE = '@cedar-policy/cedar-wasm/nodejs';

/** About 17 ms: compiles the module and instantiates it with a memory of its own. */
export function freshCedar(): Cedar {
  delete require.cache[require.resolve(MODULE)];
  return require(MODULE) as Cedar;
}
