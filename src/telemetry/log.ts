/** The gateway's own log: pino's JSON lines on standard error, or the same lines for a person at a terminal. */
import { pino } from 'pino';
import type { DestinationStream } from 'pino';
import type { Log } from '../gateway/ports.ts';

export interface LogSettings {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  /** auto: pretty on a terminal, JSON lines elsewhere. */
  readonly format: 'auto' | 'json' | 'pretty';
}

interface Output extends DestinationStream {
  readonly isTTY?: boolean;
}

// No caller may log a secret (law 3). This catches the slip; it is no licence.
const CENSORED = ['authorization', 'token', 'secret', 'password', 'headers', 'env'];

export function createLog({ level, format }: LogSettings, output: Output = process.stderr, env = process.env): Log {
  const pretty = format === 'pretty' || (format === 'auto' && output.isTTY === true);
  const colour = pretty && output.isTTY === true && !env['NO_COLOR'];
  const destination = pretty ? { write: (line: string) => output.write(prettyLine(line, colour)) } : output;
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: [...CENSORED, ...CENSORED.map((key) => `*.${key}`)], censor: '(hidden)' },
    },
    destination,
  );
}

const COLOURS: Readonly<Record<string, string>> = { debug: '\u001b[2m', warn: '\u001b[33m', error: '\u001b[31m' };

/** One JSON line as a person reads it. Values stay JSON, so that nothing hostile in them moves the cursor (law 11). */
export function prettyLine(line: string, colour: boolean): string {
  const { time, level, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const clock = String(time).slice(11, 19);
  const rest = Object.entries(fields).map(([key, value]) => ` ${key}=${visible(JSON.stringify(value))}`);
  const text = `${clock} ${String(level).padEnd(5)} ${visible(String(msg))}${rest.join('')}`;
  const start = colour ? COLOURS[String(level)] : undefined;
  return start === undefined ? `${text}\n` : `${start}${text}\u001b[0m\n`;
}

/** Control and direction characters as escapes: JSON escapes the first 32 only. */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
}
