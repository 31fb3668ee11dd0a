import { Logger } from '@nestjs/common';
import { brokerHeartbeat, HEARTBEAT_MS, type HostHeartbeat } from '#contracts/broker.js';
import { messageOf } from '#kernel/errors.js';
import type { Requests } from './requests.js';

/** Tells the broker every few seconds that a media server or an agent lives and what it has. */
export class Heartbeat {
  private readonly logger = new Logger('heartbeat');
  private timer: NodeJS.Timeout | undefined;
  private quiet = false;

  constructor(
    private readonly requests: Requests,
    private readonly describe: () => Promise<HostHeartbeat> | HostHeartbeat,
  ) {}

  async start(): Promise<void> {
    await this.beat();
    this.timer = setInterval(() => void this.beat(), HEARTBEAT_MS);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async beat(): Promise<void> {
    try {
      await this.requests.call(brokerHeartbeat, await this.describe());
      this.quiet = false;
    } catch (error) {
      // Once for each outage: it is not this host's trouble alone.
      if (!this.quiet) this.logger.warn(`the broker does not hear us: ${messageOf(error)}`);
      this.quiet = true;
    }
  }
}
