import type { z } from 'zod';
import type {
  Endpoint,
  InputOf,
  Message,
  PayloadOf,
  RequestOf,
  ResponseOf,
} from '#contracts/contract.js';
import { instanceSubject, subjectOf } from '#contracts/contract.js';
import { CONSUMERS, type ConsumerSpec, type StreamSpec } from '#contracts/streams.js';
import { backoffMs } from '#kernel/backoff.js';
import { Unavailable } from '#kernel/errors.js';
import type { Life } from '../kernel/host.js';
import { BrokerError, type Delivered, type Outgoing, type StreamState } from '../parts/broker.js';
import { DatabaseError, type Transaction } from '../parts/database.js';
import type { SimBroker } from '../parts/sim-broker.js';
import type { SimDatabase, SimTransaction } from '../parts/sim-database.js';
import { isOutage, type Network } from './network.js';
import { OUTBOX } from './tables.js';

const ACK_MS_MAX = 5_000;
const IDLE_MS_MAX = 60_000;
const RETRY = { firstMs: 200, maxMs: 30_000, jitter: 0.5 };
const STATEMENTS_BEFORE_FAILURE_MAX = 6;
const STRAGGLER_MS_MAX = 90_000;

export interface Surroundings {
  readonly network: Network;
  readonly broker: SimBroker;
  readonly database: SimDatabase;
}

interface Witness extends StreamState {
  /** When its last message was stored, as far as that is there. */
  readonly storedAt: number | undefined;
}

/** What a transaction of a service may do: statements, and messages that go out if it commits. */
export interface Work {
  /** Some statements in one effect. */
  readonly run: <T>(what: string, statements: (db: Transaction) => Promise<T>) => Promise<T>;
  readonly send: <M extends Message>(
    contract: M,
    ids: readonly string[],
    payload: PayloadOf<M>,
  ) => void;
  /** Called when, and only when, the transaction is known to have committed or may have. */
  readonly whenDone: (listener: () => void) => void;
}

export interface ConsumeOptions {
  readonly spec: ConsumerSpec;
  readonly batchMax: number;
  /** As `BatchConsumer` has it: returning acknowledges all, throwing has all delivered again. */
  readonly handle: (batch: readonly Delivered[]) => Promise<void>;
}

/**
 * What the messages of a batch say. What is not of that kind is left out, as the services do it: a
 * broker that uses sequences again may hand out a message that is another consumer's.
 */
export function contentsOf<T extends z.ZodType>(
  batch: readonly Delivered[],
  schema: T,
): z.output<T>[] {
  return batch.flatMap(({ payload }) => {
    const parsed = schema.safeParse(JSON.parse(payload));
    return parsed.success ? [parsed.data] : [];
  });
}

/** How one life of a program reaches the broker, the database and the others. */
export class Link {
  /** What was seen of the streams of consumers: enough to notice that they went back. */
  private readonly witnesses = new Map<string, Witness>();

  private relay: { kick(): void } | undefined;

  constructor(
    readonly life: Life,
    private readonly around: Surroundings,
  ) {}

  /** Told after each transaction that has something to send. */
  kicks(relay: { kick(): void }): void {
    this.relay = relay;
  }

  /** Throws `Unavailable` where the broker did not take it, or nobody knows whether it did. */
  async publish(message: Outgoing): Promise<void> {
    const { broker } = this.around;
    try {
      await this.viaHub(`publishes ${message.subject}`, () => {
        const again = this.life.world.faults.strikes('request-doubled', this.life.host.name);
        if (again) this.publishLater(message, again.between(0, STRAGGLER_MS_MAX));
        return broker.publish(message);
      });
    } catch (error) {
      if (error instanceof BrokerError && error.code === 'subject-taken') return;
      if (error instanceof BrokerError) throw new Unavailable(error.message);
      throw error;
    }
  }

  /** Handles what a durable consumer brings, for ever. */
  consume(options: ConsumeOptions): void {
    const { life } = this;
    const isOwn = !CONSUMERS.some(({ durable }) => durable === options.spec.durable);
    life.spawn(`consumer ${options.spec.durable}`, async () => {
      for (let failures = 0; ;) {
        try {
          const batch = await this.pull(options.spec, options.batchMax);
          failures = 0;
          if (batch.length > 0) {
            await this.take(options, batch);
          } else {
            await this.idle(options.spec);
            if (isOwn) await this.renewIfInsane(options.spec, false);
          }
        } catch (error) {
          if (!isOutage(error)) throw error;
          failures += 1;
          if (isMissing(error)) await this.makeConsumer(options.spec);
          await life.sleep(backoffMs(failures, RETRY, life.host.chance.next()));
        }
      }
    });
  }

