import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { verifies } from '../../../../test/verifies.ts';
import { manualClock } from '../../../lib/clock.ts';
import { COMPONENTS } from '../../components.ts';
import { sampleArrival, sampleDeps } from '../../samples.ts';
import type { Identity } from '../identity.ts';
import { identitySuite } from '../identity.suite.ts';
import { readList } from './crl.ts';
import { readDer } from './der.ts';
import { testAuthority, type IssueOptions, type TestAuthority, type TestCertificate } from './mtls.fixture.ts';

// As the gateway finds it: what stands in the box under this name.
const component = COMPONENTS.find(({ kind, use }) => kind === 'identity' && use === 'mtls')!;
const folder = mkdtempSync(join(tmpdir(), 'sallyport-mtls-'));
const SVID = 'URI:spiffe://example.org/agents/claude';
let ours: TestAuthority;
let theirs: TestAuthority;
let claude: TestCertificate;
let stranger: TestCertificate;

const ready = Promise.all([testAuthority(folder, 'ours'), testAuthority(folder, 'theirs')]).then(async (made) => {
  [ours, theirs] = made;
  [claude, stranger] = await Promise.all([ours.issue({ names: SVID }), theirs.issue({ names: SVID })]);
});
after(() => rmSync(folder, { recursive: true }));

const MAP = [
  { spiffe: 'spiffe://example.org/agents/*', groups: ['readers'] },
  { dns: 'ci.example.com', agent: 'ci' },
  { dns: '*.runners.example.com' },
  { subject: { CN: 'nightly', O: 'Acme' }, agent: 'nightly' },
];

async function part(
  authority: object = {},
  more: object = {},
  clock = manualClock(Date.now() + 60_000),
): Promise<Identity> {
  await ready;
  const config = { authorities: [{ ca: ours.pem, trustDomain: 'example.org', ...authority }], map: MAP, ...more };
  return (await component.create(component.config.parse(config), sampleDeps(folder, { clock }))) as Identity;
}

/** Every connection has a certificate of its own, in memory too. */
const over = (certificate: Buffer, intermediates: readonly Buffer[] = [], headers = {}) =>
  sampleArrival(headers, {
    peer: { address: '192.0.2.1', encrypted: true, certificate: Buffer.from(certificate), intermediates },
  });

async function told(from: Identity, arrival: Parameters<Identity['identify']>[0]): Promise<string> {
  const identified = await from.identify(arrival);
  if (identified.known) return `known ${identified.principal.subject}`;
  return identified.why === 'absent' ? 'absent' : identified.detail;
}

identitySuite('mtls', async () => {
  const right = await part();
  const other = await ours.issue({ names: 'URI:spiffe://example.org/agents/other' });
  return {
    part: right,
    right: over(claude.der),
    wrong: over(stranger.der),
    other: over(other.der),
    proofs: [claude.der.toString('base64'), claude.pem],
  };
});

before(() => ready);

verifies('mtls.verified', 'a certificate of another authority is refused, although it says the same', async () => {
  const agents = await part();
  assert.match(await told(agents, over(stranger.der)), /no authority/);
  assert.equal(await told(agents, over(claude.der)), 'known spiffe://example.org/agents/claude');
});

const svid = (change: IssueOptions) => async () => told(await part(), over((await ours.issue(change)).der));
const twins: readonly [title: string, change: IssueOptions, told: RegExp][] = [
  ['of another trust domain', { names: 'URI:spiffe://example.com/agents/claude' }, /no SPIFFE ID/],
  ['with two URIs', { names: `${SVID},URI:https://example.org/` }, /no SPIFFE ID/],
  ['with a dot segment in its path', { names: 'URI:spiffe://example.org/agents/../admin' }, /no SPIFFE ID/],
  ['with its trust domain in capitals', { names: 'URI:spiffe://Example.org/agents/claude' }, /no SPIFFE ID/],
  ['beside the path that is mapped', { names: 'URI:spiffe://example.org/agentsx/claude' }, /no entry/],
  ['that is for servers only', { names: SVID, extensions: ['extendedKeyUsage=serverAuth'] }, /not for clients/],
  ['that may sign certificates', { names: SVID, extensions: ['keyUsage=critical,keyCertSign'] }, /may sign/],
  [
    'with a critical extension that nobody knows',
    { names: SVID, extensions: ['1.2.3.4=critical,ASN1:NULL'] },
    /critical/,
  ],
];
for (const [title, change, wanted] of twins) {
  verifies('mtls.verified', `an SVID ${title} is refused`, async () => assert.match(await svid(change)(), wanted));
}

