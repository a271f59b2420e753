import assert from 'node:assert/strict';
import { verifies } from '../../test/verifies.ts';
import { asking, event, fate, hang, paramsFor, testHouse, type SendOptions, type TestHouse } from './house.fixture.ts';
import { METHODS, methodRow, type MethodRow } from './methods.ts';

const opened = METHODS.filter((row) => row.opener === 'agent' && row.target !== 'exchange');
const about = METHODS.filter((row) => row.opener === 'agent' && row.target === 'exchange');
const asks = METHODS.filter((row) => row.opener === 'server' && row.wire === 'request' && row.answers !== 'gateway');
const news = METHODS.filter((row) => row.opener === 'server' && row.wire === 'notification');
const CAPS = { sampling: {}, elicitation: {}, roots: {}, tasks: {} };

const reached = ({ calls, own }: TestHouse): number => calls.length + own.length;
const types = ({ records }: TestHouse): string[] => records.map(({ type }) => type);

for (const row of opened) {
  for (const era of row.eras) {
    const how: SendOptions = { era, ...(era === 'legacy' && row.method !== 'initialize' ? { session: 's' } : {}) };

    verifies('way.no-around', `${era} ${row.method} without identity reaches nobody`, async () => {
      const test = await testHouse();
      test.session('s');
      assert.equal(await fate(test.send(row.method, paramsFor(row), { ...how, as: '' })), 'unauthenticated');
      assert.equal(reached(test), 0);
      assert.equal(
        test.journal.some((line) => line.startsWith('catalog')),
        false,
      );
      assert.deepEqual(types(test), ['refusal']);
    });

    verifies('way.no-around', `${era} ${row.method} that no rule permits reaches nobody`, async () => {
      const test = await testHouse();
      test.session('s', { as: 'eve' });
      assert.equal(await fate(test.send(row.method, paramsFor(row), { ...how, as: 'eve' })), 'not_permitted');
      assert.equal(reached(test), 0);
      assert.deepEqual(types(test), ['refusal']);
    });

    verifies('way.no-around', `${era} ${row.method} that is permitted is recorded as attempt and outcome`, async () => {
      const test = await testHouse();
      test.session('s');
      const sent = test.send(row.method, paramsFor(row), how);
      await sent.over;
      await sent.handling.crossed;
      assert.deepEqual(
        sent.said.map(({ what }) => what),
        [ending(row)],
      );
      assert.equal(reached(test), row.wire === 'http' ? 0 : 1);
      assert.deepEqual(types(test), ['attempt', 'outcome']);
      assert.equal(test.house.ledger.size, 0);
    });
  }
}

function ending({ wire }: MethodRow): string {
  switch (wire) {
    case 'request':
      return 'close';
    case 'notification':
      return 'accept';
    case 'http':
      return 'perform';
  }
}

for (const row of about) {
  verifies('way.no-around', `${row.method} without identity, or about nothing, reaches nobody`, async () => {
    const test = await testHouse();
    test.session('s');
    const how = { era: 'legacy', session: 's' } as const;
    assert.equal(await fate(test.send(row.method, { requestId: 7 }, { ...how, as: '' })), 'unauthenticated');
    assert.equal(await fate(test.send(row.method, { requestId: 7, progressToken: 'p' }, how)), 'event_unexpected');
    assert.deepEqual(types(test), ['refusal', 'refusal']);
  });
}

for (const row of asks) {
  verifies(
    'ask.child',
    `${row.method} of a server is refused below a call that does not allow it, and recorded below one that does`,
    async () => {
      for (const [method, params, said] of [
        ['completion/complete', { ref: { name: 'greet' } }, 0],
        ['tools/call', { name: 'read' }, 1],
      ] as const) {
        const test = await testHouse();
        test.session('s', { caps: CAPS });
        test.script = ({ outlet }) => outlet.ask(asking(row.method), () => undefined);
        const sent = test.send(method, params, { era: 'legacy', session: 's' });
        await sent.handling.crossed;
        assert.equal(sent.said.length, said);
        assert.deepEqual(types(test), ['attempt', said ? 'attempt' : 'refusal']);
        assert.equal(methodRow('agent', method)?.asks.includes(row.method), said === 1);
      }
    },
  );
}

for (const row of news) {
  verifies('way.no-around', `${row.method} of a server is recorded whether it is released or dropped`, async () => {
    const test = await testHouse();
    test.session('s');
    test.script = hang;
    for (const method of ['tools/call', 'completion/complete', 'tasks/update'])
      await test.send(method, paramsFor(methodRow('agent', method)!), {}).handling.crossed;
    for (const call of test.calls) {
      const before = test.records.length;
      void call.outlet.event(event(row.method, { level: 'error' }));
      const { type } = test.records[before] ?? {};
      const quiet = row.method === 'notifications/message' && call.exchange.row.events.includes(row.method);
      // What a server takes back must have been asked, and nothing was.
      const taken = row.method === 'notifications/cancelled';
      const known = row.eras.includes(call.exchange.era);
      const released = call.exchange.row.events.includes(row.method) && known && !taken;
      assert.equal(type, quiet ? undefined : released ? 'events' : 'refusal', call.exchange.row.method);
    }
  });
}

verifies('method.default-deny', 'no method has two rows, and every ask and event that a row allows has one', () => {
  const names = METHODS.map(({ opener, method }) => `${opener} ${method}`);
  assert.equal(new Set(names).size, names.length);
  for (const { events, asks: allowed } of METHODS) {
    for (const method of [...events, ...allowed]) assert.ok(methodRow('server', method), method);
  }
});

verifies('method.default-deny', 'every row has an action to decide on, and none that serves two openers', () => {
  for (const { action, method } of METHODS) assert.match(action, /^[a-z]+\.[a-z-]+$/, method);
});
