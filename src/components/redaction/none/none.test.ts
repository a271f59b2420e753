import { sampleDeps } from '../../samples.ts';
import { redactionSuite } from '../redaction.suite.ts';
import { none } from './none.ts';

redactionSuite('none', async () => ({ part: await none.create({}, sampleDeps('unused')) }));
