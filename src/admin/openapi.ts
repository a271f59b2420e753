/** OpenAPI 3.1 of the admin API, from the rows and the schemas that check its requests. */
import { z } from 'zod';
import type { Operation } from './operation.ts';
import { OPERATIONS } from './operations.ts';

const PROBLEM = {
  description: 'A problem (RFC 9457), with what to do about it.',
  content: {
    'application/problem+json': {
      schema: {
        type: 'object',
        required: ['title', 'status'],
        properties: {
          title: { type: 'string' },
          status: { type: 'integer' },
          detail: { type: 'string' },
          remedy: { type: 'string' },
          problems: {
            type: 'array',
            items: {
              type: 'object',
              properties: { place: { type: 'string' }, expected: { type: 'string' } },
            },
          },
        },
      },
    },
  },
};

export function openApi(version: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const row of OPERATIONS) (paths[`/admin/v1${row.path}`] ??= {})[row.verb.toLowerCase()] = described(row);
  return {
    openapi: '3.1.0',
    info: {
      title: 'Sallyport admin API',
      version,
      description:
        "On the owner's socket, and on `admin.listen`. Each operation is identified, permitted and recorded as a call is.",
    },
    security: [{ bearer: [] }],
    paths,
    components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
  };
}

function described({ id, path, summary, action, body, answer, status }: Operation): object {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
  const parameters = names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } }));
  return {
    operationId: id,
    summary,
    description: `Policy is asked for \`${action}\`.`,
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body ? { requestBody: { content: { 'application/json': { schema: schemaOf(body, 'input') } } } } : {}),
    responses: {
      [status]: {
        description: answer?.description ?? 'Done.',
        ...(answer ? { content: { 'application/json': { schema: schemaOf(answer, 'output') } } } : {}),
      },
      default: PROBLEM,
    },
  };
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): object {
  const described = Object.entries(z.toJSONSchema(schema, { io, unrepresentable: 'any' }));
  return Object.fromEntries(described.filter(([key]) => key !== '$schema'));
}
