import { connect, createServer, type AddressInfo } from 'node:net';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { blake3 } from '@napi-rs/blake-hash';
import { PermanentError, Unavailable } from '#kernel/errors.js';
import { encodeKnown, readChunks, readIds, readRecipe } from './chunk-messages.js';
import type { Connection } from './connection.js';
import { DataServer, type Admission, type DataServerOptions } from './data-server.js';
import { FragmentReaderClient } from './fragment-reader-client.js';
import { FragmentWriterClient } from './fragment-writer-client.js';
import { sessionKeyOf } from './handshake.js';
import { localPath } from './local-path.js';
import { MESSAGE } from './message.js';
import { parsePayload, seal, type Hello } from './payloads.js';

/** A port on which nothing listens. */
const NOBODY = 1;
const TOKEN = 'a-token-that-is-long-enough';
const BASE = { host: '127.0.0.1', port: 0, keyOf: () => sessionKeyOf(TOKEN).key };
const FRAGMENT_ID = '01920000-0000-7000-8000-000000000001';
const READY = { fragmentBytesMax: 1_000_000, nextFragment: 1, archiveOffset: 0 };

const servers: DataServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

let ports = 0;
const nameOfPort = () => `holdfast-test-${process.pid}-${(ports += 1)}`;

type Session = (connection: Connection) => Promise<void>;

/** How clients reach it. */
type Way = 'network' | 'host';
let way: Way = 'network';

async function serve(admit: (hello: Hello) => Admission, over: Partial<DataServerOptions> = {}) {
  const bugs: unknown[] = [];
  const onBug = (error: unknown) => void bugs.push(error);
  const local = way === 'host' ? { local: nameOfPort() } : {};
  const server = new DataServer({ ...BASE, admit, onBug, ...local, ...over });
  servers.push(server);
  const address = await server.listen();
  const at = way === 'host' ? { ...address, port: NOBODY } : address;
  return { ...address, at, server, bugs };
}

const admitting = (session: Session) => () => ({ session });
const silent = admitting(async () => undefined);
const fullAtOnce = admitting(async (connection) => {
  await connection.sendJson(MESSAGE.READY, READY);
  await connection.receive();
  throw new PermanentError(129, 'Disk storage unit is full');
});
const claim = (number: number, last = false) => ({
  ...{ number, archiveOffset: 0, archiveBytes: 4, frames: 1, last },
});
const totals = { fragments: 2, files: 1, bytes: 4, kind: 'full' };
const frame = (bytes: Buffer) => ({
  archiveLength: bytes.length,
  digest: blake3(bytes),
  pieces: [bytes],
});

