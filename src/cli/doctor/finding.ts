/** wrong: something does not work. unsafe: it works, and a control is weaker than it could be. */
export interface Finding {
  readonly state: 'fine' | 'unsafe' | 'wrong';
  readonly what: string;
  readonly detail?: string | undefined;
  readonly remedy?: string | undefined;
}

export function fine(what: string, detail?: string): Finding {
  return { state: 'fine', what, detail };
}

export function unsafe(what: string, detail: string, remedy: string): Finding {
  return { state: 'unsafe', what, detail, remedy };
}

export function wrong(what: string, detail: string, remedy: string): Finding {
  return { state: 'wrong', what, detail, remedy };
}
