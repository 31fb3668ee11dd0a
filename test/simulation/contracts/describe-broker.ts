import { describe, expect, it } from '@jest/globals';
import type { ConsumerSpec, StreamSpec } from '#contracts/streams.js';
import type {
  ConsumerState,
  Delivered,
  Outgoing,
  Published,
  StreamState,
} from '../parts/broker.js';

/** The broker as anything can offer it. Errors bear one of the codes of `BrokerError`. */
export interface BrokerUnderTest {
  ensureStream(spec: StreamSpec): Promise<void>;
  ensureConsumer(spec: ConsumerSpec): Promise<void>;
  publish(message: Outgoing): Promise<Published>;
  /** Resolves when there are `max`, or when it is clear that there are not. */
  pull(stream: string, durable: string, max: number): Promise<Delivered[]>;
  ack(stream: string, durable: string, sequence: number): Promise<void>;
  nak(stream: string, durable: string, sequence: number): Promise<void>;
  streamState(stream: string): Promise<StreamState>;
  consumerState(stream: string, durable: string): Promise<ConsumerState>;
  deleteConsumer(stream: string, durable: string): Promise<void>;
  deleteStream(stream: string): Promise<void>;
  /** Remembers what the streams hold; `goBack` puts it back, while consumers stay as they are. */
  mark(): Promise<void>;
  goBack(): Promise<void>;
  /** Lets this much time pass for the broker. */
  pass(ms: number): Promise<void>;
}

const ACK_WAIT_MS = 1_500;
const common = {
  description: 'contract test',
  denyDeletion: false,
  ageMaxMs: 86_400_000,
  bytesMax: 1_048_576,
  messageBytesMax: 65_536,
};

interface Place {
  readonly broker: BrokerUnderTest;
  readonly stream: string;
  readonly durable: string;
  /** A subject of the stream. */
  subject(name: string): string;
  put(name: string, id?: string): Promise<Published>;
  pull(max: number): Promise<Delivered[]>;
}

let places = 0;

/** A stream of its own with one consumer for each test, so that one server serves all. */
async function place(
  broker: BrokerUnderTest,
  settings: Partial<StreamSpec> & { discard: StreamSpec['discard'] },
  consumer: Partial<ConsumerSpec> = {},
): Promise<Place> {
  places += 1;
  const stream = `CONTRACT_${places}`;
  const subject = (name: string) => `contract.${stream}.${name}`;
  await broker.ensureStream({ name: stream, subjects: [subject('>')], ...common, ...settings });
  const durable = 'reader';
  await broker.ensureConsumer({
    ...{ stream, durable, filter: subject('>'), ackWaitMs: ACK_WAIT_MS, unackedMax: 100 },
    ...{ from: 'all', ...consumer },
  });
  return {
    ...{ broker, stream, durable, subject },
    put: (name, id = `${stream} ${name}`) =>
      broker.publish({ subject: subject(name), payload: JSON.stringify({ name }), id }),
    pull: (max) => broker.pull(stream, durable, max),
  };
}

const namesOf = (batch: readonly Delivered[]): string[] =>
  batch.map(({ payload }) => (JSON.parse(payload) as { name: string }).name);

/** Proves the laws of the broker for the simulated one and nats-server. */
export function describeBroker(name: string, broker: () => BrokerUnderTest): void {
  describe(`${name} keeps the laws of the broker: it`, () => {
    storesOnce(broker);
    handsOut(broker);
    forgets(broker);
  });
}

function storesOnce(broker: () => BrokerUnderTest): void {
  it('numbers what it stores, and stores the repeat of an id once', async () => {
    const { put, stream } = await place(broker(), { discard: 'new' });
    expect(await put('a')).toEqual({ sequence: 1, duplicate: false });
    expect(await put('b')).toEqual({ sequence: 2, duplicate: false });
    expect(await put('a')).toEqual({ sequence: 1, duplicate: true });
    const state = await broker().streamState(stream);
    expect(state).toMatchObject({ lastSequence: 2, messages: 2 });
  });

  it('refuses a second message on a subject where it takes one and discards new ones', async () => {
    const one = { discard: 'new', perSubjectMax: 1, discardNewPerSubject: true } as const;
    const { put, pull } = await place(broker(), one);
    await put('a', 'first');
    await expect(put('a', 'second')).rejects.toMatchObject({ code: 'subject-taken' });
    await put('b', 'third');
    expect(namesOf(await pull(2))).toEqual(['a', 'b']);
    // Acknowledged or not, it is still there.
    await expect(put('a', 'fourth')).rejects.toMatchObject({ code: 'subject-taken' });
  });

  it('replaces the message on a subject where it takes one and discards old ones', async () => {
    const { put, pull, stream } = await place(broker(), { discard: 'old', perSubjectMax: 1 });
    await put('a', 'first');
    await put('b', 'second');
    await put('a', 'third');
    expect(await broker().streamState(stream)).toMatchObject({ lastSequence: 3, messages: 2 });
    expect(namesOf(await pull(2))).toEqual(['b', 'a']);
  });

  it('has no place for a subject that belongs to no stream', async () => {
    const lost = { subject: 'contract.nowhere.a', payload: '{}', id: 'x' };
    await expect(broker().publish(lost)).rejects.toMatchObject({ code: 'no-stream' });
    await expect(broker().streamState('NOWHERE')).rejects.toMatchObject({ code: 'no-stream' });
  });
}

