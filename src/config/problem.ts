/** What is wrong in a configuration file, where, and what was probably meant. Never holds a resolved reference. */

export interface Place {
  /** Both from 1. */
  readonly line: number;
  readonly column: number;
}

export interface Problem {
  readonly file: string;
  readonly place: Place;
  /** `servers.files.command`, `identity[0].use`; empty for the whole file. */
  readonly path: string;
  readonly expected: string;
  readonly found: string;
  readonly meant?: string | undefined;
}

/** One line: `sallyport.yaml:4:5 servers.files: expected …, found …, did you mean …?` */
export function problemText({ file, place, path, expected, found, meant }: Problem): string {
  const where = `${file}:${place.line}:${place.column}`;
  const guess = meant === undefined ? '' : `, did you mean ${JSON.stringify(meant)}?`;
  return `${where} ${path === '' ? '' : `${path}: `}expected ${expected}, found ${found}${guess}`;
}

export function pathText(path: readonly (string | number)[]): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`;
    return text === '' ? step : `${text}.${step}`;
  }, '');
}

/** In the order of the file, each line once. */
export function inOrder(problems: readonly Problem[]): Problem[] {
  const unique = new Map(problems.map((problem) => [problemText(problem), problem]));
  return [...unique.values()].sort((a, b) => a.place.line - b.place.line || a.place.column - b.place.column);
}

const SECRET_KEY = /token|secret|password|passphrase|key|authorization|credential|^headers$|^env$/i;

// https://user:password@host, postgres://user:password@host
const PASSWORD_IN_URL = /:\/\/[^/@\s]*:[^/@\s]+@/;

/** Whether a string that stands there literally may be, or hold, a secret. References are none. */
export function mayBeSecret(text: string, path: readonly (string | number)[]): boolean {
  return !text.includes('${') && (isSecretPlace(path) || PASSWORD_IN_URL.test(text));
}

/** Whether a literal at this place may be a secret, going by the names of the keys above it. */
function isSecretPlace(path: readonly (string | number)[]): boolean {
  return path.some((step) => typeof step === 'string' && SECRET_KEY.test(step)) && path.at(-1) !== 'use';
}
