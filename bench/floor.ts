/**
 * A proxy that only proxies, on what the gateway stands on: `node:http`, undici's `dispatch`, both bodies parsed and passed on
 * as they came. What the gateway costs beyond it, it spends on being a gateway. `node bench/floor.ts <upstream port>`
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Pool } from 'undici';

const pool = new Pool(`http://127.0.0.1:${process.argv[2] ?? ''}`, { allowH2: false });
const server = createServer((req, res) => gather(req, (body) => relay(req, body, res)));
server.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));

function gather(req: IncomingMessage, done: (body: Buffer) => void): void {
  const chunks: Buffer[] = [];
  req.on('data', (chunk: Buffer) => chunks.push(chunk));
  req.on('end', () => done(Buffer.concat(chunks)));
}

function relay(req: IncomingMessage, body: Buffer, res: ServerResponse): void {
  JSON.parse(body.toString());
  const chunks: Buffer[] = [];
  let status = 502;
  let type = 'application/json';
  const headers = ['content-type', 'application/json', 'accept', req.headers.accept ?? '*/*'];
  pool.dispatch(
    { path: req.url ?? '/', method: 'POST', headers, body },
    {
      onRequestStart: () => undefined,
      onResponseStart: (_controller, code, answered) => {
        status = code;
        type = String(answered['content-type']);
      },
      onResponseData: (_controller, chunk) => void chunks.push(chunk),
      onResponseEnd: () => respond(res, status, type, Buffer.concat(chunks)),
      onResponseError: () => respond(res, 502, 'text/plain', Buffer.alloc(0)),
    },
  );
}

function respond(res: ServerResponse, status: number, type: string, body: Buffer): void {
  if (type === 'application/json') JSON.parse(body.toString());
  res.writeHead(status, ['content-type', type, 'content-length', String(body.length)]).end(body);
}
