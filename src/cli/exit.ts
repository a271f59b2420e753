/** What every command's exit code means. */
export const EXIT = { ok: 0, problem: 1, usage: 2, noGateway: 3, refused: 4 } as const;

export const EXIT_MEANING: Readonly<Record<number, string>> = {
  0: 'ok',
  1: 'a problem was found, and told',
  2: 'wrong usage',
  3: 'no gateway is running where it was looked for',
  4: 'the gateway refused the call',
};
