import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { callTool, textOf, type Called } from '../../test/call.ts';
import { startGateway, type Gateway } from '../../test/gateway.ts';

const FOLDER = fileURLToPath(new URL('.', import.meta.url));
const BIN = fileURLToPath(new URL('../../node_modules/.bin/', import.meta.url));

interface Example {
  readonly identity: readonly [
    { readonly agents: readonly { readonly name: string; readonly groups?: readonly string[] }[] },
  ];
  readonly policy: { readonly files: string; readonly tests: string };
}

/** The example's configuration for a file elsewhere, with the servers that are installed instead of npx. */
function example(home: string): object {
  const written = parse(readFileSync(join(FOLDER, 'sallyport.yaml'), 'utf8')) as Example;
  const [{ agents }] = written.identity;
  const tokens = agents.map((agent) => ({ ...agent, token: agent.name }));
  const { policy } = written;
  return {
    ...written,
    servers: {
      db: { command: join(BIN, 'dbhub'), args: ['--demo'], cwd: home },
      notes: { command: join(BIN, 'mcp-server-memory'), env: { MEMORY_FILE_PATH: join(home, 'notes.jsonl') } },
    },
    identity: [{ use: join(FOLDER, 'agents.ts'), agents: tokens }, { use: 'local' }],
    policy: { ...policy, files: join(FOLDER, policy.files), tests: join(FOLDER, policy.tests) },
  };
}

describe('the example with policies', () => {
  const home = mkdtempSync(join(tmpdir(), 'sallyport-policies-'));
  let gateway: Gateway;
  before(async () => {
    gateway = await startGateway(example(home));
  });
  after(async () => {
    await gateway?.close();
    rmSync(home, { recursive: true, force: true });
  });

  const as = (agent: string, tool: string, given: object = {}): Promise<Called> =>
    callTool({ ...gateway, token: agent }, tool, given);
  const refused = async (called: Promise<Called>): Promise<void> => {
    const { result, error } = await called;
    assert.equal(result, undefined);
    assert.ok(error && error.message !== '', 'it was not refused');
  };

  test('agents: C reaches nothing, B looks around, A does not', async () => {
    for (const tool of ['db__search_objects', 'notes__read_graph', 'db__execute_sql'])
      await refused(as('agent-c', tool));
    await refused(as('agent-a', 'db__search_objects', { object_type: 'table' }));
    const found = await as('agent-b', 'db__search_objects', { object_type: 'table' });
    assert.match(textOf(found), /employee/);
  });

  test('tools: notes are read and not written, and what may not be written does not exist', async () => {
    assert.match(textOf(await as('agent-a', 'notes__read_graph')), /entities/);
    const { error } = await as('agent-a', 'notes__create_entities', { entities: [] });
    assert.equal(error?.message, 'Unknown tool.');
  });

  test('arguments: staff is read; salaries, changes and what hides in a statement are not', async () => {
    const sql = (statement: string, more: object = {}) => as('agent-a', 'db__execute_sql', { sql: statement, ...more });
    assert.match(textOf(await sql('select first_name from employee limit 1')), /first_name/);
    for (const statement of [
      'select * from salary',
      'select * from employee where emp_no in (select emp_no from salary)',
      'delete from employee',
      'select 1; drop table employee',
      'select * from employee -- , salary',
      `select load_extension('x') from employee`,
      'nonsense',
    ])
      await refused(sql(statement));
    assert.match(textOf(await sql('select * from department', { ratio: 1.5, cursor: null })), /dept_name/);
  });
});
