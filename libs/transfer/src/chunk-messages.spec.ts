import { CHUNK_BYTES_MAX } from '#archive/chunking/chunk-size.js';
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  chunksHead,
  encodeGet,
  encodeIds,
  encodeKnown,
  encodeNames,
  IDS_PER_ASK_MAX,
  NAMES_PER_MESSAGE_MAX,
  readChunks,
  readGet,
  readIds,
  readKnown,
  readRecipe,
} from './chunk-messages.js';
import { ProtocolError } from './errors.js';
import { MESSAGE, type Message, type MessageType } from './message.js';

const name = (length = 5) => ({ id: randomBytes(32), length });

/** As it comes from a socket, in pieces of some size. */
function message(type: MessageType, payload: Buffer, pieceBytes = payload.length || 1): Message {
  const pieces: Buffer[] = [];
  for (let at = 0; at < payload.length; at += pieceBytes) {
    pieces.push(payload.subarray(at, at + pieceBytes));
  }
  return { type, length: payload.length, pieces };
}

describe('what a writer says of chunks', () => {
  it('comes back as it was sent, however it is cut', () => {
    const chunk = fc.record({
      id: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((id) => Buffer.from(id)),
      length: fc.integer({ min: 1, max: 1_000 }),
    });
    const chunks = fc.array(chunk, { minLength: 1, maxLength: 20 });
    const piece = fc.integer({ min: 1, max: 100 });
    fc.assert(
      fc.property(chunks, fc.uint8Array({ minLength: 1 }), piece, (list, bytes, size) => {
        const stored = Buffer.from(bytes);
        const digest = randomBytes(32);
        const ids = list.map(({ id }) => id);
        expect(readIds(message(MESSAGE.ASK, encodeIds(ids), size))).toEqual(ids);
        expect(readRecipe(message(MESSAGE.RECIPE, encodeNames(list), size))).toEqual(list);
        const payload = Buffer.concat([chunksHead(list, digest), stored]);
        const sent = readChunks(message(MESSAGE.CHUNKS, payload, size));
        expect(sent.chunks).toEqual(list);
        expect(sent.digest).toEqual(digest);
        expect(Buffer.concat(sent.pieces)).toEqual(stored);
      }),
    );
  });

  it('is answered with a bit for each id', () => {
    expect(encodeKnown([true, false, false, true, ...Array(5).fill(true)])).toEqual(
      Buffer.from([0xf9, 0x01]),
    );
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 40 }), (known) => {
        const sent = message(MESSAGE.KNOWN, encodeKnown(known));
        expect(readKnown(sent, known.length)).toEqual(known);
      }),
    );
  });

  const refused = (field: string, read: () => unknown) => {
    expect(read).toThrow(ProtocolError);
    expect(read).toThrow(`"${field}"`);
  };

  it('is refused with the name of what is wrong', () => {
    const ask = (bytes: number) => readIds(message(MESSAGE.ASK, Buffer.alloc(bytes)));
    for (const bytes of [0, 31, 33, (IDS_PER_ASK_MAX + 1) * 32]) refused('ids', () => ask(bytes));
    expect(ask(IDS_PER_ASK_MAX * 32)).toHaveLength(IDS_PER_ASK_MAX);

    refused('known', () => readKnown(message(MESSAGE.KNOWN, Buffer.alloc(2)), 8));

    const recipe = (bytes: Buffer) => readRecipe(message(MESSAGE.RECIPE, bytes));
    for (const bytes of [0, 35, (NAMES_PER_MESSAGE_MAX + 1) * 36]) {
      refused('chunks', () => recipe(Buffer.alloc(bytes)));
    }
    for (const length of [0, CHUNK_BYTES_MAX + 1]) {
      refused('length', () => recipe(encodeNames([name(length)])));
    }

    const chunks = (bytes: Buffer) => readChunks(message(MESSAGE.CHUNKS, bytes));
    const count = (n: number) => {
      const head = Buffer.alloc(1_000);
      head.writeUInt32BE(n);
      return head;
    };
    for (const bytes of [Buffer.alloc(0), count(0), count(NAMES_PER_MESSAGE_MAX + 1)]) {
      refused('count', () => chunks(bytes));
    }
    refused('frame', () => chunks(count(100)));
    refused('frame', () => chunks(chunksHead([name()], randomBytes(32))));
    refused('length', () =>
      chunks(Buffer.concat([chunksHead([name(0)], randomBytes(32)), Buffer.alloc(9)])),
    );
    const large = [name(CHUNK_BYTES_MAX), name(1)];
    refused('chunks', () =>
      chunks(Buffer.concat([chunksHead(large, randomBytes(32)), Buffer.alloc(9)])),
    );
  });
});

describe('what a reader wants of chunks', () => {
  const fragmentId = '0198c1a2-0000-7000-8000-00000000abcd';

  it('comes back as it was sent, however it is cut', () => {
    const wanted = { fragmentId, wholePercent: 12, chunks: [name(), name(CHUNK_BYTES_MAX)] };
    const payload = encodeGet(wanted);
    for (const size of [1, 7, payload.length]) {
      expect(readGet(message(MESSAGE.GET, payload, size))).toEqual(wanted);
    }
  });

  it('is refused with the field that is wrong', () => {
    const get = (wholePercent: number, chunks = [name()]) =>
      message(MESSAGE.GET, encodeGet({ fragmentId, wholePercent, chunks }));
    for (const percent of [0, 101]) expect(() => readGet(get(percent))).toThrow(/"wholePercent"/);
    expect(() => readGet(get(100, []))).toThrow(/"chunks"/);
    expect(() => readGet(get(100, [name(CHUNK_BYTES_MAX + 1)]))).toThrow(/"length"/);
    expect(() => readGet(get(100, Array(NAMES_PER_MESSAGE_MAX + 1).fill(name())))).toThrow(
      ProtocolError,
    );
    const cut = encodeGet({ fragmentId, wholePercent: 1, chunks: [name()] }).subarray(0, -1);
    expect(() => readGet(message(MESSAGE.GET, cut))).toThrow(ProtocolError);
  });
});
