import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { until } from './until.js';
import { TcpProxy } from './tcp-proxy.js';

/** Long enough for what would pass to have passed. */
const A_WHILE_MS = 100;

describe('a link through the proxy', () => {
  let echo: Server;
  let proxy: TcpProxy;
  const clients: Socket[] = [];

  beforeEach(async () => {
    echo = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => undefined);
      socket.pipe(socket);
    });
    echo.listen(0, '127.0.0.1');
    await once(echo, 'listening');
    proxy = await TcpProxy.start({ port: (echo.address() as AddressInfo).port });
  });

  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy();
    await proxy.stop();
    echo.close();
  });

  /** A client, and what it has heard. */
  async function open() {
    const socket = connect(proxy.port, '127.0.0.1');
    clients.push(socket);
    const heard: Buffer[] = [];
    const errors: string[] = [];
    socket.on('data', (bytes: Buffer) => void heard.push(bytes));
    socket.on('error', (error: NodeJS.ErrnoException) => void errors.push(error.code ?? ''));
    const closed = new Promise<void>((resolve) => void socket.once('close', () => resolve()));
    const connected = new Promise<void>((resolve) => void socket.once('connect', resolve));
    await Promise.race([connected, closed]);
    return { socket, errors, closed, heard: () => Buffer.concat(heard) };
  }

  async function heardAll(client: { heard(): Buffer }, length: number): Promise<Buffer> {
    return until(client.heard, { is: (bytes) => bytes.length >= length, what: 'all bytes' });
  }

  it('passes everything both ways, and the end of a stream', async () => {
    const client = await open();
    const sent = Buffer.alloc(8 * 1024 * 1024, 'holdfast ');
    client.socket.end(sent);
    await once(client.socket, 'end');
    expect(client.heard().equals(sent)).toBe(true);
    expect([proxy.passed('toTarget'), proxy.passed('toClient')]).toEqual([
      sent.length,
      sent.length,
    ]);
  });

  it('is gone when it is cut, and there again when it is restored', async () => {
    const client = await open();
    client.socket.write('one');
    await heardAll(client, 3);
    proxy.cut();
    await client.closed;
    expect(client.errors).toEqual(['ECONNRESET']);
    const refused = await open();
    await refused.closed;
    expect(refused.errors).toEqual(['ECONNRESET']);
    proxy.restore();
    const again = await open();
    again.socket.write('two');
    expect((await heardAll(again, 3)).toString()).toBe('two');
    await until(() => proxy.connections === 1, { what: 'the cut connections to be forgotten' });
  });

  it('holds everything while it is frozen, and forgets nothing', async () => {
    const client = await open();
    proxy.freeze();
    client.socket.write('one ');
    client.socket.write('two');
    await sleep(A_WHILE_MS);
    expect(client.heard().length).toBe(0);
    expect(client.errors).toEqual([]);
    proxy.thaw();
    expect((await heardAll(client, 7)).toString()).toBe('one two');
  });

  it('can be frozen in one direction only', async () => {
    const client = await open();
    proxy.freeze(['toClient']);
    client.socket.write('heard by nobody but the target');
    await until(() => proxy.passed('toTarget') === 30, { what: 'the target to hear it' });
    await sleep(A_WHILE_MS);
    expect(client.heard().length).toBe(0);
    proxy.thaw();
    expect((await heardAll(client, 30)).length).toBe(30);
  });

  it('makes a sender wait when it holds too much', async () => {
    const client = await open();
    proxy.freeze();
    const sent = Buffer.alloc(32 * 1024 * 1024, 1);
    client.socket.write(sent);
    await sleep(A_WHILE_MS);
    expect(client.socket.writableLength).toBeGreaterThan(0);
    proxy.thaw();
    expect((await heardAll(client, sent.length)).length).toBe(sent.length);
  });

  it('delays each way', async () => {
    const client = await open();
    proxy.delay(80);
    const begun = performance.now();
    client.socket.write('slow');
    await heardAll(client, 4);
    expect(performance.now() - begun).toBeGreaterThan(155);
  });
});
