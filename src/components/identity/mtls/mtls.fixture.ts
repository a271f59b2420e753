/** Authorities, certificates and revocation lists for tests, made by `openssl`. */
import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface TestCertificate {
  /** Paths of PEM files. */
  readonly cert: string;
  readonly key: string;
  readonly pem: string;
  readonly der: Buffer;
}

export interface IssueOptions {
  /** `URI:spiffe://…`, `DNS:…`, separated by commas. */
  readonly names?: string;
  /** `/CN=…/O=…` */
  readonly subject?: string;
  /** More `-addext` values. */
  readonly extensions?: readonly string[];
  readonly days?: number;
}

export interface TestAuthority extends TestCertificate {
  issue(options?: IssueOptions): Promise<TestCertificate>;
  /** An authority below this one. */
  below(name: string): Promise<TestAuthority>;
  /** A list of these, as DER or PEM; its path. */
  list(revoked: readonly TestCertificate[], form?: 'DER' | 'PEM', file?: string): Promise<string>;
}

const openssl = (...args: readonly string[]) => promisify(execFile)('openssl', args);
let made = 0;

export async function testAuthority(folder: string, name: string, parent?: TestCertificate): Promise<TestAuthority> {
  const own = await make(folder, parent, { subject: `/CN=${name}`, extensions: ['basicConstraints=critical,CA:TRUE'] });
  return {
    ...own,
    issue: ({ names, extensions = [], ...rest } = {}) =>
      make(folder, own, {
        ...rest,
        extensions: [
          'basicConstraints=critical,CA:FALSE',
          ...(names === undefined ? [] : [`subjectAltName=${names}`]),
          ...extensions,
        ],
      }),
    below: (below) => testAuthority(folder, below, own),
    list: (revoked, form = 'DER', file = join(folder, `list-${(made += 1)}.crl`)) =>
      revoke(folder, own, revoked, form, file),
  };
}

async function make(
  folder: string,
  parent: TestCertificate | undefined,
  { subject = '/CN=agent', extensions = [], days = 2 }: IssueOptions,
): Promise<TestCertificate> {
  made += 1;
  const [cert, key] = [join(folder, `c${made}.pem`), join(folder, `c${made}.key`)];
  const signer = parent ? ['-CA', parent.cert, '-CAkey', parent.key] : [];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', String(days)];
  const added = extensions.flatMap((one) => ['-addext', one]);
  await openssl('req', '-x509', ...curve, '-keyout', key, '-out', cert, '-subj', subject, ...signer, ...added);
  const pem = await readFile(cert, 'utf8');
  return { cert, key, pem, der: new X509Certificate(pem).raw };
}

async function revoke(
  folder: string,
  { cert, key }: TestCertificate,
  revoked: readonly TestCertificate[],
  form: 'DER' | 'PEM',
  file: string,
): Promise<string> {
  const base = join(folder, `ca-${(made += 1)}`);
  const rows = revoked.map(
    ({ der }) => `R\t350101000000Z\t250101000000Z\t${new X509Certificate(der).serialNumber}\tunknown\t/CN=x\n`,
  );
  await writeFile(`${base}.index`, rows.join(''));
  await writeFile(`${base}.number`, '01\n');
  await writeFile(
    `${base}.conf`,
    `[ca]\ndefault_ca=d\n[d]\ndatabase=${base}.index\ncrlnumber=${base}.number\ndefault_md=sha256\ndefault_crl_days=2\n`,
  );
  const list = ['ca', '-gencrl', '-config', `${base}.conf`, '-cert', cert, '-keyfile', key, '-out', `${base}.pem`];
  await openssl(...list);
  await openssl('crl', '-in', `${base}.pem`, '-outform', form, '-out', file);
  return file;
}