describe.each<Way>(['network', 'host'])('Through the %s,', (each) => {
  beforeAll(() => {
    way = each;
  });

  describe('the data server', () => {
    it('hands an admitted connection to its session, and a token is asked for once', async () => {
      const hellos: Hello[] = [];
      const { at } = await serve((hello) => {
        hellos.push(hello);
        return { session: (connection) => connection.sendJson(MESSAGE.READY, READY) };
      });
      const writer = await FragmentWriterClient.connect({ ...at, token: TOKEN });
      expect(writer.fragmentBytesMax).toBe(1_000_000);
      expect(hellos).toMatchObject([{ session: sessionKeyOf(TOKEN).session, role: 'write' }]);
      writer.close();
    });

    it('is asked again while it does not know the token, and then lets the writer in', async () => {
      let asked = 0;
      const { at } = await serve(() => {
        asked += 1;
        if (asked < 4) return { status: 26, message: 'the token is not known' };
        return { session: (connection) => connection.sendJson(MESSAGE.READY, READY) };
      });
      const writer = await FragmentWriterClient.connect({ ...at, token: TOKEN });
      expect(asked).toBe(4);
      writer.close();
    });

    it('ends the patience of a client with an unknown token, and refuses a used one at once', async () => {
      let asked = 0;
      const { at } = await serve(({ role }) => {
        asked += 1;
        return { status: role === 'write' ? 26 : 46, message: 'no' };
      });
      const options = { ...at, token: TOKEN };
      // On a slow machine there may be no time for a third try: then with more patience.
      for (let patienceMs = 100; asked < 3 && patienceMs < 60_000; patienceMs *= 2) {
        asked = 0;
        const write = FragmentWriterClient.connect({ ...options, patienceMs });
        await expect(write).rejects.toMatchObject({ name: 'PeerFailure', status: 26 });
      }
      expect(asked).toBeGreaterThan(2);
      asked = 0;
      await expect(FragmentReaderClient.connect(options)).rejects.toMatchObject({ status: 46 });
      expect(asked).toBe(1);
    });

    it('is waited for while nothing listens, then the client says so', async () => {
      const { at, server } = await serve(silent);
      await server.close();
      const options = { ...at, token: TOKEN, patienceMs: 60 };
      await expect(FragmentWriterClient.connect(options)).rejects.toMatchObject({
        name: 'Unavailable',
        status: 25,
      });
    });

    it('is waited for no longer where it takes connections and says nothing', async () => {
      let taken = 0;
      const hung = createServer(() => (taken += 1)).listen(0, '127.0.0.1');
      await new Promise((resolve) => hung.once('listening', resolve));
      const { port } = hung.address() as AddressInfo;
      const connection = { tickMs: 5 };
      const options = { host: '127.0.0.1', port, token: TOKEN, patienceMs: 200, connection };
      await expect(FragmentReaderClient.connect(options)).rejects.toMatchObject({ status: 41 });
      // Each try takes 150 ms.
      expect(taken).toBeLessThanOrEqual(2);
      hung.close();
    });

    it('cuts a connection that does not say HELLO in time, or says something else', async () => {
      const open = async (over: Partial<DataServerOptions>) => {
        const { at } = await serve(silent, over);
        return connect(at.local === undefined ? at : { path: localPath(at.local) });
      };
      const mute = await open({ helloTimeoutMs: 50 });
      mute.resume();
      await new Promise((resolve) => mute.once('close', resolve));
      const rude = await open({});
      rude.write('GET / HTTP/1.1\r\n\r\n');
      const answer = await new Promise<Buffer>((resolve) => rude.once('data', resolve));
      expect(answer[4]).toBe(MESSAGE.ERROR);
      rude.destroy();
    });

    it('tells the peer what a session threw, and keeps bugs to itself', async () => {
      const errors = [
        new PermanentError(129, 'full'),
        new Unavailable('away', 84),
        new Error('oops'),
      ];
      const { at, bugs } = await serve(
        admitting(async (connection) => {
          await connection.sendJson(MESSAGE.READY, READY);
          throw errors.shift();
        }),
      );
      for (const expected of [
        { status: 129, message: 'full' },
        { status: 84, message: 'away' },
        { status: 130, message: 'internal error' },
      ]) {
        const writer = await FragmentWriterClient.connect({ ...at, token: TOKEN });
        await expect(writer.finish(totals)).rejects.toMatchObject(expected);
      }
      expect(bugs).toMatchObject([{ message: 'oops' }]);
    });
  });

  describe('the writer client', () => {
    it('seals in turn, goes on while a seal is pending, and waits for DONE', async () => {
      const log: string[] = [];
      const { at } = await serve(
        admitting(async (connection) => {
          await connection.sendJson(MESSAGE.READY, READY);
          let held = 0;
          for (;;) {
            const message = (await connection.receive())!;
            if (message.type === MESSAGE.FRAME) log.push('frame');
            if (message.type === MESSAGE.INDEX) log.push('index');
            if (message.type === MESSAGE.SEAL) {
              held = parsePayload(message, seal).number;
              log.push(`seal ${held}`);
            }
            if (message.type === MESSAGE.FINISH) break;
            const answered = held === 1 && message.type === MESSAGE.FRAME;
            if (answered) {
              log.push('answer 1');
              await connection.sendJson(MESSAGE.SEALED, { number: 1, fragmentId: FRAGMENT_ID });
            }
          }
          await connection.sendJson(MESSAGE.SEALED, { number: 2, fragmentId: FRAGMENT_ID });
          await new Promise((resolve) => setTimeout(resolve, 50));
          log.push('done');
          await connection.sendJson(MESSAGE.DONE, {});
        }),
      );
      const sealedNumbers: number[] = [];
      const writer = await FragmentWriterClient.connect(
        { ...at, token: TOKEN },
        { onSealed: ({ number }) => void sealedNumbers.push(number) },
      );
      const bytes = Buffer.from('data');
      await writer.frame(frame(bytes));
      await writer.index({ bytes, digest: blake3(bytes) });
      const first = writer.seal(claim(1));
      await writer.frame(frame(bytes));
      await first;
      expect(sealedNumbers).toEqual([1]);
      await writer.seal(claim(2, true));
      await writer.finish(totals);
      expect(log).toEqual(['frame', 'index', 'seal 1', 'frame', 'answer 1', 'seal 2', 'done']);
      expect(sealedNumbers).toEqual([1, 2]);
    });

    it('throws what the server says, in whatever call', async () => {
      const { at } = await serve(fullAtOnce);
      const writer = await FragmentWriterClient.connect({ ...at, token: TOKEN });
      const send = async () => {
        for (;;) await writer.frame(frame(Buffer.alloc(100_000)));
      };
      await expect(send()).rejects.toMatchObject({ status: 129 });
      await expect(writer.seal(claim(1))).rejects.toMatchObject({ status: 129 });
      await expect(writer.finish(totals)).rejects.toMatchObject({ status: 129 });
    });

    it('gets the answers to several questions in order, and sends what is missing meanwhile', async () => {
      const log: string[] = [];
      const { at } = await serve(
        admitting(async (connection) => {
          const chunks = { idsPerAskMax: 3, frameBytes: 1_048_576 };
          await connection.sendJson(MESSAGE.READY, { ...READY, chunks });
          const asked: Buffer[][] = [];
          for (let message = await connection.receive(); message;) {
            if (message.type === MESSAGE.ASK) asked.push(readIds(message));
            if (message.type === MESSAGE.CHUNKS) {
              const { chunks: sent, digest, pieces } = readChunks(message);
              expect(blake3(Buffer.concat(pieces)).equals(digest)).toBe(true);
              log.push(`chunks ${sent.map(({ length }) => length).join(' ')}`);
            }
            if (message.type === MESSAGE.RECIPE) {
              log.push(`recipe ${readRecipe(message).length}`);
              for (const ids of asked) {
                const known = encodeKnown(ids.map((id) => id[0] === 1));
                await connection.send(MESSAGE.KNOWN, known);
              }
            }
            message = await connection.receive();
          }
        }),
      );
      const writer = await FragmentWriterClient.connect({ ...at, token: TOKEN });
      expect(writer.ready.chunks).toEqual({ idsPerAskMax: 3, frameBytes: 1_048_576 });
      const id = (first: number) => Buffer.alloc(32, first);
      const chunks = [
        { id: id(1), length: 4 },
        { id: id(2), length: 7 },
      ];
      const first = writer.ask([id(1), id(2)]);
      const second = writer.ask([id(3), id(4), id(1)]);
      await writer.chunks({ ...frame(Buffer.from('stored')), chunks });
      await writer.recipe(chunks);
      expect(await first).toEqual([true, false]);
      expect(await second).toEqual([false, false, true]);
      expect(log).toEqual(['chunks 4 7', 'recipe 2']);
      writer.close();
    });

    it.each([
      ['an answer that is too long', Buffer.alloc(2), /"known"/],
      ['an answer that nobody asked for', undefined, /nobody asked/],
    ])('refuses %s', async (_, answer, message) => {
      const { at } = await serve(
        admitting(async (connection) => {
          await connection.sendJson(MESSAGE.READY, READY);
          await connection.receive();
          await connection.send(MESSAGE.KNOWN, answer ?? Buffer.alloc(1));
          if (!answer) await connection.send(MESSAGE.KNOWN, Buffer.alloc(1));
          while (await connection.receive());
        }),
      );
      const writer = await FragmentWriterClient.connect({ ...at, token: TOKEN });
      const asked = writer.ask([Buffer.alloc(32)]);
      if (answer) await expect(asked).rejects.toThrow(message);
      else expect(await asked).toEqual([false]);
      await expect(writer.finish(totals)).rejects.toThrow(message);
    });

    it('fails what is asked when the server gives up', async () => {
      const { at } = await serve(fullAtOnce);
      const writer = await FragmentWriterClient.connect({ ...at, token: TOKEN });
      await expect(writer.ask([Buffer.alloc(32)])).rejects.toMatchObject({ status: 129 });
      await expect(writer.ask([Buffer.alloc(32)])).rejects.toMatchObject({ status: 129 });
    });

    it('can be aborted from outside', async () => {
      const abort = new AbortController();
      const { at } = await serve(
        admitting(async (connection) => {
          await connection.sendJson(MESSAGE.READY, READY);
          while (await connection.receive());
        }),
      );
      const options = { ...at, token: TOKEN, signal: abort.signal };
      const writer = await FragmentWriterClient.connect(options);
      const waiting = writer.finish(totals);
      abort.abort();
      await expect(waiting).rejects.toMatchObject({ status: 150 });
      await expect(FragmentWriterClient.connect(options)).rejects.toMatchObject({ status: 150 });
    });

    it('tells the server why it gives up', async () => {
      const seen = new Promise<unknown>((resolve) => {
        void serve(
          admitting(async (connection) => {
            await connection.sendJson(MESSAGE.READY, READY);
            await connection.receive().catch(resolve);
          }),
        ).then(async ({ at }) => {
          const writer = await FragmentWriterClient.connect({ ...at, token: TOKEN });
          writer.abort(13, 'file read failed');
        });
      });
      expect(await seen).toMatchObject({ name: 'PeerFailure', status: 13 });
    });
  });
});

