/**
 * Which URI can a URI template (RFC 6570) have made? Templates come from servers and URIs from agents, so both are
 * hostile: no regular expression is built from them. Each part of a template is crossed with the URI once, from all
 * places that can be reached so far: time is parts × length, both bounded.
 *
 * `{x}` is anything but `/`, as servers' own matchers read it; `{+x}` and `{#x}` may hold `/`; `{?x,y}` and `{&x}` may
 * be absent. Values are never handed on, so what stands for which variable does not matter.
 */

const LONGEST_URI = 2_048;
const LONGEST_TEMPLATE = 1_024;
const MOST_EXPRESSIONS = 16;

type Part =
  | { readonly literal: string }
  /** `lead` stands before the value; `stop` are characters that the value cannot hold. */
  | { readonly lead: string; readonly stop: string; readonly optional: boolean };

export interface UriTemplate {
  matches(uri: string): boolean;
}

/** Undefined for a text that is no template, or one too large to be matched. It still has its exact text as a name. */
export function uriTemplate(text: string): UriTemplate | undefined {
  const parts = text.length > LONGEST_TEMPLATE ? undefined : partsOf(text);
  if (parts === undefined) return undefined;
  return { matches: (uri) => uri.length <= LONGEST_URI && reachesEnd(parts, uri) };
}

function partsOf(text: string): Part[] | undefined {
  const parts: Part[] = [];
  let at = 0;
  while (at < text.length) {
    const open = text.indexOf('{', at);
    const literal = text.slice(at, open < 0 ? text.length : open);
    if (literal.includes('}')) return undefined;
    if (literal !== '') parts.push({ literal });
    if (open < 0) break;
    const close = text.indexOf('}', open);
    const expression = close < 0 ? undefined : expressionOf(text.slice(open + 1, close));
    if (expression === undefined) return undefined;
    parts.push(expression);
    at = close + 1;
  }
  return parts.filter((part) => 'lead' in part).length > MOST_EXPRESSIONS ? undefined : parts;
}

function expressionOf(text: string): Part | undefined {
  const operator = '+#./;?&'.includes(text.charAt(0)) ? text.charAt(0) : '';
  const variables = text.slice(operator.length);
  if (!/^[A-Za-z0-9_.%]+(?::[0-9]{1,4}|\*)?(?:,[A-Za-z0-9_.%]+(?::[0-9]{1,4}|\*)?)*$/.test(variables)) return undefined;
  switch (operator) {
    case '+':
      return { lead: '', stop: '', optional: false };
    case '#':
      return { lead: '#', stop: '', optional: true };
    case '/':
      return { lead: '/', stop: /[,*]/.test(variables) ? '?#' : '/?#', optional: false };
    case '.':
      return { lead: '.', stop: '/', optional: false };
    case ';':
      return { lead: ';', stop: '/', optional: true };
    case '?':
    case '&':
      return { lead: operator, stop: '#', optional: true };
    default:
      return { lead: '', stop: '/', optional: false };
  }
}

/** `reached[i]`: the parts so far can have made the first `i` characters. */
function reachesEnd(parts: readonly Part[], uri: string): boolean {
  let reached = new Uint8Array(uri.length + 1);
  reached[0] = 1;
  for (const part of parts)
    reached = 'literal' in part ? afterLiteral(part.literal, uri, reached) : afterValue(part, uri, reached);
  return reached[uri.length] === 1;
}

function afterLiteral(literal: string, uri: string, reached: Uint8Array): Uint8Array<ArrayBuffer> {
  const next = new Uint8Array(uri.length + 1);
  for (const end of occurrences(literal, uri)) if (reached[end - literal.length] === 1) next[end] = 1;
  return next;
}

function afterValue(part: Extract<Part, { lead: string }>, uri: string, reached: Uint8Array): Uint8Array<ArrayBuffer> {
  const next = new Uint8Array(uri.length + 1);
  let inside = false;
  for (let at = 0; at <= uri.length; at++) {
    if (inside) next[at] = 1;
    if (part.optional && reached[at] === 1) next[at] = 1;
    if (at === uri.length) break;
    const character = uri.charAt(at);
    if (part.lead === '') inside = (inside || reached[at] === 1) && !part.stop.includes(character);
    else inside = (reached[at] === 1 && character === part.lead) || (inside && !part.stop.includes(character));
  }
  return next;
}

/** Ends of all occurrences of a literal, in one pass (Knuth–Morris–Pratt: a literal of `aaaa…` costs no more). */
function occurrences(literal: string, text: string): number[] {
  const back = [0];
  for (let at = 1, length = 0; at < literal.length; back.push(length), at++)
    length = extend(literal, back, length, literal.charAt(at));
  const ends: number[] = [];
  for (let at = 0, length = 0; at < text.length; at++) {
    length = extend(literal, back, length === literal.length ? (back[length - 1] ?? 0) : length, text.charAt(at));
    if (length === literal.length) ends.push(at + 1);
  }
  return ends;
}

function extend(literal: string, back: readonly number[], from: number, next: string): number {
  let length = from;
  while (length > 0 && literal.charAt(length) !== next) length = back[length - 1] ?? 0;
  return literal.charAt(length) === next ? length + 1 : length;
}
