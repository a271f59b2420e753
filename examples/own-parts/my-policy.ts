/** A policy of one's own: the owner may call the tools that are listed by server, and nothing else. */
import { defineComponent, z } from 'sallyport/component';
import type { Decision, Policy, Question } from 'sallyport/component';

const config = z.strictObject({
  group: z.string().min(1).default('owner').describe('Whoever is in this group may call.'),
  tools: z
    .record(z.string(), z.array(z.string()))
    .describe('Tools by server, under the names that the server gives them.'),
});

type Settings = z.infer<typeof config>;

export const component = defineComponent({
  kind: 'policy',
  use: 'my-policy',
  config,
  create: (settings): Policy => ({
    decide: (question) => decide(question, settings),
    release: (question) => decide(question, settings),
    // The settings never change while this part lives: a reload creates another.
    epoch: () => 0,
  }),
});

function decide({ principal, resource }: Omit<Question, 'params'>, { group, tools }: Settings): Decision {
  if (!principal.groups.includes(group)) return { effect: 'silence' };
  switch (resource.kind) {
    case 'gateway':
    case 'server':
      return { effect: 'permit', rules: [`group ${group}`], obligations: [] };
    case 'tool':
      return isListed(tools, resource.server, resource.name)
        ? { effect: 'permit', rules: [`tools of ${resource.server}`], obligations: [] }
        : { effect: 'forbid', rules: ['only listed tools'] };
    case 'prompt':
    case 'resource':
    case 'template':
    case 'task':
      return { effect: 'silence' };
  }
}

function isListed(tools: Settings['tools'], server = '', name = ''): boolean {
  return Object.hasOwn(tools, server) && tools[server]!.includes(name);
}