  ensureStream(spec: StreamSpec): Promise<void> {
    return this.viaHub(`looks after ${spec.name}`, () => this.around.broker.ensureStream(spec));
  }

  /**
   * As `ConsumerCheck`: a consumer that is ahead of its stream, or whose stream was made anew or went
   * back, would pass over what comes: it is made anew from the start. What it brings twice changes
   * nothing. `mayRead`: only the keeper may read messages, by which it sees sequences used again.
   */
  async renewIfInsane(spec: ConsumerSpec, mayRead: boolean): Promise<void> {
    const { broker } = this.around;
    const { stream, durable } = spec;
    await this.viaHub(`looks after ${durable}`, () => {
      broker.ensureConsumer(spec);
      const state = broker.streamState(stream);
      const { ackFloor, delivered } = broker.consumerState(stream, durable);
      const before = this.witnesses.get(durable + stream);
      const isAhead = Math.max(ackFloor, delivered) > state.lastSequence;
      const hasGoneBack =
        before !== undefined &&
        (before.created !== state.created ||
          state.lastSequence < before.lastSequence ||
          (mayRead && broker.storedAt(stream, before.lastSequence) !== before.storedAt));
      const storedAt = broker.storedAt(stream, state.lastSequence);
      this.witnesses.set(durable + stream, { ...state, storedAt });
      if (!isAhead && !hasGoneBack) return;
      this.life.world.meet('a consumer made anew');
      this.life.world.note(() => `${durable} is made anew`);
      broker.deleteConsumer(stream, durable);
      broker.ensureConsumer({ ...spec, from: 'all' });
    });
  }

  async request<E extends Endpoint>(
    endpoint: E,
    payload: InputOf<E>,
    instance?: string,
  ): Promise<ResponseOf<E>> {
    const subject = instance ? instanceSubject(endpoint, instance) : endpoint.subject;
    const { network } = this.around;
    const answer = await network.request(this.life, { plane: 'hub', subject }, payload);
    return answer as ResponseOf<E>;
  }

  serve<E extends Endpoint>(
    endpoint: E,
    handle: (request: RequestOf<E>) => Promise<ResponseOf<E>>,
    instance?: string,
  ): void {
    const subject = instance ? instanceSubject(endpoint, instance) : endpoint.subject;
    this.around.network.serve(this.life, subject, (request) =>
      handle(endpoint.request.parse(request) as RequestOf<E>),
    );
  }

  /** On the data port: no broker in between. */
  fetch(subject: string, payload: unknown): Promise<unknown> {
    return this.around.network.request(this.life, { plane: 'data', subject }, payload);
  }

  serveData(subject: string, handle: (request: unknown) => Promise<unknown>): void {
    this.around.network.serve(this.life, subject, handle);
  }

  /** State and messages change together or not at all. Throws `DatabaseError` when nobody knows. */
  async transaction<T>(work: (unit: Work) => Promise<T>): Promise<T> {
    const { database } = this.around;
    const { life } = this;
    const outgoing: Outgoing[] = [];
    const listeners: (() => void)[] = [];
    const transaction = await life.effect('begins', () => database.begin(life));
    const run = this.statements(transaction);
    try {
      const value = await work({
        run,
        send: (contract, ids, payload) =>
          outgoing.push(messageOf(contract, ids, payload, database.next('message'))),
        whenDone: (listener) => listeners.push(listener),
      });
      if (outgoing.length > 0) await run('outbox', (db) => insertOutbox(db, outgoing));
      await life.effect('commits', () => this.commit(transaction, listeners));
      if (outgoing.length > 0) this.relay?.kick();
      return value;
    } catch (error) {
      database.end(transaction, 'rolled back');
      throw error;
    }
  }

  private statements(transaction: SimTransaction): Work['run'] {
    const { life } = this;
    const failure = life.world.faults.strikes('statement-fails', life.host.name);
    let left = failure ? failure.between(1, STATEMENTS_BEFORE_FAILURE_MAX) : Infinity;
    return (what, statements) =>
      life.effect(what, () => {
        left -= 1;
        if (left > 0) return statements(transaction);
        this.around.database.end(transaction, 'away');
        throw new DatabaseError('away');
      });
  }

