import { type Consumer, type ConsumerMessages, type JsMsg } from '@nats-io/jetstream';
import { Logger } from '@nestjs/common';
import type { ConsumerSpec } from '#contracts/streams.js';
import { backoffMs, sleep } from '#kernel/backoff.js';
import { messageOf } from '#kernel/errors.js';
import { Repeating } from '#kernel/repeating.js';
import { ConsumerCheck } from './consumer-check.js';
import type { Nats } from './connection.js';
import { ensureOwnConsumer } from './topology.js';

export interface Delivery {
  readonly subject: string;
  /** Parsed JSON; `undefined` when it is none. */
  readonly payload: unknown;
  /** The publisher's message id, else stream and sequence. */
  readonly messageId: string;
  readonly deliveries: number;
}

export interface BatchConsumerOptions {
  readonly spec: ConsumerSpec;
  readonly batchMax: number;
  /** How long a batch may wait for more, in milliseconds. */
  readonly lingerMs: number;
  /** Batches that are handled side by side; default 1: then they are handled in order. */
  readonly atOnce?: number;
  /**
   * Deals with a batch. Returning acknowledges all of it; throwing has all of it delivered again,
   * later. So it must be idempotent, and must take out what can never be handled by itself.
   */
  readonly handle: (batch: readonly Delivery[]) => Promise<void>;
  /** The consumer is this host's own: made here if it is missing, and made anew if it is unsound. */
  readonly own?: boolean;
}

/** How often a host looks at its own consumer; see `ConsumerCheck`. */
const CHECK_MS = 30_000;

const RETRY = { firstMs: 200, maxMs: 30_000, jitter: 0.5 };
/** A broker that is back is to be found soon. */
const BIND_AGAIN = { firstMs: 200, maxMs: 5_000, jitter: 0.5 };

/** Pulls from a durable consumer in batches, for ever: silence or a lost consumer never ends it. */
export class BatchConsumer {
  private readonly logger: Logger;
  private readonly stopping = new AbortController();
  private messages: ConsumerMessages | undefined;
  private loop: Promise<void> = Promise.resolve();
  private pending: JsMsg[] = [];
  private readonly handling = new Set<Promise<void>>();
  private linger: NodeJS.Timeout | undefined;
  private readonly check: ConsumerCheck;
  private readonly checks: Repeating;

  constructor(
    private readonly nats: Nats,
    private readonly options: BatchConsumerOptions,
  ) {
    this.logger = new Logger(`consumer ${options.spec.durable}`);
    this.check = new ConsumerCheck(options.spec, false);
    this.checks = new Repeating({
      everyMs: CHECK_MS,
      work: () => this.lookAfterOwn(),
      // The pull that fails tells of it.
      onError: () => undefined,
    });
  }

  start(): void {
    this.loop = this.run();
    if (!this.options.own) return;
    this.checks.start();
    void this.nats.watch(({ type }) => {
      if (type === 'reconnect') this.lookAfterOwn().catch(() => undefined);
    });
  }

  /** Stops pulling, finishes the batch that runs; what is left is delivered again later. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.messages?.stop();
    clearTimeout(this.linger);
    if (this.options.own) await this.checks.stop();
    await this.loop;
    await Promise.all(this.handling);
    // At once for whoever comes next, not when the acknowledgement is overdue.
    for (const message of this.pending.splice(0)) message.nak();
  }

  private async run(): Promise<void> {
    for (let failures = 0; !this.stopping.signal.aborted;) {
      try {
        const consumer = await this.nats.whileConnected(() => this.bind());
        failures = 0;
        await this.pull(consumer);
      } catch (error) {
        if (this.stopping.signal.aborted) return;
        failures += 1;
        this.logger.warn(`cannot pull (${messageOf(error)}); trying again`);
      }
      if (!this.nats.connected) failures = 0;
      await this.nats.untilConnected(this.stopping.signal);
      await sleep(backoffMs(Math.max(failures, 1), BIND_AGAIN, 0.5), this.stopping.signal);
    }
  }

  private async lookAfterOwn(): Promise<void> {
    if (this.stopping.signal.aborted) return;
    const mended = await this.check.look(await this.nats.manager());
    if (mended === undefined || mended === 'it was gone') return;
    this.logger.warn(`begins anew: ${mended}`);
  }

  private async bind(): Promise<Consumer> {
    const { stream, durable } = this.options.spec;
    if (this.options.own) await ensureOwnConsumer(this.nats, this.options.spec);
    return this.nats.jetstream.consumers.get(stream, durable);
  }

  private async pull(consumer: Consumer): Promise<void> {
    this.messages = await consumer.consume({
      max_messages: this.options.batchMax * 2,
      expires: 30_000,
      abort_on_missing_resource: true,
    });
    // Asked to stop while this was on its way: nobody else knows of these messages.
    if (this.stopping.signal.aborted) this.messages.stop();
    for await (const message of this.messages) {
      this.pending.push(message);
      this.arm();
      while (this.pending.length >= this.options.batchMax && this.isBusy) {
        await Promise.race(this.handling);
      }
      if (this.stopping.signal.aborted) return;
    }
  }

  private get isBusy(): boolean {
    return this.handling.size >= (this.options.atOnce ?? 1);
  }

  /** What comes while no batch can begin goes with the next one, without lingering. */
  private arm(): void {
    if (this.isBusy) return;
    const { batchMax, lingerMs } = this.options;
    if (lingerMs === 0 || this.pending.length >= batchMax) this.begin();
    else this.linger ??= setTimeout(() => this.begin(), lingerMs);
  }

  private begin(): void {
    clearTimeout(this.linger);
    this.linger = undefined;
    if (this.isBusy || this.pending.length === 0 || this.stopping.signal.aborted) return;
    const work = this.handle(this.pending.splice(0, this.options.batchMax)).finally(() => {
      this.handling.delete(work);
      this.begin();
    });
    this.handling.add(work);
  }

  private async handle(batch: readonly JsMsg[]): Promise<void> {
    try {
      await this.options.handle(batch.map(toDelivery));
      for (const message of batch) message.ack();
    } catch (error) {
      this.logger.error(`a batch of ${batch.length} failed: ${messageOf(error)}`);
      for (const message of batch) {
        message.nak(backoffMs(message.info.deliveryCount, RETRY, 0.5));
      }
    }
  }
}

function toDelivery(message: JsMsg): Delivery {
  return {
    subject: message.subject,
    payload: parse(message),
    messageId: message.headers?.get('Nats-Msg-Id') || `${message.info.stream}:${message.seq}`,
    deliveries: message.info.deliveryCount,
  };
}

function parse(message: JsMsg): unknown {
  try {
    return message.json();
  } catch {
    return undefined;
  }
}