describe('The address of a data server', () => {
  beforeAll(() => {
    way = 'network';
  });

  it('is found by its name on this host, and gives back what it is sent', async () => {
    const sent = Buffer.alloc(3 * 1024 * 1024, 'some bytes ');
    const got: Buffer[] = [];
    const echo = admitting(async (connection) => {
      await connection.sendJson(MESSAGE.READY, READY);
      got.push(...(await connection.receive())!.pieces);
      throw new PermanentError(129, 'full');
    });
    const { host, local, server } = await serve(echo, { local: nameOfPort() });
    const writer = await FragmentWriterClient.connect({ host, port: NOBODY, local, token: TOKEN });
    expect(server.connectionCount).toBe(1);
    // What is sent is the connection's from then on.
    await writer.frame(frame(Buffer.from(sent)));
    await expect(writer.finish(totals)).rejects.toMatchObject({ status: 129 });
    // Behind the archive's length and the digest.
    expect(Buffer.concat(got).subarray(36).equals(sent)).toBe(true);
  });

  it('is reached through the network where nobody knows its name', async () => {
    const { host, port } = await serve(
      admitting((connection) => connection.sendJson(MESSAGE.READY, READY)),
    );
    const elsewhere = { host, port, local: nameOfPort(), token: TOKEN };
    (await FragmentWriterClient.connect(elsewhere)).close();
  });

  it('refuses a token under its name as it does elsewhere, and is not found there any more when it is closed', async () => {
    const refuse = () => ({ status: 46, message: 'no' });
    const { host, local, server } = await serve(refuse, { local: nameOfPort() });
    const options = { host, port: NOBODY, local, token: TOKEN, patienceMs: 60 };
    await expect(FragmentWriterClient.connect(options)).rejects.toMatchObject({ status: 46 });
    await server.close();
    await expect(FragmentWriterClient.connect(options)).rejects.toMatchObject({ status: 25 });
  });

  it('says why it has no name, and is reached through the network then', async () => {
    const local = nameOfPort();
    await serve(() => ({ status: 46, message: 'no' }), { local });
    const { server, ...without } = await serve(
      admitting((connection) => connection.sendJson(MESSAGE.READY, READY)),
      { local },
    );
    expect(without.local).toBeUndefined();
    expect(without.withoutLocal).toMatch(/Cannot listen on holdfast-test/);
    (await FragmentWriterClient.connect({ ...without, token: TOKEN })).close();
    await server.close();
  });

  it('says that its port is in use', async () => {
    const { port } = await serve(silent);
    const again = serve(silent, { port });
    await expect(again).rejects.toThrow(/Choose another port/);
    servers.pop();
  });
});
