/** Every seed of `npm run fuzz`, crashes of the past among them, and a few thousand changes of each. */
import { globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { mutated, random } from './mutate.ts';
import { TARGETS } from './targets.ts';

const SEEDS = fileURLToPath(new URL('seeds', import.meta.url));

for (const [name, target] of Object.entries(TARGETS)) {
  test(`nothing that was or is found breaks ${name}`, () => {
    const seeds = globSync(`${SEEDS}/${name}/*`).map((file) => ({ file, bytes: readFileSync(file) }));
    const next = random(1);
    for (const { file, bytes } of seeds) {
      for (let n = 0; n < 500; n += 1) {
        const input =
          n === 0
            ? bytes
            : mutated(
                bytes,
                seeds.map((one) => one.bytes),
                next,
              );
        try {
          target(input);
        } catch (error) {
          throw new Error(`${basename(file)}, change ${n}: ${JSON.stringify(input.toString('latin1'))}`, {
            cause: error,
          });
        }
      }
    }
  });
}
