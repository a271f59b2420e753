/** Settings that weaken a control. They may be wanted; nobody should have them without knowing. */
import { isLoopback } from '../../config/address.ts';
import type { Config } from '../../config/config.ts';
import type { Loaded } from '../../config/load.ts';
import { mayBeSecret, pathText } from '../../config/problem.ts';
import { unsafe } from './finding.ts';
import type { Finding } from './finding.ts';

export function unsafeSettings({ config, effective }: Loaded): Finding[] {
  return [
    ...observing(config),
    ...inTheClear(config),
    ...uninspected(config),
    ...shared(config),
    ...literalSecrets(effective.tree),
  ];
}

function observing({ mode }: Config): Finding[] {
  if (mode === 'enforce') return [];
  return [
    unsafe(
      'mode',
      'observe: refusals of policy, limits, inspection and redaction are not carried out',
      'mode: enforce',
    ),
  ];
}

function inTheClear({ listen, tls, plain }: Config): Finding[] {
  if (tls !== undefined || !plain || listen.every(isLoopback)) return [];
  return [unsafe('listen', 'tokens cross the network in the clear', 'set tls, or listen on loopback')];
}

function uninspected({ inspect, redact }: Config): Finding[] {
  const real = (parts: Config['inspect']) => parts.some(({ component }) => component.use !== 'none');
  const remedy = 'list parts under this key, in the order in which they should look';
  return [
    ...(real(inspect) ? [] : [unsafe('inspect', 'nothing looks into messages', remedy)]),
    ...(real(redact) ? [] : [unsafe('redact', 'nothing is taken out of answers', remedy)]),
  ];
}

function shared({ servers }: Config): Finding[] {
  const names = servers.filter(({ isolation }) => isolation === 'shared').map(({ name }) => name);
  if (names.length === 0) return [];
  return [
    unsafe(
      'isolation',
      `all callers share ${names.join(', ')}: what one leaves there another may see`,
      'isolation: principal',
    ),
  ];
}

function literalSecrets(tree: unknown): Finding[] {
  return literalsIn(tree, []).map((path) =>
    unsafe(path, 'a literal where a secret usually stands', 'write it as ${env:NAME} or ${file:path}'),
  );
}

function literalsIn(tree: unknown, path: readonly (string | number)[]): string[] {
  if (typeof tree === 'string') return mayBeSecret(tree, path) ? [pathText(path)] : [];
  if (typeof tree !== 'object' || tree === null) return [];
  if (Array.isArray(tree)) return tree.flatMap((item: unknown, index) => literalsIn(item, [...path, index]));
  return Object.entries(tree).flatMap(([key, item]) => literalsIn(item, [...path, key]));
}
