/** The settings of `identity/oauth`. */
import { z } from 'zod';
import { duration, size } from '../../../lib/units.ts';
import { fetchable } from './web.ts';

const ISSUER = 'an https URL without query and fragment (http on loopback only)';

const issuerUrl = z.string(ISSUER).refine((text) => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url !== undefined && !/[?#]/.test(text) && fetchable(url, true) === undefined;
}, ISSUER);

const endpoint = z
  .string(ISSUER)
  .refine((text) => URL.canParse(text) && fetchable(new URL(text), true) === undefined, ISSUER);

/** No `none`, and nothing symmetric: a resource server that could verify HS256 could issue too (RFC 8725 §3.1). */
export const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;

const algorithms = z.array(z.enum(ALGORITHMS)).min(1);
const names = z.array(z.string().min(1));
const claim = z.string().min(1).optional();
/** RFC 6749 §3.3. */
const scope = z
  .string()
  .regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'a scope: visible characters without space, quote and backslash');
const pem = z.string().regex(/-----BEGIN [A-Z0-9 ]+-----/, 'PEM text, usually ${file:path/to.pem}');

const claims = z
  .strictObject({
    subject: claim.describe('Who the token speaks for; never shared by two.'),
    person: claim.describe('The human behind it.'),
    agent: claim.describe('The program that calls.'),
    groups: claim.describe('A list of names, or one name.'),
    tenant: claim.describe('The customer of the issuer that the token belongs to.'),
    scopes: claim.describe('A list, or one text with spaces.'),
  })
  .prefault({})
  .describe(
    'Where facts stand, instead of where the preset looks: a claim, or a JSON pointer such as `/realm_access/roles`.',
  );

const introspection = z
  .strictObject({
    endpoint: endpoint.optional().describe('Default: what discovery names.'),
    client: z.string().min(1).describe("The gateway's own client id at the issuer."),
    secret: z.string().min(1).optional().describe('Its secret (`client_secret_basic`), as a reference: `${env:NAME}`.'),
    key: pem.optional().describe('Or its private key, PKCS #8 PEM (`private_key_jwt`).'),
    algorithm: z.enum(ALGORITHMS).default('ES256').describe('The algorithm of that key.'),
    always: z.boolean().default(false).describe('Ask about JWTs too, so that what the issuer withdrew is noticed.'),
    cache: duration.prefault('30s').describe('How long an answer counts; a withdrawn token lives on for so long.'),
  })
  .refine(({ secret, key }) => (secret === undefined) !== (key === undefined), 'either secret or key');

const issuer = z.strictObject({
  issuer: issuerUrl.describe('Exactly the `iss` of its tokens and of its metadata.'),
  preset: z
    .enum(['generic', 'okta', 'entra', 'keycloak', 'auth0', 'google'])
    .default('generic')
    .describe('Where this kind of issuer puts its facts. generic: RFC 9068.'),
  audience: z
    .union([z.string().min(1), names.min(1)])
    .optional()
    .describe(
      'What `aud` must hold instead of the URL of the endpoint that is called, for issuers without RFC 8707. Such a token is good at every endpoint.',
    ),
  jwks: endpoint.optional().describe('Where its keys are; default: what discovery names.'),
  algorithms: algorithms
    .default(['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519'])
    .describe('Signatures that are accepted.'),
  types: names
    .optional()
    .describe('`typ` headers that are accepted; `none` stands for a missing one. Default: by preset.'),
  required: names.default([]).describe('Claims that must be there, besides those of the preset.'),
  lifetime: duration.prefault('1d').describe('The longest life of a token that is accepted.'),
  claims,
  tenants: names
    .optional()
    .describe('Values of the tenant claim that are accepted. Default: any that the issuer signs.'),
  overage: z
    .enum(['refuse', 'mark'])
    .default('refuse')
    .describe(
      'When Entra leaves groups out because there are too many. mark: no groups, and the claim `groups_overage`.',
    ),
  introspection: introspection.optional().describe('Ask the issuer about tokens that are no JWT (RFC 7662).'),
});

const rule = z.strictObject({
  scopes: z.array(scope).min(1).describe('All of these are needed.'),
  actions: names.optional().describe('For these actions, such as `tool.call` or `tool.*`. Default: all.'),
  servers: names.optional().describe('At these servers. Default: all.'),
});

export const config = z
  .strictObject({
    issuers: z.array(issuer).min(1).describe('Whose tokens are accepted.'),
    scopes: z
      .array(rule)
      .default([])
      .describe('Scopes that are needed before policy is asked. All rules that fit hold.'),
    implies: z.record(scope, z.array(scope)).default({}).describe('Scopes that include others.'),
    bound: z
      .enum(['optional', 'required'])
      .default('optional')
      .describe('required: only tokens that are bound to a key (DPoP) or to a certificate.'),
    dpop: z
      .strictObject({
        window: duration.prefault('60s').describe('How old a proof may be, and how far its clock may run ahead.'),
        nonce: z.boolean().default(false).describe('Demand nonces of the gateway in proofs (RFC 9449 §9).'),
        algorithms: algorithms
          .default(['ES256', 'EdDSA', 'Ed25519', 'PS256', 'RS256'])
          .describe('Signatures of proofs that are accepted.'),
      })
      .prefault({})
      .describe('Proofs of possession (RFC 9449).'),
    tolerance: duration
      .prefault('30s')
      .describe('How far the clock of an issuer may run ahead. A token ends exactly at its `exp`.'),
    cache: duration
      .prefault('60s')
      .refine((milliseconds) => milliseconds <= 300_000, 'at most 5m')
      .describe('How long a verified token is not verified again; never beyond its `exp`.'),
    keys: z
      .strictObject({
        refresh: duration
          .prefault('10m')
          .describe('Keys are fetched again after this; a key that is gone then is refused.'),
        cooldown: duration
          .prefault('30s')
          .describe('The least time between two fetches for the sake of an unknown key.'),
        timeout: duration.prefault('5s').describe('For each request to an issuer.'),
        size: size.prefault('512KiB').describe('The largest answer of an issuer that is read.'),
      })
      .prefault({})
      .describe('How keys and metadata are fetched.'),
    ca: pem.optional().describe('Authorities that issuers are checked against, PEM; default: those of Node.js.'),
    name: z.string().min(1).optional().describe('The name of the gateway that clients may show.'),
  })
  .refine(
    ({ issuers }) => issuers.filter((one) => one.introspection).length <= 1,
    'at most one issuer with introspection: a token that is no JWT names nobody, and would be shown to all of them',
  )
  .refine(({ issuers }) => new Set(issuers.map((one) => one.issuer)).size === issuers.length, 'every issuer once');

export type Config = z.output<typeof config>;
export type IssuerConfig = Config['issuers'][number];