verifies('mtls.verified', 'an SVID for clients that may not sign is known, with its groups and its end', async () => {
  const extensions = ['extendedKeyUsage=clientAuth,serverAuth', 'keyUsage=critical,digitalSignature'];
  const { der } = await ours.issue({ names: SVID, extensions });
  const identified = await (await part()).identify(over(der));
  assert.ok(identified.known);
  const { issuer, groups, proof, expires } = identified.principal;
  assert.deepEqual([issuer, groups, proof.strength], ['spiffe://example.org', ['readers'], 'proof-of-possession']);
  assert.ok(expires !== undefined && expires < Date.now() + 3 * 86_400_000);
});

verifies('mtls.verified', 'the certificate of an authority is nobody, also when it signed itself', async () => {
  assert.match(await told(await part(), over(ours.der)), /authority/);
});

verifies('mtls.verified', 'what is cut or is no certificate is refused', async () => {
  const agents = await part();
  for (const bytes of [claude.der.subarray(0, -1), Buffer.from('30'), Buffer.alloc(0)]) {
    assert.match(await told(agents, over(bytes)), /no certificate/);
  }
});

verifies(
  'mtls.verified',
  'before and after its time a certificate is refused, also when it was accepted a moment ago',
  async () => {
    const clock = manualClock(Date.now() + 60_000);
    const agents = await part({}, {}, clock);
    assert.match(await told(agents, over(claude.der)), /^known/);
    clock.advance(3 * 86_400_000);
    assert.match(await told(agents, over(claude.der)), /expired/);
    const early = await part({}, {}, manualClock(Date.now() - 86_400_000));
    assert.match(await told(early, over(claude.der)), /not valid yet/);
  },
);

verifies(
  'mtls.verified',
  'an authority between must be sent and be one; a leaf that plays one is refused',
  async () => {
    const between = await ours.below('between');
    const { der } = await between.issue({ names: SVID });
    const agents = await part();
    assert.match(await told(agents, over(der)), /no authority/);
    assert.match(await told(agents, over(der, [between.der])), /^known/);
    const forged = await testAuthority(folder, 'agent', claude);
    const below = await forged.issue({ names: SVID });
    assert.match(await told(agents, over(below.der, [forged.der, claude.der])), /no authority/);
  },
);

test('an authority without a trust domain gives DNS names and subjects, exactly, and no SPIFFE IDs', async () => {
  const agents = await part({ trustDomain: undefined });
  const asked = async (options: IssueOptions) => told(agents, over((await ours.issue(options)).der));
  assert.equal(await asked({ names: 'DNS:ci.example.com' }), 'known ci.example.com');
  assert.equal(await asked({ names: 'DNS:one.runners.example.com' }), 'known one.runners.example.com');
  assert.equal(await asked({ subject: '/CN=nightly/O=Acme' }), 'known CN=nightly,O=Acme');
  for (const twin of [
    { names: SVID },
    { names: 'DNS:ci.example.com.evil.test' },
    { names: 'DNS:a.b.runners.example.com' },
    { names: 'DNS:*.runners.example.com' },
    { subject: '/CN=nightly/O=Acme2' },
    { subject: '/CN=nightly' },
    { subject: '/CN=nightly/CN=other/O=Acme' },
  ]) {
    assert.match(await asked(twin), /no entry/, JSON.stringify(twin));
  }
});

for (const form of ['DER', 'PEM'] as const) {
  verifies('mtls.revoked', `a certificate on the list (${form}) is refused, and its twin is not`, async () => {
    const revoked = await ours.issue({ names: SVID });
    const agents = await part({ crl: [await ours.list([revoked], form)] });
    assert.match(await told(agents, over(revoked.der)), /revoked/);
    assert.match(await told(agents, over(claude.der)), /^known/);
    await agents.close?.();
  });
}

