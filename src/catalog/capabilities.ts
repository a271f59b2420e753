/** What an endpoint can do, from what its servers say: only what the gateway can keep end to end. */
import { isObject, type JsonObject } from '../gateway/document.ts';
import type { Era } from '../gateway/exchange.ts';
import type { Remembered } from './keeping.ts';
import { own } from './kinds.ts';

const TASKS = 'io.modelcontextprotocol/tasks';
const UI = 'io.modelcontextprotocol/ui';

/** Switches that are on as soon as one server has them. */
const UNION: Readonly<Record<string, readonly string[]>> = {
  tools: ['listChanged'],
  prompts: ['listChanged'],
  resources: ['subscribe', 'listChanged'],
  completions: [],
  logging: [],
};

/** Of servers that nobody has seen yet: lists exist at the gateway, if only empty ones. */
export const UNSEEN: JsonObject = {
  tools: { listChanged: true },
  prompts: { listChanged: true },
  resources: { subscribe: true, listChanged: true },
  completions: {},
};

/** One server's own capabilities, unknown members kept. Tasks of the two eras are different protocols: each stays in its own. */
export function ofOneServer({ era, capabilities }: Pick<Remembered, 'era' | 'capabilities'>, agent: Era): JsonObject {
  const shown: JsonObject = { ...capabilities };
  const extensions = extensionsOf(capabilities, era === agent);
  delete shown['extensions'];
  if (Object.keys(extensions).length > 0) shown['extensions'] = extensions;
  if (!(era === 'legacy' && agent === 'legacy')) delete shown['tasks'];
  return shown;
}

/** The union, in a fixed order. Experimental capabilities of one server are not those of all, and are left out. */
export function ofAll(servers: readonly Pick<Remembered, 'era' | 'capabilities'>[], agent: Era): JsonObject {
  const own = servers.map((server) => ofOneServer(server, agent));
  const joint: JsonObject = {};
  for (const [name, switches] of Object.entries(UNION)) {
    const having = own.map((capabilities) => capabilities[name]).filter(isObject);
    if (having.length > 0) joint[name] = switchesOf(having, switches);
  }
  const extensions: JsonObject = Object.assign({}, ...own.map((capabilities) => capabilities['extensions'] ?? {}));
  if (Object.keys(extensions).length > 0) joint['extensions'] = extensions;
  const tasks = own.map((capabilities) => capabilities['tasks']).filter(isObject);
  if (tasks.length > 0) joint['tasks'] = tasksOf(tasks);
  return joint;
}

function switchesOf(having: readonly JsonObject[], switches: readonly string[]): JsonObject {
  const on = switches.filter((name) => having.some((one) => own(one, name) === true));
  return Object.fromEntries(on.map((name) => [name, true]));
}

function extensionsOf(capabilities: JsonObject, sameEra: boolean): JsonObject {
  const declared = own(capabilities, 'extensions');
  if (!isObject(declared)) return {};
  const honoured = [UI, ...(sameEra ? [TASKS] : [])].filter((name) => isObject(own(declared, name)));
  return Object.fromEntries(honoured.map((name) => [name, declared[name] ?? {}]));
}

/** 2025-11-25 `tasks`: list, cancel, and which requests may become one. Of servers only `tools/call` may. */
function tasksOf(tasks: readonly JsonObject[]): JsonObject {
  const joint: JsonObject = {};
  for (const name of ['list', 'cancel']) if (tasks.some((one) => isObject(own(one, name)))) joint[name] = {};
  const calls = tasks.some((one) => own(own(own(one, 'requests'), 'tools'), 'call') !== undefined);
  if (calls) joint['requests'] = { tools: { call: {} } };
  return joint;
}
