/**
 * `npm run soak`: thousands of sessions opened, used, ended or abandoned, and servers started again, then what the gateway
 * holds compared with the start. Prints a table and `N passed, N failed`; progress on standard error.
 *
 *   --sessions 10000   legacy sessions
 *   --restarts 1000    restarts of servers meanwhile
 *   --minutes 0        goes on, in rounds of both, for at least so long
 */
import { parseArgs } from 'node:util';
import { soak, tableOf } from '../test/fixtures/drama/soak.ts';

const { values } = parseArgs({
  options: {
    sessions: { type: 'string', default: '10000' },
    restarts: { type: 'string', default: '1000' },
    minutes: { type: 'string', default: '0' },
  },
});

const rows = await soak({
  sessions: Number(values.sessions),
  restarts: Number(values.restarts),
  minutes: Number(values.minutes),
  progress: (line) => console.error(line),
});
const failed = rows.filter(({ passed }) => !passed).length;
console.log(tableOf(rows));
console.log(`\n${rows.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
