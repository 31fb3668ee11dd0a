import { Logger } from '@nestjs/common';
import type { ConsumerSpec, StreamSpec } from '#contracts/streams.js';
import { messageOf } from '#kernel/errors.js';
import { Repeating } from '#kernel/repeating.js';
import { ConsumerCheck } from './consumer-check.js';
import type { Nats } from './connection.js';
import { Topology } from './topology.js';

export interface TopologyKeeperOptions {
  readonly streams: readonly StreamSpec[];
  readonly consumers: readonly ConsumerSpec[];
  readonly everyMs: number;
  readonly replicas?: number;
}

/** The jetstream reference's interval for this loop. */
export const TOPOLOGY_LOOK_MS = 30_000;

/**
 * Keeps the streams and the fixed consumers as they have to be, for as long as the cluster runs: makes
 * again what is missing, and has a consumer begin anew whose stream went back in time. It looks at the
 * start, on every reconnect, and every half a minute. It deletes consumers only, never a stream.
 */
export class TopologyKeeper {
  private readonly logger = new Logger('topology');
  private readonly topology: Topology;
  private readonly checks: readonly ConsumerCheck[];
  private readonly rounds: Repeating;
  private looking: Promise<void> = Promise.resolve();

  constructor(
    private readonly nats: Nats,
    private readonly options: TopologyKeeperOptions,
  ) {
    this.topology = new Topology(nats, options.replicas);
    this.checks = options.consumers.map((spec) => new ConsumerCheck(spec, true));
    this.rounds = new Repeating({
      everyMs: options.everyMs,
      work: () => this.look(),
      onError: (error) => this.logger.warn(`cannot look after the broker: ${messageOf(error)}`),
    });
  }

  /** Resolves when everything is in its place; throws where it cannot be put there. */
  async start(): Promise<void> {
    await this.look();
    this.rounds.start();
    void this.nats.watch(({ type }) => {
      if (type === 'reconnect') this.look().catch(() => undefined);
    });
  }

  stop(): Promise<void> {
    return this.rounds.stop();
  }

  /** One look at a time: two at once would both mend the same consumer. */
  private look(): Promise<void> {
    this.looking = this.looking.catch(() => undefined).then(() => this.lookOnce());
    return this.looking;
  }

  private async lookOnce(): Promise<void> {
    await this.topology.ensureStreams(this.options.streams);
    const manager = await this.nats.manager();
    for (const [at, check] of this.checks.entries()) {
      const mended = await check.look(manager);
      const { durable, stream } = this.options.consumers[at]!;
      if (mended === undefined || mended === 'it was gone') continue;
      this.logger.warn(`consumer ${durable} of ${stream} begins anew: ${mended}`);
    }
  }
}
