import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { until } from '../../../test/support/until.js';
import { Connection, SILENT_TICKS_MAX, type ConnectionOptions } from './connection.js';
import { ConnectionBroken, PeerFailure, PeerSilent, ProtocolError } from './errors.js';
import { MESSAGE, payloadOf } from './message.js';

const open: Connection[] = [];
const sockets: Socket[] = [];
afterEach(() => {
  for (const connection of open.splice(0)) connection.destroy();
  for (const socket of sockets.splice(0)) socket.destroy();
});

async function socketPair(): Promise<[Socket, Socket]> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const { port } = server.address() as AddressInfo;
  const client = connect({ host: '127.0.0.1', port });
  const pair: [Socket, Socket] = [client, await accepted];
  server.close();
  sockets.push(...pair);
  return pair;
}

async function pair(options: Partial<ConnectionOptions> = {}): Promise<[Connection, Connection]> {
  const [a, b] = await socketPair();
  const both: [Connection, Connection] = [new Connection(a, options), new Connection(b, options)];
  open.push(...both);
  return both;
}

const text = (value: string) => Buffer.from(value);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('A data connection', () => {
  it('carries messages both ways, in order, and ends in order', async () => {
    const [a, b] = await pair();
    for (let i = 0; i < 100; i += 1) await a.send(MESSAGE.DATA, text(`${i}`), text('!'));
    await b.sendJson(MESSAGE.END, { size: 1 });
    a.end();
    for (let i = 0; i < 100; i += 1) {
      expect(payloadOf((await b.receive())!).toString()).toBe(`${i}!`);
    }
    expect(await b.receive()).toBeUndefined();
    await expect(b.send(MESSAGE.DATA, text('late'))).rejects.toBeInstanceOf(ConnectionBroken);
    await Promise.all([a.closed(), b.closed()]);
  });

  it('gives back what it was lent, however that goes', async () => {
    const [a, b] = await pair();
    const given: string[] = [];
    const lend = (name: string) => a.lend(MESSAGE.DATA, [text(name)], () => void given.push(name));
    await lend('sent');
    expect(payloadOf((await b.receive())!).toString()).toBe('sent');
    const failure = new PeerFailure(1, 'over');
    a.interrupt(failure);
    await expect(lend('after a failure')).rejects.toBe(failure);
    const [c] = await pair();
    c.end();
    const late = c.lend(MESSAGE.DATA, [text('x')], () => void given.push('after the end'));
    await expect(late).rejects.toBeInstanceOf(ConnectionBroken);
    expect(given).toEqual(['sent', 'after a failure', 'after the end']);
  });

  it('holds the sender back when the receiver is behind, and loses nothing', async () => {
    const ringBytes = 256 * 1024;
    const [a, b] = await pair({ ringBytes });
    const block = Buffer.alloc(128 * 1024, 7);
    let sent = 0;
    const sending = (async () => {
      for (; sent < 400; sent += 1) await a.send(MESSAGE.FRAME, block);
    })();
    const { counters } = b;
    await until(() => a.counters.waitsToSend > 0 && counters.waitsForEmptyBuffer > 0);
    // What the system keeps between the two may still grow; what is behind it may not.
    const early = counters.bytesReceived;
    expect(early).toBeLessThan(ringBytes + 2 * block.length);
    await pause(100);
    expect(counters.bytesReceived).toBe(early);
    expect(sent).toBeLessThan(300);
    for (let i = 0; i < 400; i += 1) expect((await b.receive())!.length).toBe(block.length);
    await sending;
    expect(a.counters.waitsToSend).toBeGreaterThan(0);
    expect(b.counters.waitsForEmptyBuffer).toBeGreaterThan(0);
    expect(b.counters.bytesReceived).toBe(a.counters.bytesSent);
  });

  it('holds a sender of empty messages back, too', async () => {
    const [client, server] = await socketPair();
    const b = new Connection(server, { ringBytes: 64 * 1024 });
    open.push(b);
    const empty = Buffer.from([0, 0, 0, 1, MESSAGE.END]);
    const count = 200_000;
    client.write(Buffer.alloc(count * empty.length, empty));
    await until(() => b.counters.waitsForEmptyBuffer > 0);
    await pause(100);
    expect(b.counters.waitsForEmptyBuffer).toBe(1);
    expect(b.counters.bytesReceived).toBeLessThan(count);
    let received = 0;
    // An `expect` for each of so many takes half a minute on a busy machine.
    for (; received < count; received += 1) if ((await b.receive())?.length !== 0) break;
    expect(received).toBe(count);
  });

  it('shows the peer the ERROR even while the peer goes on sending', async () => {
    const [a, b] = await pair();
    const sending = (async () => {
      for (;;) await a.send(MESSAGE.FRAME, Buffer.alloc(256 * 1024));
    })();
    sending.catch(() => undefined);
    await b.receive();
    b.reject(129, 'Disk storage unit is full');
    await expect(a.receive()).rejects.toMatchObject({ name: 'PeerFailure', status: 129 });
    await expect(sending).rejects.toBeInstanceOf(Error);
    await b.closed();
  });

  it('gives what came before a failure, then the failure, every time', async () => {
    const [a, b] = await pair();
    await a.send(MESSAGE.DATA, text('one'));
    a.reject(85, 'no');
    await b.closed();
    expect(payloadOf((await b.receive())!).toString()).toBe('one');
    await expect(b.receive()).rejects.toBeInstanceOf(PeerFailure);
    await expect(b.receive()).rejects.toBeInstanceOf(PeerFailure);
  });

  it('says broken when the peer vanishes', async () => {
    const [client, server] = await socketPair();
    const b = new Connection(server);
    open.push(b);
    client.resetAndDestroy();
    await expect(b.receive()).rejects.toMatchObject({ name: 'ConnectionBroken', status: 40 });
  });

  it('says broken when the stream ends in the middle of a message', async () => {
    const [client, server] = await socketPair();
    const b = new Connection(server);
    open.push(b);
    client.end(Buffer.from([0, 0, 1, 0, 3, 1, 2]));
    await expect(b.receive()).rejects.toThrow(/middle of a message/);
  });

  it('can tell a peer that speaks something else', async () => {
    const [client, server] = await socketPair();
    const b = new Connection(server);
    open.push(b);
    client.write('GET / HTTP/1.1\r\n\r\n');
    await expect(b.receive()).rejects.toBeInstanceOf(ProtocolError);
    const answer = new Promise<Buffer>((resolve) => client.once('data', resolve));
    b.reject(26, 'not our protocol');
    expect((await answer)[4]).toBe(MESSAGE.ERROR);
  });

  it('stays open without traffic, by PINGs that nobody sees', async () => {
    const [a, b] = await pair({ tickMs: 5 });
    const got = b.receive();
    await pause(5 * SILENT_TICKS_MAX * 3);
    expect(a.counters.bytesSent).toBeGreaterThan(0);
    await a.send(MESSAGE.DATA, text('still here'));
    expect(payloadOf((await got)!).toString()).toBe('still here');
  });

  it('ends when the peer is silent', async () => {
    const [client, server] = await socketPair();
    client.resume();
    const b = new Connection(server, { tickMs: 5 });
    open.push(b);
    await expect(b.receive()).rejects.toBeInstanceOf(PeerSilent);
    await expect(b.send(MESSAGE.DATA)).rejects.toMatchObject({ status: 41 });
  });

  it('does not take its own back-pressure for silence', async () => {
    const [a, b] = await pair({ tickMs: 5, ringBytes: 1024 });
    await a.send(MESSAGE.DATA, Buffer.alloc(512));
    await a.send(MESSAGE.DATA, Buffer.alloc(4096));
    await pause(5 * SILENT_TICKS_MAX * 3);
    expect((await b.receive())!.length).toBe(512);
    expect((await b.receive())!.length).toBe(4096);
    await a.send(MESSAGE.DATA, text('on'));
    expect(payloadOf((await b.receive())!).toString()).toBe('on');
  });

  it('can be interrupted from outside and still say why', async () => {
    const [a, b] = await pair();
    const receiving = b.receive();
    b.interrupt(new Error('cancelled'));
    await expect(receiving).rejects.toThrow('cancelled');
    b.reject(150, 'termination requested by administrator');
    await expect(a.receive()).rejects.toMatchObject({ status: 150 });
  });
});