function handsOut(broker: () => BrokerUnderTest): void {
  it('hands out in order, each once, and what its filter matches only', async () => {
    const made = await place(broker(), { discard: 'new' });
    const { stream, put, pull, subject } = made;
    const durable = 'picky';
    const spec = { stream, durable, ackWaitMs: ACK_WAIT_MS, unackedMax: 100 } as const;
    await broker().ensureConsumer({ ...spec, filter: subject('x.*'), from: 'all' });
    for (const each of ['a', 'x.b', 'c', 'x.d']) await put(each);
    expect(namesOf(await pull(2))).toEqual(['a', 'x.b']);
    expect(namesOf(await pull(2))).toEqual(['c', 'x.d']);
    expect(namesOf(await broker().pull(stream, durable, 2))).toEqual(['x.b', 'x.d']);
    expect(await pull(1)).toEqual([]);
  });

  it('hands out again what was refused, or not acknowledged in time; never what was', async () => {
    const { stream, durable, put, pull } = await place(broker(), { discard: 'new' });
    for (const each of ['a', 'b', 'c']) await put(each);
    const [a, b] = await pull(3);
    await broker().ack(stream, durable, a!.sequence);
    await broker().nak(stream, durable, b!.sequence);
    const again = await pull(1);
    expect(again.map(({ deliveries }) => deliveries)).toEqual([2]);
    expect(namesOf(again)).toEqual(['b']);
    await broker().ack(stream, durable, b!.sequence);
    await broker().pass(ACK_WAIT_MS + 500);
    expect(namesOf(await pull(1))).toEqual(['c']);
    expect(await broker().consumerState(stream, durable)).toMatchObject({ ackFloor: 2 });
  });

  it('takes the late acknowledgement of an older delivery', async () => {
    const { stream, durable, put, pull } = await place(broker(), { discard: 'new' });
    await put('a');
    const [first] = await pull(1);
    await broker().pass(ACK_WAIT_MS + 500);
    expect(await pull(1)).toHaveLength(1);
    await broker().ack(stream, durable, first!.sequence);
    expect(await broker().consumerState(stream, durable)).toMatchObject({ ackFloor: 1 });
  });

  it('has no more out at a time than the consumer may have', async () => {
    const { stream, durable, put, pull } = await place(
      broker(),
      { discard: 'new' },
      { unackedMax: 2 },
    );
    for (const each of ['a', 'b', 'c']) await put(each);
    expect(namesOf(await pull(3))).toEqual(['a', 'b']);
    await broker().ack(stream, durable, 1);
    expect(namesOf(await pull(1))).toEqual(['c']);
  });

  it('begins with what comes next where the consumer wants what is new', async () => {
    const { stream, put, subject } = await place(broker(), { discard: 'new' });
    await put('a');
    const spec = { stream, durable: 'late', ackWaitMs: ACK_WAIT_MS, unackedMax: 9 } as const;
    await broker().ensureConsumer({ ...spec, filter: subject('>'), from: 'new' });
    await put('b');
    expect(namesOf(await broker().pull(stream, 'late', 1))).toEqual(['b']);
  });
}

function forgets(broker: () => BrokerUnderTest): void {
  it('hands out everything to a consumer that was made anew', async () => {
    const { stream, durable, put, pull, subject } = await place(broker(), { discard: 'new' });
    for (const each of ['a', 'b']) await put(each);
    for (const { sequence } of await pull(2)) await broker().ack(stream, durable, sequence);
    await broker().deleteConsumer(stream, durable);
    await expect(pull(1)).rejects.toMatchObject({ code: 'no-consumer' });
    const spec = { stream, durable, ackWaitMs: ACK_WAIT_MS, unackedMax: 9 } as const;
    await broker().ensureConsumer({ ...spec, filter: subject('>'), from: 'all' });
    expect(namesOf(await pull(2))).toEqual(['a', 'b']);
  });

  it('begins at one, without its consumers, where a stream was deleted and made anew', async () => {
    const { stream, put, pull, subject } = await place(broker(), { discard: 'new' });
    await put('a');
    const before = await broker().streamState(stream);
    await broker().deleteStream(stream);
    await expect(put('b')).rejects.toMatchObject({ code: 'no-stream' });
    await broker().pass(10);
    const settings = { ...common, discard: 'new' } as const;
    await broker().ensureStream({ name: stream, subjects: [subject('>')], ...settings });
    expect(await put('a')).toEqual({ sequence: 1, duplicate: false });
    const after = await broker().streamState(stream);
    expect(after.created).toBeGreaterThan(before.created);
    await expect(pull(1)).rejects.toMatchObject({ code: 'no-consumer' });
  });

  it('uses sequences again when it went back; a consumer made anew gets what is there', async () => {
    const { stream, durable, put, pull, subject } = await place(broker(), { discard: 'new' });
    await put('a');
    await broker().mark();
    await put('lost');
    for (const { sequence } of await pull(2)) await broker().ack(stream, durable, sequence);
    await broker().goBack();
    expect(await broker().streamState(stream)).toMatchObject({ lastSequence: 1, messages: 1 });
    expect(await put('b')).toEqual({ sequence: 2, duplicate: false });
    // Whether `b` is ever handed out to the old one depends on the release: it has passed 2.
    await broker().deleteConsumer(stream, durable);
    const spec = { stream, durable, ackWaitMs: ACK_WAIT_MS, unackedMax: 9 } as const;
    await broker().ensureConsumer({ ...spec, filter: subject('>'), from: 'all' });
    expect(namesOf(await pull(2))).toEqual(['a', 'b']);
  });
}