verifies('mtls.revoked', 'who was let in before counts no longer once a newer list names the certificate', async () => {
  const file = await ours.list([]);
  const agents = await part({ crl: [file] });
  const identified = await agents.identify(over(claude.der));
  assert.ok(identified.known && agents.holds?.(identified.principal));
  await agents.close?.();
  const again = await part({ crl: [await ours.list([claude], 'DER', file)] });
  assert.equal(again.holds?.(identified.principal), false);
  await again.close?.();
});

verifies('mtls.revoked', 'a list that is out of date, or none for an issuer, refuses everybody below', async () => {
  const clock = manualClock(Date.now() + 60_000);
  const [list, long] = [await ours.list([]), await ours.issue({ names: SVID, days: 30 })];
  const agents = await part({ crl: [list] }, {}, clock);
  clock.advance(3 * 86_400_000);
  const told2 = await told(agents, over(long.der));
  assert.match(told2, /out of date|expired/);
  assert.equal(agents.health?.().state, 'degraded');
  const between = await ours.below('unlisted');
  const { der } = await between.issue({ names: SVID });
  const strict = await part({ crl: [list] });
  assert.match(await told(strict, over(der, [between.der])), /no revocation list/);
  await Promise.all([agents.close?.(), strict.close?.()]);
});

verifies('mtls.revoked', 'a list that somebody else signed, or that was changed, does not start', async () => {
  await assert.rejects(part({ crl: [await theirs.list([])] }), /signed by no authority/);
  const file = await ours.list([claude]);
  const bytes = readFileSync(file);
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(file, bytes);
  await assert.rejects(part({ crl: [file] }), /signed by no authority|cannot be read/);
});

test('a list cut anywhere is refused, and nothing but DER is read', async () => {
  const bytes = readFileSync(await ours.list([claude]));
  for (let end = 0; end < bytes.length; end += 1) assert.throws(() => readList(bytes.subarray(0, end)));
  for (const wrong of ['3080', '308100', '30820001ff', '3f0100', '0201']) {
    assert.throws(() => readDer(Buffer.from(wrong, 'hex')), wrong);
  }
});

const header = (one: TestCertificate) => `:${one.der.toString('base64')}:`;
const from = (address: string, headers: Record<string, string>) =>
  sampleArrival(headers, { peer: { address, encrypted: true, certificate: undefined } });

verifies(
  'mtls.proxies',
  'Client-Cert counts from a named proxy only; from others its presence is refused',
  async () => {
    const agents = await part({}, { proxies: ['10.0.0.0/8', '2001:db8::1'] });
    const headers = { 'client-cert': header(claude) };
    for (const address of ['10.1.2.3', '2001:db8::1', '::ffff:10.1.2.3']) {
      assert.match(await told(agents, from(address, headers)), /^known/, address);
    }
    for (const address of ['11.1.2.3', '2001:db8::2', '', 'socket']) {
      assert.match(await told(agents, from(address, headers)), /not from a named proxy/, address);
    }
    assert.match(await told(agents, over(claude.der, [], headers)), /not from a named proxy/);
    assert.match(await told(agents, from('11.1.2.3', { 'client-cert-chain': header(ours) })), /not from a named proxy/);
  },
);

verifies('mtls.proxies', 'a proxy is never taken for its agent, and what it says is verified', async () => {
  const agents = await part({}, { proxies: ['192.0.2.1'] });
  assert.equal(await told(agents, over(claude.der)), 'absent');
  assert.match(await told(agents, from('192.0.2.1', { 'client-cert': header(stranger) })), /no authority/);
  for (const wrong of [
    '',
    ':',
    claude.pem,
    header(claude).slice(1),
    `${header(claude)}, ${header(claude)}`,
    `${header(claude)};a=1`,
  ]) {
    assert.match(await told(agents, from('192.0.2.1', { 'client-cert': wrong })), /RFC 9440/, wrong.slice(0, 20));
  }
  const between = await ours.below('behind');
  const leaf = await between.issue({ names: SVID });
  const chained = { 'client-cert': header(leaf), 'client-cert-chain': `${header(between)}, ${header(ours)}` };
  const identified = await agents.identify(from('192.0.2.1', chained));
  assert.ok(identified.known && identified.principal.proof.strength === 'bearer');
});
