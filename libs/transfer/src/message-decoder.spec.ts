import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ProtocolError } from './errors.js';
import { MessageDecoder } from './message-decoder.js';
import {
  MESSAGE,
  MESSAGE_BYTES_MAX,
  messageHeader,
  payloadOf,
  splitPieces,
  type Message,
  type MessageType,
} from './message.js';

const encoded = (type: MessageType, payload: Buffer) =>
  Buffer.concat([messageHeader(type, payload.length), payload]);

const messages = fc.array(
  fc.record({
    type: fc.integer({ min: 1, max: 13 }).map((type) => type as MessageType),
    payload: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  }),
  { maxLength: 12 },
);

/** Cuts bytes at the given places. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((from, index) => bytes.subarray(from, at[index] ?? bytes.length));
}

describe('The decoder of the data port', () => {
  it('gives the same messages however the stream is cut', () => {
    fc.assert(
      fc.property(messages, fc.array(fc.nat(5_000), { maxLength: 60 }), (sent, places) => {
        const decoder = new MessageDecoder();
        const got: Message[] = [];
        const stream = Buffer.concat(sent.map(({ type, payload }) => encoded(type, payload)));
        for (const chunk of cut(stream, places)) decoder.push(chunk, (one) => got.push(one));
        expect(got.map(({ type }) => type)).toEqual(sent.map(({ type }) => type));
        got.forEach((message, index) => {
          expect(message.length).toBe(sent[index]!.payload.length);
          expect(payloadOf(message).equals(sent[index]!.payload)).toBe(true);
        });
        expect(decoder.isBetweenMessages).toBe(true);
      }),
    );
  });

  it('reads long payloads into the place that is theirs, and gives the same messages', () => {
    const long = fc.record({
      type: fc.constantFrom<MessageType>(MESSAGE.DATA, MESSAGE.END),
      payload: fc.integer({ min: 0, max: 200_000 }).map((bytes) => Buffer.alloc(bytes, bytes)),
    });
    const sizes = fc.array(fc.integer({ min: 1, max: 90_000 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(fc.array(long, { maxLength: 6 }), sizes, (sent, cuts) => {
        const decoder = new MessageDecoder();
        const target = Buffer.alloc(1_200_000);
        let placed = 0;
        decoder.place = (type, length) => {
          if (type !== MESSAGE.DATA) return undefined;
          placed += length;
          return target.subarray(placed - length, placed);
        };
        const got: Message[] = [];
        const stream = Buffer.concat(sent.map(({ type, payload }) => encoded(type, payload)));
        for (let at = 0, nth = 0; at < stream.length; nth += 1) {
          const room = decoder.room();
          const bytes = stream.copy(room, 0, at, at + cuts[nth % cuts.length]!);
          decoder.took(bytes, (one) => got.push(one));
          at += bytes;
        }
        expect(got.map(({ type }) => type)).toEqual(sent.map(({ type }) => type));
        got.forEach((message, nth) => {
          expect(payloadOf(message).equals(sent[nth]!.payload)).toBe(true);
        });
        const data = sent.filter(({ type }) => type === MESSAGE.DATA);
        expect(
          target.subarray(0, placed).equals(Buffer.concat(data.map(({ payload }) => payload))),
        ).toBe(true);
        expect(decoder.isBetweenMessages).toBe(true);
      }),
    );
  });

  it('gives no room beyond the payload that is under way', () => {
    const decoder = new MessageDecoder();
    const target = Buffer.alloc(100_000);
    decoder.place = () => target;
    const header = messageHeader(MESSAGE.DATA, target.length);
    header.copy(decoder.room());
    decoder.took(header.length, () => undefined);
    expect(decoder.room().buffer).toBe(target.buffer);
    expect(decoder.room().length).toBe(target.length);
    decoder.took(90_000, () => undefined);
    expect(decoder.room().buffer).not.toBe(target.buffer);
  });

  it('keeps nothing of the chunks, and makes one piece of a payload', () => {
    const stream = encoded(MESSAGE.FRAME, Buffer.from('a payload in two chunks'));
    const [first, second] = [stream.subarray(0, 12), stream.subarray(12)];
    const got: Message[] = [];
    const decoder = new MessageDecoder();
    decoder.push(first, (one) => got.push(one));
    expect(decoder.isBetweenMessages).toBe(false);
    first.fill(0);
    decoder.push(second, (one) => got.push(one));
    second.fill(0);
    expect(got[0]!.pieces.map(String)).toEqual(['a payload in two chunks']);
  });

  it.each([
    ['empty', Buffer.from([0, 0, 0, 0, 1])],
    ['too long', Buffer.from([0, 0x40, 0, 1, 3])],
    ['longer than anything', Buffer.from([255, 255, 255, 255, 3])],
    ['of an unknown type', Buffer.from([0, 0, 0, 1, 99])],
    ['of type 0', Buffer.from([0, 0, 0, 1, 0])],
  ])('refuses a message that is %s before it takes any of it', (_, header) => {
    const push = () => new MessageDecoder().push(header, () => undefined);
    expect(push).toThrow(ProtocolError);
  });

  it('keeps to a smaller bound while a peer is a stranger', () => {
    const decoder = new MessageDecoder(16);
    const long = encoded(MESSAGE.HELLO, Buffer.alloc(16));
    expect(() => decoder.push(long, () => undefined)).toThrow(/1 to 16/);
  });

  it('is never asked to decode what the encoder would not send', () => {
    expect(() => messageHeader(MESSAGE.DATA, MESSAGE_BYTES_MAX)).toThrow(RangeError);
    expect(messageHeader(MESSAGE.DATA, MESSAGE_BYTES_MAX - 1).length).toBe(5);
  });
});

describe('Pieces', () => {
  it('can be cut anywhere without changing the bytes', () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 9 }).map((bytes) => Buffer.from(bytes)));
    fc.assert(
      fc.property(pieces, fc.nat(100), (all, place) => {
        const whole = Buffer.concat(all);
        const at = place % (whole.length + 1);
        const { head, rest } = splitPieces(all, at);
        expect(head.equals(whole.subarray(0, at))).toBe(true);
        expect(Buffer.concat(rest).equals(whole.subarray(at))).toBe(true);
        expect(() => splitPieces(all, whole.length + 1)).toThrow(RangeError);
      }),
    );
  });
});
