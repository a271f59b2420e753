/** The short form of `npm run soak`: what a gateway holds is what it held before three hundred sessions and thirty restarts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { soak, tableOf } from './fixtures/drama/soak.ts';

test('Sessions and restarts of servers leave no process, socket, timer, listener or memory behind.', async () => {
  const rows = await soak({ sessions: 300, restarts: 30 });
  assert.ok(
    rows.every(({ passed }) => passed),
    `\n${tableOf(rows)}`,
  );
});
