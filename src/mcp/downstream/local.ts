/** Messages that the gateway writes itself. Ids in them are placeholders: the agent's edge puts in its own. */
import type { Message, MessageKind } from '../../gateway/exchange.ts';
import { writeNotification, writeResult } from '../codec/envelope.ts';
import { parseJson } from '../codec/json.ts';

export function resultMessage(method: string, result: object): Message {
  return made('closing', method, 'result', writeResult('0', JSON.stringify(result)));
}

export function notificationMessage(method: string, params: object): Message {
  return made('event', method, 'params', writeNotification(method, JSON.stringify(params)));
}

function made(kind: MessageKind, method: string, payload: Message['payload'], text: string): Message {
  const bytes = Buffer.from(text);
  const parsed = parseJson(bytes, { bytes: bytes.length, depth: 256 });
  if (!parsed.ok) throw new Error(`the gateway wrote ${method} wrongly: ${parsed.detail}`);
  return { kind, method, doc: parsed.doc, payload };
}
