/** Where each kind of issuer puts its facts, and how its access tokens are told from its other tokens. */

export interface Preset {
  /** `typ` headers of access tokens; `none`: a missing one. RFC 9068 §4 wants `at+jwt`; most issuers are older. */
  readonly types: readonly string[];
  readonly required: readonly string[];
  /** One of these must be there. */
  readonly oneOf?: readonly string[];
  /** Claims that only other tokens have, with the values that access tokens may have (none: never). */
  readonly never: Readonly<Record<string, readonly unknown[]>>;
  /** The first that is there counts: a claim, or a JSON pointer. */
  readonly subject: readonly string[];
  readonly person: readonly string[];
  readonly agent: readonly string[];
  readonly groups: readonly string[];
  readonly tenant: readonly string[];
  readonly scopes: readonly string[];
  /** Nobody stands behind such a token but the program itself. */
  readonly machine: (claims: Readonly<Record<string, unknown>>) => boolean;
}

/** OpenID Connect Core §2, §3.3.2.11: an ID token says who logged in at a client, and gives access to nothing. */
const ID_TOKEN = { nonce: [], at_hash: [], c_hash: [], s_hash: [] } as const;
const OLDER = ['at+jwt', 'JWT', 'none'];

const generic: Preset = {
  types: ['at+jwt'],
  required: ['sub', 'iat', 'exp'],
  never: {},
  subject: ['sub'],
  person: [],
  agent: ['client_id', 'azp'],
  groups: ['groups'],
  tenant: [],
  scopes: ['scope', 'scp'],
  machine: ({ sub, client_id, azp }) => sub === (client_id ?? azp),
};

const PRESETS = {
  generic,
  // `cid` is in access tokens only.
  okta: {
    ...generic,
    types: [...OLDER, 'application/okta-internal-at+jwt'],
    required: [...generic.required, 'cid'],
    never: ID_TOKEN,
    agent: ['cid'],
    scopes: ['scp'],
    machine: ({ sub, cid }) => sub === cid,
  },
  // `oid` is the same person in every application, `sub` is not; ID tokens have neither `scp` nor `roles` of an API.
  entra: {
    ...generic,
    types: OLDER,
    required: ['oid', 'tid', 'iat', 'exp'],
    oneOf: ['scp', 'roles'],
    never: ID_TOKEN,
    subject: ['oid'],
    agent: ['azp', 'appid'],
    groups: ['groups'],
    tenant: ['tid'],
    scopes: ['scp', 'roles'],
    machine: ({ idtyp, scp }) => idtyp === 'app' || scp === undefined,
  },
  // The claim `typ` tells `Bearer` and `DPoP` from `ID`, `Refresh` and `Offline`.
  keycloak: {
    ...generic,
    types: OLDER,
    required: [...generic.required, 'typ'],
    never: { ...ID_TOKEN, typ: ['Bearer', 'DPoP'] },
    agent: ['azp', 'client_id'],
    groups: ['groups', '/realm_access/roles'],
    machine: ({ preferred_username }) =>
      typeof preferred_username === 'string' && preferred_username.startsWith('service-account-'),
  },
  auth0: {
    ...generic,
    types: OLDER,
    never: ID_TOKEN,
    agent: ['azp', 'client_id'],
    groups: [],
    tenant: ['org_id'],
    scopes: ['scope', 'permissions'],
    machine: ({ gty, sub }) => gty === 'client-credentials' || (typeof sub === 'string' && sub.endsWith('@clients')),
  },
  // Google's access tokens are no JWTs and name no audience; what it signs for an audience of one's own are ID tokens of
  // service accounts and people. `nonce` would mean that a login page asked for it.
  google: {
    ...generic,
    types: ['JWT'],
    never: { nonce: [], at_hash: [] },
    person: ['email'],
    agent: ['azp'],
    groups: [],
    tenant: ['hd'],
    scopes: [],
    machine: ({ email }) => typeof email === 'string' && email.endsWith('.gserviceaccount.com'),
  },
} as const satisfies Record<string, Preset>;

export type PresetName = keyof typeof PRESETS;

export function presetOf(name: PresetName): Preset {
  return PRESETS[name];
}
