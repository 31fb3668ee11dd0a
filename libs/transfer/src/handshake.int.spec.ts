import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { until } from '../../../test/support/until.js';
import { Connection } from './connection.js';
import { DataServer } from './data-server.js';
import { FragmentReaderClient } from './fragment-reader-client.js';
import { FragmentWriterClient } from './fragment-writer-client.js';
import { prove, sessionKeyOf } from './handshake.js';
import { localPath } from './local-path.js';
import { MESSAGE, payloadOf, type Message } from './message.js';
import { hello, parsePayload, type Hello } from './payloads.js';

const TOKEN = 'a-token-that-is-long-enough';
const { session: SESSION, key: KEY } = sessionKeyOf(TOKEN);
const READY = { fragmentBytesMax: 1_000_000, nextFragment: 1, archiveOffset: 0 };
const NONCE = 'n'.repeat(43);
const LOOPBACK = '127.0.0.1';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

/** The server that the token is for, and how often it let somebody in. */
async function realServer(port = 0) {
  const admitted: Pick<Hello, 'session' | 'role'>[] = [];
  const server = new DataServer({
    ...{ host: LOOPBACK, port, onBug: () => undefined },
    keyOf: (session) => (session === SESSION ? KEY : undefined),
    admit: (greeting) => {
      admitted.push(greeting);
      return { session: (connection) => connection.sendJson(MESSAGE.READY, READY) };
    },
  });
  closing.push(() => server.close());
  return { ...(await server.listen()), admitted };
}

type Answer = (connection: Connection, greeting: Message) => Promise<void>;

/** A process of somebody else that has taken the port: it keeps all that it is told. */
async function squatter(answer: Answer, at: { port: number } | { path: string } = { port: 0 }) {
  const heard: Message[] = [];
  const bytes: Buffer[] = [];
  const serve = async (socket: Socket): Promise<void> => {
    socket.on('data', (piece: Buffer) => void bytes.push(Buffer.from(piece)));
    const connection = new Connection(socket);
    closing.push(async () => connection.destroy());
    try {
      for (let message = await connection.receive(); message;) {
        heard.push(message);
        if (message.type === MESSAGE.HELLO) await answer(connection, message);
        message = await connection.receive();
      }
    } catch {
      // The client has cut it.
    }
  };
  const server: Server = createServer((socket) => void serve(socket));
  const where = 'path' in at ? at : { ...at, host: LOOPBACK };
  await new Promise<void>((resolve) => server.listen(where, resolve));
  closing.push(() => new Promise((resolve) => server.close(resolve)));
  const address = server.address();
  const port = typeof address === 'string' ? 1 : (address as AddressInfo).port;
  return { host: LOOPBACK, port, heard, bytes };
}

const ready: Answer = (connection) => connection.sendJson(MESSAGE.READY, READY);
const goOn: Answer = async (connection, message) => {
  const guess = sessionKeyOf('another-token-of-some-length').key;
  await prove(connection, parsePayload(message, hello), guess).catch(() => undefined);
  await ready(connection, message);
};

