/**
 * One row per MCP method of both eras. No row, no way: a method that is not here is refused (law 1).
 *
 * opener   who sends the opening
 * wire     request · notification · http (a verb of the legacy transport, never a JSON-RPC method)
 * eras     in which the method exists on the wire
 * target   how `resolve` finds what is meant
 * answers  who answers: the upstream, the catalog, the gateway itself, or a merge of several servers
 * events   notifications that may travel below the exchange, either way
 * asks     what the server may ask the agent while the exchange is open
 * action   what policy decides on
 * cache    whether the result carries caching hints (2026-07-28 server/utilities/caching)
 */
import type { Era } from './exchange.ts';

export type Opener = 'agent' | 'server';
export type Wire = 'request' | 'notification' | 'http';
export type TargetKind = 'gateway' | 'servers' | 'tool' | 'prompt' | 'resource' | 'reference' | 'task' | 'exchange';
export type Answers = 'upstream' | 'catalog' | 'gateway' | 'merge' | 'agent' | 'nobody';

export interface MethodRow {
  readonly method: string;
  readonly opener: Opener;
  readonly wire: Wire;
  readonly eras: readonly Era[];
  readonly target: TargetKind;
  readonly answers: Answers;
  readonly events: readonly string[];
  readonly asks: readonly string[];
  readonly action: string;
  readonly cache: boolean;
}

const both: readonly Era[] = ['modern', 'legacy'];
const modern: readonly Era[] = ['modern'];
const legacy: readonly Era[] = ['legacy'];

const NONE: readonly string[] = [];
const WORK = [
  'notifications/progress',
  'notifications/message',
  'notifications/cancelled',
  'notifications/elicitation/complete',
  'notifications/tasks/status',
];
const ASKS = [
  'sampling/createMessage',
  'elicitation/create',
  'roots/list',
  'ping',
  'tasks/get',
  'tasks/result',
  'tasks/list',
  'tasks/cancel',
];
const NEWS = [
  'notifications/subscriptions/acknowledged',
  'notifications/tools/list_changed',
  'notifications/prompts/list_changed',
  'notifications/resources/list_changed',
  'notifications/resources/updated',
  'notifications/message',
  'notifications/tasks',
  'notifications/tasks/status',
  'notifications/elicitation/complete',
  'notifications/progress',
  'notifications/cancelled',
];

type Columns = [
  Opener,
  string,
  Wire,
  readonly Era[],
  TargetKind,
  Answers,
  readonly string[],
  readonly string[],
  string,
  boolean?,
];

