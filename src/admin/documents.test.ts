import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { House } from '../gateway/house.ts';
import { documentsOf } from './routes.ts';

const PATH = '/.well-known/oauth-protected-resource/mcp';

/** A house whose identity publishes what a test says, as after a reload. */
function publishing(documents: Record<string, object>): House {
  return {
    parts: {
      identity: [
        {},
        { documents: () => documents, document: (path: string) => (path === `${PATH}/any` ? {} : undefined) },
      ],
    },
  } as unknown as House;
}

test('nothing is published that no identity part publishes now, nor outside of .well-known', () => {
  const house = publishing({ [PATH]: {}, '/mcp': {} });
  const find = documentsOf(house);
  for (const path of ['/mcp', `${PATH}/x`, '/.well-known/__proto__', '/.well-known/toString'])
    assert.equal(find(path), undefined, path);
  for (const path of [PATH, `${PATH}/any`]) assert.notEqual(find(path), undefined);
  house.parts = publishing({}).parts;
  assert.equal(find(PATH), undefined);
});

test('pages of any origin may read a document, and only read it', async () => {
  const find = documentsOf(publishing({ [PATH]: { resource: 'x' } }));
  const server = createServer((request, response) => find(PATH)!(request, response));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const got: Record<string, number> = {};
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'POST', 'DELETE']) {
    const response = await fetch(url, { method });
    assert.equal(response.headers.get('access-control-allow-origin'), '*');
    got[method] = response.status;
    await response.text();
  }
  server.closeAllConnections();
  server.close();
  assert.deepEqual(got, { GET: 200, HEAD: 200, OPTIONS: 204, POST: 405, DELETE: 405 });
});