describe('Who has taken the port of a server that is gone', () => {
  it.each<[string, Answer]>([
    ['says READY', ready],
    ['proves with another token', goOn],
    [
      'sends back what it is sent',
      async (connection, message) => {
        const { session: proof, nonce } = parsePayload(message, hello);
        await connection.sendJson(MESSAGE.PROOF, { nonce, proof });
        await ready(connection, message);
      },
    ],
    ['refuses for good', async (connection) => connection.reject(46, 'the token was used before')],
    ['breaks the protocol', (connection) => connection.send(MESSAGE.PROOF, Buffer.from('{'))],
  ])('gets nothing where it %s, and it is as if nobody were there', async (_, answer) => {
    const { heard, bytes, ...at } = await squatter(answer);
    for (const client of [FragmentWriterClient, FragmentReaderClient]) {
      let tries = 0;
      // On a slow machine there may be no time for a second try: then with more patience.
      for (let patienceMs = 50; tries < 2 && patienceMs < 60_000; patienceMs *= 2) {
        const before = heard.length;
        await expect(client.connect({ ...at, token: TOKEN, patienceMs })).rejects.toMatchObject({
          name: 'ServerUnproven',
          status: 25,
          message: expect.stringContaining('does not prove that it is the server'),
        });
        tries = heard.length - before;
      }
      expect(tries).toBeGreaterThan(1);
    }
    expect(new Set(heard.map(({ type }) => type))).toEqual(new Set([MESSAGE.HELLO]));
    const all = Buffer.concat(bytes);
    for (const secret of [TOKEN, KEY.toString('hex')]) expect(all.includes(secret)).toBe(false);
  });

  it('cannot do anything with what it heard at the server that came back', async () => {
    const { heard, bytes: _, ...at } = await squatter(ready);
    const options = { ...at, token: TOKEN, patienceMs: 0 };
    await expect(FragmentWriterClient.connect(options)).rejects.toMatchObject({ status: 25 });
    const real = await realServer();
    const thief = new Connection(connect({ host: real.host, port: real.port }));
    await thief.send(MESSAGE.HELLO, Buffer.from(payloadOf(heard[0]!)));
    const proof = await thief.receive();
    expect(proof?.type).toBe(MESSAGE.PROOF);
    await thief.send(MESSAGE.PROOF, Buffer.from(payloadOf(proof!)));
    await expect(thief.receive()).rejects.toMatchObject({ status: 46 });
    expect(real.admitted).toEqual([]);
    (await FragmentWriterClient.connect({ ...real, token: TOKEN })).close();
    expect(real.admitted).toHaveLength(1);
  });

  it('is waited out, and the server is found when it has the port again', async () => {
    const { heard, bytes: _, ...at } = await squatter(ready);
    const writer = FragmentWriterClient.connect({ ...at, token: TOKEN, patienceMs: 60_000 });
    await until(() => heard.length >= 2);
    await Promise.all(closing.splice(0).map((close) => close()));
    const real = await realServer(at.port);
    (await writer).close();
    expect(real.admitted).toMatchObject([{ session: SESSION, role: 'write' }]);
  });

  it('under its name does not keep anybody from its port', async () => {
    const local = `holdfast-squatted-${process.pid}`;
    const { heard } = await squatter(ready, { path: localPath(local) });
    const { host, port, admitted } = await realServer();
    const writer = await FragmentWriterClient.connect({ host, port, local, token: TOKEN });
    writer.close();
    expect([heard.length, admitted.length]).toEqual([1, 1]);
  });
});

describe('The data server', () => {
  const sayHello = async (greeting: object) => {
    const { host, port, admitted } = await realServer();
    const connection = new Connection(connect({ host, port }));
    await connection.sendJson(MESSAGE.HELLO, greeting);
    return { connection, admitted };
  };

  it('says which version it speaks to a client of another one', async () => {
    const { connection } = await sayHello({ version: 1, token: TOKEN, role: 'write' });
    await expect(connection.receive()).rejects.toMatchObject({
      status: 26,
      message: expect.stringContaining('speaks version 2 of the data port'),
    });
  });

  it('lets nobody in who knows the name of a session and not its token', async () => {
    const greeting = { version: 2, session: SESSION, nonce: NONCE, role: 'read' };
    const { connection, admitted } = await sayHello(greeting);
    await connection.receive();
    await connection.sendJson(MESSAGE.PROOF, { proof: '0'.repeat(64) });
    await expect(connection.receive()).rejects.toMatchObject({ status: 46 });
    expect(admitted).toEqual([]);
  });

  it('does not wait for a PROOF for ever', async () => {
    const greeting = { version: 2, session: SESSION, nonce: NONCE, role: 'read' };
    const server = new DataServer({
      ...{ host: LOOPBACK, port: 0, onBug: () => undefined, helloTimeoutMs: 5_000 },
      keyOf: () => KEY,
      admit: () => ({ status: 46, message: 'no' }),
    });
    closing.push(() => server.close());
    const connection = new Connection(connect(await server.listen()));
    closing.push(async () => connection.destroy());
    // The connections' own ticks are intervals.
    jest.useFakeTimers({
      doNotFake: ['setInterval', 'setImmediate', 'nextTick', 'queueMicrotask'],
    });
    try {
      await connection.sendJson(MESSAGE.HELLO, greeting);
      expect((await connection.receive())?.type).toBe(MESSAGE.PROOF);
      jest.advanceTimersByTime(5_000);
    } finally {
      jest.useRealTimers();
    }
    await connection.receive().catch(() => undefined);
    await until(() => server.connectionCount === 0);
  });
});
