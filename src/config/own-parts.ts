/** Parts from outside the box: `use: ./my-part.ts`, or the name of an installed package. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { isAbsolute, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { AnyComponent } from '../gateway/component.ts';
import { nearest } from '../lib/distance.ts';
import { SLOTS } from './config.ts';
import { offerOwnModules } from './own-modules.ts';
import type { Path } from './source.ts';

export interface OwnFault {
  readonly path: Path;
  readonly expected: string;
  readonly found: string;
}

interface Use {
  readonly kind: string;
  readonly use: string;
  /** Of the value behind `use`. */
  readonly path: Path;
}

/** The components that the file names and the box does not hold, each under the name it was given in the file. */
export async function ownParts(
  tree: unknown,
  box: readonly AnyComponent[],
  file: string,
): Promise<{ parts: AnyComponent[]; faults: OwnFault[] }> {
  const parts: AnyComponent[] = [];
  const faults: OwnFault[] = [];
  for (const wanted of uses(tree).filter((use) => isOutside(use, box))) {
    if (parts.some(({ kind, use }) => kind === wanted.kind && use === wanted.use)) continue;
    const found = await load(wanted, file);
    if ('component' in found) parts.push({ ...found.component, use: wanted.use });
    else faults.push({ path: wanted.path, ...found });
  }
  return { parts, faults };
}

/** A name that is nearly one of the box is a slip; nothing of that name is looked for among packages. */
function isOutside({ kind, use }: Use, box: readonly AnyComponent[]): boolean {
  const names = box.filter((component) => component.kind === kind).map((component) => component.use);
  return isPath(use) || (!names.includes(use) && nearest(use, names) === undefined);
}

function isPath(use: string): boolean {
  return use.startsWith('./') || use.startsWith('../') || isAbsolute(use);
}

async function load({ kind, use }: Use, file: string): Promise<{ component: AnyComponent } | Omit<OwnFault, 'path'>> {
  const expected = `a part of kind ${kind}: one of the box, a path such as "./my-part.ts", or an installed package`;
  const where = locate(use, file);
  if (where === undefined) return { expected, found: `${JSON.stringify(use)}, which does not exist` };
  offerOwnModules();
  try {
    const module = (await import(where)) as { component?: unknown };
    if (!isComponent(module.component)) {
      return { expected: `an export named component, made by defineComponent, in ${use}`, found: 'none' };
    }
    if (module.component.kind !== kind) return { expected, found: `${use}, which is of kind ${module.component.kind}` };
    return { component: module.component };
  } catch (error) {
    return { expected, found: `${use}, which fails: ${error instanceof Error ? error.message : 'it threw'}` };
  }
}

function locate(use: string, file: string): string | undefined {
  if (isPath(use)) {
    const path = resolve(file, '..', use);
    return existsSync(path) ? pathToFileURL(path).href : undefined;
  }
  try {
    return pathToFileURL(createRequire(file).resolve(use)).href;
  } catch {
    return undefined;
  }
}

function isComponent(value: unknown): value is AnyComponent {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, config, create } = value as Partial<AnyComponent>;
  return typeof kind === 'string' && typeof config === 'object' && typeof create === 'function';
}

function uses(tree: unknown): Use[] {
  const slots = Object.entries(SLOTS).flatMap(([slot, kind]) => {
    const value = member(tree, slot);
    if (!Array.isArray(value)) return useOf(value, kind, [slot]);
    return value.flatMap((item: unknown, index) => useOf(item, kind, [slot, index]));
  });
  const servers = member(tree, 'servers');
  const names = typeof servers === 'object' && servers !== null ? Object.keys(servers) : [];
  const credentials = names.flatMap((name) =>
    useOf(member(member(servers, name), 'credentials'), 'credentials', ['servers', name, 'credentials']),
  );
  return [...slots, ...credentials];
}

function useOf(settings: unknown, kind: string, path: Path): Use[] {
  const use = member(settings, 'use');
  return typeof use === 'string' ? [{ kind, use, path: [...path, 'use'] }] : [];
}

function member(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}
