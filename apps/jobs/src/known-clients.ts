import { Injectable } from '@nestjs/common';
import { brokerClient } from '#contracts/broker.js';
import { Clock } from '#kernel/clock.js';
import { PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { Requests } from '#messaging/requests.js';

/** A client that was up a moment ago is not asked for again. */
const KNOWN_MS = 1_000;
const KNOWN_MAX = 10_000;

/** Which clients can be worked with. */
@Injectable()
export class KnownClients {
  /** Until when a client counts as up, in ms since 1970. */
  private readonly known = new Map<string, number>();
  /** Questions that are under way: whoever comes meanwhile shares the answer. */
  private readonly asked = new Map<string, Promise<void>>();

  constructor(
    private readonly requests: Requests,
    private readonly clock: Clock,
  ) {}

  /** Better now than in a job that can never start: throws `PermanentError` 243 or 1000. */
  async require(client: string): Promise<void> {
    if ((this.known.get(client) ?? 0) > this.clock.now().getTime()) return;
    const answer =
      this.asked.get(client) ?? this.ask(client).finally(() => this.asked.delete(client));
    this.asked.set(client, answer);
    await answer;
  }

  private async ask(client: string): Promise<void> {
    const { state } = await this.requests.call(brokerClient, { client });
    if (state === 'down') {
      throw new PermanentError(
        STATUS.clientOffline,
        `Client "${client}" is offline: its agent does not answer. Start it, then try again.`,
        'client',
      );
    }
    if (this.known.size >= KNOWN_MAX) this.known.clear();
    this.known.set(client, this.clock.now().getTime() + KNOWN_MS);
  }
}
