import { afterEach, describe, expect, it } from '@jest/globals';
import { PermanentError, Unavailable } from '#kernel/errors.js';
import { until } from '../../../test/support/until.js';
import type { Connection, ConnectionOptions } from './connection.js';
import { DataServer } from './data-server.js';
import { RangeUnreadable } from './errors.js';
import { FragmentReaderClient } from './fragment-reader-client.js';
import { sessionKeyOf } from './handshake.js';
import { MESSAGE } from './message.js';
import { parsePayload, readRequest } from './payloads.js';

const TOKEN = 'a-token-that-is-long-enough';
const FRAGMENT_ID = '01920000-0000-7000-8000-000000000001';

const servers: DataServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

describe('The reader client', () => {
  /** Answers `length` bytes of value `offset`; offset 13 cannot be read, 99 ends the session. */
  const session = async (connection: Connection): Promise<void> => {
    await connection.sendJson(MESSAGE.READY, {});
    for (let message = await connection.receive(); message; message = await connection.receive()) {
      const { offset, length } = parsePayload(message, readRequest);
      if (offset === 99) throw new PermanentError(150, 'cancelled');
      for (let left = length; left > 0; left -= 300_000) {
        await connection.send(MESSAGE.DATA, Buffer.alloc(Math.min(left, 300_000), offset));
      }
      const failure = offset === 13 ? { failure: { status: 85, message: 'unreadable' } } : {};
      await connection.sendJson(MESSAGE.END, { size: length, ...failure });
    }
  };
  const range = (offset: number, length: number) =>
    ({ fragmentId: FRAGMENT_ID, object: 'data', offset, length }) as const;
  const collect = async (pieces: AsyncIterable<Buffer>) => {
    const all: Buffer[] = [];
    for await (const piece of pieces) all.push(piece);
    return Buffer.concat(all);
  };
  const reading = async (connection?: Partial<ConnectionOptions>) => {
    const onBug = (error: unknown) => expect(error).toBeInstanceOf(PermanentError);
    const server = new DataServer({
      host: '127.0.0.1',
      port: 0,
      keyOf: () => sessionKeyOf(TOKEN).key,
      admit: () => ({ session }),
      onBug,
    });
    servers.push(server);
    const address = await server.listen();
    return FragmentReaderClient.connect({
      ...address,
      token: TOKEN,
      ...(connection && { connection }),
    });
  };

  it('gets the answers of several reads in order', async () => {
    const reader = await reading();
    const reads = [1, 2, 3, 4, 5].map((n) => collect(reader.read(range(n, n * 100_000))));
    for (const [index, whole] of (await Promise.all(reads)).entries()) {
      expect(whole.equals(Buffer.alloc((index + 1) * 100_000, index + 1))).toBe(true);
    }
    expect((await collect(reader.read(range(6, 0)))).length).toBe(0);
    reader.close();
  });

  it('reads each answer into the memory that was meant for it, whatever becomes of the others', async () => {
    const reader = await reading();
    const memory = (bytes: number) => Buffer.alloc(bytes + 10, 0xff);
    const of = (n: number, into?: Buffer, bytes = n * 100_000) =>
      collect(reader.read(range(n, bytes), into?.subarray(0, bytes)));
    const [first, failed, early, last] = [100_000, 100_000, 5_000_000, 400_000].map(memory);
    const leftEarly = async () => {
      for await (const _ of reader.read(range(3, 5_000_000), early)) return;
    };
    const others = Promise.allSettled([
      of(13, failed, 100_000),
      leftEarly(),
      of(2),
      of(5, memory(0), 500_000),
    ]);
    const [one, four] = await Promise.all([of(1, first), others.then(() => of(4, last))]);
    for (const [n, { into, got }] of [
      [1, { into: first!, got: one }],
      [4, { into: last!, got: four }],
    ] as const) {
      expect(got.equals(Buffer.alloc(n * 100_000, n))).toBe(true);
      expect(into.equals(Buffer.concat([got, Buffer.alloc(10, 0xff)]))).toBe(true);
    }
    const [bad, , two, five] = await others;
    expect(bad).toMatchObject({ status: 'rejected' });
    expect(two).toMatchObject({ value: Buffer.alloc(200_000, 2) });
    expect(five).toMatchObject({ value: Buffer.alloc(500_000, 5) });
    reader.close();
  });

  it('holds the network back where the answers are not taken, and goes on', async () => {
    const reader = await reading({ ringBytes: 400_000 });
    const into = Buffer.alloc(5_000_000);
    let at = 0;
    for await (const piece of reader.read(range(7, into.length), into)) {
      expect(piece.buffer).toBe(into.buffer);
      at += piece.length;
      const { bytesReceived, waitsForEmptyBuffer } = reader.counters;
      const isHeldAgain = () => reader.counters.waitsForEmptyBuffer > waitsForEmptyBuffer;
      const isAllThere = () => reader.counters.bytesReceived >= into.length;
      // Whenever nothing whole is left, nothing is taken until the ring is full, or all has come.
      if (bytesReceived < at + 300_000) await until(() => isHeldAgain() || isAllThere());
      expect(reader.counters.bytesReceived).toBeLessThan(at + 1_100_000);
    }
    expect(into.equals(Buffer.alloc(into.length, 7))).toBe(true);
    expect(reader.counters.waitsForEmptyBuffer).toBeGreaterThan(3);
    reader.close();
  });

  it('loses one range that cannot be read, not the connection', async () => {
    const reader = await reading();
    const bad = collect(reader.read(range(13, 100_000)));
    const good = collect(reader.read(range(1, 10)));
    await expect(bad).rejects.toBeInstanceOf(RangeUnreadable);
    await expect(good).resolves.toEqual(Buffer.alloc(10, 1));
    reader.close();
  });

  it('goes on behind a read that was left early', async () => {
    const reader = await reading();
    for await (const piece of reader.read(range(1, 5_000_000))) {
      expect(piece[0]).toBe(1);
      break;
    }
    expect(await collect(reader.read(range(2, 10)))).toEqual(Buffer.alloc(10, 2));
    reader.close();
  });

  it('does not blame a range when the server gives up', async () => {
    const reader = await reading();
    const reads = [collect(reader.read(range(99, 10))), collect(reader.read(range(1, 10)))];
    for (const { status, reason } of (await Promise.allSettled(reads)) as PromiseRejectedResult[]) {
      expect(status).toBe('rejected');
      expect(reason).toBeInstanceOf(Unavailable);
      expect(reason).toMatchObject({ status: 150 });
    }
  });
});
