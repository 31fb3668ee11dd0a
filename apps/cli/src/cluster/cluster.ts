import type { Endpoint, InputOf, ResponseOf } from '#contracts/contract.js';
import { sleep } from '#kernel/backoff.js';
import { Unavailable } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { Nats } from '#messaging/connection.js';
import { Requests } from '#messaging/requests.js';
import { parseInput } from '#messaging/validation.js';
import type { ClusterAddress } from './find-cluster.js';

/** The one user that people and scripts are. */
const USER = 'operator';
/** Services answer in milliseconds; reading an index from a medium takes the catalog longer. */
const ANSWER_MS_MAX = 30_000;
const INSTANCE_MS_MAX = 120_000;
const CLOSE_MS_MAX = 1_000;

/** A connection to a running cluster, as the operator. */
export class Cluster {
  private readonly requests: Requests;

  private constructor(
    readonly address: ClusterAddress,
    readonly nats: Nats,
  ) {
    this.requests = new Requests(nats);
  }

  static async connect(address: ClusterAddress): Promise<Cluster> {
    try {
      const nats = await Nats.connect({
        url: address.natsUrl,
        user: USER,
        seed: address.seed,
        clientName: `holdfast-cli-${process.pid}`,
      });
      return new Cluster(address, nats);
    } catch (error) {
      if (!(error instanceof Unavailable) || !address.running) throw error;
      const message = `${error.message} If the cluster was killed, start it with: holdfast up`;
      throw new Unavailable(message, error.status, { cause: error });
    }
  }

  /** Throws `InvalidInput` before it asks, and what `Requests.call` throws. */
  ask<E extends Endpoint>(
    endpoint: E,
    input: InputOf<E>,
    timeoutMs = ANSWER_MS_MAX,
    signal?: AbortSignal,
  ): Promise<ResponseOf<E>> {
    parseInput(endpoint.request, input);
    return this.requests.call(endpoint, input, { timeoutMs, signal });
  }

  /** The same of one instance: a media server. Moving cartridges may take a while. */
  askInstance<E extends Endpoint>(
    instance: string,
    endpoint: E,
    input: InputOf<E>,
  ): Promise<ResponseOf<E>> {
    parseInput(endpoint.request, input);
    return this.requests.call(endpoint, input, { instance, timeoutMs: INSTANCE_MS_MAX });
  }

  /**
   * For requests that carry a `requestId`: asks again where it is not known whether the first try
   * was heard. The service makes one job of all tries.
   */
  async submit<E extends Endpoint>(endpoint: E, input: InputOf<E>): Promise<ResponseOf<E>> {
    const timeoutsMs = [5_000, 10_000];
    for (const timeoutMs of timeoutsMs) {
      try {
        return await this.ask(endpoint, input, timeoutMs);
      } catch (error) {
        if (!(error instanceof Unavailable) || error.status !== STATUS.connectionTimedOut) {
          throw error;
        }
      }
    }
    return this.ask(endpoint, input, 15_000);
  }

  /** What all instances answer within the time; nothing where there is none. */
  askAll<E extends Endpoint>(
    endpoint: E,
    input: InputOf<E>,
    timeoutMs: number,
  ): Promise<ResponseOf<E>[]> {
    return this.requests.callAll(endpoint, input, timeoutMs);
  }

  /**
   * Calls `heard` with the JSON of each public event on `subject`, from now on; events that pass
   * while the connection is down are missed. Resolves, once the broker has the subscription, to what ends it.
   */
  async onEvent(subject: string, heard: (event: unknown) => void): Promise<() => void> {
    const subscription = this.nats.connection.subscribe(subject, {
      callback: (error, message) => {
        if (!error) heard(message.json());
      },
    });
    await this.nats.flush();
    return () => subscription.unsubscribe();
  }

  /** Takes a moment at most: a connection that is down would never be drained. */
  async close(): Promise<void> {
    const waited = new AbortController();
    await Promise.race([this.nats.close(), sleep(CLOSE_MS_MAX, waited.signal)]);
    waited.abort();
    void this.nats.connection.close();
  }
}
