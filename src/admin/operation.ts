/** The shape of one row of the admin API. Server, OpenAPI document and tests are made from the same rows. */
import type { z } from 'zod';
import type { Agents } from '../catalog/agents.ts';
import type { KeyShelf } from '../components/identity/api-key/keys.ts';

export interface AdminSources {
  /** Of the gateway. */
  readonly version: string;
  readonly agents: Agents;
  readonly keys: KeyShelf;
  /** Whether an identity part reads keys; without one they would open nothing. */
  readonly keysInForce: () => boolean;
  readonly status: () => object;
  readonly configuration: () => object;
}

export type Outcome =
  | { readonly ok: true; readonly body?: unknown }
  | { readonly ok: false; readonly problem: Problem };

/** RFC 9457, with what to do about it. */
export interface Problem {
  readonly status: number;
  readonly title: string;
  readonly detail?: string;
  readonly remedy?: string;
  /** JSON pointers into what was sent, and what was expected there. */
  readonly problems?: readonly { readonly place: string; readonly expected: string }[];
}

export interface Asked<Body> {
  readonly params: Readonly<Record<string, string>>;
  readonly body: Body;
  readonly sources: AdminSources;
}

export interface Operation {
  readonly id: string;
  readonly verb: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Below `/admin/v1`; `{name}` stands for one segment. */
  readonly path: string;
  /** What policy is asked: `admin.<what>.read` or `admin.<what>.write`. */
  readonly action: `admin.${string}.${'read' | 'write'}`;
  readonly summary: string;
  readonly body: z.ZodType | undefined;
  readonly answer: z.ZodType | undefined;
  readonly status: 200 | 201 | 204;
  readonly run: (asked: Asked<unknown>) => Outcome | Promise<Outcome>;
}

type Row<B extends z.ZodType | undefined> = Omit<Operation, 'body' | 'run'> & {
  readonly body: B;
  readonly run: (asked: Asked<B extends z.ZodType ? z.output<B> : undefined>) => Outcome | Promise<Outcome>;
};

/** Ties the type of the body to what runs: the body was checked by its schema before. */
export function operation<B extends z.ZodType | undefined>(row: Row<B>): Operation {
  return row as unknown as Operation;
}

export const done = (body?: unknown): Outcome => ({ ok: true, body });

export function problem(status: number, title: string, remedy: string): Outcome {
  return { ok: false, problem: { status, title, remedy } };
}