  private async commit(
    transaction: SimTransaction,
    listeners: readonly (() => void)[],
  ): Promise<void> {
    const { faults } = this.life.world;
    const unknown = faults.strikes('commit-unknown', this.life.host.name);
    if (unknown?.happens(0.5)) {
      this.around.database.end(transaction, 'away');
      throw new DatabaseError('unknown');
    }
    await transaction.commit();
    for (const listener of listeners) listener();
    if (unknown) throw new DatabaseError('unknown');
  }

  private async pull(spec: ConsumerSpec, max: number): Promise<Delivered[]> {
    const { broker } = this.around;
    const { faults } = this.life.world;
    const batch = await this.viaHub(`pulls ${spec.durable}`, () => {
      if (faults.strikes('redeliver', spec.durable)) broker.redeliver(spec.stream, spec.durable);
      return broker.pull(spec.stream, spec.durable, max);
    });
    const shuffle = faults.strikes('shuffle', spec.durable);
    return shuffle ? shuffle.shuffled(batch) : batch;
  }

  private async take(options: ConsumeOptions, batch: readonly Delivered[]): Promise<void> {
    const { stream, durable } = options.spec;
    const { broker } = this.around;
    let settle: (each: Delivered) => void = ({ sequence }) => broker.ack(stream, durable, sequence);
    try {
      await options.handle(batch);
    } catch (error) {
      if (!isOutage(error)) throw error;
      settle = ({ sequence, deliveries }) =>
        broker.nak(stream, durable, { sequence, delayMs: backoffMs(deliveries, RETRY, 0.5) });
    }
    const { faults } = this.life.world;
    await this.life.effect('acknowledges', () => {
      for (const each of batch) {
        const isLost = faults.strikes('ack-lost', durable) !== undefined;
        if (isLost || broker.isAway || !this.reachesHub) continue;
        ignoringMissing(() => settle(each));
      }
    });
  }

  /** Until something new is stored, something is due again, or it is time to look anyway. */
  private idle(spec: ConsumerSpec): Promise<void> {
    const { broker } = this.around;
    const { life } = this;
    const dueInMs = broker.dueInMs(spec.stream, spec.durable);
    return life.firstOf(Math.min(dueInMs, IDLE_MS_MAX), (wake) =>
      broker.whenStored(spec.stream, wake),
    );
  }

  private async makeConsumer(spec: ConsumerSpec): Promise<void> {
    try {
      await this.viaHub(`makes ${spec.durable}`, () => this.around.broker.ensureConsumer(spec));
    } catch (error) {
      if (!isOutage(error)) throw error;
    }
  }

  /** One request to the broker: lost on the way, unanswered, or done. */
  private async viaHub<T>(what: string, perform: () => T): Promise<T> {
    const { life } = this;
    const { faults } = life.world;
    const { name } = life.host;
    const outcome = await life.effect(what, (): { done?: T } => {
      const isLost = faults.strikes('request-lost', name) !== undefined;
      if (isLost || !this.reachesHub || this.around.broker.isAway) return {};
      const done = perform();
      return faults.strikes('answer-lost', name) ? {} : { done };
    });
    if ('done' in outcome) return outcome.done as T;
    await life.sleep(ACK_MS_MAX);
    throw new Unavailable(`${what}: no answer`);
  }

  private publishLater(message: Outgoing, delayMs: number): void {
    const { broker } = this.around;
    this.life.world.after(delayMs, () => {
      if (!broker.isAway) ignoringMissing(() => broker.publish(message));
    });
  }

  private get reachesHub(): boolean {
    return this.around.network.reaches(this.life.host.name, 'hub');
  }
}

function messageOf<M extends Message>(
  contract: M,
  ids: readonly string[],
  payload: PayloadOf<M>,
  number: number,
): Outgoing {
  const text = JSON.stringify(payload);
  return { subject: subjectOf(contract, ...ids), payload: text, id: `message-${number}` };
}

async function insertOutbox(db: Transaction, messages: readonly Outgoing[]): Promise<void> {
  for (const message of messages) {
    const key = String(await db.next('outbox')).padStart(9, '0');
    await db.insert(OUTBOX, key, { ...message });
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof BrokerError && error.code === 'no-consumer';
}

/** What a broker without that stream or consumer says to a message that nobody waits for. */
function ignoringMissing(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
  }
}