// prettier-ignore
const TABLE: readonly Columns[] = [
  // opener   method                                    wire            eras    target       answers     events asks  action              cache
  ['agent',  'initialize',                              'request',      legacy, 'gateway',   'gateway',  NEWS,  ASKS, 'session.open'            ],
  ['agent',  'session/stream',                          'http',         legacy, 'gateway',   'gateway',  NEWS,  ASKS, 'session.stream'          ],
  ['agent',  'session/end',                             'http',         legacy, 'gateway',   'gateway',  NONE,  NONE, 'session.end'             ],
  ['agent',  'ping',                                    'request',      legacy, 'gateway',   'gateway',  NONE,  NONE, 'gateway.ping'            ],
  ['agent',  'server/discover',                         'request',      modern, 'servers',   'catalog',  NONE,  NONE, 'server.discover',    true],
  ['agent',  'tools/list',                              'request',      both,   'servers',   'catalog',  NONE,  NONE, 'tool.list',          true],
  ['agent',  'tools/call',                              'request',      both,   'tool',      'upstream', WORK,  ASKS, 'tool.call'               ],
  ['agent',  'prompts/list',                            'request',      both,   'servers',   'catalog',  NONE,  NONE, 'prompt.list',        true],
  ['agent',  'prompts/get',                             'request',      both,   'prompt',    'upstream', WORK,  ASKS, 'prompt.get'              ],
  ['agent',  'resources/list',                          'request',      both,   'servers',   'catalog',  NONE,  NONE, 'resource.list',      true],
  ['agent',  'resources/templates/list',                'request',      both,   'servers',   'catalog',  NONE,  NONE, 'resource.list',      true],
  ['agent',  'resources/read',                          'request',      both,   'resource',  'upstream', WORK,  ASKS, 'resource.read',      true],
  ['agent',  'resources/subscribe',                     'request',      legacy, 'resource',  'upstream', NONE,  NONE, 'resource.subscribe'      ],
  ['agent',  'resources/unsubscribe',                   'request',      legacy, 'resource',  'upstream', NONE,  NONE, 'resource.unsubscribe'    ],
  ['agent',  'subscriptions/listen',                    'request',      modern, 'servers',   'gateway',  NEWS,  NONE, 'events.listen'           ],
  ['agent',  'completion/complete',                     'request',      both,   'reference', 'upstream', WORK,  NONE, 'completion.complete'     ],
  ['agent',  'logging/setLevel',                        'request',      legacy, 'servers',   'merge',    NONE,  NONE, 'logging.set-level'       ],
  ['agent',  'tasks/get',                               'request',      both,   'task',      'upstream', WORK,  ASKS, 'task.get'                ],
  ['agent',  'tasks/result',                            'request',      legacy, 'task',      'upstream', WORK,  ASKS, 'task.result'             ],
  ['agent',  'tasks/update',                            'request',      modern, 'task',      'upstream', NONE,  NONE, 'task.update'             ],
  ['agent',  'tasks/cancel',                            'request',      both,   'task',      'upstream', NONE,  NONE, 'task.cancel'             ],
  ['agent',  'tasks/list',                              'request',      legacy, 'servers',   'merge',    NONE,  NONE, 'task.list'               ],
  ['agent',  'notifications/initialized',               'notification', legacy, 'gateway',   'gateway',  NONE,  NONE, 'session.open'            ],
  ['agent',  'notifications/cancelled',                 'notification', both,   'exchange',  'nobody',   NONE,  NONE, 'exchange.cancel'         ],
  ['agent',  'notifications/progress',                  'notification', legacy, 'exchange',  'nobody',   NONE,  NONE, 'exchange.progress'       ],
  ['agent',  'notifications/roots/list_changed',        'notification', legacy, 'servers',   'merge',    NONE,  NONE, 'roots.changed'           ],
  ['agent',  'notifications/tasks/status',              'notification', legacy, 'exchange',  'nobody',   NONE,  NONE, 'exchange.progress'       ],

  ['server', 'sampling/createMessage',                  'request',      legacy, 'exchange',  'agent',    WORK,  NONE, 'ask.sampling'            ],
  ['server', 'elicitation/create',                      'request',      legacy, 'exchange',  'agent',    WORK,  NONE, 'ask.elicitation'         ],
  ['server', 'roots/list',                              'request',      legacy, 'exchange',  'agent',    WORK,  NONE, 'ask.roots'               ],
  ['server', 'ping',                                    'request',      legacy, 'exchange',  'gateway',  NONE,  NONE, 'gateway.ping'            ],
  ['server', 'tasks/get',                               'request',      legacy, 'exchange',  'agent',    NONE,  NONE, 'ask.task'                ],
  ['server', 'tasks/result',                            'request',      legacy, 'exchange',  'agent',    NONE,  NONE, 'ask.task'                ],
  ['server', 'tasks/list',                              'request',      legacy, 'exchange',  'agent',    NONE,  NONE, 'ask.task'                ],
  ['server', 'tasks/cancel',                            'request',      legacy, 'exchange',  'agent',    NONE,  NONE, 'ask.task'                ],
  ['server', 'notifications/progress',                  'notification', both,   'exchange',  'nobody',   NONE,  NONE, 'event.progress'          ],
  ['server', 'notifications/message',                   'notification', both,   'exchange',  'nobody',   NONE,  NONE, 'event.log'               ],
  ['server', 'notifications/cancelled',                 'notification', both,   'exchange',  'nobody',   NONE,  NONE, 'event.cancel'            ],
  ['server', 'notifications/tools/list_changed',        'notification', both,   'exchange',  'nobody',   NONE,  NONE, 'event.list-changed'      ],
  ['server', 'notifications/prompts/list_changed',      'notification', both,   'exchange',  'nobody',   NONE,  NONE, 'event.list-changed'      ],
  ['server', 'notifications/resources/list_changed',    'notification', both,   'exchange',  'nobody',   NONE,  NONE, 'event.list-changed'      ],
  ['server', 'notifications/resources/updated',         'notification', both,   'exchange',  'nobody',   NONE,  NONE, 'event.resource-updated'  ],
  ['server', 'notifications/subscriptions/acknowledged','notification', modern, 'exchange',  'nobody',   NONE,  NONE, 'event.acknowledged'      ],
  ['server', 'notifications/elicitation/complete',      'notification', legacy, 'exchange',  'nobody',   NONE,  NONE, 'event.elicitation'       ],
  ['server', 'notifications/tasks/status',              'notification', legacy, 'exchange',  'nobody',   NONE,  NONE, 'event.task'              ],
  ['server', 'notifications/tasks',                     'notification', modern, 'exchange',  'nobody',   NONE,  NONE, 'event.task'              ],
];

export const METHODS: readonly MethodRow[] = TABLE.map(
  ([opener, method, wire, eras, target, answers, events, asks, action, cache = false]) => ({
    method,
    opener,
    wire,
    eras,
    target,
    answers,
    events,
    asks,
    action,
    cache,
  }),
);

const byName = new Map(METHODS.map((row) => [`${row.opener} ${row.method}`, row]));

export function methodRow(opener: Opener, method: string): MethodRow | undefined {
  return byName.get(`${opener} ${method}`);
}
