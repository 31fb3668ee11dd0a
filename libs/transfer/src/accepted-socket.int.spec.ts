import { once } from 'node:events';
import { connect, createServer, Socket, type AddressInfo, type Server } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { until } from '../../../test/support/until.js';
import { readingInto } from './accepted-socket.js';
import { localPath } from './local-path.js';

const sockets: Socket[] = [];
const servers: Server[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  // The next one listens under the same name.
  const closed = (server: Server) => new Promise((resolve) => server.close(resolve));
  await Promise.all(servers.splice(0).map(closed));
});

type Kind = 'network' | 'host';

/** A client and its socket in the server, which reads into `memory` one piece behind the other. */
async function accept(kind: Kind, memory: Buffer) {
  const read = { bytes: 0 };
  const server = createServer();
  servers.push(server);
  const taken = new Promise<Socket>((resolve) => {
    server.once('connection', (accepted) => {
      const buffer = () => memory.subarray(read.bytes);
      const callback = (bytes: number) => {
        read.bytes += bytes;
        return true;
      };
      resolve(readingInto(accepted, { buffer, callback }));
    });
  });
  const path = localPath(`holdfast-test-${process.pid}`);
  const where = kind === 'host' ? { path } : { host: '127.0.0.1', port: 0 };
  await new Promise<void>((resolve) => server.listen(where, resolve));
  const client = connect(
    kind === 'host' ? { path } : { ...where, port: (server.address() as AddressInfo).port },
  );
  const socket = await taken;
  sockets.push(client, socket);
  return { client, socket, read };
}

describe.each<Kind>(['network', 'host'])('A socket of the %s that was taken over', (kind) => {
  it('reads into the memory that it is given, answers, and ends in order', async () => {
    const memory = Buffer.alloc(1024 * 1024 + 1);
    const { client, socket, read } = await accept(kind, memory);
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    const sent = Buffer.alloc(memory.length - 1, 'abcdefg');
    client.write(sent);
    await until(() => read.bytes === sent.length);
    expect(memory.subarray(0, sent.length).equals(sent)).toBe(true);
    expect(chunks).toEqual([]);
    socket.write('heard');
    expect(String((await once(client, 'data'))[0])).toBe('heard');
    const ends = Promise.all([once(socket, 'end'), once(socket, 'close'), once(client, 'close')]);
    client.end();
    await ends;
  });

  it('does not read while it is held back', async () => {
    const { client, socket, read } = await accept(kind, Buffer.alloc(64 * 1024 * 1024));
    socket.pause();
    const done = new Promise((resolve) => client.write(Buffer.alloc(60 * 1024 * 1024), resolve));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(read.bytes).toBe(0);
    socket.resume();
    await done;
    await until(() => read.bytes === 60 * 1024 * 1024);
  });
});

it('A socket that was taken over hears of a peer that breaks off', async () => {
  const { client, socket } = await accept('network', Buffer.alloc(1024));
  const failed = once(socket, 'error');
  client.resetAndDestroy();
  expect((await failed)[0]).toMatchObject({ code: 'ECONNRESET' });
  await until(() => socket.destroyed);
});

it('A socket is left alone where it encrypts', () => {
  const encrypted = Object.assign(new Socket(), { encrypted: true });
  expect(readingInto(encrypted, { buffer: Buffer.alloc(1), callback: () => true })).toBe(encrypted);
});
