import assert from 'node:assert/strict';
import { verifies } from '../../../test/verifies.ts';
import { testHouse } from '../house.fixture.ts';

verifies('run.labelled', 'a run that heard of no server has no label, and every server heard leaves one', async () => {
  const test = await testHouse();
  const labels = () => test.records.flatMap((record) => (record.type === 'outcome' ? [record.labels] : []));
  await test.send('tools/call', { name: 'nothing' }).over;
  await test.send('tools/call', { name: 'files.read' }).over;
  await test.send('tools/call', { name: 'web.read' }).over;
  assert.deepEqual(labels(), [['source:files'], ['source:files', 'source:web']]);
});

verifies('run.labelled', 'what one principal or session has heard says nothing of another', async () => {
  const test = await testHouse();
  test.session('s');
  await test.send('tools/call', { name: 'files.read' }).over;
  await test.send('tools/call', { name: 'web.read' }, { as: 'bob' }).over;
  await test.send('tools/call', { name: 'web.read' }, { era: 'legacy', session: 's' }).over;
  const labels = test.records.flatMap((record) => (record.type === 'outcome' ? [record.labels] : []));
  assert.deepEqual(labels, [['source:files'], ['source:web'], ['source:web']]);
});
