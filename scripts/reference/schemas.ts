/** The published JSON Schemas. */
import { z } from 'zod';
import { COMPONENTS } from '../../src/components/components.ts';
import { auditRecord } from '../../src/components/audit/record.ts';
import { configSchema } from '../../src/config/schema.ts';

/** For editors: `use:` also takes the name of a part that is not in the box. */
export function configurationSchema(): object {
  return titled('sallyport.yaml', z.toJSONSchema(configSchema(COMPONENTS, { own: true }), { io: 'input' }));
}

export function auditRecordSchema(): object {
  return titled('A record of the audit', z.toJSONSchema(auditRecord));
}

function titled(title: string, { $schema, ...schema }: z.core.JSONSchema.JSONSchema): object {
  return { $schema, title, ...schema };
}
